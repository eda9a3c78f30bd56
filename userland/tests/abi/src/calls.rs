//! Every call with good arguments, numbers that are none, and handles that are none.

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
    let log = context.log().map_or(0, |handle| handle.0);
    let text = [
        log,
        TEXT.as_ptr() as u64,
        TEXT.len() as u64,
        NOISE,
        NOISE,
        NOISE,
    ];
    expect!(
        report,
        call::raw(Sysno::LogWrite as u64, text),
        Ok(0),
        "log_write"
    );
}

/// Numbers without a call, among them some that are calls when cut to 32, 16 or 8 bits.
pub fn unknown_numbers(report: &mut Report<'_>) {
    let count = abi::table::CALLS.len() as u64;
    for number in
        (count..count + 300).chain([u64::from(u32::MAX), u64::MAX, 1 << 63, i64::MAX as u64])
    {
        expect!(
            report,
            call::raw(number, [0; 6]),
            Err(Error::UnknownCall),
            "call {number:#x}"
        );
    }
    for call in abi::table::CALLS {
        let number = call.number as u64;
        for wrong in [
            number | 1 << 8,
            number | 1 << 16,
            number | 1 << 32,
            number | 1 << 63,
            number.wrapping_neg() | 1 << 62,
        ] {
            expect!(
                report,
                call::raw(wrong, [0; 6]),
                Err(Error::UnknownCall),
                "call {wrong:#x}"
            );
        }
    }
}

/// Handles that name nothing, or something else.
pub fn handles(report: &mut Report<'_>, context: &Context) {
    let (Some(log), Some(own)) = (context.log(), context.own()) else {
        return;
    };
    let with = |handle: u64| {
        call::raw(
            Sysno::LogWrite as u64,
            [handle, TEXT.as_ptr() as u64, TEXT.len() as u64, 0, 0, 0],
        )
    };
    let (index, generation) = (log.index(), log.generation());
    for generation in [
        0,
        generation.wrapping_add(1),
        generation.wrapping_sub(1),
        generation | 1 << 31,
        u32::MAX,
    ] {
        let wrong = Handle::new(index, generation);
        if wrong != log {
            expect!(
                report,
                with(wrong.0),
                Err(Error::BadHandle),
                "handle {:#x}",
                wrong.0
            );
        }
    }
    for index in (3..200).chain([
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
        "the handle of the process as a log"
    );
    // The handle is looked at before the memory: a wrong one tells nothing about addresses.
    for address in [0, 0xffff_ffff_8000_0000] {
        let result = call::raw(Sysno::LogWrite as u64, [0, address, 1, 0, 0, 0]);
        expect!(
            report,
            result,
            Err(Error::BadHandle),
            "wrong handle and memory at {address:#x}"
        );
    }
    expect!(
        report,
        with(log.0),
        Ok(0),
        "the right handle after all wrong ones"
    );
}
