//! `srv.logger`: keeps the log. It is given `system` with LOG_READ.
//!
//! Argument: `keep=KIB`, how much it keeps.

#![cfg_attr(target_os = "none", no_std, no_main)]

use ipc::{Directory, Failure};
use logger::server::Server;
use protocols::logger as protocol;
use sys::Context;
use sys::exec::{Either, Executor, race};
use sys::object::{Mailbox, System};
use sys::thread::Builder;

/// What is kept, in KiB.
const KEEP: usize = 512;
/// The priority of the thread: that of programs is 4.
const PRIORITY: u64 = 2;

fn keep(context: &Context) -> usize {
    let mut keep = KEEP;
    for argument in context.arguments().skip(1) {
        match argument.strip_prefix("keep=").map(str::parse) {
            Some(Ok(kib @ 64..=16384)) => keep = kib,
            _ => log::warn!("argument '{argument}' is none; there is keep=KIB, from 64 to 16384"),
        }
    }
    keep * 1024
}

fn run(context: &Context) -> Result<(), Failure> {
    let keep = keep(context);
    let directory = Directory::of(context).ok_or(abi::Error::NotReady)?;
    let system = context.handle("system").ok_or(abi::Error::NotReady)?;
    // It runs before ordinary programs: what they write, all at once, has to be read before the kernel's ring is full.
    let body = move || serve(keep, &directory, System::from(system));
    let thread = Builder::new().priority(PRIORITY).spawn(body)?;
    thread.join()?
}

fn serve(keep: usize, directory: &Directory, system: System) -> Result<(), Failure> {
    let exec = Executor::new()?;
    let stop = exec.signal()?;
    directory.on_stop(stop.waiter()?.event, stop.mask())?;
    let server = Server::new(&exec, keep);
    let written = exec.signal()?;
    let reading = exec.spawn(server.clone().read(system, written));
    let inbox = exec.mailbox(Mailbox::new()?)?;
    directory.register_by_client(protocol::NAME, inbox.mailbox())?;
    exec.spawn(server.serve(inbox));
    exec.run_until(async {
        match race(stop.wait(), reading).await {
            Either::Second(Some(Err(error))) => Err(error.into()),
            _ => Ok(()),
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
