//! Non-maskable interrupts at any moment: in user mode, in system calls, and in the few instructions of their entry
//! and exit where the GS base or the stack is still, or again, the user's.

use alloc::format;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::process::{end_of, start};
use super::tools::{Account, online, wait_until};
use super::{Outcome, check};
use crate::arch::current::trap::TrapFrame;
use crate::arch::current::usercopy::USER_END;
use crate::arch::current::{apic, percpu, time};
use crate::process::Exit;
use crate::sched::thread::Affinity;

/// Whether interrupts are counted here instead of being reported.
static COUNTING: AtomicBool = AtomicBool::new(false);
static IN_USER: AtomicU64 = AtomicU64::new(0);
static IN_KERNEL: AtomicU64 = AtomicU64::new(0);
/// In the kernel, with the user's stack pointer.
static ON_THE_EDGE: AtomicU64 = AtomicU64::new(0);

/// Called for every NMI: counts it while the test runs; false when it is not the test's.
pub fn note(frame: &TrapFrame) -> bool {
    if !COUNTING.load(Ordering::Acquire) {
        return false;
    }
    let counter = match frame.is_from_user() {
        true => &IN_USER,
        false if frame.rsp < USER_END => &ON_THE_EDGE,
        false => &IN_KERNEL,
    };
    counter.fetch_add(1, Ordering::AcqRel);
    true
}

fn counted() -> u64 {
    [&IN_USER, &IN_KERNEL, &ON_THE_EDGE]
        .iter()
        .map(|counter| counter.load(Ordering::Acquire))
        .sum()
}

/// For how long the interrupts are sent.
const DURATION_NS: u64 = 1_000_000_000;
/// How long each may take to come in.
const DELIVERY_NS: u64 = 5_000_000_000;

/// Two programs run on every other CPU, one of them mostly in system calls, while this CPU sends them NMIs without end.
/// On a machine with one CPU it sends them to itself.
pub fn user_and_kernel() -> Outcome {
    let before = Account::now();
    let own = percpu::current().index;
    let several = online().count() > 1;
    let targets: Vec<_> = online()
        .filter(|cpu| !several || cpu.index != own)
        .collect();
    let mut running = Vec::new();
    for cpu in &targets {
        for words in [
            ["spin", "900"].as_slice(),
            &["abi", "vectors", "7"],
            &["abi", "quiet"],
        ] {
            running.push(start(words, Affinity::Pinned(cpu.index))?);
        }
    }
    for counter in [&IN_USER, &IN_KERNEL, &ON_THE_EDGE] {
        counter.store(0, Ordering::Release);
    }
    COUNTING.store(true, Ordering::Release);
    let sent = send(&targets);
    let delivered = wait_until(|| counted() >= sent.0);
    COUNTING.store(false, Ordering::Release);
    for process in &running {
        let exit = end_of(process)?;
        check!(
            exit == Exit::Status(0),
            "'{}' ended as {exit:?}",
            process.name()
        );
    }
    drop((running, targets));
    let [user, kernel, edge] =
        [&IN_USER, &IN_KERNEL, &ON_THE_EDGE].map(|counter| counter.load(Ordering::Acquire));
    check!(
        delivered && sent.1,
        "{} interrupts were sent and {} came in",
        sent.0,
        counted()
    );
    check!(
        !several || user != 0 && kernel != 0,
        "{user} came in in user mode and {kernel} in the kernel"
    );
    before.check_same()?;
    Ok(format!(
        "{user} in user mode, {kernel} in the kernel, {edge} there on the user's stack"
    ))
}

/// Sends NMIs to the CPUs in turn, each when the one before has come in: how many, and whether all came.
fn send(targets: &[&percpu::PerCpu]) -> (u64, bool) {
    let end = time::now_ns() + DURATION_NS;
    let mut sent = 0;
    for target in targets.iter().cycle() {
        if time::now_ns() >= end {
            break;
        }
        apic::send_nmi(target.apic_id.load(Ordering::Relaxed));
        sent += 1;
        let patience = time::now_ns() + DELIVERY_NS;
        while counted() < sent {
            if time::now_ns() > patience {
                return (sent, false);
            }
            core::hint::spin_loop();
        }
        if targets.len() == 1 {
            crate::sched::yield_now();
        }
    }
    (sent, true)
}
