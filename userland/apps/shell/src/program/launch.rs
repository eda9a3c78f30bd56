//! Starts the programs of a pipeline.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use abi::{Error, Rights};
use files::{FileError, How, Kind};
use shell::expand;
use shell::grants::{self, Grant};
use shell::syntax::{Command, Pipeline, Redirect, RedirectKind};
use spawn::{Builder, Child};
use sys::channel::{Channel, Reader, Writer};
use sys::object::{Owned, Thread};

use super::builtins;
use super::console::{ENDED, FAULTED};
use super::input::waiter;
use super::job::{Job, Keyboard, Member};
use super::pump::{Pump, Sink, Source};
use super::shell::Shell;

/// Bytes of a channel between two programs.
const PIPE_ROOM: u64 = 16 * 1024;
/// Bytes of a channel between a program and the shell.
const ROOM: u64 = 4096;
/// The program of this shell.
const SHELL: &str = "/boot/bin/6s";
/// The status of a job that was stopped.
pub const STOPPED: u64 = 148;
/// The status when a command is not there.
const NOT_FOUND: u64 = 127;
/// The status when a command cannot be started.
const NOT_STARTED: u64 = 126;

/// A program that was found.
struct Program {
    /// Its file.
    bytes: Vec<u8>,
    path: String,
    /// For the shell: the script that it is to run.
    script: Option<String>,
}

/// What a command reads.
enum Feed {
    /// Nothing.
    Nothing,
    /// What is typed.
    Keyboard,
    /// What the command before writes.
    Pipe(Rc<Channel>),
    /// What the command before, one of the shell's own, has written.
    Bytes(Vec<u8>),
}

/// Where a command writes.
enum Out {
    Console,
    Pipe,
    File(files::File),
}

/// The ends of channels that a program is given.
#[derive(Default)]
struct Streams {
    input: Option<Rc<Channel>>,
    output: Option<Rc<Channel>>,
    error: Option<Rc<Channel>>,
}

/// Stops all threads of a job; whether that was done.
pub fn stop(job: &Job) -> bool {
    each_thread(job, |thread| thread.suspend().is_ok())
}

/// Lets the threads of a job go on.
pub fn go_on(job: &mut Job) {
    each_thread(job, |thread| thread.resume().is_ok());
    job.is_stopped = false;
}

fn each_thread(job: &Job, act: impl Fn(&Thread) -> bool) -> bool {
    let mut all = true;
    for member in job.members.iter().filter(|member| member.status.is_none()) {
        let mut from = 0;
        while let Ok(info) = member.process.next_thread(from) {
            from = info.number + 1;
            let thread = sys::call::process_thread(member.process.handle(), info.number);
            all &= thread.is_ok_and(|thread| act(&Thread::from_raw(thread)));
        }
    }
    all
}

impl Shell {
    /// Starts a pipeline; the number of the job, if there is one then. What went wrong was told, and is in the status.
    pub fn start(
        &mut self,
        pipeline: &Pipeline,
        text: String,
        is_foreground: bool,
    ) -> Option<usize> {
        let number = self.jobs.iter().map(|job| job.number).max().unwrap_or(0) + 1;
        let mut job = Job {
            number,
            text,
            members: Vec::new(),
            pumps: Vec::new(),
            keyboard: None,
            status: None,
            is_stopped: false,
        };
        let mut feed = match is_foreground {
            true => Feed::Keyboard,
            false => Feed::Nothing,
        };
        let last = pipeline.commands.len().saturating_sub(1);
        for (index, command) in pipeline.commands.iter().enumerate() {
            job.status = None;
            let (status, next) = self.start_one(&mut job, command, feed, index == last);
            if index == last {
                job.status = status;
            }
            feed = next;
        }
        if job.is_done() && job.members.is_empty() {
            self.status = job.final_status();
            return None;
        }
        self.jobs.push(job);
        Some(number)
    }

    /// Starts one command; its status if it is none that has to be waited for, and what the next one reads.
    fn start_one(
        &mut self,
        job: &mut Job,
        command: &Command,
        feed: Feed,
        is_last: bool,
    ) -> (Option<u64>, Feed) {
        let pipe = match &feed {
            Feed::Pipe(channel) => Some(Rc::clone(channel)),
            _ => None,
        };
        match self.try_start(job, command, feed, is_last) {
            Ok(done) => done,
            Err((text, status)) => {
                if let Some(pipe) = pipe {
                    close_feed(Feed::Pipe(pipe));
                }
                self.complain(&text);
                // The next command reads nothing.
                (Some(status), Feed::Bytes(Vec::new()))
            }
        }
    }

