//! Reads `limine.conf`: the syntax of Limine 8 and later.
//!
//! Reading never fails: a line that makes no sense becomes a [`Warning`] with its number, and the
//! rest of the file counts. Whether an entry can be booted is decided when it is chosen
//! ([`Config::choose`]), so that a broken entry does not take the others with it.
//!
//! Neighbours: [`macros`] replaces `${NAME}`, [`path`] understands `boot():/file#hash`, and
//! [`keys`] knows the options of Limine that are accepted and have no meaning here; what comes out
//! is in `types`.

pub mod keys;
pub mod macros;
pub mod path;
mod types;

pub use types::{
    Config, Entry, Globals, Loader, Module, PagingLevels, Resolution, Switch, Timeout, Warning,
};

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::error::Error;
use keys::Key;

impl Config {
    /// Reads a file.
    pub fn parse(text: &str) -> Self {
        let mut config = Self::default();
        let lines = macros::expand(text, &mut config.warnings);
        for (number, line) in lines {
            config.line(number, &line);
        }
        config.warnings.sort_by_key(|warning| warning.line);
        config
    }

    /// Reads a file of bytes; what is not UTF-8 is replaced.
    pub fn parse_bytes(bytes: &[u8]) -> Self {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        Self::parse(&String::from_utf8_lossy(bytes))
    }

    /// Tells whether an entry has children.
    pub fn is_directory(&self, index: usize) -> bool {
        match (
            self.entries.get(index),
            self.entries.get(index.saturating_add(1)),
        ) {
            (Some(entry), Some(next)) => next.depth > entry.depth,
            _ => false,
        }
    }

    /// The entries that a menu shows: children of collapsed directories are left out.
    pub fn visible(&self) -> Vec<usize> {
        let mut shown = Vec::new();
        // Entries deeper than this are inside of a collapsed directory.
        let mut limit = usize::MAX;
        for (index, entry) in self.entries.iter().enumerate() {
            if entry.depth > limit {
                continue;
            }
            limit = usize::MAX;
            shown.push(index);
            if self.is_directory(index) && !entry.expanded {
                limit = entry.depth;
            }
        }
        shown
    }

    /// Finds the entry that `default_entry` or a user's number names, counted as in the menu.
    /// A directory stands for the first entry inside of it.
    ///
    /// # Errors
    /// There is no entry of that number.
    pub fn choose(&self, number: usize) -> Result<&Entry, Error> {
        let visible = self.visible();
        if visible.is_empty() {
            return Err(Error::NoEntry);
        }
        let none = Error::NoSuchEntry {
            index: number,
            count: visible.len(),
        };
        let mut index = match number.checked_sub(1).and_then(|at| visible.get(at)) {
            Some(index) => *index,
            None => return Err(none),
        };
        while self.is_directory(index) {
            index = index.saturating_add(1);
        }
        self.entries.get(index).ok_or(none)
    }

    fn line(&mut self, number: usize, line: &str) {
        let line = line.trim_matches([' ', '\t', '\r']);
        if line.is_empty() || line.starts_with('#') {
            return;
        }
        if line.starts_with('/') {
            self.open_entry(number, line);
            return;
        }
        let Some((key, value)) = line.split_once(':') else {
            self.warn(
                number,
                format!("\"{line}\" is no option, entry or comment; it is left out"),
            );
            return;
        };
        let value = value.trim_start_matches([' ', '\t']);
        match Key::from_name(key.trim_end()) {
            Some(key) if key.is_global() => self.global(number, key, value),
            Some(key) => self.local(number, key, value),
            None if keys::is_ignored(key.trim_end()) => {}
            None => self.warn(
                number,
                format!(
                    "the option \"{}\" is not known here and is left out; correct it or remove the line",
                    key.trim_end()
                ),
            ),
        }
    }

    fn warn(&mut self, line: usize, text: String) {
        self.warnings.push(Warning { line, text });
    }

    fn open_entry(&mut self, number: usize, line: &str) {
        let rest = line.trim_start_matches('/');
        let mut depth = line.len().saturating_sub(rest.len());
        let allowed = self
            .entries
            .last()
            .map_or(1, |entry| entry.depth.saturating_add(1));
        if depth > allowed {
            self.warn(number, format!("this entry is {depth} levels deep, but nothing above it is {}; it is read as {allowed} deep", depth.saturating_sub(1)));
            depth = allowed;
        }
        let (expanded, title) = match rest.strip_prefix('+') {
            Some(title) => (true, title),
            None => (false, rest),
        };
        self.entries.push(Entry {
            title: title.trim().to_owned(),
            depth,
            expanded,
            line: number,
            ..Entry::default()
        });
    }

