//! Every call with good arguments, numbers that are none, and handles that are none.

use sys::abi::log::Level;
use sys::abi::{self, Error, Handle, Sysno};
use sys::{Context, call};

use crate::{Report, expect};

/// Prints nothing: the log has no empty lines.
const TEXT: &[u8] = b"\n";
/// Arguments that no call may take notice of.
const NOISE: u64 = 0xdead_beef_dead_beef;

fn clock() -> u64 {
    call::raw(Sysno::ClockRead as u64, [NOISE; 6]).unwrap_or(0)
}

/// Calls that must succeed.
pub fn good(report: &mut Report<'_>, context: &Context) {
    expect!(
        report,
        call::raw(Sysno::AbiVersion as u64, [NOISE; 6]),
        Ok(abi::VERSION),
        "abi_version"
    );
    expect!(
        report,
        call::abi_version(),
        abi::VERSION,
        "abi_version by its stub"
    );
    expect!(
        report,
        call::raw(Sysno::ThreadYield as u64, [NOISE; 6]),
        Ok(0),
        "thread_yield"
    );
    let mut last = clock();
    report.check(last != 0, format_args!("clock_read fails"));
    for _ in 0..1000 {
        let now = clock();
        if now < last {
            report.check(
                false,
                format_args!("the clock went back from {last} to {now}"),
            );
        }
        last = now;
    }
    let start = clock();
    let mut rounds = 0u64;
    while clock() == start && rounds < 1_000_000 {
        rounds += 1;
    }
    report.check(
        clock() > start,
        format_args!("the clock stands still at {start}"),
    );
    let system = context.system().map_or(0, |handle| handle.0);
    let text = [
        system,
        Level::Info as u64,
        TEXT.as_ptr() as u64,
        TEXT.len() as u64,
        NOISE,
        NOISE,
    ];
    expect!(
        report,
        call::raw(Sysno::SystemLogWrite as u64, text),
        Ok(0),
        "system_log_write"
    );
}

/// Numbers without a call: reserved ones, ones that are calls when cut to 32, 16 or 8 bits, and the greatest.
pub fn unknown_numbers(report: &mut Report<'_>, context: &Context) {
    let held = || {
        let info = call::process_info(context.own()).ok();
        info.map(|info| (info.handles, info.mappings, info.threads))
    };
    let before = held();
    let is_call = |number: u64| Sysno::try_from(number).is_ok();
    let mut refused = 0u64;
    let mut refuse = |number: u64| {
        // Arguments that many calls would take.
        let own = context.own().0;
        let result = call::raw(number, [own, 0, 0, 0, 0, 0]);
        if result == Err(Error::UnknownCall) {
            refused += 1;
        } else {
            expect!(report, result, Err(Error::UnknownCall), "call {number:#x}");
        }
    };
    let small = (0..0x1000).filter(|number| !is_call(*number));
    small.for_each(&mut refuse);
    for number in (0..64).flat_map(|bit| [1 << bit, u64::MAX << bit, u64::MAX >> bit]) {
        if !is_call(number) {
            refuse(number);
        }
    }
    for call in abi::CALLS {
        let number = call.number as u64;
        for bit in 8..64 {
            refuse(number | 1 << bit);
        }
        refuse(number.wrapping_neg() | 1 << 62);
    }
    report.passed += refused;
    expect!(
        report,
        held(),
        before,
        "what the process holds after unknown calls"
    );
}

/// Handles that name nothing, or something else.
pub fn handles(report: &mut Report<'_>, context: &Context) {
    let own = context.own();
    let Some(system) = context.system() else {
        return;
    };
    let with = |handle: u64| {
        call::raw(
            Sysno::SystemLogWrite as u64,
            [
                handle,
                Level::Info as u64,
                TEXT.as_ptr() as u64,
                TEXT.len() as u64,
                0,
                0,
            ],
        )
    };
    let (index, generation) = (system.index(), system.generation());
    for generation in [
        0,
        generation.wrapping_add(1),
        generation.wrapping_sub(1),
        generation | 1 << 31,
        u32::MAX,
    ] {
        let wrong = Handle::new(index, generation);
        if wrong != system {
            expect!(
                report,
                with(wrong.0),
                Err(Error::BadHandle),
                "handle {:#x}",
                wrong.0
            );
        }
    }
    for index in (5..200).chain([
        index | 1 << 8,
        index | 1 << 16,
        index | 1 << 31,
        u32::MAX,
        0x7fff_ffff,
    ]) {
        let wrong = Handle::new(index, generation);
        expect!(
            report,
            with(wrong.0),
            Err(Error::BadHandle),
            "handle {:#x}",
            wrong.0
        );
    }
    for wrong in [
        0,
        1,
        u64::MAX,
        1 << 63,
        TEXT.as_ptr() as u64,
        0xffff_ffff_8000_0000,
    ] {
        expect!(
            report,
            with(wrong),
            Err(Error::BadHandle),
            "handle {wrong:#x}"
        );
    }
    expect!(
        report,
        with(own.0),
        Err(Error::WrongType),
        "the handle of the process as the machine"
    );
    // The handle is looked at before the memory: a wrong one tells nothing about addresses.
    for address in [0, 0xffff_ffff_8000_0000] {
        let result = call::raw(Sysno::SystemLogWrite as u64, [0, 3, address, 1, 0, 0]);
        expect!(
            report,
            result,
            Err(Error::BadHandle),
            "wrong handle and memory at {address:#x}"
        );
    }
    expect!(
        report,
        with(system.0),
        Ok(0),
        "the right handle after all wrong ones"
    );
}
