//! The table of commands, and what they share.

mod devices;
mod directories;
mod io;
mod log;
mod memory;
mod processes;
mod services;
mod small;
mod texts;
mod top;
mod trace;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use sys::Context;
use sys::io::Write;
use tools::options::{Flag, Given, Parsed, Usage};

pub use io::Tool;

/// Why a command did not do what it was asked, as a sentence.
pub type Failed = String;

/// Runs a command; returns the status.
type Run = fn(&mut Tool<'_>, &Given) -> Result<u64, Failed>;

/// A command.
pub struct Entry {
    usage: Usage,
    run: Run,
}

/// Makes an entry.
const fn entry(
    name: &'static str,
    about: &'static str,
    arguments: &'static str,
    flags: &'static [Flag],
    run: Run,
) -> Entry {
    Entry {
        usage: Usage {
            name,
            about,
            arguments,
            flags,
        },
        run,
    }
}

/// Makes an option; without a value if that has no name.
const fn flag(short: char, long: &'static str, value: &'static str, text: &'static str) -> Flag {
    Flag {
        short,
        long,
        value,
        text,
    }
}

fn all() -> impl Iterator<Item = &'static Entry> {
    let groups: [&[Entry]; 9] = [
        directories::COMMANDS,
        texts::COMMANDS,
        small::COMMANDS,
        processes::COMMANDS,
        memory::COMMANDS,
        devices::COMMANDS,
        log::COMMANDS,
        services::COMMANDS,
        trace::COMMANDS,
    ];
    groups.into_iter().flatten()
}

/// The exit status when the arguments cannot be understood.
const MISUSE: u64 = 2;

fn complain(name: &str, text: &str) {
    // Nobody is left to tell if this fails.
    let _ = sys::io::stderr().write_all(format!("{name}: {text}\n").as_bytes());
}

/// Runs the command that the name of the program says, or its first argument if it is called `tools`.
pub fn main(context: &Context) -> u64 {
    let words: Vec<&str> = context.arguments().collect();
    let (mut name, mut arguments) = match words.split_first() {
        Some((name, arguments)) => (files::path::name(name), arguments),
        None => ("tools", [].as_slice()),
    };
    if name == "tools"
        && let Some((first, rest)) = arguments.split_first()
    {
        (name, arguments) = (first, rest);
    }
    let Some(entry) = all().find(|entry| entry.usage.name == name) else {
        complain(
            "tools",
            &format!("there is no command '{name}'; these there are:"),
        );
        let names: Vec<&str> = all().map(|entry| entry.usage.name).collect();
        complain("tools", &names.join(" "));
        return MISUSE;
    };
    let mut tool = Tool::new(context, entry.usage.name);
    // What is after the name is text for these, options included.
    let is_raw = matches!(name, "echo" | "true" | "false") && arguments != ["--help"];
    let parsed = match is_raw {
        true => Ok(Parsed::Run(Given::plain(arguments))),
        false => entry.usage.parse(arguments),
    };
    let result = match parsed {
        Ok(Parsed::Run(given)) => (entry.run)(&mut tool, &given),
        Ok(Parsed::Help(text)) => tool.out.write(text.as_bytes()).map(|()| 0),
        Err(text) => {
            complain(name, &text);
            return MISUSE;
        }
    };
    let result = match (result, tool.out.flush()) {
        (Ok(status), Ok(())) => Ok(status),
        (Ok(_), Err(failed)) | (Err(failed), _) => Err(failed),
    };
    match result {
        _ if tool.out.is_unread() => sys::io::UNREAD,
        Ok(status) => status,
        Err(text) => {
            complain(name, &text);
            1
        }
    }
}
