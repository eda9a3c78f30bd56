//! Started in place of a driver, with exactly what that is granted: tries what only others may. `intruder DRIVER` asks the kernel for more than
//! it has; `intruder DRIVER PORT` reads a port, at which it must end.
//!
//! It says what it holds (`uart: holds ports 0x2f8 0x8`), and at last `uart: N refused, M let through`; the status is 0 if nothing was let
//! through, and [`LET_THROUGH`] if a port could be read.

#![cfg_attr(target_os = "none", no_std, no_main)]

extern crate alloc;

use alloc::string::String;
use alloc::vec::Vec;

use abi::area::UNCACHED;
use abi::interrupt::AS_WIRED;
use abi::resource::{Info, LINES, MEMORY, PORTS};
use abi::{Error, PAGE_SIZE, power};
use sys::object::{Borrowed, Process, Resource, System, VmArea};
use sys::{Context, port};

/// Status when a port could be read that was not granted.
const LET_THROUGH: u64 = 1;
/// Status when what was granted could not be used, so that the rest would mean nothing.
const NOT_USABLE: u64 = 2;

/// The driver in whose place it is.
fn name(context: &Context) -> &str {
    context.argument(1).unwrap_or("?")
}

/// What it was given of the machine.
struct Given {
    resources: Vec<(Resource, Info)>,
    systems: Vec<System>,
}

impl Given {
    fn of(context: &Context) -> Result<Self, Error> {
        let names: Vec<String> = context.handle_names().map(String::from).collect();
        let mut given = Self {
            resources: Vec::new(),
            systems: Vec::new(),
        };
        for name in names {
            let Some(handle) = context.handle(&name) else {
                continue;
            };
            match name.as_str() {
                "system" => given.systems.push(System::from(handle)),
                "directory" => {}
                _ => {
                    let resource = Resource::from(handle);
                    let info = resource.info()?;
                    given.resources.push((resource, info));
                }
            }
        }
        Ok(given)
    }

    fn of_kind(&self, kind: u64) -> impl Iterator<Item = (&Resource, &Info)> {
        let all = self
            .resources
            .iter()
            .map(|(resource, info)| (resource, info));
        all.filter(move |(_, info)| info.kind == kind)
    }

    /// Takes the ports into use, as a driver does: what is forbidden afterwards is not so for want of that. What the kernel keeps of a device's is
    /// nothing that is held.
    fn use_ports(&mut self) -> Result<(), Error> {
        let mut used = Vec::new();
        for (resource, info) in self.resources.drain(..) {
            let result = match info.kind {
                PORTS => resource.grant_ports(&Process::own()),
                _ => Ok(()),
            };
            match result {
                Err(Error::AccessDenied) => {}
                result => {
                    result?;
                    used.push((resource, info));
                }
            }
        }
        self.resources = used;
        for (_, info) in self.of_kind(PORTS) {
            // The last one of each device here is one that can be read without a consequence.
            let last = info.start + info.len - 1;
            let _ = port::read8(last as u16);
        }
        Ok(())
    }
}

/// How many attempts were refused, and how many were not.
#[derive(Default)]
struct Count {
    refused: u64,
    let_through: u64,
}

impl Count {
    fn note<T>(&mut self, context: &Context, what: &str, result: Result<T, Error>) {
        match result {
            Err(_) => self.refused += 1,
            Ok(_) => {
                self.let_through += 1;
                log::info!("{}: let through: {what}", name(context));
            }
        }
    }
}

