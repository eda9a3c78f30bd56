//! What is run of a tree, in which order and how often. What commands do is the host's business.

mod control;
#[cfg(test)]
mod tests;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

pub use control::{NAMES, builtin, is_program};

use crate::condition;
use crate::expand::{self, ExpandError, World};
use crate::pattern;
use crate::syntax::{
    Chain, Command, Compound, CompoundKind, Pipeline, Redirect, Script, Simple, When, Word,
};

/// How deep commands can be run within each other: what is compound, functions, what `$(...)` has, scripts that are read.
pub const DEPTH_MAX: usize = 100;
/// The most bytes of all functions together, as they are printed.
const FUNCTIONS_MAX: usize = 256 * 1024;
/// The status when something cannot be.
const FAILED: u64 = 1;

/// Why what is being done does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// So many loops end.
    Break(usize),
    /// So many loops but one end, and that one goes on with its next round.
    Continue(usize),
    /// The function or the script ends.
    Return,
    /// The shell ends.
    Exit,
    /// An error: what was read is given up.
    Abort,
}

/// How it stands.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The status of the last pipeline.
    pub status: u64,
    /// What is being done does not go on, for this reason.
    pub flow: Option<Flow>,
    /// In how many loops this lies.
    pub loops: usize,
    /// In how many functions and scripts this lies, from which `return` leads.
    pub calls: usize,
    /// How many commands are being run within each other.
    pub depth: usize,
    /// The line of the chain that is being run.
    pub line: usize,
    /// How the last `$(...)` has ended, since this was set to nothing.
    pub substitution: Option<u64>,
    /// The functions.
    pub functions: Rc<BTreeMap<String, Rc<Compound>>>,
    function_bytes: usize,
}

impl State {
    /// As a subshell begins: what it lies in is not its business.
    pub fn of_subshell(&self) -> Self {
        Self {
            flow: None,
            loops: 0,
            ..self.clone()
        }
    }

    /// Goes on behind a subshell that was left with a state. An end of it was only its own.
    pub fn after(self, subshell: &Self) -> Self {
        Self {
            status: subshell.status,
            ..self
        }
    }

    /// Forgets a function; whether there was one.
    pub fn forget(&mut self, name: &str) -> bool {
        let functions = Rc::make_mut(&mut self.functions);
        let forgotten = functions.remove(name);
        if let Some(body) = &forgotten {
            self.function_bytes -= size_of(name, body);
        }
        forgotten.is_some()
    }

    fn define(&mut self, name: &str, body: &Rc<Compound>) -> bool {
        let before = self.functions.get(name);
        let freed = before.map_or(0, |before| size_of(name, before));
        let bytes = self.function_bytes - freed + size_of(name, body);
        if bytes > FUNCTIONS_MAX {
            return false;
        }
        self.function_bytes = bytes;
        Rc::make_mut(&mut self.functions).insert(name.into(), Rc::clone(body));
        true
    }
}

fn size_of(name: &str, body: &Rc<Compound>) -> usize {
    let function = Command::Function {
        name: name.into(),
        body: Rc::clone(body),
    };
    function.to_string().len()
}

/// Who runs what a tree is made of.
pub trait Host: World + Sized {
    /// What was in force before redirections.
    type Streams;
    /// All that a subshell does not change.
    type Snapshot;

    /// How it stands.
    fn state(&mut self) -> &mut State;
    /// Looks at what has happened meanwhile; whether somebody wants what is being done to end.
    fn is_interrupted(&mut self) -> bool;
    /// What is at a path.
    fn file(&self, path: &str) -> Option<condition::File>;
    /// Tells what went wrong.
    fn complain(&mut self, text: &str);
    /// Runs a simple command; returns its status. Functions are run by [`call`].
    fn simple(&mut self, command: &Simple) -> u64;
    /// Runs several commands, each of which reads what the one before writes; returns the status of the last.
    fn pipeline(&mut self, pipeline: &Pipeline) -> u64;
    /// Runs something, and shows how long it took; returns its status.
    fn timed(&mut self, run: impl FnOnce(&mut Self) -> u64) -> u64;
    /// Starts a chain and goes on.
    fn background(&mut self, chain: &Chain);
    /// Sets what commands read and write.
    ///
    /// # Errors
    /// What went wrong; then nothing has changed.
    fn redirect(&mut self, redirects: &[Redirect]) -> Result<Self::Streams, String>;
    /// Undoes [`redirect`](Self::redirect).
    fn restore(&mut self, streams: Self::Streams);
    /// Begins a subshell in this process.
    fn begin_subshell(&mut self) -> Self::Snapshot;
    /// Ends it: all is as it was, but for the status.
    fn end_subshell(&mut self, snapshot: Self::Snapshot);
    /// Sets `$1` and on; returns what they were.
    fn set_arguments(&mut self, arguments: Vec<String>) -> Vec<String>;
}

