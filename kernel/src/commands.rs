//! The `cmd=` option of the command line: runs programs from boot modules, one line after the other.
//!
//! A line is a program's name and its arguments. `@all NAME ...` runs one copy on every CPU, each pinned to
//! its own; `@inject NAME ...` runs it again and again, each time with another allocation that fails (see
//! `mm::inject`); `@locks NAME ...` runs it and says which locks processors shared meanwhile;
//! `@restart` restarts the machine. The status of the whole is the last one that was not zero.

use alloc::vec::Vec;

use kboot::cmdline::{Command, commands};

use crate::arch::current::percpu;
use crate::boot::{self, Module};
use crate::process::loader::{self, LoadError};
use crate::sched::thread::Affinity;
use crate::{power, process};

/// Status of a line whose program does not exist or could not be started, as shells have it.
const NOT_FOUND: u64 = 127;
/// The most words of a line.
const MAX_WORDS: usize = 32;

/// Runs all lines; returns the last status that was not zero, or zero.
pub fn run(lines: &str) -> u64 {
    let mut status = 0;
    for command in commands(lines) {
        let result = run_line(&command);
        if result != 0 {
            log::warn!("'{}' ended with status {result}", command.line());
            status = result;
        }
    }
    status
}

fn run_line(command: &Command<'_>) -> u64 {
    let mut words = [""; MAX_WORDS];
    let mut count = 0;
    for (place, word) in words.iter_mut().zip(command.words()) {
        *place = word;
        count += 1;
    }
    match &words[..count] {
        [] => 0,
        ["@restart"] => power::restart(),
        ["@all", words @ ..] => {
            let places = percpu::all()
                .filter(|cpu| cpu.queue.is_online())
                .map(|cpu| Affinity::Pinned(cpu.index));
            start_and_wait(words, places)
        }
        ["@inject", words @ ..] => injection::run(words),
        ["@locks", words @ ..] => sharing::run(words),
        words => start_and_wait(words, core::iter::once(Affinity::Any)),
    }
}

/// The boot module with a name; a message when there is none.
fn find(name: &str) -> Option<&'static Module> {
    let module = boot::info().module(name);
    if module.is_none() {
        log::error!(
            "there is no program '{name}'; the boot modules are: {}",
            Names
        );
    }
    module
}

fn start_and_wait(words: &[&str], places: impl Iterator<Item = Affinity>) -> u64 {
    let Some(name) = words.first() else { return 0 };
    let Some(module) = find(name) else {
        return NOT_FOUND;
    };
    let mut running = Vec::new();
    let mut status = 0;
    for place in places {
        let room = running.try_reserve(1);
        let room = room.map_err(|_| LoadError::OutOfMemory);
        match room.and_then(|()| loader::start(module, words, place)) {
            Ok(process) => running.push(process),
            Err(error) => {
                log::error!("cannot start '{name}': {error}");
                status = NOT_FOUND;
            }
        }
    }
    for process in running {
        let exit: process::Exit = process.wait();
        log::debug!("{} ended: {exit:?}", process.name());
        if exit.status() != 0 {
            status = exit.status();
        }
    }
    status
}

#[cfg(not(feature = "fault-injection"))]
mod injection {
    /// Says that it cannot be done.
    pub fn run(_words: &[&str]) -> u64 {
        log::error!("this kernel was built without the feature fault-injection");
        super::NOT_FOUND
    }
}

#[cfg(feature = "fault-injection")]
mod injection;

#[cfg(not(feature = "frame-debug"))]
mod sharing {
    /// Says that it cannot be done.
    pub fn run(_words: &[&str]) -> u64 {
        log::error!("this kernel was built without the feature frame-debug");
        super::NOT_FOUND
    }
}

#[cfg(feature = "frame-debug")]
mod sharing;

/// The names of all modules, separated by blanks.
struct Names;

impl core::fmt::Display for Names {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (index, module) in boot::info().modules().enumerate() {
            if index != 0 {
                f.write_str(" ")?;
            }
            f.write_str(module.name.as_str())?;
        }
        Ok(())
    }
}
