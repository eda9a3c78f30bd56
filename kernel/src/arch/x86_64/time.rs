//! The clock: the time-stamp counter, calibrated once against the HPET or the ACPI timer.
//!
//! Calibration takes 2 ms (HPET) or 5 ms (ACPI timer). Each end of the interval is read several times, and the
//! reading that the counter saw in the shortest time is kept: an interrupt of the host between two reads then does
//! no harm.

use core::sync::atomic::{AtomicU64, Ordering};

use kaddr::PhysAddr;
use kboot::fadt::PmTimer;
use kboot::gas::AddressSpace;
use x86_64::instructions::port::Port;

use super::{apic, cpuid};
use crate::mm;

/// TSC at the kernel's first instruction.
static START: AtomicU64 = AtomicU64::new(0);
/// Nanoseconds per tick, as a 32.32 fixed-point number; 0 until calibrated.
static NS_PER_TICK: AtomicU64 = AtomicU64::new(0);
/// APIC timer ticks per nanosecond, as a 32.32 fixed-point number.
static TIMER_TICKS_PER_NS: AtomicU64 = AtomicU64::new(0);
static TSC_HZ: AtomicU64 = AtomicU64::new(0);

/// Assumed until the true frequency is known, so that early log lines have some time: 8 GHz, more than any processor
/// has, so that time does not go backwards then.
const ASSUMED: u64 = 1 << 29;

const FEMTOSECONDS: u64 = 1_000_000_000_000_000;
const PM_TIMER_HZ: u64 = PmTimer::FREQUENCY_HZ;
const READINGS: usize = 5;