/// Whether what is being done does not go on.
fn is_over(host: &mut impl Host) -> bool {
    host.is_interrupted() || host.state().flow.is_some()
}

/// Runs a script. The status is in the state.
pub fn run(host: &mut impl Host, script: &Script) {
    for chain in &script.0 {
        if is_over(host) {
            return;
        }
        host.state().line = chain.line;
        match chain.is_background {
            true => host.background(chain),
            false => run_chain(host, chain),
        }
    }
}

fn run_chain(host: &mut impl Host, chain: &Chain) {
    run_pipeline(host, &chain.first);
    for (when, pipeline) in &chain.rest {
        if is_over(host) {
            return;
        }
        host.state().line = chain.line;
        if (host.state().status == 0) == (*when == When::Success) {
            run_pipeline(host, pipeline);
        }
    }
}

fn run_pipeline<H: Host>(host: &mut H, pipeline: &Pipeline) {
    let run = |host: &mut H| match pipeline.commands.as_slice() {
        [command] => run_command(host, command),
        _ => host.pipeline(pipeline),
    };
    let status = match pipeline.is_timed {
        true => host.timed(run),
        false => run(host),
    };
    let is_ended = host.state().flow.is_some();
    host.state().status = match pipeline.is_negated && !is_ended {
        true => u64::from(status == 0),
        false => status,
    };
}

fn run_command(host: &mut impl Host, command: &Command) -> u64 {
    match command {
        Command::Simple(simple) => host.simple(simple),
        Command::Compound(compound) => run_compound(host, compound),
        Command::Function { name, body } => {
            if NAMES.contains(&name.as_str()) {
                host.complain(&format!("{name}: no function can have this name"));
                return FAILED;
            }
            match host.state().define(name, body) {
                true => 0,
                false => {
                    host.complain(&format!("{name}: the functions have no room for it"));
                    FAILED
                }
            }
        }
    }
}

/// Runs something one level deeper; an error when that is too deep.
pub fn within<H: Host>(host: &mut H, run: impl FnOnce(&mut H) -> u64) -> u64 {
    if host.state().depth >= DEPTH_MAX {
        host.complain(&format!("more than {DEPTH_MAX} commands within each other"));
        host.state().flow = Some(Flow::Abort);
        return FAILED;
    }
    host.state().depth += 1;
    let status = run(host);
    host.state().depth -= 1;
    status
}

/// Runs a compound command; returns its status.
pub fn run_compound(host: &mut impl Host, compound: &Compound) -> u64 {
    within(host, |host| {
        if compound.redirects.is_empty() {
            return run_kind(host, &compound.kind);
        }
        match host.redirect(&compound.redirects) {
            Ok(streams) => {
                let status = run_kind(host, &compound.kind);
                host.restore(streams);
                status
            }
            Err(text) => {
                host.complain(&text);
                FAILED
            }
        }
    })
}

fn run_kind(host: &mut impl Host, kind: &CompoundKind) -> u64 {
    match kind {
        CompoundKind::Group(script) => {
            run(host, script);
            host.state().status
        }
        CompoundKind::Subshell(script) => {
            run_subshell(host, script);
            host.state().status
        }
        CompoundKind::If {
            branches,
            otherwise,
        } => run_if(host, branches, otherwise.as_ref()),
        CompoundKind::Loop {
            goes_on,
            condition,
            body,
        } => repeat(host, |host| {
            run(host, condition);
            if is_over(host) {
                // A `break` in the condition is one of this loop.
                return Round::Over;
            }
            match (host.state().status == 0) == (*goes_on == When::Success) {
                true => Round::Run(body),
                false => Round::Last,
            }
        }),
        CompoundKind::For { name, words, body } => run_for(host, name, words.as_deref(), body),
        CompoundKind::Case { word, arms } => run_case(host, word, arms),
    }
}

