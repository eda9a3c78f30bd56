//! What a configuration file says, as data.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// A whole configuration file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// The options that belong to no entry.
    pub globals: Globals,
    /// All entries and directories, in file order.
    pub entries: Vec<Entry>,
    /// What was not understood.
    pub warnings: Vec<Warning>,
}

/// A remark about one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The line, from 1.
    pub line: usize,
    /// What is the matter with it, as part of a sentence.
    pub text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "limine.conf line {}: {}", self.line, self.text)
    }
}

/// How long to wait for the user before booting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timeout {
    /// So many seconds; zero boots at once.
    Seconds(u32),
    /// Until the user chooses.
    Never,
}

/// Which loader boots the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Loader {
    /// Limine if it is on the volume, else the shim itself.
    #[default]
    Auto,
    /// Limine, and nothing else.
    Limine,
    /// The shim itself.
    Shim,
}

/// A `yes` or `no` of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// `yes`
    Yes,
    /// `no`
    No,
}

/// The options that belong to no entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Globals {
    /// `timeout`
    pub timeout: Timeout,
    /// `default_entry`, from 1.
    pub default_entry: usize,
    /// `serial`: whether progress goes to the serial port, too.
    pub serial: Switch,
    /// `quiet`
    pub quiet: Switch,
    /// `verbose`
    pub verbose: Switch,
    /// `hash_mismatch_panic`: whether a wrong hash stops the boot.
    pub hash_mismatch_panic: Switch,
    /// `shim_loader`, an option of this loader alone.
    pub loader: Loader,
}

impl Default for Globals {
    fn default() -> Self {
        Self {
            timeout: Timeout::Seconds(5),
            default_entry: 1,
            serial: Switch::No,
            quiet: Switch::No,
            verbose: Switch::No,
            hash_mismatch_panic: Switch::Yes,
            loader: Loader::Auto,
        }
    }
}

/// The number of levels of the page tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PagingLevels {
    /// Four levels, 48 bits.
    Four,
    /// Five levels, 57 bits.
    Five,
}

/// A screen size that an entry wishes for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolution {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// Bits of a pixel.
    pub bpp: u32,
}

/// A file that is handed to the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Where it is, as written.
    pub path: String,
    /// Its command line.
    pub cmdline: String,
}

/// An entry or a directory of entries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// The title in the menu.
    pub title: String,
    /// How deep it is, from 1.
    pub depth: usize,
    /// Whether its children are shown.
    pub expanded: bool,
    /// Where it begins in the file, from 1.
    pub line: usize,
    /// `comment`
    pub comment: Option<String>,
    /// `protocol`, as written.
    pub protocol: Option<String>,
    /// `path` or `kernel_path`, as written.
    pub kernel_path: Option<String>,
    /// `cmdline` or `kernel_cmdline`
    pub cmdline: String,
    /// `module_path` with its `module_cmdline` or `module_string`
    pub modules: Vec<Module>,
    /// `resolution`
    pub resolution: Option<Resolution>,
    /// `kaslr`
    pub kaslr: Option<Switch>,
    /// `randomise_hhdm_base`
    pub randomise_hhdm: Option<Switch>,
    /// `max_paging_mode` or `paging_mode`
    pub max_paging: Option<PagingLevels>,
    /// `min_paging_mode` or `paging_mode`
    pub min_paging: Option<PagingLevels>,
}
