//! The shell's state, and the loop in which it waits for everything at once.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use abi::Rights;
use files::Files;
use ipc::Directory;
use shell::editor::{Editor, Event as EditorEvent};
use shell::interpret::{Flow, State};
use shell::variables::Variables;
use spawn::report::{Crash, Symbols};
use sys::Context;
use sys::object::{Event, Owned};

use super::console::{Console, ENDED, FAULTED, GONE, Input, MOVED};
use super::job::{INTERRUPTED, Job, Wish};
use super::streams::Streams;

/// How long the terminal is waited for at first, in nanoseconds.
const PATIENCE_NS: u64 = 5_000_000_000;
/// How long the last output may take when the shell ends, in nanoseconds.
const FINISH_NS: u64 = 2_000_000_000;

/// What the shell was given of the machine, to give it on.
pub struct Machine {
    pub system: Option<Owned>,
    pub memory: Option<Owned>,
    pub ports: Option<Owned>,
    pub lines: Option<Owned>,
    pub log: Option<Owned>,
}

/// The shell.
pub struct Shell {
    pub files: Files,
    pub directory: Directory,
    pub event: Event,
    pub console: Console,
    pub editor: Option<Editor>,
    /// A line is being edited.
    pub is_editing: bool,
    /// What the editor has found meanwhile.
    pub events: Vec<EditorEvent>,
    /// What was typed and not edited yet.
    pub ahead: VecDeque<u8>,
    pub jobs: Vec<Job>,
    /// The number of the job that what is typed goes to.
    pub foreground: Option<usize>,
    pub variables: Variables,
    pub aliases: BTreeMap<String, String>,
    pub arguments: Vec<String>,
    pub name: String,
    pub machine: Machine,
    /// How what is being run stands.
    pub state: State,
    /// What commands read and write, unless they say otherwise.
    pub streams: Streams,
    /// The process of the last job in the background.
    pub last_background: u64,
    /// A command of the shell wants what is typed.
    pub is_reading: bool,
    /// Ctrl-C: what is being done is given up.
    pub is_interrupted: bool,
    /// How many scripts are being read within scripts.
    pub depth: usize,
    /// The standard input has ended.
    pub is_input_ended: bool,
}

impl Shell {
    /// A shell on a terminal, or on its standard input and output.
    pub fn new(
        context: &Context,
        terminal: Option<&str>,
        arguments: Vec<String>,
    ) -> Result<Self, String> {
        let directory = Directory::of(context).ok_or("no service directory was given")?;
        let files = Files::of(context, &directory).map_err(|failure| failure.to_string())?;
        let event = Event::new().map_err(|error| format!("no event: {error}"))?;
        let console = Console::new(&directory, terminal)?;
        let mut variables = Variables::default();
        for (name, value) in context.environment() {
            if variables.set(name, value) {
                variables.export(name);
            }
        }
        let defaults = [
            ("PATH", "/boot/bin"),
            ("HOME", "/tmp"),
            ("TERM", "xterm-256color"),
            ("PWD", files.current()),
        ];
        for (name, value) in defaults {
            if variables.get(name).is_some() || variables.set(name, value) {
                variables.export(name);
            }
        }
        let resource = |name: &str, given: Option<abi::Handle>| {
            // What the kernel gave has no name; what has one is the same handle, and must have one owner.
            let named = context.handle(name);
            named.or_else(|| given.map(Owned::from_raw))
        };
        let machine = Machine {
            system: resource("system", context.system()),
            memory: resource("memory", context.memory()),
            ports: resource("ports", context.ports()),
            lines: resource("lines", context.lines()),
            // The one of its own name is what this program itself writes by.
            log: sys::start::system().and_then(|log| {
                let rights = Rights::LOG_WRITE
                    .union(Rights::DUPLICATE)
                    .union(Rights::TRANSFER);
                sys::call::handle_duplicate(log, rights)
                    .ok()
                    .map(Owned::from_raw)
            }),
        };
        Ok(Self {
            files,
            directory,
            event,
            streams: Streams::of(&console),
            console,
            editor: None,
            is_editing: false,
            events: Vec::new(),
            ahead: VecDeque::new(),
            jobs: Vec::new(),
            foreground: None,
            variables,
            aliases: BTreeMap::new(),
            arguments,
            name: context.argument(0).unwrap_or("6s").into(),
            machine,
            state: State::default(),
            last_background: 0,
            is_reading: false,
            is_interrupted: false,
            depth: 0,
            is_input_ended: false,
        })
    }

