//! `drv.fb`: the service `terminal.screen`, on the framebuffer that the firmware has set up.
//!
//! It is given `system` (STATISTICS; CONSOLE if it has to take the screen from the kernel itself), `framebuffer` (a resource of the screen's
//! memory, or of more), `directory` and `log`. Argument: `font=16`, `20`, `24` or `32`, the height of letters.

#![cfg_attr(target_os = "none", no_std, no_main)]

extern crate alloc;

mod device;
mod keyboard;
mod notify;
mod server;
mod session;

use alloc::rc::Rc;

use fb::{Renderer, Size, Terminal};
use ipc::Directory;
use sys::Context;
use sys::exec::{Either, Executor, race};
use sys::object::Mailbox;

use device::Problem;
use session::Screen;

/// The name in the directory.
const NAME: &str = "terminal.screen";

fn run(context: &Context) -> Result<(), Problem> {
    let directory = Directory::of(context).ok_or(Problem::NotGiven("directory"))?;
    let (mode, mut device) = device::open(context)?;
    let wanted = context.arguments().find_map(|argument| {
        let height = argument.strip_prefix("font=")?.parse().ok()?;
        Size::of_height(height)
    });
    let size = wanted.unwrap_or_else(|| Size::for_screen(mode.width, mode.height));
    let mut renderer = Renderer::new(mode, size).map_err(Problem::Render)?;
    let (columns, rows) = renderer.size();
    let terminal = Terminal::new(columns, rows).ok_or(Problem::Kernel(sys::Error::OutOfMemory))?;
    renderer.clear(&mut device);
    log::info!(
        "{} x {} pixels, {columns} columns, {rows} rows",
        mode.width,
        mode.height
    );

    let exec = Executor::new()?;
    let screen = Rc::new(Screen::new(exec.clone(), terminal, renderer, device));
    exec.try_spawn(Rc::clone(&screen).draw_for_ever())?;
    exec.try_spawn(keyboard::listen(
        exec.clone(),
        directory.duplicate()?,
        Rc::clone(&screen),
    ))?;
    let inbox = exec.mailbox(Mailbox::new()?)?;
    directory.register(NAME, inbox.mailbox())?;
    let stop = exec.signal()?;
    let waiter = stop.waiter()?;
    directory.on_stop(waiter.event, waiter.moved)?;
    match exec.run_until(race(server::serve(inbox, screen), stop.wait()))? {
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
