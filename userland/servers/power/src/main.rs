//! `srv.power`: ends the services, then the machine. It is given `system` with POWER, and may ask `services` to stop.

#![cfg_attr(target_os = "none", no_std, no_main)]

extern crate alloc;

use alloc::vec::Vec;

use ipc::{Directory, Failure, Incoming, Link};
use power::{Power, begin};
use protocols::power as protocol;
use protocols::services;
use sys::Context;
use sys::exec::{Either, Executor, race};
use sys::object::{Mailbox, System};

fn run(context: &Context) -> Result<(), Failure> {
    let directory = Directory::of(context).ok_or(abi::Error::NotReady)?;
    let system = context.handle("system").ok_or(abi::Error::NotReady)?;
    let exec = Executor::new()?;
    let stop = exec.signal()?;
    directory.on_stop(stop.waiter()?.event, stop.mask())?;
    let inbox = exec.mailbox(Mailbox::new()?)?;
    directory.register(protocol::NAME, inbox.mailbox())?;
    let services = Link::new(directory, services::NAME);
    let mut power = Power::new(System::from(system), services);
    exec.run_until(async {
        loop {
            let call = match race(stop.wait(), inbox.receive()).await {
                Either::First(()) => return Ok(()),
                Either::Second(call) => call?,
            };
            let incoming = Incoming::from(call);
            let request = incoming.request::<protocol::Power>();
            match request.and_then(|request| begin(request, &incoming.handles)) {
                Ok((order, answer)) => {
                    // Whether or not somebody still waits for it.
                    let _ = incoming.answer::<protocol::Power>(Ok((answer, Vec::new())));
                    let error = power.carry_out(order);
                    log::error!("the machine stays on: {error}");
                }
                Err(fault) => {
                    let _ = incoming.answer::<protocol::Power>(Err(fault));
                }
            }
        }
    })?
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
