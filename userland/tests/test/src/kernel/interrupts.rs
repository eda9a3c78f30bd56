//! Interrupts of a device, the real-time clock: who is told, when, and what becomes of the line.

use sys::abi::event::KEEP;
use sys::abi::process::{ANY_CPU, RUNNING};
use sys::abi::{Error, Handle, Rights, Sysno, interrupt, resource};
use sys::call;
use sys::clock::{self, Clock};

use super::orders::Orders;
use super::worker::{Body, Worker};
use super::{MS, event, rest, soon, until};
use crate::area::Owned;
use crate::check;
use crate::child::Child;
use crate::harness::{Env, Failed, Must, Outcome};
use crate::same;

/// 1024 a second.
const RATE: u8 = 6;
/// 8192 a second.
const FAST: u8 = 3;

fn lines(env: &Env<'_>) -> Result<Handle, Failed> {
    let lines = env.context.lines().ok_or(Error::NotReady);
    lines.must(env, "resource of lines")
}

/// The clock's line, for a process that may use its ports.
fn line(env: &Env<'_>, mode: u64) -> Result<Owned, Failed> {
    clock::grant(env.context).must(env, "the clock's ports")?;
    let line = clock::interrupt(env.context, mode).map(Owned);
    line.must(env, "the clock's line")
}

fn bind(env: &Env<'_>, line: &Owned, event: &Owned, bits: u64) -> Outcome {
    call::interrupt_on_fire(line.0, Some(event.0), bits).must(env, "bind")
}

/// Waits for a bit; looks after the clock; acknowledges.
fn round(env: &Env<'_>, clock: &Clock, line: &Owned, event: &Owned, bit: u64) -> Outcome {
    call::event_wait(event.0, bit, 0, soon()).must(env, "wait")?;
    clock.serve();
    let count = call::interrupt_acknowledge(line.0).must(env, "acknowledge")?;
    check!(env, count != 0, "acknowledged nothing");
    Ok(())
}

/// The line as the firmware says, and as levels, which fire as long as the clock is not looked after: on each processor.
pub fn fires_again_and_again(env: &Env<'_>) -> Outcome {
    let processors = env.statistics().processors;
    for mode in [interrupt::AS_WIRED, interrupt::LEVEL_HIGH] {
        // Lines that nobody waits for, so that the next one goes to another processor.
        let mut others = [const { None }; 8];
        for index in 0..processors.min(8) {
            let line = line(env, mode)?;
            let info = call::interrupt_info(line.0).must(env, "info")?;
            same!(
                env,
                info.processor,
                index,
                "the one that gets the fewest lines"
            );
            same!(env, (info.fired, info.unacknowledged), (0, 0), "before");
            let event = event(env)?;
            bind(env, &line, &event, 1 << 5)?;
            let clock = Clock::start(RATE);
            for _ in 0..20 {
                round(env, &clock, &line, &event, 1 << 5)?;
            }
            let info = call::interrupt_info(line.0).must(env, "info")?;
            check!(env, info.fired >= 20, "it fired {} times", info.fired);
            drop((clock, line));
            let other = call::interrupt_create(lines(env)?, 16 + index, interrupt::AS_WIRED);
            let other = other.map(Owned).must(env, "another line")?;
            if let Some(place) = others.get_mut(index as usize) {
                *place = Some(other);
            }
        }
    }
    Ok(())
}

