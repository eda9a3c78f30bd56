//! The devices that the firmware names, looked for when somebody asks for the first time.
//!
//! That is done by a thread of the kernel's own, as AML may take its time. AML comes from the firmware, and the interpreter panics at
//! some that it does not understand: then this thread ends and not the kernel ([`contain`]), and another one goes on behind the device
//! where that happened.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use abi::device::{ACTIVE_LOW, Device, DeviceResource, LEVEL, SHARED, WRITABLE};
use abi::{Error, NEVER, resource as kinds};
use kboot::acpi::resources::{Kind, Resource};
use kboot::acpi::{aml, devices};
use ksync::{Arc, IrqGuard, Once};
use x86_64::instructions::interrupts;

use super::handler::Handler;
use super::{ACPI, Acpi};
use crate::arch::current::IrqLock;
use crate::locks;
use crate::object::event::{Event, Wanted};
use crate::object::interrupt;
use crate::sched;
use crate::sched::thread::{Affinity, Thread};

/// The most devices that are kept.
const DEVICES_MAX: usize = 256;
/// How often it is tried again after AML that the interpreter does not understand.
const ATTEMPTS_MAX: u32 = 16;

/// How far the search is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nobody has asked.
    NotBegun,
    /// A thread is at it.
    Searching,
    /// All are found.
    Done,
}

struct Search {
    phase: Phase,
    found: Vec<Device>,
    /// The device that is looked at, by its place in the tree.
    at: usize,
    attempts: u32,
}

static SEARCH: IrqLock<Search, locks::FirmwareDevices> = IrqLock::new(Search {
    phase: Phase::NotBegun,
    found: Vec::new(),
    at: 0,
    attempts: 0,
});
/// Its bit is set when the search is over.
static IS_DONE: Once<Arc<Event>> = Once::new();
const DONE: u64 = 1;
/// The number of the thread that searches; 0: none.
static SEARCHER: AtomicU64 = AtomicU64::new(0);

/// A device by its place among those that were found.
///
/// # Errors
/// `NotReady` beyond the last one; `OutOfMemory`, `Ended`.
pub fn device(index: u64) -> Result<Device, Error> {
    let done = done()?;
    let is_first = {
        let mut search = SEARCH.lock();
        let is_first = search.phase == Phase::NotBegun;
        if is_first {
            search.phase = Phase::Searching;
        }
        is_first
    };
    if is_first && let Err(error) = begin() {
        SEARCH.lock().phase = Phase::NotBegun;
        return Err(error);
    }
    while SEARCH.lock().phase == Phase::Searching {
        let wanted = Wanted {
            mask: DONE,
            all: false,
            keep: true,
        };
        done.wait(wanted, NEVER, IrqGuard::new().off())?;
    }
    let search = SEARCH.lock();
    let found = usize::try_from(index)
        .ok()
        .and_then(|index| search.found.get(index));
    found.copied().ok_or(Error::NotReady)
}

fn done() -> Result<&'static Arc<Event>, Error> {
    if let Some(done) = IS_DONE.get() {
        return Ok(done);
    }
    let event = Event::new().map_err(|_| Error::OutOfMemory)?;
    Ok(IS_DONE.call_once(|| event))
}

/// Starts a thread that searches.
fn begin() -> Result<(), Error> {
    let Some(acpi) = ACPI.get() else {
        finish();
        return Ok(());
    };
    begin_with(move || search(acpi))
}

/// Starts a thread that does the work of the search, or what a test wants in its place.
///
/// # Errors
/// When memory is short.
pub fn begin_with(work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    SEARCH.lock().phase = Phase::Searching;
    let body = ksync::try_box(move || {
        SEARCHER.store(sched::current_id(), Ordering::Relaxed);
        work();
        SEARCHER.store(0, Ordering::Relaxed);
        finish();
    });
    let body = body.map_err(|_| Error::OutOfMemory)?;
    let thread = Thread::new("acpi", Affinity::Any, None, body);
    sched::add(thread.map_err(|_| Error::OutOfMemory)?);
    Ok(())
}

/// Tells all who wait that the search is over.
fn finish() {
    SEARCH.lock().phase = Phase::Done;
    if let Some(done) = IS_DONE.get() {
        done.signal(DONE);
    }
}

/// Looks at all devices from the one on that the search is at.
fn search(acpi: &Acpi) {
    let Some(interpreter) = Handler::interpreter(&acpi.tables) else {
        return log::warn!("the firmware's devices cannot be looked for: the FADT lacks registers");
    };
    // What was loaded before an error counts.
    if let Err(error) = aml::load(&acpi.tables, &interpreter) {
        log::warn!("the firmware's AML has an error: {error:?}");
    }
    let names = match devices::names(&interpreter) {
        Ok(names) => names,
        Err(error) => return log::warn!("the firmware's devices cannot be listed: {error:?}"),
    };
    loop {
        let at = SEARCH.lock().at;
        let Some(name) = names.get(at) else { break };
        match devices::device(&interpreter, name) {
            Ok(Some(found)) => {
                let resources: Vec<_> = found.resources.iter().filter_map(translate).collect();
                let path = name.to_string();
                enter(Device::new(&found.hid, &found.uid, &path, &resources));
            }
            Ok(None) => {}
            Err(error) => log::warn!("the firmware's AML for {name} has an error: {error:?}"),
        }
        SEARCH.lock().at = at + 1;
        sched::yield_now();
    }
    let found = SEARCH.lock().found.len();
    log::info!(
        "{found} of {} devices of the firmware are there",
        names.len()
    );
}

fn enter(device: Device) {
    let mut search = SEARCH.lock();
    if search.found.len() < DEVICES_MAX && search.found.try_reserve(1).is_ok() {
        search.found.push(device);
    }
}

/// A resource as programs know it; none for lines that this machine has not got.
fn translate(resource: &Resource) -> Option<DeviceResource> {
    let flag = |is_set: bool, flag: u64| if is_set { flag } else { 0 };
    let mut start = resource.start;
    let (kind, flags) = match resource.kind {
        Kind::Ports => (kinds::PORTS, 0),
        Kind::Memory { is_writable } => (kinds::MEMORY, flag(is_writable, WRITABLE)),
        Kind::Interrupts {
            is_level,
            is_low,
            is_shared,
            is_isa,
        } => {
            if is_isa {
                start = interrupt::isa(start.try_into().ok()?)?.into();
            }
            let flags = flag(is_level, LEVEL) | flag(is_low, ACTIVE_LOW) | flag(is_shared, SHARED);
            (kinds::LINES, flags)
        }
    };
    Some(DeviceResource {
        kind,
        start,
        len: resource.len,
        flags,
    })
}

/// Called for a panic: comes back if it is not one of the interpreter. If it is, the running thread ends, and with it what it was at; what
/// that held is lost. It holds no lock of the kernel's, as interrupts are on.
pub fn contain(message: &dyn core::fmt::Display) {
    let searcher = SEARCHER.load(Ordering::Relaxed);
    if searcher == 0 || !interrupts::are_enabled() || sched::current_id() != searcher {
        return;
    }
    SEARCHER.store(0, Ordering::Relaxed);
    let attempts = {
        let mut search = SEARCH.lock();
        search.at += 1;
        search.attempts += 1;
        search.attempts
    };
    log::error!("the firmware's AML is not understood: {message}");
    if attempts > ATTEMPTS_MAX || begin().is_err() {
        finish();
    }
    sched::exit_current()
}
