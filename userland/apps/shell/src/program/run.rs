//! Runs simple commands and pipelines.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use shell::expand::{self, ExpandError, World};
use shell::interpret::{self, Host};
use shell::syntax::{Chain, Command, Part, Pipeline, Script, Simple, TIME, Word, parse};

use super::builtins;
use super::launch::{STOPPED, Task};
use super::shell::Shell;

/// How often an alias can stand for another one.
const ALIASES_MAX: usize = 8;
/// Commands of the shell that wait or read: in a pipeline they are run by a further shell.
const WAITING: &[&str] = &["read", ".", "source", "wait", "fg"];

impl Shell {
    /// Starts a chain and goes on. One that has conditions is the business of a further shell.
    pub fn run_background(&mut self, chain: &Chain) {
        let text = chain.to_string();
        let first = &chain.first;
        let is_pipeline = chain.rest.is_empty() && !first.is_negated && !first.is_timed;
        let tasks = match is_pipeline {
            true => chain.first.commands.iter().map(Task::Command).collect(),
            false => {
                let chain = Chain {
                    is_background: false,
                    ..chain.clone()
                };
                Vec::from([Task::Further(self.further(&Script(Vec::from([chain]))))])
            }
        };
        if let Some(number) = self.start(tasks, text, false) {
            let job = self.jobs.iter().find(|job| job.number == number);
            let last = job.and_then(|job| job.members.last());
            let usage = last.and_then(|last| last.process.usage().ok());
            self.last_background = usage.map_or(0, |usage| usage.number);
            if self.editor.is_some() {
                let text = format!("[{number}] {}\n", self.last_background);
                self.console.print(text.as_bytes());
            }
        }
        self.state.status = 0;
    }

    /// What a further shell is told, to run a script as this one would: its arguments. It inherits what is exported.
    fn further(&self, script: &Script) -> Vec<String> {
        let quoted = |text: &str| Word(Vec::from([Part::Quoted(text.into())]));
        let mut text = String::new();
        for (name, value) in self.variables.own() {
            text.push_str(&format!("{name}={}; ", quoted(value)));
        }
        for (name, value) in &self.aliases {
            text.push_str(&format!("alias {}; ", quoted(&format!("{name}={value}"))));
        }
        for (name, body) in self.state.functions.iter() {
            let function = Command::Function {
                name: name.clone(),
                body: alloc::rc::Rc::clone(body),
            };
            let function = function.to_string();
            text.push_str(&function);
            // A here-document has ended the line.
            text.push_str(if function.ends_with('\n') { "" } else { "; " });
        }
        // Its lines count as those of this script, as far as there is room for that.
        let taken = text.matches('\n').count();
        let script = script.to_string();
        let begin = script.bytes().take_while(|byte| *byte == b'\n').count();
        text.push_str(script.get(begin.min(taken)..).unwrap_or_default());
        let own = ["-c".into(), text].into_iter();
        own.chain(self.arguments.iter().cloned()).collect()
    }

    /// What a further shell is told to run a command.
    pub fn further_words(&self, command: &Command) -> Vec<String> {
        let chain = Chain {
            first: Pipeline {
                is_timed: false,
                is_negated: false,
                commands: Vec::from([command.clone()]),
            },
            rest: Vec::new(),
            is_background: false,
            line: self.state.line,
        };
        self.further(&Script(Vec::from([chain])))
    }

    /// Whether a command of a pipeline needs a shell of its own.
    pub fn is_for_further(&self, words: &[String]) -> bool {
        let name = words.first();
        name.is_some_and(|name| {
            self.state.functions.contains_key(name) || WAITING.contains(&name.as_str())
        })
    }

    /// Runs a simple command; returns its status.
    pub fn run_simple(&mut self, command: &Simple) -> u64 {
        let mut command = self.without_alias(command);
        match without_time(&mut command) {
            true => self.timed(|shell| shell.run_words(&command)),
            false => self.run_words(&command),
        }
    }

    /// Runs several commands, each of which reads what the one before writes.
    pub fn run_commands(&mut self, pipeline: &Pipeline) -> u64 {
        let mut pipeline = pipeline.clone();
        let is_timed = match pipeline.commands.first_mut() {
            Some(Command::Simple(first)) => {
                *first = self.without_alias(first);
                without_time(first)
            }
            _ => false,
        };
        let run = |shell: &mut Self| {
            let tasks = pipeline.commands.iter().map(Task::Command).collect();
            shell.start_and_wait(tasks, pipeline.to_string())
        };
        match is_timed {
            true => self.timed(run),
            false => run(self),
        }
    }

    fn start_and_wait(&mut self, tasks: Vec<Task>, text: String) -> u64 {
        let Some(number) = self.start(tasks, text, true) else {
            return self.state.status;
        };
        let status = self.wait_for(number);
        // Without this a loop would go on, and leave a stopped job with each round.
        self.is_interrupted |= status == STOPPED && self.state.loops > 0;
        status
    }

