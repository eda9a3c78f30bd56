//! I/O ports: who may use which.

use sys::abi::process::{ANY_CPU, Action, RUNNING};
use sys::abi::{Error, Handle, Rights, resource};
use sys::call;

use super::{MS, rest};
use crate::area::Owned;
use crate::check;
use crate::child::{Child, Code, End};
use crate::harness::{Env, Failed, Must, Outcome};
use crate::same;

/// Index and data of the clock's memory, which every PC has.
pub const CLOCK: u64 = 0x70;
/// The port of the data.
const DATA: u64 = CLOCK + 1;
/// Vector of the exception that a port is that a process may not use.
const PROTECTION: End = End::Fault(13);

/// The resource of all ports.
pub fn all(env: &Env<'_>) -> Result<Handle, Failed> {
    let ports = env.context.ports().ok_or(Error::NotReady);
    ports.must(env, "resource of ports")
}

/// A resource of some of them.
pub fn some(env: &Env<'_>, first: u64, len: u64) -> Result<Owned, Failed> {
    let narrowed = call::resource_narrow(all(env)?, first, len);
    narrowed.map(Owned).must(env, "some ports")
}

/// A child that may use the ports of the clock.
fn owner(env: &Env<'_>) -> Result<Child, Failed> {
    let child = Child::new(env).must(env, "child")?;
    let ports = some(env, CLOCK, 2)?;
    call::resource_grant_ports(ports.0, child.handle()).must(env, "grant")?;
    Ok(child)
}

fn is_byte(end: &End) -> bool {
    matches!(end, End::Status(0..=0xff))
}

/// A process uses the ports that it was given, and no others; on every processor.
pub fn only_when_granted(env: &Env<'_>) -> Outcome {
    for cpu in 0..env.statistics().processors {
        let run = |child: Child, port| {
            child.start_on(Code::Port, port, cpu).must(env, "start")?;
            child.end().must(env, "end")
        };
        let poor = Child::new(env).must(env, "child")?;
        same!(env, run(poor, DATA)?, PROTECTION, "without any, on {cpu}");
        let read = run(owner(env)?, DATA)?;
        check!(env, is_byte(&read), "its own port on {cpu}: {read:?}");
        for port in [CLOCK - 1, CLOCK + 2, 0x3f8, 0, 0xffff] {
            let other = run(owner(env)?, port)?;
            same!(env, other, PROTECTION, "port {port:#x} on {cpu}");
        }
        let poor = Child::new(env).must(env, "child")?;
        same!(env, run(poor, DATA)?, PROTECTION, "afterwards, on {cpu}");
    }
    Ok(())
}

/// A process that is given ports while its threads run can use them at once.
pub fn while_it_runs(env: &Env<'_>) -> Outcome {
    let child = Child::new(env).must(env, "child")?;
    let fault = child.fault(Code::Port, DATA).must(env, "fault")?;
    same!(env, fault.vector, 13, "vector");
    let go_on = || call::exception_resume(child.handle(), fault.thread, Action::Retry);
    // Others do not help.
    let others = some(env, 0x60, 2)?;
    call::resource_grant_ports(others.0, child.handle()).must(env, "grant others")?;
    go_on().must(env, "resume")?;
    let fault = child.report().must(env, "second fault")?;
    same!(env, fault.vector, 13, "vector of the second fault");
    let ports = some(env, CLOCK, 2)?;
    call::resource_grant_ports(ports.0, child.handle()).must(env, "grant")?;
    drop(ports);
    go_on().must(env, "resume again")?;
    let end = child.end().must(env, "end")?;
    check!(env, is_byte(&end), "with the port: {end:?}");
    Ok(())
}

/// Processes that take turns on a processor each have their own ports.
pub fn of_others(env: &Env<'_>) -> Outcome {
    let busy = owner(env)?;
    busy.start_on(Code::Ports, DATA, 0).must(env, "start")?;
    let second = Child::new(env).must(env, "second child")?;
    let others = some(env, 0x61, 1)?;
    call::resource_grant_ports(others.0, second.handle()).must(env, "grant")?;
    second.start_on(Code::Ports, 0x61, 0).must(env, "start")?;
    let is_running = |child: &Child| {
        let info = call::process_info(child.handle());
        info.is_ok_and(|info| info.state == RUNNING)
    };
    for _ in 0..20 {
        let poor = Child::new(env).must(env, "child")?;
        poor.start_on(Code::Port, DATA, 0).must(env, "start")?;
        same!(env, poor.end().must(env, "end")?, PROTECTION, "no ports");
        let third = Child::new(env).must(env, "child")?;
        call::resource_grant_ports(others.0, third.handle()).must(env, "grant")?;
        third.start_on(Code::Port, DATA, 0).must(env, "start")?;
        same!(
            env,
            third.end().must(env, "end")?,
            PROTECTION,
            "other ports"
        );
        rest(MS).must(env, "rest")?;
        check!(env, is_running(&busy), "one who uses its own has ended");
        check!(env, is_running(&second), "the other one, too");
    }
    Ok(())
}

