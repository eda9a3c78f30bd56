//! `drv.rtc`: the date, by the clock that it is given: `device:PNP0B00`, or `ports` and `lines`. Without a line it is right to a second.
//!
//! Argument: `century=N`, the register of the century, as the firmware's FADT names it; without it all dates are of the 21st century.

#![cfg_attr(target_os = "none", no_std, no_main)]

use abi::interrupt::AS_WIRED;
use abi::resource::{LINES, PORTS};
use ipc::{Directory, Failure};
use protocols::clock as protocol;
use rtc::chip::Chip;
use rtc::registers::IoPorts;
use rtc::server::Server;
use sys::Context;
use sys::exec::Executor;
use sys::object::{Interrupt, Mailbox, Process, Resource};

/// The clock's first port, and its line, if there is one.
fn find(context: &Context) -> Result<(u16, Option<Interrupt>), abi::Error> {
    let mut resources = context.bundle("device:PNP0B00");
    resources.extend(context.bundle("ports"));
    resources.extend(context.bundle("lines"));
    let (mut base, mut line) = (None, None);
    for resource in resources.into_iter().map(Resource::from) {
        let info = resource.info()?;
        match info.kind {
            PORTS if base.is_none() && info.len >= 2 => {
                resource.grant_ports(&Process::own())?;
                base = u16::try_from(info.start).ok();
            }
            LINES if line.is_none() => match resource.interrupt(0, AS_WIRED) {
                Ok(interrupt) => line = Some(interrupt),
                Err(error) => log::warn!("line {} cannot be had: {error}", info.start),
            },
            _ => {}
        }
    }
    Ok((base.ok_or(abi::Error::NotReady)?, line))
}

fn century(context: &Context) -> Option<u8> {
    let mut century = None;
    for argument in context.arguments().skip(1) {
        match argument.strip_prefix("century=").map(str::parse) {
            Some(Ok(register @ 0x0e..0x80)) => century = Some(register),
            _ => log::warn!("argument '{argument}' is none; there is century=N, from 14 to 127"),
        }
    }
    century
}

fn run(context: &Context) -> Result<(), Failure> {
    let century = century(context);
    let directory = Directory::of(context).ok_or(abi::Error::NotReady)?;
    let (base, line) = find(context)?;
    let exec = Executor::new()?;
    let stop = exec.signal()?;
    directory.on_stop(stop.waiter()?.event, stop.mask())?;
    let server = Server::new(&exec, Chip::new(IoPorts(base), century));
    if let Err(trouble) = exec.run_until(server.look())? {
        log::warn!("{trouble}");
    }
    if let Some(line) = line {
        let keeping = server.clone().keep(exec.interrupt(line)?);
        exec.spawn(async move {
            if let Err(error) = keeping.await {
                log::error!("the clock's line cannot be waited for: {error}");
            }
        });
    }
    let inbox = exec.mailbox(Mailbox::new()?)?;
    directory.register(protocol::NAME, inbox.mailbox())?;
    exec.spawn(server.serve(inbox));
    exec.run_until(stop.wait())?;
    Ok(())
}

fn main_of_program(context: &Context) -> u64 {
    match run(context) {
        Ok(()) => 0,
        Err(failure) => {
            log::error!("{failure}");
            1
        }
    }
}

sys::program!(main_of_program);

#[cfg(not(target_os = "none"))]
fn main() {
    // Programs run in jsix; on the host they are only type-checked.
    let _: fn(&Context) -> u64 = main_of_program;
}