    /// Tells the user what went wrong.
    pub fn complain(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        // What is typed is told without a line.
        let place = match self.editor.is_some() && self.depth == 0 {
            true => String::new(),
            false => format!("line {}: ", self.state.line.max(1)),
        };
        self.write_error(format!("6s: {place}{text}\n").as_bytes());
    }

    /// Does what can be done now; whether something was.
    pub fn turn(&mut self) -> bool {
        let mut progress = false;
        if self.console.attach(&self.event) {
            progress = true;
            self.attached();
        }
        progress |= self.read_input();
        if self.is_editing {
            self.console.hold();
        }
        for job in &mut self.jobs {
            progress |= job.step(&mut self.console);
        }
        let held = self.console.take_held();
        if !held.is_empty() {
            self.show_between(&held);
        }
        progress | self.console.flush()
    }

    /// Waits until there is something to do.
    pub fn wait(&mut self) {
        let until = self.console.retry_at();
        // At the time it is looked again.
        let bits = self.event.wait(MOVED | ENDED | FAULTED | GONE, until);
        let bits = bits.unwrap_or(0);
        if bits & GONE != 0 {
            self.console.look();
        }
        if bits & FAULTED != 0 {
            self.report_faults();
        }
    }

    /// Tells why programs have faulted, and lets them end.
    fn report_faults(&mut self) {
        let mut texts = Vec::new();
        for member in self.jobs.iter_mut().flat_map(|job| &mut job.members) {
            while let Ok(crash) = Crash::read(&member.process, member.bias) {
                // Names of functions, if the file is still there and has them.
                let file = self.files.read(&member.program).unwrap_or_default();
                let symbols = Symbols::new(&file);
                texts.push(format!("{}\n", crash.with(symbols.as_ref())));
                member.is_reported = true;
                if crash.end(&member.process).is_err() {
                    break;
                }
            }
        }
        if self.is_editing {
            self.console.hold();
        }
        for text in texts {
            self.console.print(text.as_bytes());
        }
        let held = self.console.take_held();
        if !held.is_empty() {
            self.show_between(&held);
        }
    }

    /// Shows what programs write while a line is edited.
    fn show_between(&mut self, held: &[u8]) {
        let Some(editor) = &mut self.editor else {
            self.console.show(held);
            return;
        };
        editor.hide();
        self.console.show(&editor.take_output());
        self.console.show(held);
        if self.console.watch().is_within_line() {
            self.console.show(b"\r\n");
        }
        editor.draw_again();
        self.console.show(&editor.take_output());
    }

    /// The terminal has come, or has come back.
    fn attached(&mut self) {
        let size = self.console.size();
        for (name, value) in [("COLUMNS", size.columns), ("LINES", size.rows)] {
            if value > 0 && self.variables.set(name, &value.to_string()) {
                self.variables.export(name);
            }
        }
        let Some(editor) = &mut self.editor else {
            return;
        };
        editor.set_columns(size.columns.into());
        if self.is_editing {
            self.console.show(b"\r\n");
            editor.draw_again();
            self.console.show(&editor.take_output());
        }
    }

    /// Reads what was typed, if somebody wants it.
    fn read_input(&mut self) -> bool {
        let is_terminal = self.console.is_terminal();
        let wanted = match self.foreground_job() {
            // Of what is typed, keys that interrupt are always wanted.
            Some(job) => is_terminal || job.keyboard.as_ref().is_some_and(|one| one.has_room()),
            None => self.is_editing || self.is_reading,
        };
        if !wanted || self.is_input_ended {
            return false;
        }
        let mut buffer = [0; 256];
        match self.console.read(&self.event, &mut buffer) {
            Input::Nothing => false,
            Input::End => {
                self.is_input_ended = true;
                if let Some(keyboard) = self.foreground_job().and_then(|job| job.keyboard.as_mut())
                {
                    keyboard.end();
                }
                true
            }
            Input::Bytes(count) => {
                let bytes = buffer.get(..count).unwrap_or_default();
                self.typed(bytes);
                true
            }
        }
    }

    fn typed(&mut self, bytes: &[u8]) {
        let is_terminal = self.console.is_terminal();
        let foreground = self.foreground;
        let job = self
            .jobs
            .iter_mut()
            .find(|job| Some(job.number) == foreground);
        if let Some(job) = job {
            if !is_terminal {
                job.feed(bytes);
                return;
            }
            match job.type_in(bytes, &mut self.console) {
                Some(Wish::Interrupt) => {
                    self.is_interrupted = true;
                    job.kill(INTERRUPTED, self.machine.system.as_ref());
                }
                Some(Wish::Stop) => job.is_stopped = super::launch::stop(job),
                None => {}
            }
            return;
        }
        self.ahead.extend(bytes);
        if self.is_editing {
            self.edit_ahead();
        }
    }

