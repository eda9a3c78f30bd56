//! `drv.fb`: the service `terminal.screen`, on the framebuffer that the firmware has set up.
//!
//! It is given `system` (STATISTICS; CONSOLE if it has to take the screen from the kernel itself), `framebuffer` (a resource of the screen's
//! memory, or of more), `directory` and `log`. Argument: `font=16`, `20`, `24` or `32`, the height of letters.

#![cfg_attr(target_os = "none", no_std, no_main)]

extern crate alloc;

mod device;

use alloc::rc::Rc;

use fb::service::{NAME, Screen, listen, serve};
use fb::{Renderer, Size};
use ipc::Directory;
use sys::exec::{Either, Executor, race};
use sys::object::Mailbox;
use sys::{Context, Error};

use device::Problem;

fn run(context: &Context) -> Result<(), Problem> {
    let directory = Directory::of(context).ok_or(Problem::NotGiven("directory"))?;
    let (mode, device) = device::open(context)?;
    let wanted = context.arguments().find_map(|argument| {
        let height = argument.strip_prefix("font=")?.parse().ok()?;
        Size::of_height(height)
    });
    let size = wanted.unwrap_or_else(|| Size::for_screen(mode.width, mode.height));
    let renderer = Renderer::new(mode, size).map_err(Problem::Render)?;
    let exec = Executor::new()?;
    let screen = Screen::new(&exec, renderer, device).ok_or(Error::OutOfMemory)?;
    let (columns, rows) = screen.size();
    log::info!(
        "{} x {} pixels, {columns} columns, {rows} rows",
        mode.width,
        mode.height
    );
    exec.try_spawn(Rc::clone(&screen).draw_for_ever())?;
    exec.try_spawn(listen(Rc::clone(&screen), directory.duplicate()?))?;
    let inbox = exec.mailbox(Mailbox::new()?)?;
    directory.register(NAME, inbox.mailbox())?;
    let stop = exec.signal()?;
    let waiter = stop.waiter()?;
    directory.on_stop(waiter.event, waiter.moved)?;
    match exec.run_until(race(serve(inbox, screen), stop.wait()))? {
        Either::First(Err(error)) => Err(error.into()),
        Either::First(Ok(never)) => match never {},
        Either::Second(()) => Ok(()),
    }
}

fn main_of_program(context: &Context) -> u64 {
    match run(context) {
        Ok(()) => 0,
        Err(Problem::NoScreen) => {
            log::info!("{}", Problem::NoScreen);
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
