//! The log as programs read it, and where the kernel shows it.

use sys::abi::console::{SCREEN, SERIAL};
use sys::abi::log::{self, CUT, Level, RECORD_MAX, records};
use sys::abi::{Error, NEVER, Rights, Sysno};
use sys::call;

use super::ports::some;
use super::{event, rest, soon};
use crate::area::Owned;
use crate::harness::{Env, Failed, Must, Outcome};
use crate::{check, same};

/// Bytes of a page of records.
const ROOM: usize = 16 * 1024;

/// The number of the next record.
fn head(env: &Env<'_>) -> Result<u64, Failed> {
    let mut buffer = [0; ROOM];
    let mut from = 0;
    loop {
        let len = call::system_log_read(env.system, from, &mut buffer).must(env, "read")?;
        match records(&buffer[..len as usize]).last() {
            Some(record) => from = record.head.sequence + 1,
            None => return Ok(from),
        }
    }
}

fn write(env: &Env<'_>, level: Level, text: &str) -> Outcome {
    call::system_log_write(env.system, level, text.as_bytes()).must(env, "write")
}

/// What was written is read: who wrote it, when, how important it is.
pub fn read(env: &Env<'_>) -> Outcome {
    let own = call::process_usage(env.own).must(env, "own")?.number;
    let from = head(env)?;
    let before = call::clock_read();
    // At levels that are not shown, but for the last.
    write(env, Level::Debug, "  one\n  two")?;
    write(env, Level::Trace, "  \u{e4}\u{f6}")?;
    write(env, Level::Debug, "")?;
    let after = call::clock_read();
    let mut buffer = [0xff; ROOM];
    let len = call::system_log_read(env.system, from, &mut buffer).must(env, "read")?;
    let ours = || records(&buffer[..len as usize]).filter(|record| record.head.process == own);
    let wanted = [
        (Level::Debug, "  one"),
        (Level::Debug, "  two"),
        (Level::Trace, "  \u{e4}\u{f6}"),
    ];
    same!(env, ours().count(), wanted.len(), "records");
    let mut last = None;
    for (record, (level, text)) in ours().zip(wanted) {
        let head = record.head;
        same!(
            env,
            (record.text, head.level),
            (text.as_bytes(), level),
            "record"
        );
        same!(env, record.target, b"test", "target");
        same!(env, head.flags, 0, "flags");
        check!(env, last < Some(head.sequence), "{head:?} after {last:?}");
        check!(env, head.sequence >= from, "{head:?} from {from}");
        let time = before..=after;
        check!(env, time.contains(&head.time_ns), "{head:?} in {time:?}");
        last = Some(head.sequence);
    }
    check!(
        env,
        buffer[len as usize..].iter().all(|byte| *byte == 0xff),
        "behind them"
    );
    // One at a time, and none.
    let first = ours().next().map_or(0, |record| record.head.record_size());
    let mut small = [0; RECORD_MAX];
    let len = call::system_log_read(env.system, from, &mut small).must(env, "read few")?;
    check!(env, len as usize >= first, "{len} bytes");
    let few = call::system_log_read(env.system, from, &mut small[..first - 1]);
    same!(env, few, Err(Error::InvalidArgument), "too little room");
    // Others may write some meanwhile, not so many.
    for from in [head(env)? + 1000, NEVER] {
        let none = call::system_log_read(env.system, from, &mut buffer);
        same!(env, none, Ok(0), "from {from}");
    }
    Ok(())
}

/// A text that is too long is cut, and said to be; what was overwritten is a gap.
pub fn cut_and_lost(env: &Env<'_>) -> Outcome {
    let from = head(env)?;
    let long = [b'x'; 600];
    call::system_log_write(env.system, Level::Debug, &long).must(env, "write")?;
    let mut buffer = [0; ROOM];
    let len = call::system_log_read(env.system, from, &mut buffer).must(env, "read")?;
    let cut = records(&buffer[..len as usize])
        .find(|record| record.head.flags == CUT)
        .map(|record| {
            (
                record.text.len(),
                record.text.ends_with("\u{2026}".as_bytes()),
            )
        });
    let is_right = cut.is_some_and(|(len, is_marked)| (400..600).contains(&len) && is_marked);
    check!(env, is_right, "what was cut: {cut:?}");
    // More than the kernel keeps.
    for _ in 0..1100 {
        write(env, Level::Trace, "  again")?;
    }
    let len = call::system_log_read(env.system, from, &mut buffer).must(env, "read")?;
    let first = records(&buffer[..len as usize]).next();
    let gap = first.map_or(0, |record| record.head.sequence - from);
    check!(env, (50..=1101).contains(&gap), "a gap of {gap}");
    Ok(())
}