/// A level does not fire again before it is acknowledged, and then at once, if nobody has looked after the device.
pub fn level_waits(env: &Env<'_>) -> Outcome {
    let (line, event) = (line(env, interrupt::LEVEL_HIGH)?, event(env)?);
    bind(env, &line, &event, 1)?;
    let clock = Clock::start(RATE);
    for _ in 0..5 {
        call::event_wait(event.0, 1, 0, soon()).must(env, "wait")?;
        rest(10 * MS).must(env, "rest")?;
        same!(env, call::event_take(event.0, 1), Ok(0), "told again");
        let info = call::interrupt_info(line.0).must(env, "info")?;
        same!(env, info.unacknowledged, 1, "not acknowledged");
        let count = call::interrupt_acknowledge(line.0);
        same!(env, count, Ok(1), "acknowledged with the level there");
    }
    // The last one was acknowledged with the level there, and so there is one more.
    call::event_wait(event.0, 1, 0, soon()).must(env, "one more")?;
    drop(clock);
    same!(env, call::interrupt_acknowledge(line.0), Ok(1), "the last");
    rest(5 * MS).must(env, "rest")?;
    same!(env, call::event_take(event.0, 1), Ok(0), "without a cause");
    let nothing = call::interrupt_acknowledge(line.0);
    same!(env, nothing, Err(Error::NotReady), "nothing to acknowledge");
    Ok(())
}

/// Edges that come before an acknowledgement are counted, and told once more.
pub fn edges_are_counted(env: &Env<'_>) -> Outcome {
    let (line, event) = (line(env, interrupt::AS_WIRED)?, event(env)?);
    let mode = call::interrupt_info(line.0).must(env, "info")?.mode;
    same!(env, mode, interrupt::EDGE_HIGH, "the clock's wiring");
    bind(env, &line, &event, 1)?;
    let clock = Clock::start(RATE);
    call::event_wait(event.0, 1, 0, soon()).must(env, "wait")?;
    let fired = || call::interrupt_info(line.0).map_or(0, |info| info.unacknowledged);
    // Each time that it is looked after there may be another edge.
    until(|| {
        clock.serve();
        fired() >= 3
    })
    .must(env, "three edges")?;
    same!(env, call::event_take(event.0, 1), Ok(0), "told again");
    drop(clock);
    // One more may be on its way to its processor, which takes it before it runs a thread.
    let cpu = call::interrupt_info(line.0).must(env, "info")?.processor;
    let body = Body::new(|| Ok(0));
    let worker = Worker::start(env.own, cpu, &body).must(env, "start")?;
    worker.join().must(env, "join")?;
    let count = call::interrupt_acknowledge(line.0).must(env, "acknowledge")?;
    check!(env, count >= 3, "{count} edges");
    same!(env, call::event_take(event.0, 1), Ok(1), "told once more");
    same!(env, call::interrupt_acknowledge(line.0), Ok(1), "that");
    let nothing = call::interrupt_acknowledge(line.0);
    same!(env, nothing, Err(Error::NotReady), "nothing to acknowledge");
    same!(env, call::event_take(event.0, 1), Ok(0), "after all that");
    Ok(())
}

/// A line can be bound to other bits and events; without any, it does not fire.
pub fn bound_anew(env: &Env<'_>) -> Outcome {
    let (line, first) = (line(env, interrupt::LEVEL_HIGH)?, event(env)?);
    let clock = Clock::start(RATE);
    rest(5 * MS).must(env, "rest")?;
    let info = call::interrupt_info(line.0).must(env, "info")?;
    same!(env, info.fired, 0, "without an event");
    bind(env, &line, &first, 1)?;
    let wait = |event: &Owned, bits, how| call::event_wait(event.0, bits, how, soon());
    wait(&first, 1, KEEP).must(env, "first event")?;
    // One who comes anew is told of what was not acknowledged, even when the other one is gone.
    let second = event(env)?;
    bind(env, &line, &second, 1 << 63)?;
    drop(first);
    wait(&second, 1 << 63, 0).must(env, "second event")?;
    round_without_wait(env, &clock, &line)?;
    wait(&second, 1 << 63, KEEP).must(env, "again")?;
    call::interrupt_on_fire(line.0, None, 0).must(env, "unbind")?;
    round_without_wait(env, &clock, &line)?;
    let before = call::interrupt_info(line.0).must(env, "info")?.fired;
    call::event_take(second.0, u64::MAX).must(env, "take")?;
    rest(5 * MS).must(env, "rest")?;
    let after = call::interrupt_info(line.0).must(env, "info")?.fired;
    same!(env, after, before, "fired while unbound");
    same!(env, call::event_take(second.0, u64::MAX), Ok(0), "told");
    bind(env, &line, &second, 2)?;
    round(env, &clock, &line, &second, 2)?;
    let wrong = Err(Error::InvalidArgument);
    let on_fire = |event, bits| call::interrupt_on_fire(line.0, event, bits);
    same!(env, on_fire(Some(second.0), 0), wrong, "no bits");
    same!(env, on_fire(None, 1), wrong, "no event");
    Ok(())
}

