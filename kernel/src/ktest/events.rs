//! Events: each signal is seen once.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::tools::{Account, online, start_on, wait_until};
use super::{Outcome, check};
use crate::arch::current::IrqGuard;
use crate::object::Event;
use crate::object::event::Wanted;
use crate::sched::alarm::NEVER;

const ROUNDS: u64 = 100;
/// Bits that are waited for, each by a thread.
const BITS: u32 = 12;
const ALL: u64 = (1 << BITS) - 1;

struct Shared {
    event: ksync::Arc<Event>,
    taken: AtomicU64,
    is_over: AtomicBool,
    left: AtomicU64,
}

/// Threads on all CPUs wait for one bit each; all bits are set at once, again and again. Those who are woken first take
/// theirs while the others are being woken, and must not find them set again.
pub fn signalled_once() -> Outcome {
    let before = Account::now();
    let shared = Arc::new(Shared {
        event: Event::new().map_err(|_| "no memory for an event")?,
        taken: AtomicU64::new(0),
        is_over: AtomicBool::new(false),
        left: AtomicU64::new(u64::from(BITS)),
    });
    let cpus: Vec<u32> = online().map(|cpu| cpu.index).collect();
    for (bit, &cpu) in (0..BITS).zip(cpus.iter().cycle()) {
        let shared = shared.clone();
        start_on(cpu, "waiter", move || {
            while shared
                .event
                .wait(Wanted::any(1 << bit), NEVER, IrqGuard::new().off())
                .is_ok()
                && !shared.is_over.load(Ordering::Acquire)
            {
                shared.taken.fetch_add(1, Ordering::AcqRel);
            }
            shared.left.fetch_sub(1, Ordering::AcqRel);
        })?;
    }
    let mut outcome = Ok(());
    for round in 1..=ROUNDS {
        shared.event.signal(ALL);
        let wanted = round * u64::from(BITS);
        wait_until(|| shared.taken.load(Ordering::Acquire) >= wanted);
        let (taken, left) = (
            shared.taken.load(Ordering::Acquire),
            shared.event.take(ALL, IrqGuard::new().off()),
        );
        if taken != wanted || left != 0 {
            outcome = Err(format!(
                "{taken} bits were taken, {wanted} were set; {left:#x} are still set"
            ));
            break;
        }
    }
    shared.is_over.store(true, Ordering::Release);
    shared.event.signal(ALL);
    check!(
        wait_until(|| shared.left.load(Ordering::Acquire) == 0),
        "a waiter does not end"
    );
    outcome?;
    drop((shared, cpus));
    before.check_same()?;
    Ok(format!("{} bits", ROUNDS * u64::from(BITS)))
}