    fn global(&mut self, number: usize, key: Key, value: &str) {
        let lower = value.to_ascii_lowercase();
        match key {
            Key::Timeout if lower == "no" => self.globals.timeout = Timeout::Never,
            Key::Timeout => match lower.parse() {
                Ok(seconds) => self.globals.timeout = Timeout::Seconds(seconds),
                Err(_) => self.warn(
                    number,
                    format!("timeout is \"{value}\", not a number of seconds or \"no\"; 5 is used"),
                ),
            },
            Key::DefaultEntry => match lower.parse() {
                Ok(index) if index > 0 => self.globals.default_entry = index,
                _ => self.warn(
                    number,
                    format!("default_entry is \"{value}\", not a number from 1 on; 1 is used"),
                ),
            },
            Key::ShimLoader => match lower.as_str() {
                "auto" => self.globals.loader = Loader::Auto,
                "limine" => self.globals.loader = Loader::Limine,
                "shim" => self.globals.loader = Loader::Shim,
                _ => self.warn(
                    number,
                    format!("shim_loader is \"{value}\", not auto, limine or shim; auto is used"),
                ),
            },
            _ => {
                if let Some(switch) = self.switch(number, value) {
                    match key {
                        Key::Serial => self.globals.serial = switch,
                        Key::Quiet => self.globals.quiet = switch,
                        Key::Verbose => self.globals.verbose = switch,
                        _ => self.globals.hash_mismatch_panic = switch,
                    }
                }
            }
        }
    }

    fn local(&mut self, number: usize, key: Key, value: &str) {
        let switch = match key {
            Key::Kaslr | Key::RandomiseHhdm => self.switch(number, value),
            _ => None,
        };
        let mut complaint = None;
        let Some(entry) = self.entries.last_mut() else {
            self.warn(number, format!("the option with the value \"{value}\" belongs below an entry, but comes before the first one; it is left out"));
            return;
        };
        match key {
            Key::Comment => entry.comment = Some(value.to_owned()),
            Key::Protocol => entry.protocol = Some(value.to_owned()),
            Key::KernelPath => entry.kernel_path = Some(value.to_owned()),
            Key::Cmdline => value.clone_into(&mut entry.cmdline),
            Key::ModulePath => {
                entry.modules.push(Module {
                    path: value.to_owned(),
                    cmdline: String::new(),
                });
            }
            Key::ModuleCmdline => match entry.modules.last_mut() {
                Some(module) => value.clone_into(&mut module.cmdline),
                None => {
                    complaint = Some(
                        "a module_cmdline comes before any module_path; it is left out".to_owned(),
                    )
                }
            },
            Key::Resolution => match parse_resolution(value) {
                Some(resolution) => entry.resolution = Some(resolution),
                None => {
                    complaint = Some(format!(
                        "resolution is \"{value}\", not WIDTHxHEIGHT or WIDTHxHEIGHTxBPP; it is left out"
                    ))
                }
            },
            Key::Kaslr => entry.kaslr = switch.or(entry.kaslr),
            Key::RandomiseHhdm => entry.randomise_hhdm = switch.or(entry.randomise_hhdm),
            _ => match parse_levels(value) {
                Some(levels) => {
                    if key != Key::MinPaging {
                        entry.max_paging = Some(levels);
                    }
                    if key != Key::MaxPaging {
                        entry.min_paging = Some(levels);
                    }
                }
                None => {
                    complaint = Some(format!(
                        "the paging mode is \"{value}\", not 4level or 5level; it is left out"
                    ))
                }
            },
        }
        if let Some(text) = complaint {
            self.warn(number, text);
        }
    }

    fn switch(&mut self, number: usize, value: &str) -> Option<Switch> {
        match value.to_ascii_lowercase().as_str() {
            "yes" => Some(Switch::Yes),
            "no" => Some(Switch::No),
            _ => {
                self.warn(
                    number,
                    format!("\"{value}\" is neither yes nor no; the option keeps its default"),
                );
                None
            }
        }
    }
}

fn parse_levels(value: &str) -> Option<PagingLevels> {
    match value.to_ascii_lowercase().as_str() {
        "4level" => Some(PagingLevels::Four),
        "5level" => Some(PagingLevels::Five),
        _ => None,
    }
}

fn parse_resolution(value: &str) -> Option<Resolution> {
    let mut parts = value.split(['x', 'X']);
    let width = parts.next()?.trim().parse().ok()?;
    let height = parts.next()?.trim().parse().ok()?;
    let bpp = match parts.next() {
        Some(bpp) => bpp.trim().parse().ok()?,
        None => 32,
    };
    match parts.next() {
        None if width > 0 && height > 0 => Some(Resolution { width, height, bpp }),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
