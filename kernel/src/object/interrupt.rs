//! Interrupts: lines of devices that drivers wait for.
//!
//! Every input of every I/O APIC is a line, which lives for ever and has an owner at most: an [`Interrupt`], which handles name. When it
//! fires on the processor that the owner was given, the state machine of `kirq` says whether it is masked and whether the owner's
//! event is told. All that happens with the lock of the line held, in the interrupt itself too, so that nobody is told after
//! the owner has gone. An interrupt that was on its way then finds its vector without a line, or the line with another owner,
//! which finds nothing at its device.

use alloc::vec::Vec;

use abi::Error;
use abi::interrupt::{self as abi_interrupt, Info};
use kirq::{Chip, Destination, Entry, Line as Machine, Mode, Pin, Polarity, Step, Trigger, Wiring};
use ksync::{Arc, Once};

use super::Binding;
use crate::arch::current::IrqLock;
use crate::arch::current::ioapic::IoApic;
use crate::arch::current::percpu::{self, PerCpu};
use crate::locks;

/// What the machine has.
struct Lines {
    wiring: Wiring,
    chips: Vec<IoApic>,
    /// By [`Pin::index`].
    lines: Vec<Line>,
}

static LINES: Once<Lines> = Once::new();

/// An input of an I/O APIC.
struct Line {
    /// Its global system interrupt.
    gsi: u32,
    pin: Pin,
    owner: IrqLock<Option<Owner>, locks::InterruptLine>,
}

/// What the one who has a line makes of it.
struct Owner {
    machine: Machine,
    entry: Entry,
    /// The processor that gets it.
    cpu: &'static PerCpu,
    binding: Option<Binding>,
    /// How often it has fired.
    fired: u64,
}

/// Takes over the I/O APICs, all of whose inputs are masked, each with the global system interrupt of its first input. `kept` are those that
/// nobody is to have.
#[unsafe(link_section = ".init.text")]
pub fn init(chips: Vec<(u32, IoApic)>, overrides: Vec<kirq::Override>, kept: Vec<u32>) {
    let ranges: Vec<Chip> = chips
        .iter()
        .map(|(base, chip)| Chip {
            base: *base,
            inputs: chip.inputs,
        })
        .collect();
    let wiring = Wiring::new(&ranges, overrides, kept);
    for (chip, usable) in ranges.iter().zip(wiring.chips()) {
        if usable.is_none() {
            log::warn!(
                "the I/O APIC with interrupts from {} on is not used: others have them",
                chip.base
            );
        }
    }
    let lines = wiring.interrupts().filter_map(|gsi| {
        Some(Line {
            gsi,
            pin: wiring.pin(gsi)?,
            owner: IrqLock::new(None),
        })
    });
    let lines = lines.collect();
    let chips = chips.into_iter().map(|(_, chip)| chip).collect();
    LINES.call_once(|| Lines {
        wiring,
        chips,
        lines,
    });
}

/// The first number above those of all lines.
pub fn end() -> u64 {
    LINES.get().map_or(0, |lines| lines.wiring.end().into())
}

/// The line of an ISA interrupt.
pub fn isa(isa: u8) -> Option<u32> {
    LINES.get()?.wiring.isa(isa)
}

/// A vector for devices was delivered to this processor. With interrupts off; whoever calls acknowledges to the local APIC afterwards.
pub fn on_vector(vector: u8) {
    let area = percpu::current();
    let line = area.vectors.line(vector);
    let line = line.and_then(|index| LINES.get()?.lines.get(index));
    let Some(line) = line else {
        return log::debug!("interrupt {vector:#x} came after the end of its line's use");
    };
    let mut owner = line.owner.lock();
    if let Some(owner) = &mut *owner
        && owner.entry.vector == vector
        && core::ptr::eq(owner.cpu, area)
    {
        owner.fired = owner.fired.wrapping_add(1);
        let step = owner.machine.fire();
        line.follow(owner, step);
    }
}

impl Line {
    /// Does what the state machine says; the lock is held.
    #[inline]
    fn follow(&self, owner: &Owner, step: Step) {
        if let Some(is_masked) = step.mask {
            self.set_masked(owner, is_masked);
        }
        if step.signal
            && let Some(binding) = &owner.binding
        {
            binding.signal();
        }
    }

    fn chip(&self) -> Option<&'static IoApic> {
        LINES.get()?.chips.get(self.pin.chip)
    }

    #[inline]
    fn set_masked(&self, owner: &Owner, is_masked: bool) {
        if let Some(chip) = self.chip() {
            chip.set_masked(self.pin.input, &owner.entry, is_masked);
        }
    }
}

