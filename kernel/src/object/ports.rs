//! I/O ports that no program gets: what the kernel uses itself, and what would give whoever has it all memory or the machine.

use kboot::acpi::Platform;
use kboot::gas::Gas;
use kirq::{PortRange, PortSet};
use ksync::Once;

use crate::{console, power};

/// Ports that every machine may have in these places: first, last.
const ALWAYS: &[(u16, u16)] = &[
    // DMA controllers and their page registers, which write to any memory; the reset of port 0x92 (Intel 82371AB data sheet).
    (0x00, 0x1f),
    (0x80, 0x9f),
    (0xc0, 0xdf),
    // The interrupt controllers of old, which are masked, the switch to them, and their triggers.
    (0x20, 0x23),
    (0xa0, 0xa1),
    (0x4d0, 0x4d1),
    // PCI configuration, which firmware's AML uses; with it any device writes to any memory. The reset of port 0xcf9.
    (0xcf8, 0xcff),
];

/// COM1: the log, as long as the kernel shows it there.
const SERIAL: (u16, u16) = (0x3f8, 0x3ff);

/// Places for those above and for those that the tables name.
const RANGES_MAX: usize = 32;

struct Kept {
    ports: PortSet<RANGES_MAX>,
    is_full: bool,
}

impl Kept {
    fn add(&mut self, range: Option<PortRange>) {
        if let Some(range) = range
            && self.ports.add(range).is_err()
        {
            self.is_full = true;
        }
    }

    /// A register of at least `bytes` bytes.
    fn add_register(&mut self, register: Option<Gas>, bytes: u64) {
        if let Some(register) = register
            && let Some(port) = register.as_port()
        {
            let len = u64::from(register.bit_width).div_ceil(8).max(bytes);
            self.add(PortRange::new(u64::from(port), len));
        }
    }
}

/// Whether a range has none of the ports from `first` to `last`.
fn is_apart(range: &PortRange, (first, last): (u16, u16)) -> bool {
    let mut set = PortSet::<1>::new();
    PortRange::from_to(first, last)
        .is_none_or(|ports| set.add(ports).is_ok() && !set.overlaps(range))
}

static KEPT: Once<Kept> = Once::new();

/// Notes which ports are the kernel's: those above, those of ACPI's fixed hardware, and the emulator's exit.
#[unsafe(link_section = ".init.text")]
pub fn keep(platform: &Platform) {
    let ports = PortSet::new();
    let is_full = false;
    let mut kept = Kept { ports, is_full };
    for (first, last) in ALWAYS {
        kept.add(PortRange::from_to(*first, *last));
    }
    if let Some(fadt) = &platform.fadt {
        for register in [
            fadt.pm1a_event,
            fadt.pm1b_event,
            fadt.pm1a_control,
            fadt.pm1b_control,
            fadt.pm_timer.map(|timer| timer.register),
            fadt.sleep_control,
            fadt.sleep_status,
            fadt.reset.map(|reset| reset.register),
        ] {
            kept.add_register(register, 1);
        }
        // The command and, beside it, its argument.
        if let Some(port) = fadt.smi_command_port {
            kept.add(PortRange::new(u64::from(port), 2));
        }
    }
    if let Some(port) = power::exit_port() {
        kept.add(PortRange::new(u64::from(port), 4));
    }
    KEPT.call_once(|| kept);
}

/// Whether programs may have these ports.
pub fn are_for_programs(range: &PortRange) -> bool {
    if console::is_own(abi::console::SERIAL) && !is_apart(range, SERIAL) {
        return false;
    }
    KEPT.get()
        .is_some_and(|kept| !kept.is_full && !kept.ports.overlaps(range))
}
