//! The commands that the shell itself has.

mod jobs;
mod read;
mod values;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use shell::expand::World;
use shell::interpret;

use super::shell::Shell;
use jobs::{bg, fg, jobs, wait};
use read::read;
use values::{alias, cd, export, history, pwd, set, shift, source, unalias, unset};

/// What a command of the shell writes.
#[derive(Default)]
pub struct Output {
    /// Its output.
    pub text: Vec<u8>,
    /// What it says of errors.
    pub error: Vec<u8>,
}

impl Output {
    fn line(&mut self, text: &str) {
        self.text.extend(text.bytes());
        self.text.push(b'\n');
    }

    fn fail(&mut self, text: &str) -> u64 {
        self.error.extend(format!("6s: {text}\n").bytes());
        1
    }
}

/// What a command of the shell does: its arguments without the name; returns the status.
type Act = fn(&mut Shell, &[String], &mut Output) -> u64;

/// A command of the shell.
#[derive(Clone, Copy)]
pub enum Builtin {
    /// One about the shell and its jobs.
    Own(Act),
    /// One of the language itself.
    Language,
}
use Builtin::{Language, Own};

impl Builtin {
    /// Runs it; returns the status.
    pub fn run(
        self,
        shell: &mut Shell,
        name: &str,
        arguments: &[String],
        output: &mut Output,
    ) -> u64 {
        let is_question = matches!(name, ":" | "true" | "false" | "test" | "[");
        if !is_question && arguments.first().is_some_and(|first| first == "--help") {
            return usage(name, output);
        }
        match self {
            Own(act) => act(shell, arguments, output),
            Language => {
                let status = interpret::builtin(shell, name, arguments);
                status.unwrap_or(super::MISUSE)
            }
        }
    }
}

/// All of them: name, what they do, usage.
const ALL: &[(&str, &str, &str, Builtin)] = &[
    (
        ".",
        "runs a script in this shell",
        ". FILE [ARGUMENT ...]",
        Own(source),
    ),
    (":", "does nothing", ": [ARGUMENT ...]", Language),
    (
        "[",
        "asks something, as test does",
        "[ QUESTION ]",
        Language,
    ),
    (
        "alias",
        "gives a command another name",
        "alias [NAME=COMMAND ...]",
        Own(alias),
    ),
    (
        "bg",
        "lets a stopped job go on in the background",
        "bg [%JOB]",
        Own(bg),
    ),
    ("break", "ends loops", "break [COUNT]", Language),
    (
        "cd",
        "changes the current directory",
        "cd [DIRECTORY]",
        Own(cd),
    ),
    (
        "continue",
        "goes on with the next round of a loop",
        "continue [COUNT]",
        Language,
    ),
    ("exit", "ends the shell", "exit [STATUS]", Language),
    (
        "export",
        "lets programs see variables",
        "export [NAME[=VALUE] ...]",
        Own(export),
    ),
    ("false", "fails", "false", Language),
    ("fg", "brings a job to the foreground", "fg [%JOB]", Own(fg)),
    ("help", "lists all commands", "help", Own(help)),
    ("history", "lists what was typed", "history", Own(history)),
    ("jobs", "lists the jobs", "jobs", Own(jobs)),
    ("pwd", "shows the current directory", "pwd", Own(pwd)),
    (
        "read",
        "reads a line into variables",
        "read [-r] NAME ...",
        Own(read),
    ),
    (
        "return",
        "ends a function or a script that was read by '.'",
        "return [STATUS]",
        Language,
    ),
    (
        "set",
        "shows variables, or sets $1, $2 ...",
        "set [-- ARGUMENT ...]",
        Own(set),
    ),
    (
        "shift",
        "forgets $1: $2 becomes $1",
        "shift [COUNT]",
        Own(shift),
    ),
    (
        "source",
        "runs a script in this shell",
        "source FILE [ARGUMENT ...]",
        Own(source),
    ),
    (
        "test",
        "asks: -n -z = != -eq -ne -lt -le -gt -ge -e -f -d -s !; or tries the kernel",
        "test QUESTION | test SUITE ...",
        Language,
    ),
    (
        "time",
        "runs a command, of whatever kind, and shows how long it took",
        "time COMMAND",
        Own(time),
    ),
    ("true", "succeeds", "true", Language),
    ("type", "says what a command is", "type NAME ...", Own(kind)),
    (
        "unalias",
        "forgets other names",
        "unalias NAME ...",
        Own(unalias),
    ),
    (
        "unset",
        "forgets variables, or functions",
        "unset [-f] NAME ...",
        Own(unset),
    ),
    ("wait", "waits for jobs", "wait [%JOB ...]", Own(wait)),
];