    fn try_start(
        &mut self,
        job: &mut Job,
        command: &Command,
        feed: Feed,
        is_last: bool,
    ) -> Result<(Option<u64>, Feed), (String, u64)> {
        let words = expand::words(&command.words, self);
        let failed = |error: FileError| (format!("{error}"), 1);
        // Files first: what cannot be opened keeps the command from running.
        let mut out = if is_last { Out::Console } else { Out::Pipe };
        let mut error_out = None;
        let mut input_file = None;
        let mut is_error_output = false;
        for redirect in &command.redirects {
            let file = self.open_target(redirect).map_err(failed)?;
            match (redirect.kind, file) {
                (RedirectKind::Input, file) => input_file = file,
                (RedirectKind::Output | RedirectKind::Append, Some(file)) => out = Out::File(file),
                (RedirectKind::Error | RedirectKind::AppendError, file) => error_out = file,
                (RedirectKind::ErrorToOutput, _) => is_error_output = true,
                (_, None) => {}
            }
        }
        let Some(name) = words.first().filter(|name| !name.is_empty()) else {
            close_feed(feed);
            return Ok((Some(0), Feed::Bytes(Vec::new())));
        };
        if let Some(builtin) = builtins::find(name) {
            close_feed(feed);
            let mut output = builtins::Output::default();
            let status = builtin(self, words.get(1..).unwrap_or_default(), &mut output);
            match error_out {
                Some(mut file) => file.write_all(&output.error).map_err(failed)?,
                None => self.console.print(&output.error),
            }
            let next = match out {
                Out::File(mut file) => {
                    file.write_all(&output.text).map_err(failed)?;
                    Feed::Bytes(Vec::new())
                }
                Out::Console => {
                    self.console.print(&output.text);
                    Feed::Bytes(Vec::new())
                }
                Out::Pipe => Feed::Bytes(output.text),
            };
            return Ok((Some(status), next));
        }

        let name = name.clone();
        let program = match (self.find(&name), error_out.as_mut()) {
            (Ok(program), _) => program,
            (Err((text, status)), Some(file)) => {
                close_feed(feed);
                file.write_all(format!("6s: {text}\n").as_bytes())
                    .map_err(failed)?;
                return Ok((Some(status), Feed::Bytes(Vec::new())));
            }
            (Err(error), None) => return Err(error),
        };
        let cannot = |error: Error| (format!("{name}: no channel: {error}"), NOT_STARTED);
        let mut streams = Streams::default();
        let mut pumps = Vec::new();
        match (input_file, feed) {
            (Some(file), feed) => {
                close_feed(feed);
                let (channel, writer) = self.input_channel().map_err(cannot)?;
                pumps.push(Pump::new(Source::File(file), Sink::Channel(writer)));
                streams.input = Some(channel);
            }
            (None, Feed::Nothing) => {}
            (None, Feed::Keyboard) => {
                let (channel, writer) = self.input_channel().map_err(cannot)?;
                job.keyboard = Some(Keyboard::new(writer));
                streams.input = Some(channel);
            }
            (None, Feed::Pipe(channel)) => streams.input = Some(channel),
            (None, Feed::Bytes(bytes)) => {
                let (channel, writer) = self.input_channel().map_err(cannot)?;
                pumps.push(Pump::of_bytes(bytes, Sink::Channel(writer)));
                streams.input = Some(channel);
            }
        }
        let mut next = Feed::Bytes(Vec::new());
        let is_shown = matches!(out, Out::Console);
        let (channel, pump) = match out {
            Out::Pipe => {
                let channel = Rc::new(Channel::new(PIPE_ROOM).map_err(cannot)?);
                next = Feed::Pipe(Rc::clone(&channel));
                (channel, None)
            }
            Out::Console => self.output_channel(Sink::Console).map_err(cannot)?,
            Out::File(file) => self.output_channel(Sink::File(file)).map_err(cannot)?,
        };
        streams.output = Some(channel);
        pumps.extend(pump);
        let sink = match error_out {
            Some(file) => Some(Sink::File(file)),
            // With the output it stays in order.
            None if is_error_output || is_shown => None,
            None => Some(Sink::Console),
        };
        if let Some(sink) = sink {
            let (channel, pump) = self.output_channel(sink).map_err(cannot)?;
            streams.error = Some(channel);
            pumps.extend(pump);
        }
        let arguments = words.get(1..).unwrap_or_default();
        let environment = self.environment(command);
        let child = self
            .spawn(&name, &program, arguments, &environment, &streams)
            .map_err(|text| (text, NOT_STARTED))?;
        let bias = child.bias();
        job.pumps.extend(pumps);
        job.members.push(Member {
            name,
            program: program.path,
            bias,
            process: child.into_process(),
            is_reported: false,
            input: streams.input,
            outputs: streams.output.into_iter().chain(streams.error).collect(),
            status: None,
        });
        Ok((None, next))
    }

    /// Opens the file of a redirection; nothing for one without a file.
    pub fn open_target(&self, redirect: &Redirect) -> Result<Option<files::File>, FileError> {
        let how = match redirect.kind {
            RedirectKind::Input => How::Read,
            RedirectKind::Output | RedirectKind::Error => How::Create,
            RedirectKind::Append | RedirectKind::AppendError => How::Append,
            RedirectKind::ErrorToOutput => return Ok(None),
        };
        let path = expand::single(&redirect.target, self);
        self.files.open(&path, how).map(Some)
    }

    /// A channel to a program, and the end that the shell writes to.
    fn input_channel(&self) -> Result<(Rc<Channel>, Writer), Error> {
        let channel = Channel::with(ROOM, Some(waiter(&self.event)?), None)?;
        let writer = Writer::new(sys::start::own(), channel.writer()?)?;
        Ok((Rc::new(channel), writer))
    }