fn round_without_wait(env: &Env<'_>, clock: &Clock, line: &Owned) -> Outcome {
    clock.serve();
    let acknowledged = call::interrupt_acknowledge(line.0);
    acknowledged.map(drop).must(env, "acknowledge")
}

/// A line has one user at a time; it is free again when that one closes it, is revoked, or ends, in the middle of an interrupt or not.
pub fn one_at_a_time(env: &Env<'_>) -> Outcome {
    let first = line(env, interrupt::LEVEL_HIGH)?;
    let again = || clock::interrupt(env.context, interrupt::LEVEL_HIGH).map(Owned);
    let taken = Err(Error::Occupied);
    same!(env, again().map(drop), taken, "while somebody has it");
    let event = event(env)?;
    bind(env, &first, &event, 1)?;
    let clock = Clock::start(RATE);
    call::event_wait(event.0, 1, 0, soon()).must(env, "wait")?;
    // Not acknowledged: the line is masked.
    drop(first);
    let second = again().must(env, "after the first one's end")?;
    let child = Child::new(env).must(env, "driver")?;
    bind(env, &second, &event, 1)?;
    round(env, &clock, &second, &event, 1)?;
    let there = call::handle_give(child.handle(), second.0).must(env, "give")?;
    let orders = Orders::new(env, &child).must(env, "orders")?;
    call::event_wait(event.0, 1, 0, soon()).must(env, "wait for the child's")?;
    // A thread that only waits keeps the process.
    let stays = orders.give(1, Sysno::ThreadSleep, &[sys::abi::NEVER], ANY_CPU);
    let _stays = stays.must(env, "a thread that stays")?;
    let number = Sysno::InterruptAcknowledge;
    let order = orders.give(0, number, &[there.0], ANY_CPU);
    let _order = order.must(env, "acknowledge there")?;
    // It may end instead, when memory is short.
    let state = || call::process_info(child.handle()).map(|info| info.state);
    until(|| orders.is_done(0) || state() != Ok(RUNNING)).must(env, "it acknowledges")?;
    let result = (orders.result(0, 0), orders.result(0, 3));
    same!(env, result, (0, 1), "the child's acknowledgement");
    call::event_wait(event.0, 1, 0, soon()).must(env, "wait for another")?;
    same!(env, again().map(drop), taken, "while the child has it");
    call::process_kill(child.handle(), 1).must(env, "kill")?;
    child.end().must(env, "end")?;
    let third = again().must(env, "after the child's end")?;
    bind(env, &third, &event, 2)?;
    round(env, &clock, &third, &event, 2)?;
    let copy = call::handle_duplicate(third.0, Rights::ALL).must(env, "copy")?;
    drop(third);
    same!(env, again().map(drop), taken, "while there is a copy");
    call::event_wait(event.0, 2, 0, soon()).must(env, "by the copy")?;
    call::handle_close(copy).must(env, "close the copy")?;
    let fourth = again().must(env, "after all of them")?;
    bind(env, &fourth, &event, 4)?;
    round(env, &clock, &fourth, &event, 4)
}

