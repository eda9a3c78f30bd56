//! The keyboard: a service of its own, which may come later, and die.

use alloc::rc::Rc;
use alloc::vec::Vec;

use ipc::{Directory, Failure};
use protocols::Fault;
use protocols::keyboard::{Keyboard, NAME, Request};
use sys::abi::NEVER;
use sys::channel::{self, Reader, Waiter};
use sys::exec::{AsyncReader, Either, Executor, race};
use sys::object::{Mailbox, Owned};
use sys::time::{self, MILLISECOND, SECOND};
use sys::{start, thread};

use super::session::Screen;
use crate::Surface;

/// How long to wait before a keyboard that has just died is looked for again.
const AGAIN: u64 = 20 * MILLISECOND;
/// As much as the keyboard has room for.
const PIECE: usize = 4096;

/// Passes on what is typed, for ever: looks for the keyboard again when it has died.
pub async fn listen<S: Surface + 'static>(screen: Rc<Screen<S>>, directory: Directory) {
    let exec = screen.exec.clone();
    loop {
        match attach(&exec, &directory).await {
            Ok((mailbox, reader)) => {
                log::debug!("the keyboard is here");
                pass_on(&exec, &mailbox, reader, &screen).await;
                log::warn!("the keyboard is gone");
            }
            Err(Failure::Fault(Fault::AccessDenied)) => {
                log::info!("this screen has no keyboard");
                return;
            }
            // What the directory gave had died: a new one comes.
            Err(failure) if failure.is_closed() => exec.sleep(AGAIN).await,
            Err(failure) => {
                log::warn!("the keyboard: {failure}");
                exec.sleep(SECOND).await;
            }
        }
    }
}

/// Waits for the keyboard, and takes it.
async fn attach(exec: &Executor, directory: &Directory) -> Result<(Mailbox, AsyncReader), Failure> {
    let directory = directory.duplicate()?;
    let Waiter {
        event,
        moved,
        closed,
    } = exec.waiter()?;
    // A thread of its own waits, for as long as it takes.
    let attach = move || -> Result<(Mailbox, Vec<Owned>), Failure> {
        let mailbox = directory.lookup(NAME, NEVER)?;
        let request = Request::Attach {
            bits: (moved, closed),
        };
        let until = time::after(5 * SECOND);
        let (_, ends) = ipc::call::<Keyboard>(&mailbox, &request, alloc::vec![event], until)?;
        Ok((mailbox, ends))
    };
    let attached = async {
        let (mailbox, ends) = exec.join(thread::spawn(attach)?).await??;
        let reader = Reader::new(start::own(), channel::handles(ends)?)?;
        Ok((mailbox, exec.reader(reader)?))
    };
    let attached = attached.await;
    if attached.is_err() {
        exec.forget_waiter(moved);
    }
    attached
}

/// Passes on what is typed until the keyboard dies.
async fn pass_on<S: Surface + 'static>(
    exec: &Executor,
    mailbox: &Mailbox,
    mut reader: AsyncReader,
    screen: &Screen<S>,
) {
    let Ok(mut closed) = exec.closed(mailbox) else {
        return;
    };
    let mut piece = alloc::vec![0; PIECE];
    loop {
        let count = match race(reader.read(&mut piece), &mut closed).await {
            Either::First(Ok(count)) if count != 0 => count,
            _ => return,
        };
        let typed = piece.get(..count).unwrap_or_default();
        screen.typed(typed, count < PIECE);
    }
}
