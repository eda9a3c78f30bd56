//! The program: arguments, and what is done with them.

mod builtins;
mod console;
mod host;
mod input;
mod job;
mod kin;
mod launch;
mod programs;
mod pump;
mod run;
mod session;
mod shell;
mod streams;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use sys::Context;
use sys::io::Write;

use shell::Shell;

/// The exit status for arguments or a script that cannot be.
pub const MISUSE: u64 = 2;

const HELP: &str = "\
6s: the shell of jsix

usage: 6s [--terminal NAME] [-c LINE | FILE] [ARGUMENT ...]

  --terminal NAME  runs on the service terminal.NAME: serial, screen ...
  -c LINE          runs a line and ends with its status
  FILE             runs a script; its arguments are $1, $2 ...

Without a line and a file it reads commands, from the terminal or the standard input.
'help' tells about its commands.
";

/// What the arguments ask for.
#[derive(Debug, Default)]
struct Options<'a> {
    terminal: Option<&'a str>,
    line: Option<&'a str>,
    /// The script, if there is no line, and arguments.
    rest: Vec<String>,
}

enum Wanted<'a> {
    Run(Options<'a>),
    Help,
    Wrong(String),
}

fn options(context: &Context) -> Wanted<'_> {
    let mut options = Options::default();
    let mut arguments = context.arguments().skip(1);
    while let Some(argument) = arguments.next() {
        match argument {
            "--help" => return Wanted::Help,
            "--terminal" => match arguments.next() {
                Some(name) => options.terminal = Some(name),
                None => return Wanted::Wrong("--terminal needs a name".into()),
            },
            "-c" => match arguments.next() {
                Some(line) => {
                    options.line = Some(line);
                    break;
                }
                None => return Wanted::Wrong("-c needs a line".into()),
            },
            other if other.starts_with('-') => {
                return Wanted::Wrong(format!("there is no option '{other}'; see 6s --help"));
            }
            file => {
                options.rest.push(file.into());
                break;
            }
        }
    }
    options.rest.extend(arguments.map(String::from));
    Wanted::Run(options)
}

fn complain(text: &str) -> u64 {
    // Nobody is left to tell if this fails.
    let _ = sys::io::stderr().write_all(format!("6s: {text}\n").as_bytes());
    MISUSE
}

/// Does what the arguments ask for; returns the exit status.
pub fn main(context: &Context) -> u64 {
    let mut options = match options(context) {
        Wanted::Run(options) => options,
        Wanted::Help => {
            return match sys::io::stdout().write_all(HELP.as_bytes()) {
                Ok(()) => 0,
                Err(_) => 1,
            };
        }
        Wanted::Wrong(text) => return complain(&text),
    };
    let script = match options.line {
        None if !options.rest.is_empty() => Some(options.rest.remove(0)),
        _ => None,
    };
    let mut shell = match Shell::new(context, options.terminal, options.rest) {
        Ok(shell) => shell,
        Err(error) => return complain(&error),
    };
    shell.begin();
    let status = match (options.line, script) {
        (Some(line), _) => shell.run_text("-c", line),
        (None, Some(file)) => shell.run_file(&file),
        (None, None) => shell.run_session(),
    };
    shell.finish();
    status
}
