//! Which input of which I/O APIC a global system interrupt is, and how it is wired (ACPI 6.5, 5.2.12.3 to 5.2.12.5, 5.2.13).

use alloc::vec::Vec;

/// Interrupts of the ISA bus: numbers below this.
pub const ISA_INTERRUPTS: u8 = 16;

/// What an input reacts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// A change to the active level.
    Edge,
    /// The active level, as long as it lasts.
    Level,
}

/// Which level is the active one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polarity {
    /// High.
    High,
    /// Low.
    Low,
}

/// How an input is wired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// What it reacts to.
    pub trigger: Trigger,
    /// The active level.
    pub polarity: Polarity,
}

impl Mode {
    /// As all devices of the ISA bus are wired.
    pub const ISA: Self = Self {
        trigger: Trigger::Edge,
        polarity: Polarity::High,
    };
    /// As all pins of PCI are wired.
    pub const PCI: Self = Self {
        trigger: Trigger::Level,
        polarity: Polarity::Low,
    };
}

/// An I/O APIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chip {
    /// The global system interrupt of its first input.
    pub base: u32,
    /// How many inputs it has.
    pub inputs: u32,
}

/// An ISA interrupt that is wired in another way than the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Override {
    /// The ISA interrupt.
    pub isa: u8,
    /// The global system interrupt that it is.
    pub gsi: u32,
    /// What it reacts to, if that is not as usual on the bus.
    pub trigger: Option<Trigger>,
    /// The active level, if that is not as usual on the bus.
    pub polarity: Option<Polarity>,
}

/// An input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The I/O APIC: its place among the [chips](Wiring::chips).
    pub chip: usize,
    /// Its number there.
    pub input: u32,
    /// Its place among all inputs.
    pub index: usize,
}

/// All I/O APICs and what is connected to them.
#[derive(Clone, Debug, Default)]
pub struct Wiring {
    /// By place; none where one was not usable, so that places stay.
    chips: Vec<Option<Chip>>,
    overrides: Vec<Override>,
    kept: Vec<u32>,
}

impl Wiring {
    /// From what the firmware says. `kept` are global system interrupts that nobody is to have. A chip whose interrupts are beyond
    /// the last number, or those of a chip before it, is not used.
    pub fn new(chips: &[Chip], overrides: Vec<Override>, kept: Vec<u32>) -> Self {
        let mut wiring = Self {
            chips: Vec::with_capacity(chips.len()),
            overrides,
            kept,
        };
        for chip in chips {
            let is_usable = chip.base.checked_add(chip.inputs).is_some_and(|end| {
                let mut others = wiring.chips.iter().flatten();
                others.all(|other| end <= other.base || other.base + other.inputs <= chip.base)
            });
            wiring.chips.push(is_usable.then_some(*chip));
        }
        wiring
    }

    /// The chips, each at its place; none for one that is not used.
    pub fn chips(&self) -> &[Option<Chip>] {
        &self.chips
    }

    /// How many inputs there are.
    pub fn inputs(&self) -> usize {
        let inputs = self.chips.iter().flatten().map(|chip| chip.inputs as usize);
        inputs.sum()
    }

    /// The first number above those of all inputs.
    pub fn end(&self) -> u32 {
        let ends = self.chips.iter().flatten();
        let ends = ends.map(|chip| chip.base.saturating_add(chip.inputs));
        ends.max().unwrap_or(0)
    }

    /// Every interrupt that has an input, in the order of their [places](Pin::index).
    pub fn interrupts(&self) -> impl Iterator<Item = u32> {
        let chips = self.chips.iter().flatten();
        chips.flat_map(|chip| (0..chip.inputs).filter_map(|input| chip.base.checked_add(input)))
    }

    /// The input of a global system interrupt.
    pub fn pin(&self, gsi: u32) -> Option<Pin> {
        let mut before = 0;
        for (place, chip) in self.chips.iter().enumerate() {
            let Some(chip) = chip else { continue };
            if let Some(input) = gsi.checked_sub(chip.base)
                && input < chip.inputs
            {
                return Some(Pin {
                    chip: place,
                    input,
                    index: before + input as usize,
                });
            }
            before += chip.inputs as usize;
        }
        None
    }

    /// Whether nobody is to have an interrupt.
    pub fn is_kept(&self, gsi: u32) -> bool {
        self.kept.contains(&gsi)
    }

    /// How an interrupt is wired, as far as the firmware says; else as usual: the first sixteen as on the ISA bus, the others as
    /// those of PCI.
    pub fn mode(&self, gsi: u32) -> Mode {
        if let Some(found) = self.overrides.iter().find(|entry| entry.gsi == gsi) {
            return Mode {
                trigger: found.trigger.unwrap_or(Mode::ISA.trigger),
                polarity: found.polarity.unwrap_or(Mode::ISA.polarity),
            };
        }
        if gsi < u32::from(ISA_INTERRUPTS) {
            Mode::ISA
        } else {
            Mode::PCI
        }
    }

    /// The global system interrupt of an ISA interrupt: the one that the firmware names, or else the same number, unless that is
    /// another one's.
    pub fn isa(&self, isa: u8) -> Option<u32> {
        let gsi = match self.overrides.iter().find(|entry| entry.isa == isa) {
            Some(found) => found.gsi,
            None => {
                let same = u32::from(isa);
                let is_taken = self.overrides.iter().any(|entry| entry.gsi == same);
                (isa < ISA_INTERRUPTS && !is_taken).then_some(same)?
            }
        };
        self.pin(gsi).map(|_| gsi)
    }
}