/// The time-stamp counter.
pub fn tsc() -> u64 {
    // SAFETY: RDTSC has no effect on memory.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Notes when the kernel was entered.
pub fn set_start(tsc: u64) {
    START.store(tsc, Ordering::Relaxed);
}

/// Ticks from the kernel's entry to the first user instruction; 0 until then.
static FIRST_USER: AtomicU64 = AtomicU64::new(0);

/// To be called just before user mode is entered for the first time by a thread; the first of all counts.
pub fn note_user_entry() {
    if FIRST_USER.load(Ordering::Relaxed) == 0 {
        let _ = FIRST_USER.compare_exchange(
            0,
            ticks_since_start(),
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }
}

/// Ticks from the kernel's entry to the first user instruction; none when there was no program.
pub fn ticks_to_first_user() -> Option<u64> {
    Some(FIRST_USER.load(Ordering::Relaxed)).filter(|&ticks| ticks != 0)
}

/// Ticks since the kernel was entered.
pub fn ticks_since_start() -> u64 {
    ticks_until(tsc())
}

/// Ticks from when the kernel was entered until the time-stamp counter shows `tsc`.
pub fn ticks_until(tsc: u64) -> u64 {
    tsc.saturating_sub(START.load(Ordering::Relaxed))
}

fn scale(value: u64, factor: u64) -> u64 {
    ((u128::from(value) * u128::from(factor)) >> 32) as u64
}

/// Nanoseconds since the kernel was entered: monotonic, and the same on all CPUs.
pub fn now_ns() -> u64 {
    ns_of(ticks_since_start())
}

/// How long so many ticks of the time-stamp counter are, in nanoseconds.
pub fn ns_of(ticks: u64) -> u64 {
    let factor = match NS_PER_TICK.load(Ordering::Relaxed) {
        0 => ASSUMED,
        factor => factor,
    };
    scale(ticks, factor)
}

/// How many ticks of the time-stamp counter take at least so many nanoseconds.
pub fn ticks_of(ns: u64) -> u64 {
    let factor = u128::from(NS_PER_TICK.load(Ordering::Relaxed).max(1));
    u64::try_from((u128::from(ns) << 32).div_ceil(factor)).unwrap_or(u64::MAX)
}

/// What the time-stamp counter shows at a time on the monotonic clock; what it shows now, if that has come.
pub fn tsc_at(deadline_ns: u64) -> u64 {
    tsc().saturating_add(ticks_of(deadline_ns.saturating_sub(now_ns())))
}

/// Frequency of the time-stamp counter in Hz; 0 until calibrated.
pub fn tsc_hz() -> u64 {
    TSC_HZ.load(Ordering::Relaxed)
}

/// Waits, executing PAUSE, for at least this many nanoseconds.
pub fn spin_ns(ns: u64) {
    let end = now_ns().saturating_add(ns);
    while now_ns() < end {
        core::hint::spin_loop();
    }
}

/// Arms this CPU's timer for the given time on the monotonic clock.
pub fn arm_timer_at(deadline_ns: u64) {
    arm_timer(tsc_at(deadline_ns));
}

/// Arms this CPU's timer for when the time-stamp counter shows `deadline`.
pub fn arm_timer(deadline: u64) {
    apic::arm_timer(deadline.max(1), || {
        let delay_ns = ns_of(deadline.saturating_sub(tsc()));
        let timer = scale(delay_ns, TIMER_TICKS_PER_NS.load(Ordering::Relaxed));
        // Not before: it would have to be armed again.
        u32::try_from(timer.saturating_add(1)).unwrap_or(u32::MAX)
    });
}

/// A free-running counter of known frequency.
enum Reference {
    Hpet {
        counter: *const u64,
        period_fs: u64,
        wide: bool,
    },
    PmTimer {
        register: PmRegister,
        wide: bool,
    },
}

enum PmRegister {
    Port(u16),
    Memory(*const u32),
}

impl Reference {
    fn read(&self) -> u64 {
        match self {
            // SAFETY: the mapped HPET's main counter (invariant 8); a 32-bit counter is read by its low half.
            Self::Hpet { counter, wide, .. } => unsafe {
                if *wide {
                    counter.read_volatile()
                } else {
                    u64::from(counter.cast::<u32>().read_volatile())
                }
            },
            Self::PmTimer { register, wide } => {
                // SAFETY: the ACPI timer's port or mapped register; reading has no effect (invariant 8).
                let value = unsafe {
                    match register {
                        PmRegister::Port(port) => Port::<u32>::new(*port).read(),
                        PmRegister::Memory(address) => address.read_volatile(),
                    }
                };
                u64::from(if *wide { value } else { value & 0xff_ffff })
            }
        }
    }

    /// Nanoseconds from one reading to a later one, which is less than one wrap away.
    fn elapsed_ns(&self, from: u64, to: u64) -> u64 {
        let (mask, numerator, denominator) = match self {
            Self::Hpet {
                period_fs, wide, ..
            } => (
                if *wide { u64::MAX } else { u64::from(u32::MAX) },
                *period_fs,
                FEMTOSECONDS / 1_000_000_000,
            ),
            Self::PmTimer { wide, .. } => (
                if *wide {
                    u64::from(u32::MAX)
                } else {
                    0xff_ffff
                },
                1_000_000_000,
                PM_TIMER_HZ,
            ),
        };
        let ticks = to.wrapping_sub(from) & mask;
        (u128::from(ticks) * u128::from(numerator) / u128::from(denominator)) as u64
    }

    fn window_ns(&self) -> u64 {
        match self {
            Self::Hpet { .. } => 2_000_000,
            Self::PmTimer { .. } => 5_000_000,
        }
    }

    /// TSC, reference and elapsed APIC timer, taken at nearly the same time.
    fn sample(&self) -> (u64, u64, u32) {
        let mut best = (u64::MAX, 0, 0, 0);
        for _ in 0..READINGS {
            let before = tsc();
            let reference = self.read();
            let timer = apic::timer_elapsed();
            let spread = tsc().wrapping_sub(before);
            if spread < best.0 {
                best = (spread, before + spread / 2, reference, timer);
            }
        }
        (best.1, best.2, best.3)
    }
}

#[unsafe(link_section = ".init.text")]
fn hpet(address: PhysAddr) -> Option<Reference> {
    const CONFIGURATION: u64 = 0x10;
    const COUNTER: u64 = 0xf0;
    let base = mm::map_device(address, 0x400).ok()?.as_u64();
    // SAFETY: the HPET's registers, mapped just now (invariant 8). Capabilities: period in the upper half, bit 13: a
    // 64-bit counter. Configuration bit 0 lets the counter run (IA-PC HPET specification 1.0a, 2.3).
    unsafe {
        let capabilities = (base as *const u64).read_volatile();
        let period_fs = capabilities >> 32;
        if period_fs == 0 || period_fs > 100_000_000 {
            return None;
        }
        let configuration = (base + CONFIGURATION) as *mut u64;
        configuration.write_volatile(configuration.read_volatile() | 1);
        Some(Reference::Hpet {
            counter: (base + COUNTER) as *const u64,
            period_fs,
            wide: capabilities & 1 << 13 != 0,
        })
    }
}

#[unsafe(link_section = ".init.text")]
fn pm_timer(timer: &PmTimer) -> Option<Reference> {
    let register = match timer.register.as_port() {
        Some(port) => PmRegister::Port(port),
        None if timer.register.space == AddressSpace::SYSTEM_MEMORY => {
            let address = PhysAddr::new(timer.register.address);
            PmRegister::Memory(mm::map_device(address, 4).ok()?.as_u64() as *const u32)
        }
        None => return None,
    };
    Some(Reference::PmTimer {
        register,
        wide: timer.bits == 32,
    })
}

/// What the clock was set by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The high precision event timer.
    Hpet,
    /// The ACPI power-management timer.
    PmTimer,
    /// The processor's or hypervisor's own statement.
    Stated,
    /// Nothing was found: one gigahertz is assumed.
    Assumed,
}

/// Finds the frequencies of the time-stamp counter and of the APIC timer.
#[unsafe(link_section = ".init.text")]
pub fn calibrate(hpet_at: Option<PhysAddr>, pm: Option<&PmTimer>) -> Source {
    let stated = cpuid::features().tsc_hz;
    let reference = hpet_at.and_then(hpet).or_else(|| pm.and_then(pm_timer));
    let Some(reference) = reference else {
        let hz = if stated != 0 { stated } else { 1_000_000_000 };
        set_frequency(hz);
        measure_timer_by_tsc();
        return if stated != 0 {
            Source::Stated
        } else {
            Source::Assumed
        };
    };
    apic::start_measuring();
    let (tsc_from, from, timer_from) = reference.sample();
    let limit = tsc_from.saturating_add(STUCK_TICKS);
    while reference.elapsed_ns(from, reference.read()) < reference.window_ns() && tsc() < limit {
        core::hint::spin_loop();
    }
    let (tsc_to, to, timer_to) = reference.sample();
    apic::stop_measuring();
    let timer = timer_to.wrapping_sub(timer_from);
    let ns = reference.elapsed_ns(from, to);
    if ns < reference.window_ns() {
        set_frequency(if stated != 0 { stated } else { 1_000_000_000 });
        measure_timer_by_tsc();
        return if stated != 0 {
            Source::Stated
        } else {
            Source::Assumed
        };
    }
    let measured = u128::from(tsc_to - tsc_from) * 1_000_000_000 / u128::from(ns);
    set_frequency(if stated != 0 { stated } else { measured as u64 });
    TIMER_TICKS_PER_NS.store(
        ((u128::from(timer) << 32) / u128::from(ns)) as u64,
        Ordering::Relaxed,
    );
    match reference {
        Reference::Hpet { .. } => Source::Hpet,
        Reference::PmTimer { .. } => Source::PmTimer,
    }
}

/// TSC ticks after which a reference counter that does not move is given up: 100 ms at 10 GHz.
const STUCK_TICKS: u64 = 1_000_000_000;

fn set_frequency(hz: u64) {
    TSC_HZ.store(hz, Ordering::Relaxed);
    NS_PER_TICK.store(
        ((1_000_000_000u128 << 32) / u128::from(hz.max(1))) as u64,
        Ordering::Relaxed,
    );
}

#[unsafe(link_section = ".init.text")]
fn measure_timer_by_tsc() {
    apic::start_measuring();
    let from = now_ns();
    spin_ns(2_000_000);
    let ticks = apic::timer_elapsed();
    let ns = (now_ns() - from).max(1);
    apic::stop_measuring();
    TIMER_TICKS_PER_NS.store(
        ((u128::from(ticks) << 32) / u128::from(ns)) as u64,
        Ordering::Relaxed,
    );
}
