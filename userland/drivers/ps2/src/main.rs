//! `drv.ps2`: the service `keyboard`.
//!
//! It is given `ports` (resources of the ports 0x60 and 0x64, or one of more), `lines` (that of ISA interrupt 1, or of more), `directory` and
//! `log`. Argument: `layout=NAME`.

#![cfg_attr(target_os = "none", no_std, no_main)]

extern crate alloc;

mod device;

use alloc::rc::Rc;

use ipc::Directory;
use protocols::keyboard::NAME;
use ps2::service::{Service, serve};
use ps2::{Driver, Layout, start};
use sys::Context;
use sys::exec::{Either, Executor, race};
use sys::object::Mailbox;

use device::{Ports, Problem};

fn run(context: &Context) -> Result<(), Problem> {
    let directory = Directory::of(context).ok_or(Problem::NotGiven("directory"))?;
    let mut ports = Ports::open(context)?;
    let line = device::line(context)?;
    let exec = Executor::new()?;
    // It fires as soon as the controller lets it.
    let interrupts = exec.interrupt(line)?;
    let started = start(&mut ports).map_err(Problem::Start)?;
    if let Some(code) = started.controller_test {
        log::warn!(
            "the PS/2 controller has failed its self test (code {code:#04x}), and is used all the same"
        );
    }
    let layout = context
        .arguments()
        .find_map(|argument| argument.strip_prefix("layout="));
    let layout = layout.map_or(Layout::default(), |name| {
        Layout::of_name(name).unwrap_or_else(|| {
            log::warn!("there is no keyboard layout `{name}`");
            Layout::default()
        })
    });
    log::info!("PS/2 keyboard, layout {}", layout.name());
    let service = Service::new(&exec, Driver::new(started.set, layout), ports);
    exec.try_spawn(Rc::clone(&service).listen(interrupts))?;
    let inbox = exec.mailbox(Mailbox::new()?)?;
    directory.register(NAME, inbox.mailbox())?;
    let stop = exec.signal()?;
    let waiter = stop.waiter()?;
    directory.on_stop(waiter.event, waiter.moved)?;
    match exec.run_until(race(serve(inbox, service), stop.wait()))? {
        Either::First(Err(error)) => Err(error.into()),
        Either::First(Ok(never)) => match never {},
        Either::Second(()) => Ok(()),
    }
}

fn main_of_program(context: &Context) -> u64 {
    match run(context) {
        Ok(()) => 0,
        // Nothing is wrong: the machine is like that, and will be so if this is started again.
        Err(Problem::Start(error)) => {
            log::info!("{error}");
            0
        }
        Err(problem) => {
            log::error!("{problem}");
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