/// The processor that gets the next line, with a vector of it: the one that gets the fewest, of those that an I/O APIC can name.
fn place(line: usize) -> Option<(&'static PerCpu, u8, Destination)> {
    let destination = |area: &PerCpu| {
        let id = area.apic_id.load(core::sync::atomic::Ordering::Relaxed);
        Destination::new(id)
    };
    let areas = percpu::all().filter(|area| area.queue.is_online());
    let area = areas
        .filter(|area| destination(area).is_some())
        .min_by_key(|area| area.vectors.used())?;
    let destination = destination(area)?;
    Some((area, area.vectors.take(line)?, destination))
}

/// How a program wants a line to be taken; none: as it is wired.
pub fn mode(number: u64) -> Option<Mode> {
    let (trigger, polarity) = match number {
        abi_interrupt::EDGE_HIGH => (Trigger::Edge, Polarity::High),
        abi_interrupt::EDGE_LOW => (Trigger::Edge, Polarity::Low),
        abi_interrupt::LEVEL_HIGH => (Trigger::Level, Polarity::High),
        abi_interrupt::LEVEL_LOW => (Trigger::Level, Polarity::Low),
        _ => return None,
    };
    Some(Mode { trigger, polarity })
}

fn number(mode: Mode) -> u64 {
    match (mode.trigger, mode.polarity) {
        (Trigger::Edge, Polarity::High) => abi_interrupt::EDGE_HIGH,
        (Trigger::Edge, Polarity::Low) => abi_interrupt::EDGE_LOW,
        (Trigger::Level, Polarity::High) => abi_interrupt::LEVEL_HIGH,
        (Trigger::Level, Polarity::Low) => abi_interrupt::LEVEL_LOW,
    }
}

/// The use of a line, until it is dropped.
pub struct Interrupt {
    line: &'static Line,
}

impl Interrupt {
    /// Takes a line, masked.
    ///
    /// # Errors
    /// `InvalidArgument` if there is none of this number; `AccessDenied` if nobody is to have it; `Occupied` if somebody has it;
    /// `TooMany` if the processors have no more vectors; `OutOfMemory`.
    pub fn new(gsi: u32, mode: Option<Mode>) -> Result<Arc<Self>, Error> {
        let lines = LINES.get().ok_or(Error::InvalidArgument)?;
        let pin = lines.wiring.pin(gsi).ok_or(Error::InvalidArgument)?;
        let line = lines.lines.get(pin.index).ok_or(Error::InvalidArgument)?;
        if lines.wiring.is_kept(gsi) {
            return Err(Error::AccessDenied);
        }
        {
            let mut owner = line.owner.lock();
            if owner.is_some() {
                return Err(Error::Occupied);
            }
            let (cpu, vector, destination) = place(pin.index).ok_or(Error::TooMany)?;
            let mode = mode.unwrap_or(lines.wiring.mode(gsi));
            let entry = Entry {
                vector,
                mode,
                destination,
            };
            if let Some(chip) = line.chip() {
                chip.program(pin.input, &entry);
            }
            *owner = Some(Owner {
                machine: Machine::new(mode.trigger),
                entry,
                cpu,
                binding: None,
                fired: 0,
            });
        }
        // Without memory for it, the interrupt is dropped, and the line free again.
        Arc::try_new(Self { line }).map_err(|_| Error::OutOfMemory)
    }

    /// Calls a function with what the owner has of the line, with its lock held.
    #[inline]
    fn with<R>(&self, act: impl FnOnce(&mut Owner) -> R) -> R {
        match &mut *self.line.owner.lock() {
            Some(owner) => act(owner),
            None => unreachable!("the line is taken as long as its interrupt is there"),
        }
    }

    /// Says what is told when the line fires: at once, if it has and was not acknowledged. Without anything it is masked.
    pub fn on_fire(&self, binding: Option<Binding>) {
        let old = self.with(|owner| {
            let old = core::mem::replace(&mut owner.binding, binding);
            let step = owner.machine.bind(owner.binding.is_some());
            self.line.follow(owner, step);
            old
        });
        // Without the lock: the event may go with it.
        drop(old);
    }

    /// Takes notice that the line has fired, and lets it fire again. Returns how often it had.
    ///
    /// # Errors
    /// `NotReady` if it had not.
    #[inline]
    pub fn acknowledge(&self) -> Result<u64, Error> {
        self.with(|owner| {
            let acknowledged = owner.machine.acknowledge();
            let (count, step) = acknowledged.map_err(|_| Error::NotReady)?;
            self.line.follow(owner, step);
            Ok(count.into())
        })
    }

    /// What there is to tell.
    pub fn info(&self) -> Info {
        self.with(|owner| Info {
            line: self.line.gsi.into(),
            mode: number(owner.entry.mode),
            processor: owner.cpu.index.into(),
            fired: owner.fired,
            unacknowledged: owner.machine.fired().into(),
        })
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        let owner = {
            let mut owner = self.line.owner.lock();
            if let Some(owner) = &*owner {
                self.line.set_masked(owner, true);
                owner.cpu.vectors.give_back(owner.entry.vector);
            }
            owner.take()
        };
        // Without the lock: the event may go with it.
        drop(owner);
    }
}