/// A line is closed, and taken again, while its device fires all the time.
pub fn closed_while_it_fires(env: &Env<'_>) -> Outcome {
    let event = event(env)?;
    for mode in [interrupt::AS_WIRED, interrupt::LEVEL_HIGH] {
        clock::grant(env.context).must(env, "the clock's ports")?;
        let clock = Clock::start(FAST);
        for index in 0..200 {
            let line = line(env, mode)?;
            bind(env, &line, &event, 1)?;
            clock.serve();
            match index % 4 {
                0 => {}
                1 => call::thread_yield(),
                2 => rest(MS / 8).must(env, "rest")?,
                _ => round(env, &clock, &line, &event, 1)?,
            }
            drop(line);
            call::event_take(event.0, u64::MAX).must(env, "take")?;
        }
        rest(MS).must(env, "rest")?;
        same!(env, call::event_take(event.0, 1), Ok(0), "told by nobody");
    }
    Ok(())
}

/// Lines are narrowed as all resources, need rights, and are for nothing else.
pub fn refused(env: &Env<'_>) -> Outcome {
    let all = lines(env)?;
    let whole = call::resource_info(all).must(env, "info")?;
    same!(env, (whole.kind, whole.start), (resource::LINES, 0), "all");
    check!(env, whole.len >= 24, "only {} lines", whole.len);
    let at = call::resource_isa_line(all, clock::ISA).must(env, "the clock's")?;
    let part = call::resource_narrow(all, at, 2).map(Owned);
    let part = part.must(env, "a part")?;
    let place = call::resource_isa_line(part.0, clock::ISA);
    same!(env, place, Ok(0), "the clock's in the part");
    let wrong = Err(Error::InvalidArgument);
    let keyboard = call::resource_isa_line(part.0, 1).map(drop);
    same!(env, keyboard, wrong, "the keyboard's in the part");
    let take = |resource, offset| call::interrupt_create(resource, offset, interrupt::AS_WIRED);
    for offset in [2, 3, whole.len, u64::MAX] {
        let beyond = take(part.0, offset).map(drop);
        same!(env, beyond, wrong, "line {offset} of the part");
    }
    same!(env, take(all, whole.len).map(drop), wrong, "beyond all");
    let line = take(part.0, 0).map(Owned).must(env, "the first")?;
    let info = call::interrupt_info(line.0).must(env, "info")?;
    same!(env, info.line, at, "the clock's line");
    let taken = Err(Error::Occupied);
    same!(env, take(all, at).map(drop), taken, "the same by another");
    let copy = |handle, rights| call::handle_duplicate(handle, rights).map(Owned);
    let weak = copy(part.0, Rights(!Rights::USE.0)).must(env, "copy")?;
    let denied = Err(Error::AccessDenied);
    same!(env, take(weak.0, 1).map(drop), denied, "without USE");
    let weak = copy(line.0, Rights(!Rights::ACKNOWLEDGE.0)).must(env, "copy")?;
    let acknowledged = call::interrupt_acknowledge(weak.0).map(drop);
    same!(env, acknowledged, denied, "without ACKNOWLEDGE");
    let bound = call::interrupt_on_fire(weak.0, None, 0);
    same!(env, bound, denied, "bind without ACKNOWLEDGE");
    call::interrupt_info(weak.0).must(env, "info by the copy")?;
    let weak = copy(line.0, Rights::ACKNOWLEDGE).must(env, "copy")?;
    let told = call::interrupt_info(weak.0).map(drop);
    same!(env, told, denied, "without INSPECT");
    let unsupported = Err(Error::NotSupported);
    let ports = env.context.ports().ok_or(Error::NotReady);
    let ports = ports.must(env, "resource of ports")?;
    same!(env, take(ports, 8).map(drop), unsupported, "a port");
    let isa = call::resource_isa_line(ports, 8).map(drop);
    same!(env, isa, unsupported, "a port's line");
    let granted = call::resource_grant_ports(part.0, env.own);
    same!(env, granted, unsupported, "a line as a port");
    Ok(())
}
