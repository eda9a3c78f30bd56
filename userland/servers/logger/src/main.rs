//! `srv.logger`: keeps the log. It is given `system` with LOG_READ.
//!
//! Argument: `keep=KIB`, how much it keeps.

#![cfg_attr(target_os = "none", no_std, no_main)]

extern crate alloc;

use alloc::boxed::Box;
use alloc::rc::Rc;

use ipc::{Directory, Failure};
use logger::server::Server;
use protocols::logger as protocol;
use sys::Context;
use sys::call;
use sys::exec::{Executor, Signal};
use sys::object::{Mailbox, System};

/// What is kept, in KiB.
const KEEP: usize = 512;
/// Bytes of records that are read at once.
const BATCH: usize = 32 * 1024;

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

/// Reads the kernel's log as it is written.
async fn read(
    exec: Executor,
    system: System,
    written: Signal,
    server: Rc<Server>,
) -> Result<(), abi::Error> {
    let waiter = written.waiter()?;
    call::system_log_on_record(system.handle(), Some(waiter.event.handle()), written.mask())?;
    let mut buffer = Box::new([0u8; BATCH]);
    loop {
        let count = call::system_log_read(system.handle(), server.next(), &mut buffer[..])?;
        if count == 0 {
            written.wait().await;
            continue;
        }
        server.take(buffer.get(..count as usize).unwrap_or_default());
        // Others have their turn while there is more.
        exec.yield_now().await;
    }
}

fn run(context: &Context) -> Result<(), Failure> {
    let keep = keep(context);
    let directory = Directory::of(context).ok_or(abi::Error::NotReady)?;
    let system = context.handle("system").ok_or(abi::Error::NotReady)?;
    let exec = Executor::new()?;
    let stop = exec.signal()?;
    directory.on_stop(stop.waiter()?.event, stop.mask())?;
    let server = Server::new(&exec, keep);
    let reading = read(
        exec.clone(),
        System::from(system),
        exec.signal()?,
        server.clone(),
    );
    let reading = exec.spawn(reading);
    let inbox = exec.mailbox(Mailbox::new()?)?;
    directory.register(protocol::NAME, inbox.mailbox())?;
    exec.spawn(async move {
        ipc::serve::<protocol::Logger>(&inbox, async |badge, request, handles| {
            server.answer(badge, request, &handles)
        })
        .await
    });
    exec.run_until(async {
        match sys::exec::race(stop.wait(), reading).await {
            sys::exec::Either::Second(Some(Err(error))) => Err(error.into()),
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