/// What is in the language.
const WORDS: &[(&str, &str)] = &[
    (
        "! COMMAND",
        "turns success into failure, and the other way round",
    ),
    (
        "if A; then B; fi",
        "B if A succeeds; elif C; then D; else E",
    ),
    (
        "while A; do B; done",
        "B as long as A succeeds; until: as long as it fails",
    ),
    (
        "for N in WORDS; do A; done",
        "A for each word, which is $N; without in: for $1, $2 ...",
    ),
    (
        "case W in P) A ;; esac",
        "A if the word W is as the pattern P; P|Q for two",
    ),
    (
        "{ A; }  ( A )",
        "A as one command; ( ) changes nothing of this shell",
    ),
    (
        "NAME() { A; }",
        "makes a function: A with arguments $1, $2 ...",
    ),
];

/// The names of all.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|(name, ..)| *name)
}

/// The command of a name, if it is not a program with these arguments.
pub fn find(name: &str, arguments: &[String]) -> Option<Builtin> {
    if interpret::is_program(name, arguments) {
        return None;
    }
    let found = ALL.iter().find(|(other, ..)| *other == name);
    found.map(|(.., builtin)| *builtin)
}

/// `time` without a command, or with an option.
fn time(_: &mut Shell, _: &[String], output: &mut Output) -> u64 {
    output.fail("time: a command must follow, and no option")
}

impl Shell {
    /// Runs one on its own, not in a pipeline.
    pub fn run_builtin(&mut self, builtin: Builtin, name: &str, arguments: &[String]) -> u64 {
        let mut output = Output::default();
        let status = builtin.run(self, name, arguments, &mut output);
        let places = (self.streams.output.clone(), self.streams.error.clone());
        for (place, bytes) in [(places.0, output.text), (places.1, output.error)] {
            if let Err(error) = self.write(&place, &bytes) {
                self.console
                    .print_error(format!("6s: {error}\n").as_bytes());
                return 1;
            }
        }
        status
    }
}

fn usage(name: &str, output: &mut Output) -> u64 {
    if let Some((name, text, usage, _)) = ALL.iter().find(|(other, ..)| *other == name) {
        output.line(&format!("{name}: {text}\n\nusage: {usage}"));
    }
    0
}

fn kind(shell: &mut Shell, arguments: &[String], output: &mut Output) -> u64 {
    let mut status = 0;
    for name in arguments {
        if let Some(alias) = shell.aliases.get(name) {
            output.line(&format!("{name} stands for {alias}"));
        } else if shell.state.functions.contains_key(name) {
            output.line(&format!("{name} is a function"));
        } else if find(name, &[]).is_some() {
            output.line(&format!("{name} is a command of the shell"));
        } else {
            let path = shell.value("PATH");
            let mut paths = path.split(':').map(|part| format!("{part}/{name}"));
            match paths.find(|path| shell.files.stat(path).is_ok()) {
                Some(path) => output.line(&format!("{name} is {path}")),
                None => status = output.fail(&format!("type: there is no '{name}'")),
            }
        }
    }
    status
}

fn help(shell: &mut Shell, _: &[String], output: &mut Output) -> u64 {
    output.line("Commands of the shell ('COMMAND --help' tells more):\n");
    for (_, text, usage, _) in ALL {
        output.line(&format!("  {usage:26} {text}"));
    }
    for (usage, text) in WORDS {
        output.line(&format!("  {usage:26} {text}"));
    }
    let programs = shell.entries("/boot/bin");
    output.line("\nPrograms:\n");
    let mut line = String::from(" ");
    for name in &programs {
        if line.len() + name.len() > 76 {
            output.line(&line);
            line = String::from(" ");
        }
        line.push(' ');
        line.push_str(name);
    }
    output.line(&line);
    output.line(
        "\nQuotes '' \"\" and \\; variables NAME=VALUE, $NAME, ${NAME:-WORD}; $(COMMAND); $((1 + 2)); names of files * ? [a-z]; pipes |;\n\
         redirections < > >> 2> 2>> 2>&1 >&2 <<; ; && || & ; comments with #.\n\
         Ctrl-C ends a program, Ctrl-Z stops it, Ctrl-D ends its input; Tab completes, Ctrl-R searches.",
    );
    0
}
