//! The manifest `/etc/services.toml`: which services there are, and what each is given.
//!
//! docs/services.md is its reference. It is checked as a whole before anything is started; an error names the line and what is wrong there.

mod check;
mod error;
mod grant;
mod raw;
mod units;

#[cfg(test)]
mod tests;

use alloc::string::String;
use alloc::vec::Vec;

pub use check::FILES_BOOT;
pub use error::ManifestError;
pub use grant::{Grant, Lines, Range, SystemRight};

use crate::supervise::Rules;

/// Where the manifest lies in the archive.
pub const PATH: &str = "/etc/services.toml";
/// The most services of a manifest.
pub const SERVICES_MAX: usize = 64;
/// What stands for the line of `shell=` in an argument.
pub const LINE: &str = "{line}";

/// What the system was started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// For somebody who sits there.
    Interactive,
    /// For a line of commands.
    Command,
}

/// What a service may ask of `services`, beyond the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct May {
    /// Start, stop and restart services.
    pub control: bool,
    /// Stop all of them.
    pub stop_all: bool,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name, which the log and `services` know it by.
    pub name: String,
    /// Where its program lies in the archive.
    pub program: String,
    /// Arguments behind the program's name.
    pub arguments: Vec<String>,
    /// Variables of its environment.
    pub environment: Vec<(String, String)>,
    /// What it is given.
    pub grants: Vec<Grant>,
    /// The names that it may register.
    pub provides: Vec<String>,
    /// The names that it may look up; a `*` at the end stands for any rest.
    pub uses: Vec<String>,
    /// What it may ask of `services`.
    pub may: May,
    /// How much memory it may use.
    pub memory_limit: Option<u64>,
    /// Which of the kernel's own consoles it takes over: a bit of [`abi::console`], or 0.
    pub console: u64,
    /// Whether it is ready only when it says so.
    pub tells_ready: bool,
    /// Its life. `after` names services by their places.
    pub rules: Rules,
}

/// Reads a manifest: the services for this way of running.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn parse(text: &str, mode: Mode) -> Result<Vec<Service>, ManifestError> {
    let raw: raw::Manifest =
        toml::from_str(text).map_err(|error| ManifestError::of_toml(text, &error))?;
    check::services(text, &raw.service, mode)
}