/// Runs a script that changes nothing of this shell but its status.
pub fn run_subshell(host: &mut impl Host, script: &Script) {
    let snapshot = host.begin_subshell();
    run(host, script);
    host.end_subshell(snapshot);
}

/// Runs what `$(...)` has, as a subshell whose output somebody else takes.
pub fn run_substitution(host: &mut impl Host, script: &Script) {
    let status = host.state().status;
    within(host, |host| {
        run_subshell(host, script);
        0
    });
    let state = host.state();
    state.substitution = Some(core::mem::replace(&mut state.status, status));
}

fn run_if(host: &mut impl Host, branches: &[(Script, Script)], otherwise: Option<&Script>) -> u64 {
    for (condition, body) in branches {
        run(host, condition);
        if is_over(host) {
            return host.state().status;
        }
        if host.state().status == 0 {
            run(host, body);
            return host.state().status;
        }
    }
    match otherwise {
        Some(body) => {
            run(host, body);
            host.state().status
        }
        None => 0,
    }
}

/// What a round of a loop is.
enum Round<'a> {
    /// This is run.
    Run(&'a Script),
    /// There is none: the loop is done.
    Last,
    /// There is none: what is being done does not go on.
    Over,
}

/// Runs a loop; the status is that of its last round.
fn repeat<'a, H: Host>(host: &mut H, mut next: impl FnMut(&mut H) -> Round<'a>) -> u64 {
    let mut status = 0;
    host.state().loops += 1;
    loop {
        match next(host) {
            Round::Run(body) => {
                run(host, body);
                status = host.state().status;
            }
            Round::Last => break,
            Round::Over => status = host.state().status,
        }
        if host.is_interrupted() {
            break;
        }
        let state = host.state();
        match state.flow {
            None => {}
            Some(Flow::Break(1)) => {
                state.flow = None;
                break;
            }
            Some(Flow::Continue(1)) => state.flow = None,
            Some(Flow::Break(count)) => {
                state.flow = Some(Flow::Break(count - 1));
                break;
            }
            Some(Flow::Continue(count)) => {
                state.flow = Some(Flow::Continue(count - 1));
                break;
            }
            Some(Flow::Return | Flow::Exit | Flow::Abort) => break,
        }
    }
    host.state().loops -= 1;
    status
}

fn run_for(host: &mut impl Host, name: &str, words: Option<&[Word]>, body: &Script) -> u64 {
    let values = match words {
        Some(words) => match expand::words(words, host) {
            Ok(values) => values,
            Err(error) => return refuse(host, &error),
        },
        None => host.arguments().to_vec(),
    };
    let mut values = values.into_iter();
    repeat(host, |host| {
        let Some(value) = values.next() else {
            return Round::Last;
        };
        if !host.set(name, &value) {
            refuse(host, &ExpandError::NoRoom(name.into()));
            return Round::Over;
        }
        Round::Run(body)
    })
}

fn run_case(host: &mut impl Host, word: &Word, arms: &[(Vec<Word>, Script)]) -> u64 {
    let text = match expand::single(word, host) {
        Ok(text) => text,
        Err(error) => return refuse(host, &error),
    };
    for (patterns, body) in arms {
        for pattern in patterns {
            let pattern = match expand::pattern(pattern, host) {
                Ok(pattern) => pattern,
                Err(error) => return refuse(host, &error),
            };
            if pattern::matches(&pattern, &text) {
                host.state().status = 0;
                run(host, body);
                return host.state().status;
            }
        }
    }
    0
}

/// Gives up because words stand for nothing; returns the status.
pub fn refuse(host: &mut impl Host, error: &ExpandError) -> u64 {
    if *error != ExpandError::Ended {
        host.complain(&error.to_string());
    }
    let state = host.state();
    state.status = FAILED;
    state.flow = state.flow.or(Some(Flow::Abort));
    FAILED
}

/// Runs a function with arguments; returns its status.
pub fn call(host: &mut impl Host, function: &Rc<Compound>, arguments: Vec<String>) -> u64 {
    let before = host.set_arguments(arguments);
    let state = host.state();
    let (loops, line) = (core::mem::take(&mut state.loops), state.line);
    state.calls += 1;
    let status = run_compound(host, function);
    let state = host.state();
    state.calls -= 1;
    (state.loops, state.line) = (loops, line);
    let status = match state.flow {
        Some(Flow::Return) => {
            state.flow = None;
            state.status
        }
        _ => status,
    };
    host.set_arguments(before);
    status
}
