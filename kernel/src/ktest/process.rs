//! Programs: how they end, what they may not do, and that nothing of them stays.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};

use ksync::Arc;
use x86_64::registers::rflags::{self, RFlags};

use super::tools::{Account, check_each_cpu, online, start_on, wait_until};
use super::{Outcome, check};
use crate::arch::current::{IrqGuard, cpuid, time};
use crate::boot;
use crate::object::Binding;
use crate::object::event::Listener;
use crate::process::{Exit, Process, loader};
use crate::sched::{self, thread::Affinity};
use crate::vm;

/// Starts a program from a boot module.
pub fn start(words: &[&str], place: Affinity) -> Result<Arc<Process>, String> {
    let name = words.first().copied().unwrap_or("");
    let module = boot::info()
        .module(name)
        .ok_or_else(|| format!("there is no boot module '{name}'"))?;
    loader::start(module, words, place)
        .map_err(|error| format!("'{name}' cannot be started: {error}"))
}

/// Waits for a program's end.
pub fn end_of(process: &Process) -> Result<Exit, String> {
    wait_until(|| process.ended().is_some());
    process
        .ended()
        .ok_or_else(|| format!("'{}' does not end", process.name()))
}

fn run(words: &[&str]) -> Result<Exit, String> {
    end_of(&*start(words, Affinity::Any)?)
}

/// The status is what the program says, all 64 bits of it.
pub fn exit_status() -> Outcome {
    let before = Account::now();
    for status in [0, 1, 127, 255, 256, u64::from(u32::MAX), u64::MAX] {
        let exit = run(&["exit", &format!("{status}")])?;
        check!(
            exit == Exit::Status(status),
            "exit {status} ended as {exit:?}"
        );
    }
    before.check_same()?;
    Ok("7 values".into())
}

/// The kinds of the program `crash`, and the exception that each must end with.
const FAULTS: &[(&[u64], &str)] = &[
    (&[0], "divide-by-zero divide-overflow"),
    (&[1], "single-step single-step-syscall"),
    (&[3], "int3"),
    (&[6], "ud2 wrgsbase"),
    // A stack-segment fault; emulators have been seen to raise a general protection fault instead.
    (&[12, 13], "stack-not-canonical"),
    (
        &[13],
        "jump-not-canonical read-not-canonical write-not-canonical int-0x80 int-nmi int-double-fault int-timer",
    ),
    (
        &[13],
        "cli hlt in out rdmsr wrmsr read-cr3 write-cr0 write-dr7 lidt ltr swapgs invlpg wbinvd sysret",
    ),
    // There is no such instruction where there is no XSAVE.
    (&[6, 13], "xsetbv"),
    (&[13], "load-kernel-segment load-unknown-segment"),
    (
        &[14],
        "null-read null-write kernel-read kernel-write kernel-execute direct-map-read execute-data execute-stack",
    ),
    (
        &[14],
        "write-code write-constant stack-overflow huge-rep-store huge-rep-load",
    ),
    (&[16], "x87-divide"),
];

/// What a program may not do ends it with the right exception, and nothing else happens.
pub fn faults() -> Outcome {
    let before = Account::now();
    let mut count = 0;
    for (vectors, kinds) in FAULTS {
        for kind in kinds.split(' ') {
            let exit = run(&["crash", kind])?;
            let is_right = vectors.iter().any(|vector| exit == Exit::Fault(*vector));
            check!(
                is_right,
                "crash {kind} ended as {exit:?}, not by vector {vectors:?}"
            );
            count += 1;
        }
    }
    before.check_same()?;
    Ok(format!("{count} kinds"))
}

/// The suite of system calls, on every CPU at the same time.
pub fn system_calls() -> Outcome {
    let before = Account::now();
    let running: Result<Vec<_>, _> = online()
        .map(|cpu| start(&["abi", "quiet"], Affinity::Pinned(cpu.index)))
        .collect();
    for process in running? {
        let exit = end_of(&process)?;
        check!(exit == Exit::Status(0), "'abi' ended as {exit:?}");
    }
    before.check_same()?;
    Ok("on every processor".into())
}

/// For how long the kernel watches its own flags beside these programs.
const WATCH_NS: u64 = 300_000_000;

