//! The commands that the shell itself has.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use shell::expand::World;
use shell::syntax::{Command, is_name};

use super::job::{INTERRUPTED, Job};
use super::launch;
use super::run::plain_words;
use super::shell::Shell;

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

/// A command of the shell: its arguments without the name; returns the status.
pub type Builtin = fn(&mut Shell, &[String], &mut Output) -> u64;

/// All of them: name, what they do, usage.
const ALL: &[(&str, &str, &str, Builtin)] = &[
    (
        ".",
        "runs a script in this shell",
        ". FILE [ARGUMENT ...]",
        source,
    ),
    (
        "alias",
        "gives a command another name",
        "alias [NAME=COMMAND ...]",
        alias,
    ),
    (
        "bg",
        "lets a stopped job go on in the background",
        "bg [%JOB]",
        bg,
    ),
    ("cd", "changes the current directory", "cd [DIRECTORY]", cd),
    ("exit", "ends the shell", "exit [STATUS]", exit),
    (
        "export",
        "lets programs see variables",
        "export [NAME[=VALUE] ...]",
        export,
    ),
    ("fg", "brings a job to the foreground", "fg [%JOB]", fg),
    ("help", "lists all commands", "help", help),
    ("history", "lists what was typed", "history", history),
    ("jobs", "lists the jobs", "jobs", jobs),
    ("pwd", "shows the current directory", "pwd", pwd),
    (
        "set",
        "shows variables, or sets $1, $2 ...",
        "set [-- ARGUMENT ...]",
        set,
    ),
    ("shift", "forgets $1: $2 becomes $1", "shift [COUNT]", shift),
    (
        "source",
        "runs a script in this shell",
        "source FILE [ARGUMENT ...]",
        source,
    ),
    ("type", "says what a command is", "type NAME ...", kind),
    (
        "unalias",
        "forgets other names",
        "unalias NAME ...",
        unalias,
    ),
    ("unset", "forgets variables", "unset NAME ...", unset),
    ("wait", "waits for jobs", "wait [%JOB ...]", wait),
];

/// What is in the language.
const WORDS: &[(&str, &str)] = &[
    ("time COMMAND", "runs a command and shows how long it took"),
    (
        "! COMMAND",
        "turns success into failure, and the other way round",
    ),
];

/// The names of all.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|(name, ..)| *name)
}

/// The command of a name.
pub fn find(name: &str) -> Option<Builtin> {
    let found = ALL.iter().find(|(other, ..)| *other == name);
    found.map(|(.., builtin)| *builtin)
}

impl Shell {
    /// Runs one on its own, not in a pipeline.
    pub fn run_builtin(&mut self, command: &Command, builtin: Builtin, words: &[String]) -> u64 {
        let mut files = Vec::new();
        for redirect in &command.redirects {
            match self.open_target(redirect) {
                Ok(file) => files.push((redirect.kind, file)),
                Err(error) => {
                    self.complain(&error.to_string());
                    return 1;
                }
            }
        }
        self.assign(command);
        let arguments = words.get(1..).unwrap_or_default();
        let mut output = Output::default();
        let status = match arguments.first().map(String::as_str) {
            Some("--help") => usage(words.first().map_or("", String::as_str), &mut output),
            _ => builtin(self, arguments, &mut output),
        };
        let mut is_shown = (true, true);
        for (kind, file) in files {
            use shell::syntax::RedirectKind::{Append, AppendError, Error, Input, Output};
            let Some(mut file) = file else {
                continue;
            };
            let result = match kind {
                Output | Append => {
                    is_shown.0 = false;
                    file.write_all(&output.text)
                }
                Error | AppendError => {
                    is_shown.1 = false;
                    file.write_all(&output.error)
                }
                Input | shell::syntax::RedirectKind::ErrorToOutput => Ok(()),
            };
            if let Err(error) = result {
                self.complain(&error.to_string());
                return 1;
            }
        }
        if is_shown.0 {
            self.console.print(&output.text);
        }
        if is_shown.1 {
            self.console.print(&output.error);
        }
        status
    }

