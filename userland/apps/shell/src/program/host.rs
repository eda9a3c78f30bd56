//! The shell as the one who runs what a tree is made of.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::RefCell;

use files::Kind;
use shell::condition;
use shell::expand::{ExpandError, World};
use shell::interpret::{self, Flow, Host, State};
use shell::syntax::{Chain, Pipeline, Redirect, Script, Simple};
use shell::variables::Variables;

use super::shell::Shell;
use super::streams::{Captured, Place, Streams};

/// All that a subshell does not change.
pub struct Snapshot {
    state: State,
    variables: Variables,
    aliases: BTreeMap<String, String>,
    arguments: Vec<String>,
    directory: String,
    streams: Streams,
}

impl Host for Shell {
    type Streams = Streams;
    type Snapshot = Snapshot;

    fn state(&mut self) -> &mut State {
        &mut self.state
    }

    fn is_interrupted(&mut self) -> bool {
        self.catch_up()
    }

    fn file(&self, path: &str) -> Option<condition::File> {
        let info = self.files.stat(path).ok()?;
        Some(condition::File {
            is_directory: info.kind == Kind::Directory,
            size: info.size,
        })
    }

    fn complain(&mut self, text: &str) {
        Self::complain(self, text);
    }

    fn timed(&mut self, run: impl FnOnce(&mut Self) -> u64) -> u64 {
        Self::timed(self, run)
    }

    fn simple(&mut self, command: &Simple) -> u64 {
        self.run_simple(command)
    }

    fn pipeline(&mut self, pipeline: &Pipeline) -> u64 {
        self.run_commands(pipeline)
    }

    fn background(&mut self, chain: &Chain) {
        self.run_background(chain);
    }

    fn redirect(&mut self, redirects: &[Redirect]) -> Result<Streams, String> {
        let streams = self.redirected(redirects, self.streams.clone())?;
        Ok(core::mem::replace(&mut self.streams, streams))
    }

    fn restore(&mut self, streams: Streams) {
        self.streams = streams;
    }

    fn begin_subshell(&mut self) -> Snapshot {
        let inner = self.state.of_subshell();
        Snapshot {
            state: core::mem::replace(&mut self.state, inner),
            variables: self.variables.clone(),
            aliases: self.aliases.clone(),
            arguments: self.arguments.clone(),
            directory: self.files.current().into(),
            streams: self.streams.clone(),
        }
    }

    fn end_subshell(&mut self, snapshot: Snapshot) {
        self.state = snapshot.state.after(&self.state);
        self.variables = snapshot.variables;
        self.aliases = snapshot.aliases;
        self.arguments = snapshot.arguments;
        self.streams = snapshot.streams;
        if self.files.current() != snapshot.directory
            && let Err(error) = self.files.set_current(&snapshot.directory)
        {
            self.complain(&error.to_string());
        }
    }

    fn set_arguments(&mut self, arguments: Vec<String>) -> Vec<String> {
        core::mem::replace(&mut self.arguments, arguments)
    }
}

impl World for Shell {
    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "?" => Some(self.state.status.to_string()),
            "!" => Some(self.last_background.to_string()),
            "0" => Some(self.name.clone()),
            "$" => {
                let own = sys::object::Process::own().usage();
                own.ok().map(|usage| usage.number.to_string())
            }
            name => self.variables.get(name).map(String::from),
        }
    }

    fn arguments(&self) -> &[String] {
        &self.arguments
    }

    fn entries(&self, directory: &str) -> Vec<String> {
        let directory = if directory.is_empty() { "." } else { directory };
        let entries = self.files.read_dir(directory).unwrap_or_default();
        entries.into_iter().map(|entry| entry.name).collect()
    }

    fn set(&mut self, name: &str, value: &str) -> bool {
        self.variables.set(name, value)
    }

    fn output(&mut self, script: &Script) -> Result<String, ExpandError> {
        let captured = Rc::new(RefCell::new(Captured::default()));
        let place = Place::Captured(Rc::clone(&captured));
        let before = core::mem::replace(&mut self.streams.output, place);
        let foreground = self.foreground.take();
        interpret::run_substitution(self, script);
        self.foreground = foreground;
        self.streams.output = before;
        let captured = captured.take();
        if captured.is_too_long {
            return Err(ExpandError::TooLong);
        }
        if self.is_interrupted || self.state.flow.is_some() {
            return Err(ExpandError::Ended);
        }
        Ok(match String::from_utf8(captured.bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }
}

impl Shell {
    /// Looks at what was typed and moves bytes, between commands of the shell; whether what is being done shall end.
    fn catch_up(&mut self) -> bool {
        loop {
            if self.is_interrupted {
                return true;
            }
            self.is_reading = self.console.is_terminal();
            self.turn();
            self.is_reading = false;
            self.look_for_interrupt();
            // Who writes faster than it is shown waits.
            if self.console.has_room() {
                break;
            }
            self.wait();
        }
        if self.console.is_gone() {
            self.state.status = sys::io::UNREAD;
            self.state.flow = Some(Flow::Exit);
        }
        if let Place::Captured(captured) = &self.streams.output
            && captured.borrow().is_too_long
        {
            self.state.flow = Some(Flow::Abort);
        }
        self.is_interrupted
    }

    /// Ctrl-C: what was typed before it is forgotten, and what is being done ends.
    fn look_for_interrupt(&mut self) {
        if let Some(place) = self.ahead.iter().rposition(|byte| *byte == 3) {
            self.ahead.drain(..=place);
            self.console.show(b"^C\r\n");
            self.is_interrupted = true;
        }
    }
}