/// What the kernel keeps to itself: no range that has a port of it.
pub fn of_the_kernel(env: &Env<'_>) -> Outcome {
    let child = Child::new(env).must(env, "child")?;
    let refused = |first: u64, len: u64| {
        let ports = some(env, first, len)?;
        let granted = call::resource_grant_ports(ports.0, child.handle());
        same!(
            env,
            granted,
            Err(Error::AccessDenied),
            "ports {first:#x}+{len}"
        );
        Ok(())
    };
    // DMA, interrupt controllers, the log, PCI configuration and reset; then ranges with one such port.
    for (first, len) in [
        (0x00, 1),
        (0x21, 1),
        (0x87, 1),
        (0x92, 1),
        (0xa0, 2),
        (0xd6, 1),
        (0x3f8, 8),
        (0xcf8, 4),
        (0xcf9, 1),
        (0xcfc, 4),
        (0x0, 0x1_0000),
        (0x3f0, 0x100),
        (0x3ff, 2),
        (0x3f7, 2),
        (0xcff, 0x1000),
    ] {
        refused(first, len)?;
    }
    let end = child.run(Code::Port, 0x3ff).must(env, "run")?;
    same!(env, end, PROTECTION, "the log's port");
    Ok(())
}

/// Resources of ports are narrowed, need rights, and are for nothing else.
pub fn refused(env: &Env<'_>) -> Outcome {
    let whole = call::resource_info(all(env)?).must(env, "info")?;
    let wanted = (resource::PORTS, 0, 0x1_0000);
    same!(
        env,
        (whole.kind, whole.start, whole.len),
        wanted,
        "all ports"
    );
    let ports = some(env, 0x60, 0x20)?;
    let inner = call::resource_narrow(ports.0, 0x10, 2);
    let inner = inner.map(Owned).must(env, "a part of the part")?;
    let info = call::resource_info(inner.0).must(env, "info of the part")?;
    let wanted = (resource::PORTS, CLOCK, 2);
    same!(env, (info.kind, info.start, info.len), wanted, "the part");
    for (offset, len) in [(0, 0), (0, 3), (2, 1), (u64::MAX, 2), (1, u64::MAX)] {
        let more = call::resource_narrow(inner.0, offset, len).map(drop);
        let wanted = Err(Error::InvalidArgument);
        same!(env, more, wanted, "{offset:#x}+{len:#x}");
    }
    let child = Child::new(env).must(env, "child")?;
    let grant = |resource, process| call::resource_grant_ports(resource, process);
    let copy = |handle, rights| call::handle_duplicate(handle, rights).map(Owned);
    let weak = copy(inner.0, Rights::INSPECT).must(env, "duplicate")?;
    let denied = Err(Error::AccessDenied);
    same!(env, grant(weak.0, child.handle()), denied, "without USE");
    let weak = copy(child.handle(), Rights(!Rights::GIVE.0)).must(env, "duplicate")?;
    same!(env, grant(inner.0, weak.0), denied, "without GIVE");
    let memory = env.context.memory().ok_or(Error::NotReady);
    let memory = memory.must(env, "resource of memory")?;
    let wrong = Err(Error::NotSupported);
    same!(env, grant(memory, child.handle()), wrong, "memory");
    let area = call::vm_area_create_fixed(all(env)?, 0, 0x1000, 0).map(drop);
    same!(env, area, wrong, "an area of ports");
    same!(env, grant(inner.0, child.handle()), Ok(()), "the part");
    child
        .start_on(Code::Port, DATA, ANY_CPU)
        .must(env, "start")?;
    let end = child.end().must(env, "end")?;
    check!(env, is_byte(&end), "with the part: {end:?}");
    Ok(())
}

/// A process has ports in sixteen ranges at most; what touches is one.
pub fn in_many_ranges(env: &Env<'_>) -> Outcome {
    let child = Child::new(env).must(env, "child")?;
    let grant = |first, len| {
        let ports = some(env, first, len)?;
        Ok(call::resource_grant_ports(ports.0, child.handle()))
    };
    for index in 0..15 {
        same!(env, grant(0x1000 + index * 8, 4)?, Ok(()), "range {index}");
    }
    same!(env, grant(CLOCK, 1)?, Ok(()), "the last range");
    let full = Err(Error::TooMany);
    same!(env, grant(0x2000, 4)?, full, "one more");
    same!(env, grant(DATA, 1)?, Ok(()), "one that touches");
    same!(env, grant(0x1002, 8)?, Ok(()), "one that joins two");
    same!(env, grant(0x2000, 4)?, Ok(()), "one more after that");
    same!(env, grant(0x3000, 4)?, full, "and another");
    let end = child.run(Code::Port, DATA).must(env, "run")?;
    check!(env, is_byte(&end), "a port in the middle: {end:?}");
    Ok(())
}