/// Whoever listens is told once, and again when it has read.
pub fn on_record(env: &Env<'_>) -> Outcome {
    let told = event(env)?;
    let bind = |bits| call::system_log_on_record(env.system, (bits != 0).then_some(told.0), bits);
    let take = || call::event_take(told.0, NEVER);
    let (mut buffer, mut from) = ([0; ROOM], 0);
    // What others write meanwhile is told of as well, and a part that was read may have told of the rest.
    let mut read_all = || {
        loop {
            let len = call::system_log_read(env.system, from, &mut buffer).must(env, "read")?;
            if let Some(record) = records(&buffer[..len as usize]).last() {
                from = record.head.sequence + 1;
            } else if take().must(env, "take")? == 0 {
                return Ok(());
            }
        }
    };
    read_all()?;
    bind(4).must(env, "bind")?;
    // It has not read anything since it began to listen, as far as the kernel knows.
    let wait = |bits| call::event_wait(told.0, bits, 0, soon());
    same!(env, wait(4), Ok(4), "what was there");
    read_all()?;
    for round in 0..50 {
        write(env, Level::Debug, "  told")?;
        same!(env, wait(4), Ok(4), "a record in round {round}");
        write(env, Level::Debug, "  not told")?;
        rest(100_000).must(env, "rest")?;
        same!(env, take(), Ok(0), "another one before it was read");
        read_all()?;
    }
    bind(0).must(env, "unbind")?;
    take().must(env, "take")?;
    write(env, Level::Debug, "  unheard")?;
    rest(100_000).must(env, "rest")?;
    same!(env, take(), Ok(0), "after the end");
    let weak = call::handle_duplicate(env.system, Rights(!Rights::LOG_READ.0)).map(Owned);
    let weak = weak.must(env, "weak")?;
    let denied = Err(Error::AccessDenied);
    same!(
        env,
        call::system_log_read(weak.0, 0, &mut [0; 8]).map(drop),
        denied,
        "read"
    );
    same!(
        env,
        call::system_log_on_record(weak.0, None, 0),
        denied,
        "bind"
    );
    Ok(())
}

/// A record that comes while the memory for it cannot be written to is no loss.
pub fn bad_memory(env: &Env<'_>) -> Outcome {
    let from = head(env)?;
    write(env, Level::Debug, "  here")?;
    for address in [0, 8, 0xffff_8000_0000_0000, sys::abi::USER_END - 8] {
        let number = Sysno::SystemLogRead as u64;
        let bad = call::raw(number, [env.system.0, from, address, 4096, 0, 0]);
        same!(env, bad, Err(Error::BadAddress), "{address:#x}");
    }
    let mut buffer = [0; ROOM];
    let len = call::system_log_read(env.system, from, &mut buffer).must(env, "read")?;
    let here = records(&buffer[..len as usize]).any(|record: log::Record| record.text == b"  here");
    check!(env, here, "the record");
    Ok(())
}

const COM1: u64 = 0x3f8;
const MODEM_CONTROL: u16 = 0x3f8 + 4;
const LINE_STATUS: u16 = 0x3f8 + 5;
const LOOPBACK: u8 = 1 << 4;
const DATA_READY: u8 = 1;

/// A serial port that the kernel does not use is for programs, and nothing of the log goes there; then it is the kernel's again.
pub fn serial(env: &Env<'_>) -> Outcome {
    let grant = || {
        let ports = some(env, COM1, 8)?;
        Ok(call::resource_grant_ports(ports.0, env.own))
    };
    let consoles = |bits| call::system_set_console(env.system, bits).must(env, "set consoles");
    same!(env, grant()?, Err(Error::AccessDenied), "the kernel's port");
    consoles(SCREEN)?;
    let given = grant()?;
    // What is written to the port is what is read there, as long as this bit is set: so it is seen if anybody writes.
    let result = given.map(|()| {
        sys::port::write8(MODEM_CONTROL, LOOPBACK);
        while sys::port::read8(LINE_STATUS) & DATA_READY != 0 {
            sys::port::read8(COM1 as u16);
        }
        let _ = call::system_log_write(env.system, Level::Info, b"  not on the serial port");
        let seen = sys::port::read8(LINE_STATUS) & DATA_READY != 0;
        sys::port::write8(COM1 as u16, b'x');
        let own = (0..1000).any(|_| sys::port::read8(LINE_STATUS) & DATA_READY != 0);
        sys::port::read8(COM1 as u16);
        (seen, own)
    });
    consoles(SERIAL | SCREEN)?;
    same!(env, result, Ok((false, true)), "what is seen at the port");
    // The kernel has set it up again, or nobody would read this.
    let control = sys::port::read8(MODEM_CONTROL);
    same!(env, control & LOOPBACK, 0, "the mode of the port");
    let other = Owned(call::process_create("other").must(env, "process")?);
    let ports = some(env, COM1, 8)?;
    let again = call::resource_grant_ports(ports.0, other.0);
    same!(
        env,
        again,
        Err(Error::AccessDenied),
        "the kernel's port again"
    );
    let bits = Sysno::SystemSetConsole as u64;
    let wrong = call::raw(bits, [env.system.0, 4, 0, 0, 0, 0]);
    same!(env, wrong, Err(Error::InvalidArgument), "no console");
    Ok(())
}
