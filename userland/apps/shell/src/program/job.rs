//! Jobs: programs that were started together, and the ways of bytes to and from them.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

use abi::process::{EXITED, RUNNING};
use shell::cooked::{Cooked, Typed};
use sys::channel::{Channel, Reader, Writer};
use sys::object::{Owned, Process};

use super::console::Console;
use super::kin;
use super::programs::SHELL;
use super::pump::{Progress, Pump};
use super::streams::Supply;

/// The status of what Ctrl-C has ended: 128 and the number that POSIX has for it.
pub const INTERRUPTED: u64 = 130;
/// The status of a program that faulted: 128 and the vector of the exception.
const FAULT_BASE: u64 = 128;
/// So much may be typed ahead of a program, in bytes.
const TYPED_MAX: usize = 64 * 1024;

/// Where what a program did not read goes, for the commands behind it.
pub enum Back {
    /// To what was typed, or came from the standard input.
    Keyboard,
    /// To a file or a text.
    Supply(Rc<RefCell<Supply>>),
}

/// A program of a job.
pub struct Member {
    /// Its name.
    pub name: String,
    /// The path of its file.
    pub program: String,
    /// What was added to the addresses of that.
    pub bias: u64,
    /// Its process.
    pub process: Process,
    /// A fault of it was told.
    pub is_reported: bool,
    /// What it reads from: its end is closed when it has ended.
    pub input: Option<Rc<Channel>>,
    /// Where what it does not read goes.
    pub back: Option<Back>,
    /// What it has not read.
    pub unread: Vec<u8>,
    /// What it writes to, likewise.
    pub outputs: Vec<Rc<Channel>>,
    /// How it ended.
    pub status: Option<u64>,
}

impl Member {
    /// Looks whether it has ended; whether that is new.
    fn look(&mut self, console: &mut Console) -> bool {
        if self.status.is_some() {
            return false;
        }
        let Ok(info) = self.process.info() else {
            return false;
        };
        match info.state {
            RUNNING => return false,
            EXITED => self.status = Some(info.status),
            _ => {
                if !self.is_reported {
                    let text = format!("6s: {}: ended by exception {}\n", self.name, info.status);
                    console.print(text.as_bytes());
                }
                self.status = Some(FAULT_BASE + info.status);
            }
        }
        // The other sides see the end, whatever the program did to its own.
        if let Some(input) = self.input.take() {
            if self.back.is_some() {
                self.unread = left_in(&input);
            }
            let _ = input.close_reader();
        }
        for output in self.outputs.drain(..) {
            let _ = output.close_writer();
        }
        true
    }
}

/// What is in a channel whose reader has ended.
fn left_in(channel: &Channel) -> Vec<u8> {
    let mut left = Vec::new();
    let reader = channel.reader().ok();
    let reader = reader.and_then(|handles| Reader::new(sys::start::own(), handles).ok());
    if let Some(mut reader) = reader {
        let mut buffer = [0; 512];
        while let Ok(count @ 1..) = reader.try_read(&mut buffer) {
            left.extend(buffer.get(..count).unwrap_or_default());
        }
    }
    left
}

/// What is typed for a program.
pub struct Keyboard {
    writer: Option<Writer>,
    pending: Vec<u8>,
    /// What the program will not read.
    unread: Vec<u8>,
    cooked: Cooked,
    is_ended: bool,
}

impl Keyboard {
    pub fn new(writer: Writer) -> Self {
        Self {
            writer: Some(writer),
            pending: Vec::new(),
            unread: Vec::new(),
            cooked: Cooked::default(),
            is_ended: false,
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        if self.unread.len() + self.pending.len() + bytes.len() <= TYPED_MAX {
            self.pending.extend(bytes);
        }
    }

    /// What was typed for the program and has not come to it.
    fn take_unread(&mut self) -> Vec<u8> {
        let mut all = core::mem::take(&mut self.unread);
        all.append(&mut self.pending);
        all.append(&mut self.cooked.take_line());
        all
    }

    /// There will be nothing more.
    pub fn end(&mut self) {
        self.is_ended = true;
    }

    /// Whether more may come.
    pub fn has_room(&self) -> bool {
        self.pending.len() < TYPED_MAX / 2
    }

    fn step(&mut self) -> bool {
        let Some(writer) = &mut self.writer else {
            self.unread.append(&mut self.pending);
            return false;
        };
        let mut moved = false;
        while !self.pending.is_empty() {
            match writer.write_or_arm(&self.pending) {
                Ok(count) => {
                    self.pending.drain(..count);
                    moved = true;
                }
                Err(abi::Error::NotReady) => return moved,
                Err(_) => {
                    self.unread.append(&mut self.pending);
                    self.writer = None;
                    return true;
                }
            }
        }
        if self.is_ended {
            // The program sees the end.
            self.writer = None;
        }
        moved
    }
}

/// What somebody at the terminal wants of a job.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// It shall end.
    Interrupt,
    /// It shall stop.
    Stop,
}

