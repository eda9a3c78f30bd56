//! Commands for processes.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use abi::process::Usage;
use abi::thread::{self, Info};
use sys::object::{Owned, Process, System};
use tools::number::{bytes, seconds};
use tools::options::Given;
use tools::table::Table;

use super::io::number;
use super::{Entry, Failed, Tool, entry, flag, top};

pub const COMMANDS: &[Entry] = &[
    entry(
        "ps",
        "lists processes",
        "",
        &[flag('t', "threads", "", "with their threads")],
        ps,
    ),
    entry(
        "kill",
        "ends processes",
        "PID ...",
        &[flag(
            's',
            "status",
            "NUMBER",
            "with this status, instead of 143",
        )],
        kill,
    ),
    entry(
        "top",
        "shows what processors and threads do, again and again",
        "",
        &[
            flag('1', "once", "", "once, for a script"),
            flag(
                'd',
                "delay",
                "TIME",
                "every so often, instead of each second",
            ),
            flag('n', "count", "COUNT", "so many times"),
        ],
        top::top,
    ),
];

/// The status of a process that was told to end: 128 and the number that POSIX has for it.
const TERMINATED: u64 = 143;

/// All processes that have threads.
pub fn all(system: &System) -> Vec<Usage> {
    let mut all = Vec::new();
    let mut from = 0;
    while let Ok(usage) = system.next_process(from) {
        from = usage.number + 1;
        all.push(usage);
    }
    all
}

/// A process's name.
pub fn name(usage: &Usage) -> String {
    let bytes = usage.name();
    let text = String::from_utf8_lossy(&bytes);
    String::from(text.trim_end_matches('\0'))
}

/// A process by its number.
pub fn open(system: &System, number: u64) -> Result<Process, Failed> {
    let handle = sys::call::process_open(system.handle(), number);
    let handle = handle.map_err(|error| match error {
        abi::Error::NotReady => format!("there is no process {number}"),
        error => format!("process {number}: {error}"),
    })?;
    Ok(Process::from(Owned::from_raw(handle)))
}

/// The threads of a process.
pub fn threads(process: &Process) -> Vec<Info> {
    let mut all = Vec::new();
    let mut from = 0;
    while let Ok(info) = process.next_thread(from) {
        from = info.number + 1;
        all.push(info);
    }
    all
}

/// What a thread does, in a word.
pub fn state(info: &Info) -> &'static str {
    match info.state {
        thread::RUNNABLE => "runs",
        thread::WAITING => "waits",
        thread::SUSPENDED => "stopped",
        _ => "ended",
    }
}

/// The processor of a thread.
pub fn processor(info: &Info) -> String {
    match info.processor {
        abi::process::ANY_CPU => String::from("-"),
        number => format!("{number}"),
    }
}

fn ps(tool: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    let all = all(tool.system()?);
    if !given.has('t') {
        let mut table = Table::new(&[
            "PID", "PARENT", "THREADS", "MEMORY", "CPU s", "SWITCHES", "<NAME",
        ]);
        for usage in &all {
            table.row([
                &usage.number,
                &usage.parent,
                &usage.threads,
                &bytes(usage.memory),
                &seconds(usage.ran),
                &usage.switches,
                &name(usage),
            ]);
        }
        tool.out.lines(table.lines())?;
        return Ok(0);
    }
    let mut table = Table::new(&[
        "PID", "THREAD", "CPU", "PRIO", "CPU s", "SWITCHES", "<STATE", "<NAME",
    ]);
    for usage in &all {
        // It may have ended meanwhile.
        let Ok(process) = open(tool.system()?, usage.number) else {
            continue;
        };
        for info in threads(&process) {
            table.row([
                &usage.number,
                &info.number,
                &processor(&info),
                &info.effective_priority,
                &seconds(info.ran),
                &info.switches,
                &state(&info),
                &name(usage),
            ]);
        }
    }
    tool.out.lines(table.lines())?;
    Ok(0)
}

fn kill(tool: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    if given.arguments.is_empty() {
        return Err("the number of a process is missing".into());
    }
    let status = given.number('s', TERMINATED)?;
    for text in &given.arguments {
        let number = number(text)?;
        let result = open(tool.system()?, number).and_then(|process| {
            let killed = process.kill(status);
            killed.map_err(|error| format!("process {number}: {error}"))
        });
        if let Err(error) = result {
            tool.complain(&error);
        }
    }
    Ok(tool.status)
}