    /// A channel from a program, and what moves the bytes on.
    fn output_channel(&self, sink: Sink) -> Result<(Rc<Channel>, Option<Pump>), Error> {
        let channel = Channel::with(ROOM, None, Some(waiter(&self.event)?))?;
        let reader = Reader::new(sys::start::own(), channel.reader()?)?;
        let pump = Pump::new(Source::Channel(reader), sink);
        Ok((Rc::new(channel), Some(pump)))
    }

    /// The program of a command; for a script that is the shell, and the script's path.
    fn find(&self, name: &str) -> Result<Program, (String, u64)> {
        let paths: Vec<String> = match name.contains('/') {
            true => Vec::from([String::from(name)]),
            false => {
                let path = self.value("PATH");
                let parts = path.split(':').filter(|part| !part.is_empty());
                parts.map(|part| format!("{part}/{name}")).collect()
            }
        };
        for path in paths {
            match self.files.stat(&path) {
                Ok(info) if info.kind == Kind::Directory && name.contains('/') => {
                    return Err((format!("{name}: it is a directory"), NOT_STARTED));
                }
                Ok(info) if info.kind == Kind::Directory => continue,
                Ok(_) => {}
                Err(error) if error.is_not_found() => continue,
                Err(error) => return Err((format!("{error}"), NOT_STARTED)),
            }
            let bytes = self.files.read(&path);
            let bytes = bytes.map_err(|error| (format!("{error}"), NOT_STARTED))?;
            if bytes.starts_with(b"\x7fELF") {
                return Ok(Program {
                    bytes,
                    path,
                    script: None,
                });
            }
            let shell = self.files.read(SHELL);
            let shell = shell.map_err(|error| (format!("{error}"), NOT_STARTED))?;
            return Ok(Program {
                bytes: shell,
                path: SHELL.into(),
                script: Some(path),
            });
        }
        Err((format!("{name}: there is no such command"), NOT_FOUND))
    }

    /// Makes a process of a program.
    fn spawn(
        &self,
        name: &str,
        program: &Program,
        arguments: &[String],
        environment: &[(String, String)],
        streams: &Streams,
    ) -> Result<Child, String> {
        let script = program.script.as_deref();
        let own_name = match script {
            Some(_) => "6s",
            None => files::path::name(name),
        };
        let grant = match script {
            None if !name.contains('/') => grants::of(name),
            None => grants::PLAIN,
            Some(_) => grants::of("6s"),
        };
        let mut builder = Builder::new(own_name, &program.bytes);
        builder = builder.arguments(script);
        builder = builder.arguments(arguments.iter().map(String::as_str));
        for (name, value) in environment {
            builder = builder.env(name, value);
        }
        for (name, handle) in self.granted(grant)? {
            builder = builder.handle(name, handle);
        }
        let ends = |handles: [abi::Handle; 4]| handles.map(Owned::from_raw);
        let no_end = |error: Error| format!("{name}: no channel: {error}");
        if let Some(channel) = &streams.input {
            builder = builder.bundle("stdin", ends(channel.reader().map_err(no_end)?));
        }
        if let Some(channel) = &streams.output {
            builder = builder.bundle("stdout", ends(channel.writer().map_err(no_end)?));
        }
        if let Some(channel) = &streams.error {
            builder = builder.bundle("stderr", ends(channel.writer().map_err(no_end)?));
        }
        let builder = builder
            .on_exit(&self.event, ENDED)
            .on_exception(&self.event, FAULTED);
        builder.spawn().map_err(|error| format!("{error}"))
    }

    /// The handles that a grant means.
    fn granted(&self, grant: Grant) -> Result<Vec<(&'static str, Owned)>, String> {
        let mut handles = Vec::new();
        let directory = self.directory.narrow(grant.services);
        handles.push((
            "directory",
            directory.map_err(|failure| format!("no way to the services: {failure}"))?,
        ));
        let machine = &self.machine;
        let log = Self::again(machine.log.as_ref(), Rights::LOG_WRITE)
            .or_else(|| Self::again(machine.system.as_ref(), Rights::LOG_WRITE));
        handles.extend(log.map(|log| ("log", log)));
        if grant.system != Rights::NONE {
            let system = Self::again(machine.system.as_ref(), grant.system);
            handles.extend(system.map(|system| ("system", system)));
        }
        if grant.has_resources {
            let rights = Rights::INSPECT.union(Rights::USE);
            for (name, owned) in [
                ("memory", &machine.memory),
                ("ports", &machine.ports),
                ("lines", &machine.lines),
            ] {
                let again = Self::again(owned.as_ref(), rights);
                handles.extend(again.map(|handle| (name, handle)));
            }
        }
        Ok(handles)
    }
}

/// What was to be read is not: who writes it is told.
fn close_feed(feed: Feed) {
    if let Feed::Pipe(channel) = feed {
        // The one who writes gets an error; if that cannot be said, it waits until it is interrupted.
        let _ = channel.close_reader();
    }
}
