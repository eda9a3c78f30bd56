//! Processors, interrupt controllers, timers and power, collected from the tables.

use super::tables::{PhysRead, Tables};
use crate::fadt::{Fadt, PmTimer};
use crate::hpet::Hpet;
use crate::madt::{Cpu, CpuState, Entry, IoApic, LocalNmi, Madt, NmiSource, Override};
use crate::mcfg::{self, McfgRegion};
use crate::power::{self, SleepType};
use crate::sdt::{Signature, TableError};
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry as MapEntry;
use alloc::vec::Vec;

/// All that the kernel asks ACPI at boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// The processors, one for each local APIC id, in the order of the MADT.
    pub cpus: Vec<Cpu>,
    /// Physical address of the local APICs' registers.
    pub local_apic_address: u64,
    /// The I/O APICs.
    pub io_apics: Vec<IoApic>,
    /// ISA interrupts that are not wired one to one.
    pub overrides: Vec<Override>,
    /// I/O APIC inputs that are to be non-maskable interrupts.
    pub nmi_sources: Vec<NmiSource>,
    /// Local APIC pins that are wired to the non-maskable interrupt.
    pub local_nmis: Vec<LocalNmi>,
    /// Whether a pair of 8259 interrupt controllers exists, which must be masked.
    pub has_8259: bool,
    /// MADT entries that could not be used; worth a warning when not 0.
    pub malformed_entries: usize,
    /// The high precision event timer.
    pub hpet: Option<Hpet>,
    /// The fixed hardware registers; absent only when firmware has no usable FADT.
    pub fadt: Option<Fadt>,
    /// The values of `\_S5`, as found in the DSDT or an SSDT by [`power::find_sleep_type`].
    pub s5: Option<SleepType>,
    /// PCI Express configuration spaces.
    pub mcfg: Vec<McfgRegion>,
}

impl Platform {
    /// Reads the tables at the root pointer at physical address `rsdp`, then evaluates them.
    pub fn discover(memory: &impl PhysRead, rsdp: u64) -> Result<(Self, Tables), TableError> {
        let tables = Tables::read(memory, rsdp)?;
        let platform = Self::from_tables(&tables)?;
        Ok((platform, tables))
    }

    /// Evaluates checked tables. Only a missing MADT is an error: without it there is no processor.
    pub fn from_tables(tables: &Tables) -> Result<Self, TableError> {
        let madt = Madt::parse(tables.require(Signature::MADT)?)?;
        let mut platform = Self::from_madt(&madt);
        platform.hpet = tables
            .find(Signature::HPET)
            .and_then(|table| Hpet::parse(table).ok());
        platform.fadt = tables
            .find(Signature::FADT)
            .and_then(|table| Fadt::parse(table).ok());
        platform.s5 = tables
            .all(Signature::DSDT)
            .chain(tables.all(Signature::SSDT))
            .find_map(|table| power::find_sleep_type(table.body(), 5));
        if let Some(Ok(regions)) = tables.find(Signature::MCFG).map(mcfg::regions) {
            platform.mcfg = regions.collect();
        }
        Ok(platform)
    }

    /// The processors that can be started.
    pub fn enabled_cpus(&self) -> impl Iterator<Item = &Cpu> {
        self.cpus
            .iter()
            .filter(|cpu| cpu.state == CpuState::Enabled)
    }

    /// The power management timer.
    pub fn pm_timer(&self) -> Option<PmTimer> {
        self.fadt.and_then(|fadt| fadt.pm_timer)
    }

    /// The register writes that switch the machine off, by what the tables say.
    pub fn power_off(&self) -> power::PowerOff {
        match (&self.fadt, self.s5) {
            (Some(fadt), Some(s5)) => power::power_off(fadt, s5),
            _ => power::PowerOff::default(),
        }
    }

    /// What the MADT alone says.
    pub fn from_madt(madt: &Madt<'_>) -> Self {
        let mut platform = Self {
            cpus: Vec::new(),
            local_apic_address: u64::from(madt.local_apic_address),
            io_apics: Vec::new(),
            overrides: Vec::new(),
            nmi_sources: Vec::new(),
            local_nmis: Vec::new(),
            has_8259: madt.has_8259,
            malformed_entries: 0,
            hpet: None,
            fadt: None,
            s5: None,
            mcfg: Vec::new(),
        };
        let mut by_id = BTreeMap::new();
        for entry in madt.entries() {
            match entry {
                Entry::Cpu(cpu) => match by_id.entry(cpu.apic_id) {
                    MapEntry::Vacant(place) => {
                        place.insert(platform.cpus.len());
                        platform.cpus.push(cpu);
                    }
                    // The same processor twice, as local APIC and x2APIC or by mistake: the entry
                    // that allows more stands, as either is enough to start it.
                    MapEntry::Occupied(place) => {
                        if let Some(known) = platform.cpus.get_mut(*place.get())
                            && known.state < cpu.state
                        {
                            *known = cpu;
                        }
                    }
                },
                Entry::IoApic(io_apic) => push_new(&mut platform.io_apics, io_apic),
                Entry::Override(it) => push_new(&mut platform.overrides, it),
                Entry::NmiSource(it) => push_new(&mut platform.nmi_sources, it),
                Entry::LocalNmi(it) => push_new(&mut platform.local_nmis, it),
                Entry::AddressOverride(address) if address != 0 => {
                    platform.local_apic_address = address;
                }
                Entry::AddressOverride(_) | Entry::Malformed { .. } => {
                    platform.malformed_entries = platform.malformed_entries.saturating_add(1);
                }
                Entry::Ignored { .. } => {}
            }
        }
        platform
    }
}

/// Adds what is not there. The list is short in every real table; the bound keeps a hostile one from
/// costing quadratic time.
fn push_new<T: PartialEq>(list: &mut Vec<T>, item: T) {
    const MOST: usize = 4096;
    if list.len() < MOST && !list.contains(&item) {
        list.push(item);
    }
}
