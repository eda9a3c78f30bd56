//! The service: who gets what is typed.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::convert::Infallible;

use protocols::Fault;
use protocols::keyboard::{Answer, Keyboard, Request};
use ps2::{Driver, Layout};
use sys::channel::{Channel, Waiter, Writer};
use sys::exec::{Executor, Inbox, Interrupts};
use sys::object::Owned;
use sys::time::MILLISECOND;
use sys::{Error, start};

use crate::device::Ports;

/// Room for what is typed and not read yet.
const ROOM: u64 = 4096;
/// How long the keyboard has to answer what it is told.
const ANSWER: u64 = 500 * MILLISECOND;

/// The keyboard, and who has it.
pub struct Service(RefCell<State>);

struct State {
    driver: Driver,
    ports: Ports,
    client: Option<Writer>,
}

impl Service {
    /// A keyboard that nobody has.
    pub fn new(driver: Driver, ports: Ports) -> Self {
        Self(RefCell::new(State {
            driver,
            ports,
            client: None,
        }))
    }

    /// Serves the keyboard, for ever.
    pub async fn listen(self: Rc<Self>, exec: Executor, interrupts: Interrupts) {
        loop {
            // What it may have to say already, or has to be told.
            let is_waiting = self.serve();
            let fired = if is_waiting {
                exec.timeout(interrupts.fired(), ANSWER).await
            } else {
                Ok(interrupts.fired().await)
            };
            match fired {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    log::error!("the keyboard's line: {error:?}");
                    return;
                }
                Err(_) => {
                    log::debug!("the keyboard does not answer");
                    self.0.borrow_mut().driver.give_up();
                }
            }
        }
    }

    /// Takes what the keyboard has, and passes it on; whether it was told something that it has to answer.
    fn serve(&self) -> bool {
        let State {
            driver,
            ports,
            client,
        } = &mut *self.0.borrow_mut();
        let mut typed = Vec::new();
        driver.serve(ports, &mut typed);
        if let Some(writer) = client.as_mut().filter(|_| !typed.is_empty())
            && send(writer, &typed) == Err(Error::PeerClosed)
        {
            *client = None;
        }
        driver.is_waiting()
    }

    fn answer(&self, request: Request, handles: Vec<Owned>) -> Result<(Answer, Vec<Owned>), Fault> {
        let mut state = self.0.borrow_mut();
        match request {
            Request::Attach { bits } => {
                let event = handles.into_iter().next();
                let (writer, end) = channel(event, bits).map_err(|error| match error {
                    Error::OutOfMemory => Fault::OutOfMemory,
                    _ => Fault::Failed,
                })?;
                state.client = Some(writer);
                Ok((Answer::Done, end))
            }
            Request::Layout => {
                let name = String::from(state.driver.layout().name());
                Ok((Answer::Layout(name), Vec::new()))
            }
            Request::SetLayout { name } => {
                let layout = Layout::of_name(&name).ok_or(Fault::NotFound)?;
                state.driver.set_layout(layout);
                Ok((Answer::Done, Vec::new()))
            }
        }
    }
}

/// Answers requests, for ever.
///
/// # Errors
/// When nothing can be received any more.
pub async fn serve(inbox: Inbox, service: Rc<Service>) -> Result<Infallible, Error> {
    let answer = async |_badge, request, handles| service.answer(request, handles);
    ipc::serve::<Keyboard>(&inbox, answer).await
}

/// A channel for what is typed: both its ends.
fn channel(
    event: Option<Owned>,
    (moved, closed): (u64, u64),
) -> Result<(Writer, Vec<Owned>), Error> {
    let waiter = event.map(|event| Waiter {
        event,
        moved,
        closed,
    });
    let channel = Channel::with(ROOM, None, waiter)?;
    let writer = Writer::new(start::own(), channel.writer()?)?;
    let end = channel.reader()?.map(Owned::from_raw);
    Ok((writer, Vec::from(end)))
}

/// Writes what there is room for: who does not read what is typed loses it.
fn send(writer: &mut Writer, mut bytes: &[u8]) -> Result<(), Error> {
    while !bytes.is_empty() {
        let count = writer.try_write(bytes)?;
        bytes = bytes.get(count..).unwrap_or_default();
    }
    Ok(())
}
