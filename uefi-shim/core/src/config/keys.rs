//! The names of the options: those with a meaning here, and those that only Limine uses.

/// An option that means something to this loader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// `timeout`
    Timeout,
    /// `default_entry`
    DefaultEntry,
    /// `serial`
    Serial,
    /// `quiet`
    Quiet,
    /// `verbose`
    Verbose,
    /// `hash_mismatch_panic`
    HashMismatchPanic,
    /// `shim_loader`: `auto`, `limine` or `shim`
    ShimLoader,
    /// `comment`
    Comment,
    /// `protocol`
    Protocol,
    /// `path`, `kernel_path`
    KernelPath,
    /// `cmdline`, `kernel_cmdline`
    Cmdline,
    /// `module_path`
    ModulePath,
    /// `module_cmdline`, `module_string`
    ModuleCmdline,
    /// `resolution`
    Resolution,
    /// `kaslr`
    Kaslr,
    /// `randomise_hhdm_base`, `randomize_hhdm_base`
    RandomiseHhdm,
    /// `max_paging_mode`
    MaxPaging,
    /// `min_paging_mode`
    MinPaging,
    /// `paging_mode`: both limits at once
    Paging,
}

const KNOWN: &[(&str, Key)] = &[
    ("timeout", Key::Timeout),
    ("default_entry", Key::DefaultEntry),
    ("serial", Key::Serial),
    ("quiet", Key::Quiet),
    ("verbose", Key::Verbose),
    ("hash_mismatch_panic", Key::HashMismatchPanic),
    ("shim_loader", Key::ShimLoader),
    ("comment", Key::Comment),
    ("protocol", Key::Protocol),
    ("path", Key::KernelPath),
    ("kernel_path", Key::KernelPath),
    ("cmdline", Key::Cmdline),
    ("kernel_cmdline", Key::Cmdline),
    ("module_path", Key::ModulePath),
    ("module_cmdline", Key::ModuleCmdline),
    ("module_string", Key::ModuleCmdline),
    ("resolution", Key::Resolution),
    ("kaslr", Key::Kaslr),
    ("randomise_hhdm_base", Key::RandomiseHhdm),
    ("randomize_hhdm_base", Key::RandomiseHhdm),
    ("max_paging_mode", Key::MaxPaging),
    ("min_paging_mode", Key::MinPaging),
    ("paging_mode", Key::Paging),
];

/// Options of Limine that change its menu, other protocols or other firmware. They are accepted
/// without a word: a file that serves both loaders must not make one of them complain.
const IGNORED: &[&str] = &[
    "serial_baudrate",
    "remember_last_entry",
    "graphics",
    "wallpaper",
    "wallpaper_style",
    "backdrop",
    "randomise_memory",
    "randomize_memory",
    "textmode",
    "dtb_path",
    "image_path",
    "drive",
    "partition",
    "mbr_id",
    "gpt_uuid",
    "gpt_guid",
    "kernel_hash",
    "global_dtb",
    "term_font",
    "term_font_size",
    "term_font_scale",
    "term_font_spacing",
    "term_palette",
    "term_palette_bright",
    "term_background",
    "term_foreground",
    "term_background_bright",
    "term_foreground_bright",
    "term_margin",
    "term_margin_gradient",
    "editor_enabled",
    "editor_highlighting",
    "editor_validation",
];

impl Key {
    /// Finds an option by its name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        KNOWN
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, key)| *key)
    }

    /// Tells whether the option belongs to the file instead of an entry.
    pub fn is_global(self) -> bool {
        matches!(
            self,
            Self::Timeout
                | Self::DefaultEntry
                | Self::Serial
                | Self::Quiet
                | Self::Verbose
                | Self::HashMismatchPanic
                | Self::ShimLoader
        )
    }
}

/// Tells whether Limine knows the option and this loader has no use for it.
pub fn is_ignored(name: &str) -> bool {
    IGNORED.iter().any(|known| known.eq_ignore_ascii_case(name))
        || name
            .get(..10)
            .is_some_and(|start| start.eq_ignore_ascii_case("interface_"))
}