    /// Lets the editor have what was typed, up to the end of the line: what comes behind it is for what comes then.
    pub fn edit_ahead(&mut self) {
        while self.events.is_empty()
            && let Some(byte) = self.ahead.pop_front()
        {
            let event = self.editor.as_mut().and_then(|editor| editor.take(byte));
            match event {
                Some(EditorEvent::Complete(before)) => {
                    let completion = self.completion(&before);
                    if let Some(editor) = &mut self.editor {
                        editor.complete(&completion);
                    }
                }
                event => self.events.extend(event),
            }
        }
        if let Some(editor) = &mut self.editor {
            self.console.show(&editor.take_output());
        }
    }

    fn foreground_job(&mut self) -> Option<&mut Job> {
        let number = self.foreground?;
        self.jobs.iter_mut().find(|job| job.number == number)
    }

    /// Has again, before all else, what was typed for a program that did not read it; after Ctrl-C it is given up.
    fn type_again(&mut self, mut unread: Vec<u8>) {
        if self.is_interrupted {
            return;
        }
        if self.console.is_terminal() {
            // The editor's end of a line is the key.
            for byte in unread.iter_mut().filter(|byte| **byte == b'\n') {
                *byte = b'\r';
            }
        }
        self.ahead = unread.into_iter().chain(self.ahead.drain(..)).collect();
    }

    /// Waits for a job, with what is typed going to it, until it has ended or was stopped. Returns its status.
    pub fn wait_for(&mut self, number: usize) -> u64 {
        self.foreground = Some(number);
        // What was typed behind the command is for it.
        let has_keyboard = self
            .foreground_job()
            .is_some_and(|job| job.keyboard.is_some());
        if has_keyboard || self.console.is_terminal() {
            let ahead: Vec<u8> = self.ahead.drain(..).collect();
            self.typed(&ahead);
        }
        if self.is_input_ended
            && let Some(keyboard) = self.foreground_job().and_then(|job| job.keyboard.as_mut())
        {
            keyboard.end();
        }
        let status = loop {
            while self.turn() {}
            let Some(index) = self.jobs.iter().position(|job| job.number == number) else {
                break 0;
            };
            let Some(job) = self.jobs.get(index) else {
                break 0;
            };
            if job.is_done() {
                let mut job = self.jobs.remove(index);
                let unread = job.give_back();
                self.type_again(unread);
                // Without readers it was ended by this shell.
                break match self.console.is_gone() {
                    true => sys::io::UNREAD,
                    false => job.final_status(),
                };
            }
            if job.is_stopped {
                let text = format!("[{number}] stopped: {}\n", job.text);
                self.console.print(text.as_bytes());
                break super::launch::STOPPED;
            }
            if self.console.is_gone() {
                // Nobody reads what it writes any more.
                job.kill(INTERRUPTED, self.machine.system.as_ref());
                self.state.status = sys::io::UNREAD;
                self.state.flow = Some(Flow::Exit);
            }
            self.wait();
        };
        self.foreground = None;
        let restore = match self.console.is_terminal() {
            true => self.console.watch().restore(),
            false => Vec::new(),
        };
        self.console.show(&restore);
        status
    }

    /// Waits a while for the terminal, so that programs are told how large it is.
    pub fn begin(&mut self) {
        let until = sys::time::after(PATIENCE_NS);
        while self.console.is_away() && sys::time::now() < until {
            if !self.turn() {
                self.wait();
            }
        }
    }

    /// Sends what is still to be shown.
    pub fn finish(&mut self) {
        let until = sys::time::after(FINISH_NS);
        while !self.console.is_flushed() && sys::time::now() < until {
            self.console.attach(&self.event);
            if !self.console.flush() {
                let until = until.min(self.console.retry_at());
                // At the time it is looked again.
                let _ = self.event.wait(MOVED | ENDED, until);
            }
        }
    }

    /// A second handle of something that can be given on.
    pub fn again(owned: Option<&Owned>, rights: Rights) -> Option<Owned> {
        let rights = rights.union(Rights::TRANSFER).union(Rights::DUPLICATE);
        owned.and_then(|owned| owned.duplicate(rights).ok())
    }
}
