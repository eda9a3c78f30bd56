//! Runs what was read.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use shell::expand::{self, World};
use shell::syntax::{Chain, Command, Part, Pipeline, Script, When, Word, parse};

use super::builtins;
use super::shell::Shell;

/// How often an alias can stand for another one.
const ALIASES_MAX: usize = 8;

impl Shell {
    /// Runs a script. The status is that of the last pipeline.
    pub fn run(&mut self, script: &Script) {
        for chain in &script.0 {
            if self.exit.is_some() || self.is_interrupted {
                return;
            }
            match chain.is_background {
                true => self.run_background(chain),
                false => self.run_chain(chain),
            }
        }
    }

    fn run_chain(&mut self, chain: &Chain) {
        self.status = self.run_pipeline(&chain.first);
        for (when, pipeline) in &chain.rest {
            if self.exit.is_some() || self.is_interrupted {
                return;
            }
            if (self.status == 0) == (*when == When::Success) {
                self.status = self.run_pipeline(pipeline);
            }
        }
    }

    /// Starts a chain and goes on. One that has conditions is the business of a further shell.
    fn run_background(&mut self, chain: &Chain) {
        let text = chain.to_string();
        let further = |text: &str| {
            let part = |text: &str| Word(Vec::from([Part::Quoted(text.into())]));
            Pipeline {
                is_negated: false,
                commands: Vec::from([Command {
                    words: Vec::from([part("6s"), part("-c"), part(text)]),
                    ..Command::default()
                }]),
            }
        };
        let is_simple = chain.rest.is_empty() && !chain.first.is_negated;
        let pipeline = match is_simple {
            true => chain.first.clone(),
            false => further(&text),
        };
        if let Some(number) = self.start(&pipeline, text, false) {
            let job = self.jobs.iter().find(|job| job.number == number);
            let last = job.and_then(|job| job.members.last());
            let usage = last.and_then(|last| last.process.usage().ok());
            self.last_background = usage.map_or(0, |usage| usage.number);
            if self.editor.is_some() {
                let text = format!("[{number}] {}\n", self.last_background);
                self.console.print(text.as_bytes());
            }
        }
        self.status = 0;
    }

    fn run_pipeline(&mut self, pipeline: &Pipeline) -> u64 {
        let mut pipeline = pipeline.clone();
        for command in &mut pipeline.commands {
            self.replace_aliases(command);
        }
        let is_timed = match pipeline.commands.first_mut() {
            Some(first)
                if first
                    .words
                    .first()
                    .is_some_and(|word| is_text(word, "time")) =>
            {
                first.words.remove(0);
                true
            }
            _ => false,
        };
        let begin = sys::call::clock_read();
        let status = self.run_commands(&pipeline);
        if is_timed {
            let ns = sys::call::clock_read().saturating_sub(begin);
            let text = format!(
                "real {}.{:06} s\n",
                ns / 1_000_000_000,
                ns / 1000 % 1_000_000
            );
            self.console.print(text.as_bytes());
        }
        match pipeline.is_negated {
            true => u64::from(status == 0),
            false => status,
        }
    }

    fn run_commands(&mut self, pipeline: &Pipeline) -> u64 {
        if let [command] = pipeline.commands.as_slice() {
            let is_nothing = command.words.is_empty() && command.redirects.is_empty();
            if is_nothing {
                return self.assign(command);
            }
            let words = expand::words(&command.words, self);
            if let Some(builtin) = words.first().and_then(|name| builtins::find(name)) {
                return self.run_builtin(command, builtin, &words);
            }
        }
        let text = pipeline.to_string();
        match self.start(pipeline, text, true) {
            Some(number) => self.wait_for(number),
            None => self.status,
        }
    }

    /// Sets the variables of a command.
    pub fn assign(&mut self, command: &Command) -> u64 {
        for (name, value) in &command.assignments {
            let value = expand::single(value, self);
            if !self.variables.set(name, &value) {
                self.complain(&format!("{name}: the variables have no room for it"));
                return 1;
            }
        }
        0
    }

    /// Puts what an alias stands for in its place.
    fn replace_aliases(&self, command: &mut Command) {
        for _ in 0..ALIASES_MAX {
            let Some([Part::Text(name)]) = command.words.first().map(|word| word.0.as_slice())
            else {
                return;
            };
            let Some(alias) = self.aliases.get(name) else {
                return;
            };
            // What is no plain command was refused when the alias was made.
            let Some(words) = plain_words(alias) else {
                return;
            };
            let is_itself = words.first() == command.words.first();
            command.words.splice(..1, words);
            if is_itself {
                return;
            }
        }
    }

    /// The environment of programs that a command starts.
    pub fn environment(&self, command: &Command) -> Vec<(String, String)> {
        let assigned: Vec<(String, String)> = command
            .assignments
            .iter()
            .map(|(name, value)| (name.clone(), expand::single(value, self)))
            .collect();
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

fn is_text(word: &Word, text: &str) -> bool {
    matches!(word.0.as_slice(), [Part::Text(word)] if word == text)
}

/// The words of a text that is one command and nothing else.
pub fn plain_words(text: &str) -> Option<Vec<Word>> {
    let script = parse(text).ok()?;
    let [chain] = script.0.as_slice() else {
        return None;
    };
    let [command] = chain.first.commands.as_slice() else {
        return None;
    };
    let is_plain = chain.rest.is_empty()
        && !chain.is_background
        && !chain.first.is_negated
        && command.assignments.is_empty()
        && command.redirects.is_empty()
        && !command.words.is_empty();
    is_plain.then(|| command.words.clone())
}
