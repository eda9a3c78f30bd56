//! The commands that the language needs: what is run next, and nothing else.

use alloc::format;
use alloc::string::String;

use super::{FAILED, Flow, Host};
use crate::condition;

/// The status of a command that is not understood.
const MISUSE: u64 = 2;

/// The suites and trials of the program `test`: with one of these as the first word, and without an operator behind it, it is that program.
const SUITES: &[&str] = &[
    "vm",
    "handles",
    "kernel",
    "vectors",
    "list",
    "supervision",
    "stress",
    "hog",
];

/// Whether a command with a name of the language is a program all the same: `test kernel`, but not `test kernel = "$x"`.
pub fn is_program(name: &str, arguments: &[String]) -> bool {
    let is_suite = |first: &String| SUITES.contains(&first.as_str());
    name == "test"
        && arguments.first().is_some_and(is_suite)
        && !arguments
            .get(1)
            .is_some_and(|second| condition::is_binary(second))
}

/// Those that no function can stand for.
pub const NAMES: &[&str] = &[":", "break", "continue", "exit", "return", "."];

/// Runs a command of the language; its status, if it is one.
pub fn builtin<H: Host>(host: &mut H, name: &str, arguments: &[String]) -> Option<u64> {
    Some(match name {
        ":" | "true" => 0,
        "false" => 1,
        "break" => leave(host, name, arguments, Flow::Break),
        "continue" => leave(host, name, arguments, Flow::Continue),
        "return" if host.state().calls == 0 => fail(host, "return: this is no function"),
        "return" => end(host, name, arguments, Flow::Return),
        "exit" => end(host, name, arguments, Flow::Exit),
        "test" => ask(host, name, arguments),
        "[" => match arguments.split_last() {
            Some((last, arguments)) if last == "]" => ask(host, name, arguments),
            _ => {
                host.complain("[: ']' is missing");
                MISUSE
            }
        },
        _ => return None,
    })
}

fn fail(host: &mut impl Host, text: &str) -> u64 {
    host.complain(text);
    FAILED
}

fn leave(host: &mut impl Host, name: &str, arguments: &[String], flow: fn(usize) -> Flow) -> u64 {
    let count = match arguments {
        [] => Some(1),
        [count] => count.parse().ok().filter(|count| *count > 0),
        _ => None,
    };
    let loops = host.state().loops;
    match count {
        None => fail(
            host,
            &format!("{name}: how many loops is no number above 0"),
        ),
        Some(_) if loops == 0 => fail(host, &format!("{name}: this is no loop")),
        Some(count) => {
            host.state().flow = Some(flow(count.min(loops)));
            0
        }
    }
}

fn end(host: &mut impl Host, name: &str, arguments: &[String], flow: Flow) -> u64 {
    let status = match arguments {
        [] => Some(host.state().status),
        [status] => status.parse().ok(),
        _ => None,
    };
    match status {
        None => fail(host, &format!("{name}: the status is no number")),
        Some(status) => {
            let state = host.state();
            state.status = status;
            state.flow = Some(flow);
            status
        }
    }
}

fn ask(host: &mut impl Host, name: &str, arguments: &[String]) -> u64 {
    match condition::is_met(arguments, &|path| host.file(path)) {
        Ok(is_met) => u64::from(!is_met),
        Err(text) => {
            host.complain(&format!("{name}: {text}"));
            MISUSE
        }
    }
}
