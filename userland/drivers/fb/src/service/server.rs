//! The requests of clients.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::convert::Infallible;

use ipc::Outcome;
use protocols::terminal::{Answer, Request, Size, Terminal};
use sys::Error;
use sys::exec::Inbox;
use sys::object::Owned;
use tasks::{from_client, list, listener, to_client};

use super::session::{Screen, fault};
use crate::Surface;

/// Room for what is typed and not read yet.
const INPUT: u64 = 4096;
/// Room for what is written and not shown yet.
const OUTPUT: u64 = 64 * 1024;

/// Answers requests, for ever.
///
/// # Errors
/// When nothing can be received any more.
pub async fn serve<S: Surface + 'static>(
    inbox: Inbox,
    screen: Rc<Screen<S>>,
) -> Result<Infallible, Error> {
    let answer = async |_badge, request, handles: Vec<Owned>| answer(&screen, request, &handles);
    ipc::serve::<Terminal>(&inbox, answer).await
}

fn answer<S: Surface + 'static>(
    screen: &Rc<Screen<S>>,
    request: Request,
    handles: &[Owned],
) -> Outcome<Terminal> {
    let (columns, rows) = screen.size();
    let number = |count| u16::try_from(count).unwrap_or(u16::MAX);
    let size = Size {
        columns: number(columns),
        rows: number(rows),
    };
    match request {
        Request::Size => Ok((Answer::Size(size), Vec::new())),
        Request::Attach { input, output } => {
            let event = handles.first();
            let (input, output) = (listener(event, input)?, listener(event, output)?);
            let (input, typed) = to_client(&screen.exec, INPUT, input).map_err(fault)?;
            let (output, shown) = from_client(&screen.exec, OUTPUT, output).map_err(fault)?;
            screen.attach(input, output)?;
            Ok((Answer::Attached(size), list([typed, shown])))
        }
    }
}
