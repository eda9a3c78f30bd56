//! The clock and the timers.

use alloc::format;
use alloc::string::String;
use core::sync::atomic::{AtomicU64, Ordering};

use x86_64::instructions::interrupts;

use super::tools::{PATIENCE_NS, check_each_cpu};
use super::{Outcome, check};
use crate::arch::current::{percpu, time};
use crate::sched;

/// How far one CPU's clock may be behind another's. Zero would be right for counters that were reset together; RDTSC
/// is not ordered with the loads around it, so that a reading may be this much early.
const SLACK_NS: u64 = 1_000;
const MONOTONIC_NS: u64 = 200_000_000;

/// All CPUs pass the latest time that any of them has seen: none reads an earlier one.
pub fn monotonic() -> Outcome {
    static LATEST: AtomicU64 = AtomicU64::new(0);
    LATEST.store(0, Ordering::SeqCst);
    let found = check_each_cpu(|_| {
        let end = time::now_ns() + MONOTONIC_NS;
        let (mut worst, mut readings) = (0, 0u64);
        loop {
            let seen = LATEST.load(Ordering::SeqCst);
            let now = time::now_ns();
            worst = worst.max(seen.saturating_sub(now));
            LATEST.fetch_max(now, Ordering::SeqCst);
            readings += 1;
            if now >= end {
                return Ok((worst, readings));
            }
            core::hint::spin_loop();
        }
    })?;
    let worst = found.iter().map(|(worst, _)| *worst).max().unwrap_or(0);
    let readings: u64 = found.iter().map(|(_, readings)| *readings).sum();
    check!(
        worst <= SLACK_NS,
        "the clock went back by {worst} ns from one processor to another"
    );
    Ok(format!("{readings} readings, at most {worst} ns back"))
}

/// Earlier than asked by more than this is wrong: the resolution of a slow local APIC timer, and the error of its
/// calibration over the longest delay below.
const EARLY_NS: u64 = 20_000;
/// One of them must be no later than this. The others may be late by any time: a host that is busy with other things
/// does not run this CPU at the moment, or not the emulator's timers. So they are tried again until one is in time.
const LATE_NS: u64 = 2_000_000;
const TRY_NS: u64 = 10_000_000_000;
const DELAYS_US: [u64; 10] = [50, 100, 200, 500, 1000, 2000, 3000, 5000, 200, 50];

fn timer_here() -> Result<(u64, u64), String> {
    let area = percpu::current();
    let (mut earliest, mut latest, mut best) = (0, 0, u64::MAX);
    let give_up = time::now_ns() + TRY_NS;
    for (round, delay_us) in DELAYS_US.into_iter().cycle().enumerate() {
        if round >= DELAYS_US.len() && best <= LATE_NS || time::now_ns() > give_up {
            break;
        }
        let count = || area.interrupts.load(Ordering::Relaxed);
        // The thread of another test may just have ended: let its last interrupts come in.
        sched::yield_now();
        let (before, deadline) = interrupts::without_interrupts(|| {
            let deadline = time::now_ns() + delay_us * 1000;
            time::arm_timer_at(deadline);
            (count(), deadline)
        });
        while count() == before {
            check!(
                time::now_ns() < deadline + PATIENCE_NS,
                "no interrupt came for a timer of {delay_us} us"
            );
            core::hint::spin_loop();
        }
        let now = time::now_ns();
        earliest = earliest.max(deadline.saturating_sub(now));
        latest = latest.max(now.saturating_sub(deadline));
        best = best.min(now.saturating_sub(deadline));
    }
    check!(
        earliest <= EARLY_NS,
        "a timer fired {} us early",
        earliest / 1000
    );
    check!(
        best <= LATE_NS,
        "every timer fired late, by {} us and more",
        best / 1000
    );
    Ok((earliest, latest))
}

/// The timer of each CPU fires when it was asked to.
pub fn timer() -> Outcome {
    let found = check_each_cpu(|_| timer_here())?;
    let early = found.iter().map(|(early, _)| *early).max().unwrap_or(0);
    let late = found.iter().map(|(_, late)| *late).max().unwrap_or(0);
    Ok(format!("at most {early} ns early, {} us late", late / 1000))
}