    /// Runs something, and shows how long it took.
    pub fn timed(&mut self, run: impl FnOnce(&mut Self) -> u64) -> u64 {
        let begin = sys::call::clock_read();
        let status = run(self);
        let ns = sys::call::clock_read().saturating_sub(begin);
        let (seconds, rest) = (ns / 1_000_000_000, ns / 1000 % 1_000_000);
        self.write_error(format!("real {seconds}.{rest:06} s\n").as_bytes());
        status
    }

    fn run_words(&mut self, command: &Simple) -> u64 {
        self.state.substitution = None;
        let words = match expand::words(&command.words, self) {
            Ok(words) => words,
            Err(error) => return interpret::refuse(self, &error),
        };
        let Some((name, arguments)) = words.split_first() else {
            return self.run_assignments(command);
        };
        let is_special = interpret::NAMES.contains(&name.as_str());
        let function = match is_special {
            true => None,
            false => self.state.functions.get(name).cloned(),
        };
        let builtin = builtins::find(name, arguments);
        if function.is_none() && builtin.is_none() {
            let text = command.to_string();
            return self.start_and_wait(Vec::from([Task::Words(command, words)]), text);
        }
        let streams = match self.redirect(&command.redirects) {
            Ok(streams) => streams,
            Err(text) => {
                self.complain(&text);
                return 1;
            }
        };
        let status = match (self.assign(command), function, builtin) {
            (Err(error), ..) => interpret::refuse(self, &error),
            (Ok(()), Some(function), _) => interpret::call(self, &function, arguments.to_vec()),
            (Ok(()), None, Some(builtin)) => self.run_builtin(builtin, name, arguments),
            (Ok(()), None, None) => 0,
        };
        self.restore(streams);
        status
    }

    /// Runs a command without words; its status is that of the last `$(...)` in it.
    fn run_assignments(&mut self, command: &Simple) -> u64 {
        if let Err(error) = self.assign(command) {
            return interpret::refuse(self, &error);
        }
        match self.redirected(&command.redirects, self.streams.clone()) {
            Ok(_) => self.state.substitution.unwrap_or(0),
            Err(text) => {
                self.complain(&text);
                1
            }
        }
    }

    /// What a command assigns.
    pub fn assigned(&mut self, command: &Simple) -> Result<Vec<(String, String)>, ExpandError> {
        let mut assigned = Vec::new();
        for (name, value) in &command.assignments {
            assigned.push((name.clone(), expand::single(value, self)?));
        }
        Ok(assigned)
    }

    /// Sets the variables of a command.
    fn assign(&mut self, command: &Simple) -> Result<(), ExpandError> {
        for (name, value) in &command.assignments {
            let value = expand::single(value, self)?;
            if !self.variables.set(name, &value) {
                return Err(ExpandError::NoRoom(name.clone()));
            }
        }
        Ok(())
    }

    /// A command with what an alias stands for in its place.
    pub fn without_alias(&self, command: &Simple) -> Simple {
        let mut command = command.clone();
        for _ in 0..ALIASES_MAX {
            let Some([Part::Text(name)]) = command.words.first().map(|word| word.0.as_slice())
            else {
                break;
            };
            let Some(alias) = self.aliases.get(name) else {
                break;
            };
            // What is no plain command was refused when the alias was made.
            let Some(words) = plain_words(alias) else {
                break;
            };
            let is_itself = words.first() == command.words.first();
            command.words.splice(..1, words);
            if is_itself {
                break;
            }
        }
        command
    }

    /// The environment of programs: what is exported, and what a command assigns.
    pub fn environment(&self, assigned: Vec<(String, String)>) -> Vec<(String, String)> {
        let exported = self.variables.exported();
        let mut all: Vec<(String, String)> = exported
            .filter(|(name, _)| !assigned.iter().any(|(other, _)| other == name))
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        all.extend(assigned);
        all
    }

    /// The value of a variable, or nothing.
    pub fn value(&self, name: &str) -> String {
        self.variable(name).unwrap_or_default()
    }
}

/// Takes `time` from the begin of a command, where an alias has put it; whether it was there, and a command behind it.
fn without_time(command: &mut Simple) -> bool {
    let text = |word: &Word| match word.0.as_slice() {
        [Part::Text(text)] => Some(text.clone()),
        _ => None,
    };
    let (first, second) = (command.words.first(), command.words.get(1));
    let is_option = |word: &Word| text(word).is_some_and(|text| text.starts_with('-'));
    let is_timed = first.and_then(text).is_some_and(|word| word == TIME)
        && second.is_some_and(|word| !is_option(word));
    if is_timed {
        command.words.remove(0);
    }
    is_timed
}

/// The words of a text that is one command and nothing else.
pub fn plain_words(text: &str) -> Option<Vec<Word>> {
    let script = parse(text).ok()?;
    let [chain] = script.0.as_slice() else {
        return None;
    };
    let [Command::Simple(command)] = chain.first.commands.as_slice() else {
        return None;
    };
    let is_plain = chain.rest.is_empty()
        && !chain.is_background
        && !chain.first.is_negated
        && command.assignments.is_empty()
        && command.redirects.is_empty()
        && !command.words.is_empty();
    let time = chain
        .first
        .is_timed
        .then(|| Word([Part::Text(TIME.into())].into()));
    is_plain.then(|| {
        time.into_iter()
            .chain(command.words.iter().cloned())
            .collect()
    })
}