    /// Tells of jobs in the background that have ended.
    pub fn report_jobs(&mut self) {
        while self.turn() {}
        let mut index = 0;
        while let Some(job) = self.jobs.get(index) {
            if !job.is_done() {
                index += 1;
                continue;
            }
            let job = self.jobs.remove(index);
            let status = match job.final_status() {
                0 => String::from("done"),
                status => format!("status {status}"),
            };
            let text = format!("[{}] {status}: {}\n", job.number, job.text);
            self.console.print(text.as_bytes());
        }
    }

    /// The job that an argument means: `%2`, `2`, or the last one.
    fn job_of(&self, argument: Option<&String>) -> Result<usize, String> {
        let wanted = match argument {
            None => self.jobs.last().map(|job| job.number),
            Some(text) => text.trim_start_matches('%').parse().ok(),
        };
        let is_there = |number: &usize| self.jobs.iter().any(|job| job.number == *number);
        wanted.filter(is_there).ok_or_else(|| match argument {
            None => String::from("there is no job"),
            Some(text) => format!("there is no job {text}"),
        })
    }

    fn job_mut(&mut self, number: usize) -> Option<&mut Job> {
        self.jobs.iter_mut().find(|job| job.number == number)
    }
}

fn usage(name: &str, output: &mut Output) -> u64 {
    if let Some((name, text, usage, _)) = ALL.iter().find(|(other, ..)| *other == name) {
        output.line(&format!("{name}: {text}\n\nusage: {usage}"));
    }
    0
}

fn cd(shell: &mut Shell, arguments: &[String], output: &mut Output) -> u64 {
    let path = match arguments.first().map(String::as_str) {
        None => shell.value("HOME"),
        Some("-") => shell.value("OLDPWD"),
        Some(path) => path.into(),
    };
    let before = String::from(shell.files.current());
    if let Err(error) = shell.files.set_current(&path) {
        return output.fail(&error.to_string());
    }
    let now = String::from(shell.files.current());
    let is_set = shell.variables.set("OLDPWD", &before) && shell.variables.set("PWD", &now);
    if !is_set {
        return output.fail("the variables have no room");
    }
    shell.variables.export("PWD");
    if arguments.first().is_some_and(|path| path == "-") {
        output.line(&now);
    }
    0
}

fn pwd(shell: &mut Shell, _: &[String], output: &mut Output) -> u64 {
    output.line(shell.files.current());
    0
}

fn exit(shell: &mut Shell, arguments: &[String], output: &mut Output) -> u64 {
    let status = match arguments.first() {
        None => shell.status,
        Some(text) => match text.parse() {
            Ok(status) => status,
            Err(_) => return output.fail(&format!("exit: '{text}' is no number")),
        },
    };
    shell.exit = Some(status);
    status
}

fn export(shell: &mut Shell, arguments: &[String], output: &mut Output) -> u64 {
    if arguments.is_empty() {
        for (name, value) in shell.variables.exported() {
            output.line(&format!("{name}={value}"));
        }
    }
    for argument in arguments {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (argument.as_str(), None),
        };
        if !is_name(name) {
            return output.fail(&format!("export: '{name}' is no name"));
        }
        if value.is_some_and(|value| !shell.variables.set(name, value)) {
            return output.fail("export: the variables have no room");
        }
        shell.variables.export(name);
    }
    0
}

fn set(shell: &mut Shell, arguments: &[String], output: &mut Output) -> u64 {
    if arguments.is_empty() {
        for (name, value) in shell.variables.all() {
            output.line(&format!("{name}={value}"));
        }
        return 0;
    }
    let is_marked = arguments.first().is_some_and(|first| first == "--");
    shell.arguments = arguments.iter().skip(is_marked.into()).cloned().collect();
    0
}

fn shift(shell: &mut Shell, arguments: &[String], output: &mut Output) -> u64 {
    let count = arguments.first().map_or(Ok(1), |text| text.parse());
    match count {
        Ok(count) if count <= shell.arguments.len() => {
            shell.arguments.drain(..count);
            0
        }
        _ => output.fail("shift: there are not so many arguments"),
    }
}

fn unset(shell: &mut Shell, arguments: &[String], _: &mut Output) -> u64 {
    for name in arguments {
        shell.variables.unset(name);
    }
    0
}

