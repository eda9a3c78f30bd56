//! Starts the programs of a pipeline.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::RefCell;

use abi::Error;
use shell::expand;
use shell::interpret::{self, Host};
use shell::syntax::{Command, Simple};
use sys::channel::{Channel, Reader, Writer};
use sys::object::Thread;

use super::builtins;
use super::input::waiter;
use super::job::{Back, INTERRUPTED, Job, Keyboard, Member};
use super::programs::{Ends, Program};
use super::pump::{Pump, Sink, Source};
use super::shell::Shell;
use super::streams::{Origin, Place, Streams, Supply};

/// Bytes of a channel between two programs.
const PIPE_ROOM: u64 = 16 * 1024;
/// Bytes of a channel between a program and the shell.
const ROOM: u64 = 4096;
/// The status of a job that was stopped.
pub const STOPPED: u64 = 148;
/// The status when a command cannot be started.
pub const NOT_STARTED: u64 = 126;

/// What is to be started.
pub enum Task<'a> {
    /// A command in a process of its own, or as if it were in one.
    Command(&'a Command),
    /// A simple command, and what its words stand for.
    Words(&'a Simple, Vec<String>),
    /// A text that a further shell runs, with its arguments.
    Further(Vec<String>),
}

/// What a command reads.
enum Feed {
    /// Nothing.
    Nothing,
    /// What is typed, or the standard input.
    Keyboard,
    /// A file or a text.
    Supply(Rc<RefCell<Supply>>),
    /// What the command before writes.
    Pipe(Rc<Channel>),
    /// What the command before, one of the shell's own, has written.
    Bytes(Vec<u8>),
}

impl From<Origin> for Feed {
    fn from(origin: Origin) -> Self {
        match origin {
            Origin::Console => Self::Keyboard,
            Origin::Supply(supply) => Self::Supply(supply),
        }
    }
}

/// A program that is to be started, and what it is told.
struct Plan {
    name: String,
    program: Program,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
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

/// What a command of a pipeline comes to: its status if it is none that has to be waited for, and what the next one reads.
type Started = (Option<u64>, Feed);
/// What went wrong, and the status; nothing to tell for what was told already.
type Failure = (String, u64);

impl Shell {
    /// Starts a pipeline; the number of the job, if there is one then. What went wrong was told, and is in the status.
    pub fn start(&mut self, tasks: Vec<Task>, text: String, is_foreground: bool) -> Option<usize> {
        let number = self.jobs.iter().map(|job| job.number).max().unwrap_or(0) + 1;
        let mut job = Job::new(number, text);
        let mut feed = match is_foreground {
            true => self.streams.input.clone().into(),
            false => Feed::Nothing,
        };
        let last = tasks.len().saturating_sub(1);
        for (index, task) in tasks.into_iter().enumerate() {
            job.status = None;
            let (status, next) = self.start_one(&mut job, task, feed, index == last);
            if index == last {
                job.status = status;
            }
            feed = next;
        }
        if self.is_interrupted {
            // While words of it were made.
            job.kill(INTERRUPTED, self.machine.system.as_ref());
        }
        if job.is_done() && job.members.is_empty() {
            self.state().status = job.final_status();
            return None;
        }
        self.jobs.push(job);
        Some(number)
    }

    /// Starts one command.
    fn start_one(&mut self, job: &mut Job, task: Task, feed: Feed, is_last: bool) -> Started {
        let pipe = match &feed {
            Feed::Pipe(channel) => Some(Rc::clone(channel)),
            _ => None,
        };
        let result = match task {
            Task::Words(simple, words) => self.start_simple(job, simple, words, feed, is_last),
            Task::Further(words) => self.start_further(job, words, feed, is_last),
            Task::Command(command) => self.start_apart(job, command, feed, is_last),
        };
        result.unwrap_or_else(|(text, status)| {
            if let Some(pipe) = pipe {
                close_feed(Feed::Pipe(pipe));
            }
            if !text.is_empty() {
                self.complain(&text);
            }
            // The next command reads nothing.
            (Some(status), Feed::Bytes(Vec::new()))
        })
    }

    /// Starts a command that changes nothing of this shell.
    fn start_apart(
        &mut self,
        job: &mut Job,
        command: &Command,
        feed: Feed,
        is_last: bool,
    ) -> Result<Started, Failure> {
        let Command::Simple(simple) = command else {
            let words = self.further_words(command);
            return self.start_further(job, words, feed, is_last);
        };
        let simple = self.without_alias(simple);
        let snapshot = self.begin_subshell();
        let result = match expand::words(&simple.words, self) {
            Ok(words) if self.is_for_further(&words) => {
                let words = self.further_words(&Command::Simple(simple));
                self.start_further(job, words, feed, is_last)
            }
            Ok(words) => self.start_simple(job, &simple, words, feed, is_last),
            Err(error) => {
                let status = interpret::refuse(self, &error);
                close_feed(feed);
                Err((String::new(), status))
            }
        };
        self.end_subshell(snapshot);
        result
    }

    /// Has a further shell run a text.
    fn start_further(
        &mut self,
        job: &mut Job,
        words: Vec<String>,
        feed: Feed,
        is_last: bool,
    ) -> Result<Started, Failure> {
        let plan = Plan {
            name: "6s".into(),
            program: self.itself()?,
            arguments: words,
            environment: self.environment(Vec::new()),
        };
        let streams = self.ends_of_pipeline(is_last);
        self.launch(job, plan, feed, &streams)
    }

    /// What a command of a pipeline writes to.
    fn ends_of_pipeline(&self, is_last: bool) -> Streams {
        let mut streams = self.streams.clone();
        if !is_last {
            streams.output = Place::Pipe;
        }
        streams
    }

    fn start_simple(
        &mut self,
        job: &mut Job,
        command: &Simple,
        words: Vec<String>,
        mut feed: Feed,
        is_last: bool,
    ) -> Result<Started, Failure> {
        // Files first: what cannot be opened keeps the command from running.
        let streams = self.ends_of_pipeline(is_last);
        let streams = self.redirected(&command.redirects, streams);
        let streams = streams.map_err(|text| (text, 1))?;
        use shell::syntax::RedirectKind::{Here, Input};
        let mut kinds = command.redirects.iter().map(|redirect| redirect.kind);
        if kinds.any(|kind| matches!(kind, Input | Here)) {
            close_feed(feed);
            feed = streams.input.clone().into();
        }
        let assigned = self.assigned(command);
        let assigned = assigned.map_err(|error| (error.to_string(), 1))?;
        let Some((name, arguments)) = words.split_first() else {
            close_feed(feed);
            return Ok((Some(0), Feed::Bytes(Vec::new())));
        };
        if let Some(builtin) = builtins::find(name, arguments) {
            close_feed(feed);
            return self.run_in_pipeline(builtin, name, arguments, &streams);
        }
        let program = match self.find(name) {
            Ok(program) => program,
            Err((text, status)) => {
                close_feed(feed);
                let before = core::mem::replace(&mut self.streams.error, streams.error);
                self.complain(&text);
                self.streams.error = before;
                return Ok((Some(status), Feed::Bytes(Vec::new())));
            }
        };
        let plan = Plan {
            name: name.clone(),
            program,
            arguments: arguments.to_vec(),
            environment: self.environment(assigned),
        };
        self.launch(job, plan, feed, &streams)
    }

    /// Runs a command of the shell that does not wait, and keeps what the next one reads.
    fn run_in_pipeline(
        &mut self,
        builtin: builtins::Builtin,
        name: &str,
        arguments: &[String],
        streams: &Streams,
    ) -> Result<Started, Failure> {
        let mut output = builtins::Output::default();
        let before = core::mem::replace(&mut self.streams, streams.clone());
        let status = builtin.run(self, name, arguments, &mut output);
        self.streams = before;
        let mut next = Vec::new();
        for (place, bytes) in [
            (&streams.output, output.text),
            (&streams.error, output.error),
        ] {
            match place {
                Place::Pipe => next.extend(bytes),
                place => {
                    let written = self.write(place, &bytes);
                    written.map_err(|error| (error.to_string(), 1))?;
                }
            }
        }
        Ok((Some(status), Feed::Bytes(next)))
    }

    /// Starts a program.
    fn launch(
        &mut self,
        job: &mut Job,
        plan: Plan,
        feed: Feed,
        streams: &Streams,
    ) -> Result<Started, Failure> {
        let name = plan.name;
        let cannot = |error: Error| (format!("{name}: no channel: {error}"), NOT_STARTED);
        let mut ends = Ends::default();
        let mut pumps = Vec::new();
        let mut back = None;
        match feed {
            Feed::Nothing => {}
            Feed::Keyboard => {
                let (channel, writer) = self.input_channel().map_err(cannot)?;
                job.keyboard = Some(Keyboard::new(writer));
                ends.input = Some(channel);
                back = Some(Back::Keyboard);
            }
            Feed::Supply(supply) => {
                let (channel, writer) = self.input_channel().map_err(cannot)?;
                let source = Source::Supply(Rc::clone(&supply));
                pumps.push(Pump::new(source, Sink::Channel(writer)));
                ends.input = Some(channel);
                back = Some(Back::Supply(supply));
            }
            Feed::Pipe(channel) => ends.input = Some(channel),
            Feed::Bytes(bytes) => {
                let (channel, writer) = self.input_channel().map_err(cannot)?;
                pumps.push(Pump::of_bytes(bytes, Sink::Channel(writer)));
                ends.input = Some(channel);
            }
        }
        // With the output errors stay in order.
        let is_one = streams.output.is_same(&streams.error);
        let mut pipe = None;
        for (place, end) in [
            (Some(&streams.output), &mut ends.output),
            ((!is_one).then_some(&streams.error), &mut ends.error),
        ] {
            let (channel, pump) = match place {
                None => continue,
                Some(Place::Pipe) => {
                    let channel = Rc::new(Channel::new(PIPE_ROOM).map_err(cannot)?);
                    pipe = Some(Rc::clone(&channel));
                    (channel, None)
                }
                Some(place) => self.output_channel(place).map_err(cannot)?,
            };
            *end = Some(channel);
            pumps.extend(pump);
        }
        let next = pipe.map_or_else(|| Feed::Bytes(Vec::new()), Feed::Pipe);
        let child = self
            .spawn(
                &name,
                &plan.program,
                &plan.arguments,
                &plan.environment,
                &ends,
            )
            .map_err(|text| (text, NOT_STARTED))?;
        let bias = child.bias();
        job.pumps.extend(pumps);
        job.members.push(Member {
            name,
            program: plan.program.path,
            bias,
            process: child.into_process(),
            is_reported: false,
            input: ends.input,
            back,
            unread: Vec::new(),
            outputs: ends.output.into_iter().chain(ends.error).collect(),
            status: None,
        });
        Ok((None, next))
    }

    /// A channel to a program, and the end that the shell writes to.
    fn input_channel(&self) -> Result<(Rc<Channel>, Writer), Error> {
        let channel = Channel::with(ROOM, Some(waiter(&self.event)?), None)?;
        let writer = Writer::new(sys::start::own(), channel.writer()?)?;
        Ok((Rc::new(channel), writer))
    }

    /// A channel from a program, and what moves the bytes on.
    fn output_channel(&self, place: &Place) -> Result<(Rc<Channel>, Option<Pump>), Error> {
        let sink = match place {
            Place::File(file) => Sink::File(Rc::clone(file)),
            Place::Captured(captured) => Sink::Captured(Rc::clone(captured)),
            Place::Console | Place::Pipe => Sink::Console,
            Place::Errors => Sink::Errors,
        };
        let channel = Channel::with(ROOM, None, Some(waiter(&self.event)?))?;
        let reader = Reader::new(sys::start::own(), channel.reader()?)?;
        let pump = Pump::new(Source::Channel(reader), sink);
        Ok((Rc::new(channel), Some(pump)))
    }
}

/// What was to be read is not: who writes it is told.
fn close_feed(feed: Feed) {
    if let Feed::Pipe(channel) = feed {
        // The one who writes gets an error; if that cannot be said, it waits until it is interrupted.
        let _ = channel.close_reader();
    }
}
