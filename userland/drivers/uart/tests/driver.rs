//! The whole driver on a machine with two ports that share a line: sessions, every byte both ways, and its end.

#![allow(missing_docs, reason = "a test")]

#[path = "port/model.rs"]
#[allow(dead_code, reason = "the other test uses the rest")]
mod model;

use std::time::{Duration, Instant};

use abi::{Error, Rights};
use fake_kernel::{Machine, Ports};
use model::{Hardware, Wire};
use protocols::Fault;
use protocols::terminal::{Answer, Request, Terminal};
use sys::Context;
use sys::channel::{HANDLES, Reader, Writer};
use sys::exec::Executor;
use sys::object::{Mailbox, Owned};
use uart::detect::Chip;
use uart::driver::{Driver, serve};
use uart::registers::{MSR_CTS, Registers};
use uart::settings::Settings;

/// COM1 and COM3, on one line; and COM2, which is not there.
const BASES: [u16; 2] = [0x3f8, 0x3e8];
const ABSENT: u16 = 0x2f8;
const LINE: u64 = 4;
/// How long all may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The ports of the machine.
#[derive(Clone)]
struct Board([Wire; 2]);

impl Board {
    fn of(&mut self, port: u16) -> Option<(&mut Wire, u8)> {
        let index = BASES
            .iter()
            .position(|base| (*base..base + 8).contains(&port))?;
        Some((&mut self.0[index], (port - BASES[index]) as u8))
    }

    fn is_high(&self) -> bool {
        self.0.iter().any(|wire| wire.get().is_high())
    }
}

impl Ports for Board {
    fn read(&mut self, port: u16, _: u8) -> u32 {
        self.of(port)
            .map_or(0xff, |(wire, register)| wire.read(register).into())
    }

    fn write(&mut self, port: u16, _: u8, value: u32) {
        if let Some((wire, register)) = self.of(port) {
            wire.write(register, value as u8);
        }
    }
}

/// What is at the other ends of the lines.
struct World {
    machine: Machine,
    board: Board,
    begin: Instant,
    was_high: bool,
}

impl World {
    /// A little time goes by: bytes move on the lines, and what rises is told.
    fn step(&mut self) {
        assert!(self.begin.elapsed() < PATIENCE, "it takes too long");
        for wire in &self.board.0 {
            wire.get().go(3);
            wire.get().rest();
        }
        // Each chip's own edges count: the line of the other one may be high all the time.
        let has_risen = self.board.0.iter().fold(false, |any, wire| {
            any | std::mem::take(&mut wire.get().edge)
        });
        let is_high = self.board.is_high();
        if has_risen && (!self.was_high || is_high) {
            self.machine.fire(LINE);
        }
        self.was_high = is_high;
        std::thread::yield_now();
    }
}

fn driver(context: &Context) -> Result<u64, Error> {
    let exec = Executor::new()?;
    let mailboxes = context.bundle("mailbox").into_iter().map(Mailbox::from);
    let resources = context.bundle("device:PNP0501");
    let resources = resources.into_iter().map(Into::into).collect();
    let mut driver = Driver::new(&exec, resources, &Settings::default());
    driver.start();
    let numbers: Vec<_> = driver.terminals.iter().map(|port| port.number).collect();
    assert_eq!(numbers, [0, 2]);
    for (port, mailbox) in driver.terminals.iter().zip(mailboxes) {
        exec.spawn(serve(port.terminal.clone(), exec.mailbox(mailbox)?));
    }
    let stop = exec.mailbox(Mailbox::from(
        context.handle("stop").ok_or(Error::NotReady)?,
    ))?;
    exec.run_until(async {
        let call = stop.receive().await?;
        for port in &driver.terminals {
            port.terminal.stop().await;
        }
        let received = driver
            .terminals
            .iter()
            .map(|port| port.terminal.counts().received);
        call.answer(0, [], &[received.sum()])?;
        Ok(0)
    })?
}

struct Session {
    reader: Reader,
    writer: Writer,
}

fn ask(terminal: &Mailbox, handles: Vec<Owned>) -> Result<Vec<Owned>, ipc::Failure> {
    let request = Request::Attach {
        input: (1, 2),
        output: (4, 8),
    };
    let (answer, handles) = ipc::call::<Terminal>(terminal, &request, handles, abi::NEVER)?;
    assert!(matches!(answer, Answer::Attached(_)));
    Ok(handles)
}

fn attach(terminal: &Mailbox) -> Session {
    let handles = ask(terminal, Vec::new()).expect("a session");
    assert_eq!(handles.len(), 2 * HANDLES);
    let mut handles = handles.into_iter();
    let mut end = || sys::channel::handles(handles.by_ref().take(HANDLES).collect::<Vec<_>>());
    let (input, output) = (end().expect("an end"), end().expect("an end"));
    Session {
        reader: Reader::new(sys::start::own(), input).expect("a reader"),
        writer: Writer::new(sys::start::own(), output).expect("a writer"),
    }
}

/// What the client has to write and what has come to it, and likewise at the other end of the line.
struct Traffic {
    session: Session,
    to_write: Vec<u8>,
    written: usize,
    to_come: Vec<u8>,
    came: usize,
    read: Vec<u8>,
}