/// Programs that were started together.
pub struct Job {
    /// By which the user names it.
    pub number: usize,
    /// What was typed.
    pub text: String,
    /// Its programs.
    pub members: Vec<Member>,
    /// Ways of bytes.
    pub pumps: Vec<Pump>,
    /// What is typed for it while it is in the foreground.
    pub keyboard: Option<Keyboard>,
    /// The status of its last command, if that is none of its programs.
    pub status: Option<u64>,
    /// It was told to stop, and not yet to go on.
    pub is_stopped: bool,
}

impl Job {
    /// One without programs.
    pub fn new(number: usize, text: String) -> Self {
        Self {
            number,
            text,
            members: Vec::new(),
            pumps: Vec::new(),
            keyboard: None,
            status: None,
            is_stopped: false,
        }
    }

    /// Gives back what its programs did not read; what was typed, or came from the standard input, is returned.
    pub fn give_back(&mut self) -> Vec<u8> {
        for pump in &mut self.pumps {
            pump.give_back();
        }
        let mut typed = Vec::new();
        for member in &mut self.members {
            let unread = core::mem::take(&mut member.unread);
            match member.back.take() {
                Some(Back::Supply(supply)) => supply.borrow_mut().put_back(&unread),
                Some(Back::Keyboard) => typed.extend(unread),
                None => {}
            }
        }
        if let Some(keyboard) = &mut self.keyboard {
            typed.append(&mut keyboard.take_unread());
        }
        typed
    }

    /// Does what can be done; whether something was.
    pub fn step(&mut self, console: &mut Console) -> bool {
        let mut progress = false;
        for member in &mut self.members {
            progress |= member.look(console);
        }
        self.pumps.retain_mut(|pump| match pump.step(console) {
            Progress::Moved => {
                progress = true;
                true
            }
            Progress::Waits => true,
            Progress::Done => {
                progress = true;
                false
            }
        });
        if let Some(keyboard) = &mut self.keyboard {
            progress |= keyboard.step();
        }
        progress
    }

    /// Whether it has ended, and all that it wrote was moved.
    pub fn is_done(&self) -> bool {
        let ended = self.members.iter().all(|member| member.status.is_some());
        ended && !self.pumps.iter().any(Pump::is_output)
    }

    /// How it ended: as its last command.
    pub fn final_status(&self) -> u64 {
        let last = self.members.last().and_then(|member| member.status);
        self.status.or(last).unwrap_or(0)
    }

    /// Takes what is typed. What is to be shown goes to the console.
    pub fn type_in(&mut self, bytes: &[u8], console: &mut Console) -> Option<Wish> {
        let is_raw = console.watch().is_alternate();
        let mut echo = Vec::new();
        let mut wish = None;
        for &byte in bytes {
            let typed = match (is_raw, byte) {
                (true, 0x03) => Some(Typed::Interrupt),
                (true, 0x1a) => Some(Typed::Stop),
                (true, _) => Some(Typed::Bytes(Vec::from([byte]))),
                (false, _) => match &mut self.keyboard {
                    Some(keyboard) => keyboard.cooked.take(byte, &mut echo),
                    None => Cooked::default().take(byte, &mut echo),
                },
            };
            match typed {
                Some(Typed::Interrupt) => wish = Some(Wish::Interrupt),
                Some(Typed::Stop) => wish = Some(Wish::Stop),
                Some(Typed::End) => {
                    if let Some(keyboard) = &mut self.keyboard {
                        keyboard.end();
                    }
                }
                Some(Typed::Bytes(bytes)) => {
                    if let Some(keyboard) = &mut self.keyboard {
                        keyboard.add(&bytes);
                    }
                }
                None => {}
            }
        }
        console.show(&echo);
        wish
    }

    /// Takes bytes for its input as they are.
    pub fn feed(&mut self, bytes: &[u8]) {
        if let Some(keyboard) = &mut self.keyboard {
            keyboard.add(bytes);
        }
    }

    /// Ends all of its programs, and what shells among them have started, for which a handle of the machine is needed.
    pub fn kill(&self, status: u64, system: Option<&Owned>) {
        let mut shells = BTreeSet::new();
        for member in self.members.iter().filter(|member| member.status.is_none()) {
            if member.program == SHELL {
                shells.extend(member.process.usage().map(|usage| usage.number));
            }
            // It may have ended just now.
            let _ = member.process.kill(status);
        }
        if let (false, Some(system)) = (shells.is_empty(), system) {
            kin::end(system.handle(), shells, status);
        }
    }
}
