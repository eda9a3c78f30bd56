//! The start of `srv.init`, the program that starts all others: the one that gets everything, the files that the boot loader has brought
//! among it.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use kaddr::PAGE_SIZE;
use kmem::pt::CacheMode;
use ksync::Arc;

use super::loader::{self, Extras, LoadError};
use super::{Exit, Process};
use crate::boot::{self, Module};
use crate::mm;
use crate::sched::thread::Affinity;
use crate::vm::{Account, VmArea};

/// The name of its boot module.
pub const NAME: &str = "srv.init";

/// Its boot module, if there is one.
pub fn module() -> Option<&'static Module> {
    boot::info().module(NAME)
}

/// Starts it and waits for its end; gives the status with which the machine is to stop.
pub fn run(module: &Module) -> u64 {
    let exit = match start(module) {
        Ok(process) => process.wait(),
        Err(error) => {
            log::error!("cannot start {NAME}: {error}");
            return NOT_STARTED;
        }
    };
    match exit {
        Exit::Status(status) => log::error!("{NAME} has ended with status {status}"),
        Exit::Fault(vector) => log::error!("{NAME} has ended by exception {vector}"),
    }
    exit.status()
}

/// The status when it could not be started.
const NOT_STARTED: u64 = 127;

/// Starts it, with the words of the command line as arguments and an area for each other boot module.
fn start(module: &Module) -> Result<Arc<Process>, LoadError> {
    let account = Account::new(mm::default_limit(), None)?;
    let mut names = Vec::new();
    let mut sizes = Vec::new();
    let mut areas = Vec::new();
    for file in boot::info().modules() {
        // Not itself, nor what is empty: there is no area of no pages.
        if core::ptr::eq(file, module) || file.len == 0 {
            continue;
        }
        let range = file.range.align_outward(PAGE_SIZE);
        let range = range.ok_or(LoadError::OutOfMemory)?;
        areas.push(VmArea::fixed(range, CacheMode::WriteBack, account.clone())?);
        names.push(format!("module:{}", file.name.as_str()));
        sizes.push(format!("module:{}={}", file.name.as_str(), file.len));
    }
    let arguments: Vec<String> = boot::info()
        .options()
        .iter()
        .map(|option| match option.value {
            Some(value) => format!("{}={value}", option.key),
            None => String::from(option.key),
        })
        .collect();
    let words: Vec<&str> = core::iter::once(NAME)
        .chain(arguments.iter().map(String::as_str))
        .collect();
    let sizes: Vec<&str> = sizes.iter().map(String::as_str).collect();
    let areas: Vec<_> = names.iter().map(String::as_str).zip(areas).collect();
    let extras = Extras {
        environment: &sizes,
        areas: &areas,
    };
    loader::start_with(module, &words, &extras, Affinity::Any)
}
