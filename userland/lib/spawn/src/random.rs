//! Numbers that are hard to guess: by RDRAND where there is one, mixed with the time-stamp counter.

use core::sync::atomic::{AtomicU64, Ordering};

/// What is left of earlier numbers.
static STATE: AtomicU64 = AtomicU64::new(0);

/// Tries of RDRAND before it is given up for this time (Intel SDM vol. 1, 7.3.17.1).
const TRIES: u32 = 10;
/// CPUID leaf 1, ECX: there is RDRAND (Intel SDM vol. 2A, CPUID).
const HAS_RDRAND: u32 = 1 << 30;

/// A number. Without RDRAND it is only as good as the jitter of the clock.
pub fn next() -> u64 {
    let from_hardware = from_hardware().unwrap_or(0);
    // SAFETY: every processor of this architecture has a time-stamp counter, and the kernel lets programs read it.
    let time = unsafe { core::arch::x86_64::_rdtsc() };
    let before = STATE.fetch_add(from_hardware.wrapping_add(time) | 1, Ordering::Relaxed);
    // The finaliser of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
    let mut mixed = before ^ time.rotate_left(32) ^ from_hardware;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn from_hardware() -> Option<u64> {
    // It costs much in a virtual machine, but a process costs more.
    let has_rdrand = core::arch::x86_64::__cpuid(1).ecx & HAS_RDRAND != 0;
    if !has_rdrand {
        return None;
    }
    (0..TRIES).find_map(|_| {
        let mut number = 0;
        // SAFETY: the processor has the instruction, as was asked just now.
        let is_there = unsafe { core::arch::x86_64::_rdrand64_step(&mut number) };
        (is_there == 1).then_some(number)
    })
}