impl Traffic {
    fn new(session: Session, seed: usize, count: usize) -> Self {
        let bytes = |seed: usize| {
            (0..count)
                .map(move |index| (index * 7 / 3 + seed) as u8)
                .collect()
        };
        Self {
            session,
            to_write: bytes(seed),
            written: 0,
            to_come: bytes(seed + 100),
            came: 0,
            read: Vec::new(),
        }
    }

    fn step(&mut self, wire: &Wire) -> bool {
        // Pieces of all sizes, so that the queues are full and empty by turns.
        let end = self
            .to_write
            .len()
            .min(self.written + 1 + self.written % 700);
        match self
            .session
            .writer
            .try_write(&self.to_write[self.written..end])
        {
            Ok(count) => self.written += count,
            Err(error) => assert_eq!(error, Error::NotReady),
        }
        let mut chip = wire.get();
        let can_come = chip.is_ready() && chip.has_room();
        if can_come && let Some(byte) = self.to_come.get(self.came) {
            chip.come(*byte, 0);
            self.came += 1;
        }
        drop(chip);
        let mut piece = [0; 100];
        match self.session.reader.try_read(&mut piece) {
            Ok(count) => self.read.extend(&piece[..count]),
            Err(error) => assert_eq!(error, Error::NotReady),
        }
        self.written == self.to_write.len() && self.read.len() == self.to_come.len()
    }
}

#[test]
fn sessions_on_two_ports_of_one_line() {
    let machine = Machine::new();
    let _test = machine.enter("test");
    let chip = Hardware::Chip(Chip::I16550A);
    let board = Board([Wire::new(chip, MSR_CTS), Wire::new(chip, MSR_CTS)]);
    machine.set_ports(board.clone());
    let (mailboxes, stop) = (
        [Mailbox::new(), Mailbox::new()],
        Mailbox::new().expect("room"),
    );
    let mailboxes = mailboxes.map(|mailbox| mailbox.expect("room"));
    let rights = Rights::CALL
        .union(Rights::DUPLICATE)
        .union(Rights::TRANSFER);
    let copy = |mailbox: &Mailbox| mailbox.duplicate(rights).expect("room");
    let (terminals, stopper) = (mailboxes.each_ref().map(copy), copy(&stop));
    let mut given: Vec<(&'static str, Owned)> = vec![("stop", stop.into())];
    given.extend(mailboxes.map(|mailbox| ("mailbox", mailbox.into())));
    for base in [BASES[0], ABSENT, BASES[1]] {
        given.push(("device:PNP0501", machine.ports(base.into(), 8).into()));
        given.push(("device:PNP0501", machine.lines(LINE, 1).into()));
    }
    let running = machine.spawn("drv.uart", given, |context| {
        driver(context).expect("the driver ends as it should")
    });
    let mut world = World {
        machine: machine.clone(),
        board: board.clone(),
        begin: Instant::now(),
        was_high: false,
    };
    let count = 6000;
    let mut all = [
        Traffic::new(attach(&terminals[0]), 1, count),
        Traffic::new(attach(&terminals[1]), 2, count),
    ];
    loop {
        let mut is_done = true;
        for (traffic, wire) in all.iter_mut().zip(&board.0) {
            is_done &= traffic.step(wire);
        }
        world.step();
        if is_done {
            break;
        }
    }
    for traffic in &all {
        assert!(traffic.read == traffic.to_come);
    }
    // Nobody else's object is an event.
    let wrong = ask(&terminals[0], vec![copy(&terminals[1]).into()]);
    assert_eq!(
        wrong.err(),
        Some(ipc::Failure::Fault(Fault::InvalidArgument))
    );
    // The newest session wins; what the older one has written before is sent first.
    let [mut first, second] = all;
    first
        .session
        .writer
        .write_all(b"before", abi::NEVER)
        .expect("room");
    let mut newer = attach(&terminals[0]);
    newer.writer.write_all(b" after", abi::NEVER).expect("room");
    while first.session.writer.try_write(b"").is_ok() && !first.session.writer.is_closed() {
        world.step();
    }
    assert_eq!(first.session.reader.read(&mut [0], abi::NEVER), Ok(0));
    // It ends when all that was written is on the line; until then nobody new is let in, who would not be heard.
    let rest = [b'.'; 1000];
    newer.writer.write_all(&rest, abi::NEVER).expect("room");
    let stopping = sys::thread::spawn(move || {
        let message = sys::message::Message::new(0, &[]);
        stopper.call(&message).map(|answer| answer.words()[0])
    });
    let stopping = stopping.expect("a thread");
    // The line stands still: it cannot have ended yet.
    let until = Instant::now() + Duration::from_secs(60);
    let late = loop {
        match ask(&terminals[0], Vec::new()) {
            Ok(_) if Instant::now() > until => panic!("it lets everybody in"),
            Ok(_) => std::thread::yield_now(),
            Err(failure) => break failure,
        }
    };
    assert_eq!(late, ipc::Failure::Fault(Fault::Busy));
    while !stopping.is_finished() {
        world.step();
    }
    assert_eq!(stopping.join(), Ok(Ok(2 * count as u64)));
    assert_eq!(running.join(), 0);
    let mut expected = first.to_write.clone();
    expected.extend(b"before after");
    expected.extend(rest);
    assert!(board.0[0].get().sent == expected);
    assert!(board.0[1].get().sent == second.to_write);
}
