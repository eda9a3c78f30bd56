//! The service: who attaches to the screen.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::convert::Infallible;

use protocols::Fault;
use protocols::terminal::{Answer, Request, Size, Terminal};
use sys::abi::Rights;
use sys::channel::{Channel, Reader, Waiter, Writer};
use sys::exec::Inbox;
use sys::object::Owned;
use sys::{Error, start};

use crate::session::Screen;

/// Room for what is typed and not read yet.
const INPUT: u64 = 4096;
/// Room for what is written and not shown yet.
const OUTPUT: u64 = 64 * 1024;

/// Answers requests, for ever.
///
/// # Errors
/// When nothing can be received any more.
pub async fn serve(inbox: Inbox, screen: Rc<Screen>) -> Result<Infallible, Error> {
    let answer = async |_badge, request, handles| answer(&screen, request, handles);
    ipc::serve::<Terminal>(&inbox, answer).await
}

fn answer(
    screen: &Rc<Screen>,
    request: Request,
    handles: Vec<Owned>,
) -> Result<(Answer, Vec<Owned>), Fault> {
    let (columns, rows) = screen.size();
    let number = |count| u16::try_from(count).unwrap_or(u16::MAX);
    let size = Size {
        columns: number(columns),
        rows: number(rows),
    };
    match request {
        Request::Size => Ok((Answer::Size(size), Vec::new())),
        Request::Attach { input, output } => {
            let event = handles.into_iter().next();
            let ends = attach(screen, event, input, output).map_err(|error| match error {
                Error::OutOfMemory => Fault::OutOfMemory,
                Error::TooMany => Fault::NoRoom,
                _ => Fault::Failed,
            })?;
            Ok((Answer::Attached(size), ends))
        }
    }
}

fn attach(
    screen: &Rc<Screen>,
    event: Option<Owned>,
    input: (u64, u64),
    output: (u64, u64),
) -> Result<Vec<Owned>, Error> {
    let second = match &event {
        Some(event) => Some(
            event.duplicate(
                Rights::SIGNAL
                    .union(Rights::DUPLICATE)
                    .union(Rights::TRANSFER),
            )?,
        ),
        None => None,
    };
    let waiter = |event: Option<Owned>, (moved, closed)| {
        event.map(|event| Waiter {
            event,
            moved,
            closed,
        })
    };
    let typed = Channel::with(INPUT, None, waiter(event, input))?;
    let own = screen.waiter()?;
    let bits = own.moved;
    let shown = Channel::with(OUTPUT, waiter(second, output), Some(own));
    let attached = shown.and_then(|shown| {
        let reader = Reader::new(start::own(), shown.reader()?)?;
        let writer = Writer::new(start::own(), typed.writer()?)?;
        let mut ends = Vec::from(typed.reader()?.map(Owned::from_raw));
        ends.extend(shown.writer()?.map(Owned::from_raw));
        screen.attach(writer, reader)?;
        Ok(ends)
    });
    if attached.is_err() {
        screen.forget_waiter(bits);
    }
    attached
}
