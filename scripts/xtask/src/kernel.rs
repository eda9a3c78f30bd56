//! The kernels that an image can boot: jsix, and the conformance kernel in its variants.

use crate::qemu::outcome::Verdict;

/// What the conformance kernel writes to the debug-exit port at its end.
const CONFORMANCE_DONE: u8 = 0x10;

/// Which kernel an image boots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Kernel {
    /// the jsix kernel
    #[default]
    Jsix,
    /// the same with free memory poisoned, and with allocations that @inject makes fail
    JsixChecked,
    /// the kernel that prints what the boot loader told it, at base revision 2
    Conformance,
    /// the same at base revision 3
    ConformanceRev3,
    /// the same as a position independent executable
    ConformancePie,
    /// the same with 5-level paging and x2APIC where they are to be had
    ConformanceWide,
}

impl Kernel {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Jsix,
        Self::JsixChecked,
        Self::Conformance,
        Self::ConformanceRev3,
        Self::ConformancePie,
        Self::ConformanceWide,
    ];

    /// The package, and the name of the binary that cargo builds.
    pub fn package(self) -> &'static str {
        match self {
            Self::Jsix | Self::JsixChecked => "kernel",
            _ => "conformance",
        }
    }

    /// The feature that makes this variant of its package.
    pub fn feature(self) -> Option<&'static str> {
        match self {
            Self::Jsix | Self::Conformance => None,
            Self::JsixChecked => Some("checked"),
            Self::ConformanceRev3 => Some("rev3"),
            Self::ConformancePie => Some("pie"),
            Self::ConformanceWide => Some("wide"),
        }
    }

    /// The name under which the built ELF file is kept.
    pub fn file(self) -> &'static str {
        match self {
            Self::Jsix | Self::Conformance => self.package(),
            Self::JsixChecked => "kernel-checked",
            Self::ConformanceRev3 => "conformance-rev3",
            Self::ConformancePie => "conformance-pie",
            Self::ConformanceWide => "conformance-wide",
        }
    }

    /// Whether it is jsix, and not the conformance kernel.
    pub fn is_jsix(self) -> bool {
        matches!(self, Self::Jsix | Self::JsixChecked)
    }

    /// What the end of a run means for this kernel: the conformance kernel ends well with a status of its own.
    pub fn finished(self, verdict: Verdict) -> Verdict {
        match (self, verdict) {
            (kernel, verdict) if kernel.is_jsix() => verdict,
            (_, Verdict::Status(CONFORMANCE_DONE)) => Verdict::PoweredOff,
            (_, verdict) => verdict,
        }
    }
}