fn alias(shell: &mut Shell, arguments: &[String], output: &mut Output) -> u64 {
    if arguments.is_empty() {
        for (name, text) in &shell.aliases {
            output.line(&format!("{name}={text}"));
        }
    }
    for argument in arguments {
        let Some((name, text)) = argument.split_once('=') else {
            match shell.aliases.get(argument) {
                Some(text) => output.line(&format!("{argument}={text}")),
                None => return output.fail(&format!("alias: there is no '{argument}'")),
            }
            continue;
        };
        if name.is_empty() || plain_words(text).is_none() {
            return output.fail(&format!("alias: '{text}' is no plain command"));
        }
        shell.aliases.insert(name.into(), text.into());
    }
    0
}

fn unalias(shell: &mut Shell, arguments: &[String], _: &mut Output) -> u64 {
    for name in arguments {
        shell.aliases.remove(name);
    }
    0
}

fn jobs(shell: &mut Shell, _: &[String], output: &mut Output) -> u64 {
    while shell.turn() {}
    for job in &shell.jobs {
        let state = match (job.is_done(), job.is_stopped) {
            (true, _) => "done",
            (_, true) => "stopped",
            _ => "running",
        };
        output.line(&format!("[{}] {state}: {}", job.number, job.text));
    }
    0
}

fn fg(shell: &mut Shell, arguments: &[String], output: &mut Output) -> u64 {
    let number = match shell.job_of(arguments.first()) {
        Ok(number) => number,
        Err(text) => return output.fail(&format!("fg: {text}")),
    };
    if let Some(job) = shell.job_mut(number) {
        let text = format!("{}\n", job.text);
        launch::go_on(job);
        shell.console.print(text.as_bytes());
    }
    shell.wait_for(number)
}

fn bg(shell: &mut Shell, arguments: &[String], output: &mut Output) -> u64 {
    let number = match shell.job_of(arguments.first()) {
        Ok(number) => number,
        Err(text) => return output.fail(&format!("bg: {text}")),
    };
    if let Some(job) = shell.job_mut(number) {
        launch::go_on(job);
        output.line(&format!("[{number}] {}", job.text));
    }
    0
}

fn wait(shell: &mut Shell, arguments: &[String], output: &mut Output) -> u64 {
    let mut numbers = Vec::new();
    for argument in arguments {
        match shell.job_of(Some(argument)) {
            Ok(number) => numbers.push(number),
            Err(text) => return output.fail(&format!("wait: {text}")),
        }
    }
    if arguments.is_empty() {
        let running = shell.jobs.iter().filter(|job| !job.is_stopped);
        numbers.extend(running.map(|job| job.number));
    }
    let mut status = 0;
    for number in numbers {
        status = shell.wait_for(number);
        if shell.is_interrupted {
            return INTERRUPTED;
        }
    }
    status
}

fn history(shell: &mut Shell, _: &[String], output: &mut Output) -> u64 {
    let editor = shell.editor.as_ref();
    for (index, line) in editor
        .into_iter()
        .flat_map(|editor| editor.history().lines())
        .enumerate()
    {
        output.line(&format!("{:5}  {line}", index + 1));
    }
    0
}

fn source(shell: &mut Shell, arguments: &[String], output: &mut Output) -> u64 {
    let Some((file, rest)) = arguments.split_first() else {
        return output.fail("a file is missing");
    };
    let before = match rest.is_empty() {
        true => None,
        false => Some(core::mem::replace(&mut shell.arguments, rest.to_vec())),
    };
    let name = shell.name.clone();
    let status = shell.run_file(file);
    shell.name = name;
    if let Some(before) = before {
        shell.arguments = before;
    }
    status
}

fn kind(shell: &mut Shell, arguments: &[String], output: &mut Output) -> u64 {
    let mut status = 0;
    for name in arguments {
        if let Some(alias) = shell.aliases.get(name) {
            output.line(&format!("{name} stands for {alias}"));
        } else if find(name).is_some() {
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
        "\nQuotes '' \"\" and \\; variables NAME=VALUE, $NAME; names of files * ? [a-z]; pipes |;\n\
         redirections < > >> 2> 2>> 2>&1; ; && || & ; comments with #.\n\
         Ctrl-C ends a program, Ctrl-Z stops it, Ctrl-D ends its input; Tab completes, Ctrl-R searches.",
    );
    0
}