/// Asks for what does not belong to it, of each resource.
fn widen(context: &Context, given: &Given, count: &mut Count) {
    let own = Process::own();
    for (resource, info) in &given.resources {
        let mut note = |what, result| count.note(context, what, result);
        let drop = |_| ();
        note("a longer part", resource.narrow(0, info.len + 1).map(drop));
        note("what follows", resource.narrow(info.len, 1).map(drop));
        note("what is far", resource.narrow(u64::MAX, 2).map(drop));
        if info.kind != PORTS {
            note("ports", resource.grant_ports(&own));
        }
        let memory = |offset, len| VmArea::fixed(resource, offset, len, UNCACHED).map(|_| ());
        if info.kind == MEMORY {
            note("memory behind", memory(info.len, PAGE_SIZE));
            note("more memory", memory(0, info.len + PAGE_SIZE));
            note(
                "memory before",
                memory(0u64.wrapping_sub(PAGE_SIZE), PAGE_SIZE),
            );
        } else {
            note("memory", memory(0, PAGE_SIZE));
        }
        let line = |offset| resource.interrupt(offset, AS_WIRED).map(|_| ());
        if info.kind == LINES {
            note("the next line", line(info.len));
            note("the line before", line(u64::MAX));
            for isa in 0..abi::resource::ISA_INTERRUPTS {
                // Its own is its own.
                if let Ok(offset) = resource.isa_line(isa)
                    && offset >= info.len
                {
                    note("the line of another interrupt", line(offset));
                }
            }
        } else {
            note("a line", line(0));
        }
    }
}

/// Asks the machine for what needs a right that no driver has.
fn rule(context: &Context, given: &Given, count: &mut Count) {
    // By which it writes to the log.
    let log = sys::start::system().map(Borrowed::<System>::new);
    for system in given.systems.iter().chain(log.as_deref()) {
        let mut note = |what, result| count.note(context, what, result);
        note("consoles", system.set_console(0));
        note("power", system.power(power::Action::Off, 0));
        note("devices", system.device(0).map(|_| ()));
        note("processes", system.open_process(1).map(|_| ()));
        note("the log", system.log_read(0, &mut [0; 512]).map(|_| ()));
    }
    let mut note = |what, is_there| {
        count.note(
            context,
            what,
            if is_there {
                Ok(())
            } else {
                Err(Error::NotReady)
            },
        )
    };
    note("all memory by the kernel", context.memory().is_some());
    let has = |kind| given.of_kind(kind).next().is_some();
    note(
        "ports by the kernel",
        context.ports().is_some() && !has(PORTS),
    );
    note(
        "lines by the kernel",
        context.lines().is_some() && !has(LINES),
    );
}

fn try_all(context: &Context, given: &Given) -> u64 {
    let driver = name(context);
    let kinds = [(PORTS, "ports"), (MEMORY, "memory"), (LINES, "lines")];
    for (resource, info) in &given.resources {
        let kind = kinds.iter().find(|(kind, _)| *kind == info.kind);
        let kind = kind.map_or("?", |(_, name)| name);
        log::info!("{driver}: holds {kind} {:#x} {:#x}", info.start, info.len);
        if info.kind == LINES && resource.interrupt(0, AS_WIRED).is_err() {
            log::info!("{driver}: its own line cannot be taken");
            return NOT_USABLE;
        }
    }
    let mut count = Count::default();
    widen(context, given, &mut count);
    rule(context, given, &mut count);
    let Count {
        refused,
        let_through,
    } = count;
    log::info!("{driver}: {refused} refused, {let_through} let through");
    u64::from(let_through != 0)
}

fn main_of_program(context: &Context) -> u64 {
    let mut given = match Given::of(context) {
        Ok(given) => given,
        Err(error) => {
            log::info!("what was given cannot be used: {error}");
            return NOT_USABLE;
        }
    };
    if let Err(error) = given.use_ports() {
        log::info!("its own ports cannot be used: {error}");
        return NOT_USABLE;
    }
    let driver = name(context);
    match context.argument(2).map(str::parse::<u16>) {
        None => try_all(context, &given),
        Some(Ok(number)) => {
            log::info!("{driver}: reads port {number:#x}");
            let value = port::read8(number);
            log::info!("{driver}: let through: port {number:#x} has {value:#x}");
            LET_THROUGH
        }
        Some(Err(_)) => NOT_USABLE,
    }
}

sys::program!(main_of_program);

#[cfg(not(target_os = "none"))]
fn main() {
    // Programs run in jsix; on the host they are only type-checked.
    let _: fn(&Context) -> u64 = main_of_program;
}
