//! The machine: the devices that its firmware names, and the trace of what its processors do.

use sys::abi::trace::{Action, BEGIN, END};
use sys::abi::{Error, Rights, resource};
use sys::call;

use super::rest;
use crate::area::Owned;
use crate::harness::{Env, Failed, Must, Outcome};
use crate::{check, same};

/// More than a machine has.
const DEVICES_MAX: u64 = 1000;

/// Every PC has a serial port, a keyboard and a clock, in the same places.
pub fn devices(env: &Env<'_>) -> Outcome {
    let device = |index| call::system_device(env.system, index);
    let count = (0..DEVICES_MAX)
        .take_while(|index| device(*index).is_ok())
        .count() as u64;
    same!(
        env,
        device(count).map(drop),
        Err(Error::NotReady),
        "the last of {count}"
    );
    same!(
        env,
        device(u64::MAX).map(drop),
        Err(Error::NotReady),
        "no place"
    );
    let find = |hid: &[u8]| {
        let all = (0..count).filter_map(|index| device(index).ok());
        let mut named = all.filter(|device| {
            let own = device.hid();
            own.starts_with(hid) && own[hid.len()..].iter().all(|byte| *byte == 0)
        });
        named.next().ok_or(Error::NotReady)
    };
    for (hid, ports, line) in [
        (b"PNP0501", Some((0x3f8, 8)), 4),
        (b"PNP0303", Some((0x60, 1)), 1),
        (b"PNP0B00", Some((0x70, 0)), 8),
        (b"PNP0F13", None, 12),
    ] {
        let name = core::str::from_utf8(hid).unwrap_or_default();
        let device = find(hid).must(env, name)?;
        check!(
            env,
            device.path().starts_with(b"\\_SB"),
            "the path of {name}"
        );
        let mut of_ports = device
            .resources()
            .filter(|found| found.kind == resource::PORTS);
        if let Some((start, len)) = ports {
            let found = of_ports.next().unwrap_or_default();
            same!(env, found.start, start, "ports of {name}");
            check!(env, found.len >= len, "{} ports of {name}", found.len);
        }
        let lines = env.context.lines().ok_or(Error::NotReady);
        let wanted = call::resource_isa_line(lines.must(env, "lines")?, line).must(env, "line")?;
        let mut of_lines = device
            .resources()
            .filter(|found| found.kind == resource::LINES);
        let found = of_lines.next().unwrap_or_default();
        same!(env, (found.start, found.len), (wanted, 1), "line of {name}");
    }
    // They stay what they are.
    for index in 0..count {
        same!(env, device(index), device(index), "device {index}");
    }
    Ok(())
}

/// Bytes of a trace.
const TRACE_MAX: usize = 16 * 1024;

/// Reads what was recorded in pieces of so many bytes; returns how many bytes there are.
fn read(env: &Env<'_>, room: usize, into: &mut [u8; TRACE_MAX]) -> Result<usize, Failed> {
    let mut piece = [0; 4096];
    let (mut from, mut used) = (BEGIN, 0);
    while from != END {
        let len = call::system_trace_read(env.system, from, &mut piece[..room]);
        let len = len.must(env, "read")? as usize;
        let Some((next, bytes)) = piece[..len].split_first_chunk() else {
            check!(env, false, "{len} bytes");
            break;
        };
        let next = u64::from_le_bytes(*next);
        check!(env, next > from, "from {from:#x} to {next:#x}");
        from = next;
        let place = into.get_mut(used..used + bytes.len()).ok_or(Error::TooMany);
        place.must(env, "a trace this long")?.copy_from_slice(bytes);
        used += bytes.len();
    }
    Ok(used)
}

/// A trace is begun, ended and read; however small the pieces, it is the same.
pub fn trace(env: &Env<'_>) -> Outcome {
    let begin = |kinds| call::system_trace(env.system, Action::Start, kinds, 32);
    let end = || call::system_trace(env.system, Action::Stop, "", 0);
    let none = || call::system_trace_read(env.system, BEGIN, &mut [0; 4096]);
    same!(env, end(), Err(Error::NotReady), "nothing to end");
    same!(
        env,
        begin("switch,nothing"),
        Err(Error::InvalidArgument),
        "no kind"
    );
    let (mut first, mut second) = ([0; TRACE_MAX], [0; TRACE_MAX]);
    for round in 0..3 {
        begin("switch,call").must(env, "begin")?;
        same!(env, none(), Err(Error::NotReady), "while it records");
        for _ in 0..20 {
            rest(10_000).must(env, "rest")?;
        }
        end().must(env, "end")?;
        let len = read(env, 4096, &mut first)?;
        check!(env, first.starts_with(b"jsix trace"), "how it begins");
        check!(env, len > 200, "{len} bytes in round {round}");
        let again = read(env, 128, &mut second)?;
        // The times of reading are in it: of processors at their begin, and at the end.
        check!(env, again.abs_diff(len) < 200, "{again} bytes, then {len}");
        let same = (0..len.min(again))
            .filter(|at| first[*at] == second[*at])
            .count();
        check!(env, same * 4 > len, "{same} bytes are the same");
    }
    let few = call::system_trace_read(env.system, BEGIN, &mut [0; 16]);
    same!(env, few, Err(Error::InvalidArgument), "too little room");
    for place in [END - 1, 1 << 60, u64::MAX >> 1] {
        let wrong = call::system_trace_read(env.system, place, &mut [0; 4096]);
        same!(env, wrong, Err(Error::InvalidArgument), "{place:#x}");
    }
    let missing = Rights::TRACE.union(Rights::DEVICES).union(Rights::POWER);
    let weak = call::handle_duplicate(env.system, Rights(!missing.0)).map(Owned);
    let weak = weak.must(env, "weak")?;
    let denied = Err(Error::AccessDenied);
    let refused = call::system_trace(weak.0, Action::Start, "", 0);
    same!(env, refused, denied, "begin");
    let refused = call::system_trace_read(weak.0, BEGIN, &mut [0; 4096]);
    same!(env, refused.map(drop), denied, "read");
    same!(
        env,
        call::system_device(weak.0, 0).map(drop),
        denied,
        "devices"
    );
    let refused = call::system_power(weak.0, sys::abi::power::Action::Off, 1);
    same!(env, refused, denied, "power");
    Ok(())
}
