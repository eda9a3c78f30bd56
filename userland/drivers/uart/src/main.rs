//! `drv.uart`: terminals on the serial ports that it is given, as `device:PNP0501` and `device:PNP0500`, or `ports` and `lines`.
//!
//! Arguments: `baud=115200`, `flow=auto`.

#![cfg_attr(target_os = "none", no_std, no_main)]

extern crate alloc;

use alloc::vec::Vec;

use ipc::{Directory, Failure};
use sys::Context;
use sys::exec::Executor;
use sys::object::{Mailbox, Owned, Resource};
use sys::time::SECOND;
use uart::driver::{Driver, serve};
use uart::settings::Settings;
use uart::wiring::name;

/// How long a port may take to send what was written before the driver ends.
const PATIENCE: u64 = 2 * SECOND;

fn resources(context: &Context) -> Vec<Resource> {
    let names = ["device:PNP0501", "device:PNP0500"];
    let given = names.iter().flat_map(|name| context.bundle(name));
    let mut all: Vec<Owned> = given.collect();
    if all.is_empty() {
        // By hand: each range of ports with the line at the same place.
        let mut lines = context.bundle("lines").into_iter();
        for ports in context.bundle("ports") {
            all.push(ports);
            all.extend(lines.next());
        }
    }
    all.into_iter().map(Resource::from).collect()
}

fn run(context: &Context) -> Result<(), Failure> {
    let mut settings = Settings::default();
    for argument in context.arguments().skip(1) {
        if let Err(error) = settings.set(argument) {
            log::warn!("{error}");
        }
    }
    let directory = Directory::of(context).ok_or(abi::Error::NotReady)?;
    let exec = Executor::new()?;
    let stop = exec.signal()?;
    directory.on_stop(stop.waiter()?.event, stop.mask())?;
    let mut driver = Driver::new(&exec, resources(context), &settings);
    driver.start();
    for port in &driver.terminals {
        let inbox = exec.mailbox(Mailbox::new()?)?;
        // A machine may have more ports than the manifest names.
        match directory.register(&name(port.number), inbox.mailbox()) {
            Ok(()) => drop(exec.spawn(serve(port.terminal.clone(), inbox))),
            Err(failure) => log::warn!("{} is not offered: {failure}", name(port.number)),
        }
    }
    directory.ready()?;
    exec.run_until(async {
        stop.wait().await;
        for port in &driver.terminals {
            let name = name(port.number);
            if exec.timeout(port.terminal.stop(), PATIENCE).await.is_err() {
                log::warn!("{name}: not all was sent");
            }
            log::debug!("{name}: {:?}", port.terminal.counts());
        }
    })?;
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