/// Two programs on each CPU, with different contents of their vector registers, which both must keep.
pub fn vector_registers() -> Outcome {
    let before = Account::now();
    let mut running = Vec::new();
    for cpu in online() {
        for half in 0..2 {
            let seed = format!("{}", cpu.index * 2 + half + 1);
            running.push(start(
                &["abi", "vectors", &seed],
                Affinity::Pinned(cpu.index),
            )?);
        }
    }
    // The programs have the flag AC set half of the time: a thread that is switched to must not see it.
    let smap = cpuid::features().smap;
    check_each_cpu(move |_| {
        let end = time::now_ns() + WATCH_NS;
        while time::now_ns() < end {
            sched::yield_now();
            let flags = rflags::read();
            check!(
                !smap || !flags.contains(RFlags::ALIGNMENT_CHECK),
                "user memory is open to a thread of the kernel"
            );
        }
        Ok(())
    })?;
    for process in &running {
        let exit = end_of(process)?;
        check!(exit == Exit::Status(0), "'abi vectors' ended as {exit:?}");
    }
    let count = running.len();
    drop(running);
    before.check_same()?;
    Ok(format!("{count} programs"))
}

const PROCESSES: usize = 200;

/// Every CPU starts programs and waits for them, as fast as it can; afterwards every frame, byte and stack is back.
pub fn nothing_is_lost() -> Outcome {
    let before = Account::now();
    let each = PROCESSES.div_ceil(online().count());
    check_each_cpu(move |_| {
        for round in 0..each {
            let process = start(&["exit", "0"], Affinity::Any)?;
            let exit = process.wait();
            check!(exit == Exit::Status(0), "round {round} ended as {exit:?}");
        }
        Ok(())
    })?;
    before.check_same()?;
    Ok(format!("{} processes", each * online().count()))
}

/// Processes that end while somebody looks, at a time.
const WATCHED: usize = 100;
/// How often.
const TIMES: usize = 20;
/// How often it is looked before others have their turn.
const LOOKS: usize = 1000;
/// The bit that the end of each sets.
const TOLD: u64 = 1;

/// Looks closely until something is so. The other CPU does so, too, that it happens at the same time; but one may need the other's.
fn watch(is_so: impl Fn() -> bool) -> bool {
    (0..LOOKS).any(|_| is_so()) || wait_until(is_so)
}

/// Ends one process after the other while another CPU looks: as soon as it sees the end, it must find the bits that the end sets. (A bit
/// that comes later is taken for the end of another one.)
pub fn seen_is_told() -> Outcome {
    let before = Account::now();
    for _ in 0..TIMES {
        end_watched()?;
    }
    before.check_same()?;
    Ok(format!("{} processes", TIMES * WATCHED))
}

fn end_watched() -> Result<(), String> {
    let out_of_memory = |_| String::from("no memory");
    let mut watched = Vec::new();
    for _ in 0..WATCHED {
        let account = vm::Account::new(64, None).map_err(out_of_memory)?;
        let process = Process::new("watched", account, None).map_err(|error| format!("{error}"))?;
        let listener = Listener::new().map_err(out_of_memory)?;
        process.on_exit(Binding::new(&listener, TOLD));
        watched.push((process, listener));
    }
    let other = online().last().map_or(0, |cpu| cpu.index);
    let shared = alloc::sync::Arc::new((watched, AtomicUsize::new(0), AtomicUsize::new(0)));
    let theirs = shared.clone();
    start_on(other, "watcher", move || {
        let (watched, looked, late) = &*theirs;
        for (process, event) in watched {
            watch(|| process.ended().is_some());
            if event.take(TOLD, IrqGuard::new().off()) == 0 {
                late.fetch_add(1, Ordering::Relaxed);
            }
            looked.fetch_add(1, Ordering::Release);
        }
    })?;
    let (watched, looked, late) = &*shared;
    for (index, (process, _)) in watched.iter().enumerate() {
        process.end(Exit::Status(0));
        let is_seen = watch(|| looked.load(Ordering::Acquire) > index);
        check!(is_seen, "the end of process {index} is not seen");
    }
    let late = late.load(Ordering::Relaxed);
    check!(
        late == 0,
        "{late} of {WATCHED} ends were told after they were seen"
    );
    Ok(())
}
