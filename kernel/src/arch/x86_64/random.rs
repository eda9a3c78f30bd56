//! Numbers that are hard to guess: by RDRAND where there is one, else from the time-stamp counter.

use core::sync::atomic::{AtomicU64, Ordering};

use spin::Once;
use x86_64::instructions::random::RdRand;

static STATE: AtomicU64 = AtomicU64::new(0);
/// RDRAND, if there is one: CPUID tells, which costs much in a virtual machine.
static SOURCE: Once<Option<RdRand>> = Once::new();

/// Tries of RDRAND before it is given up for this time (Intel SDM vol. 1, 7.3.17.1).
const TRIES: u32 = 10;

/// A number. Without RDRAND it is only as good as the jitter of the clock.
pub fn next() -> u64 {
    let source = SOURCE.call_once(RdRand::new);
    let from_hardware = source.and_then(|source| (0..TRIES).find_map(|_| source.get_u64()));
    // SAFETY: every processor that runs this kernel has a time-stamp counter.
    let time = unsafe { core::arch::x86_64::_rdtsc() };
    let before = STATE.fetch_add(from_hardware.unwrap_or(time) | 1, Ordering::Relaxed);
    // The finaliser of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
    let mut mixed = before ^ time.rotate_left(32) ^ from_hardware.unwrap_or(0);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
