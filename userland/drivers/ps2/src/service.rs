//! The service `keyboard`: who gets what is typed.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::convert::Infallible;

use ipc::Outcome;
use protocols::Fault;
use protocols::keyboard::{Answer, Keyboard, Request};
use sys::Error;
use sys::exec::{AsyncWriter, Executor, Inbox, Interrupts};
use sys::object::Owned;
use sys::time::MILLISECOND;
use tasks::{list, listener, to_client};

use crate::{Bus, Driver, Layout};

/// Room for what is typed and not read yet.
const ROOM: u64 = 4096;
/// How long the keyboard has to answer what it is told.
const ANSWER: u64 = 500 * MILLISECOND;

/// The keyboard, and who has it.
pub struct Service<B> {
    exec: Executor,
    state: RefCell<State<B>>,
}

struct State<B> {
    driver: Driver,
    bus: B,
    client: Option<AsyncWriter>,
    /// What was typed while nobody had it, for the next one.
    ahead: Vec<u8>,
}

impl<B: Bus> Service<B> {
    /// A keyboard that nobody has.
    pub fn new(exec: &Executor, driver: Driver, bus: B) -> Rc<Self> {
        Rc::new(Self {
            exec: exec.clone(),
            state: RefCell::new(State {
                driver,
                bus,
                client: None,
                ahead: Vec::new(),
            }),
        })
    }

    /// Serves the keyboard when its line fires, for ever.
    pub async fn listen(self: Rc<Self>, interrupts: Interrupts) {
        let exec = &self.exec;
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
                    self.state.borrow_mut().driver.give_up();
                }
            }
        }
    }

    /// Takes what the keyboard has, and passes it on; whether it was told something that it has to answer.
    pub fn serve(&self) -> bool {
        let State {
            driver,
            bus,
            client,
            ahead,
        } = &mut *self.state.borrow_mut();
        let mut typed = Vec::new();
        driver.serve(bus, &mut typed);
        if let Some(writer) = client.as_mut().filter(|_| !typed.is_empty())
            && send(writer, &typed) == Err(Error::PeerClosed)
        {
            *client = None;
        }
        if client.is_none() && ahead.len().saturating_add(typed.len()) <= ROOM as usize {
            ahead.append(&mut typed);
        }
        driver.is_waiting()
    }

    fn answer(&self, request: Request, handles: &[Owned]) -> Outcome<Keyboard> {
        let mut state = self.state.borrow_mut();
        match request {
            Request::Attach { bits } => {
                let listener = listener(handles.first(), bits)?;
                let client = to_client(&self.exec, ROOM, listener);
                let (mut writer, end) = client.map_err(|error| match error {
                    Error::OutOfMemory => Fault::OutOfMemory,
                    Error::TooMany => Fault::NoRoom,
                    _ => Fault::Failed,
                })?;
                // There is room for as much.
                let _ = send(&mut writer, &core::mem::take(&mut state.ahead));
                state.client = Some(writer);
                Ok((Answer::Done, list([end])))
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
pub async fn serve<B: Bus>(inbox: Inbox, service: Rc<Service<B>>) -> Result<Infallible, Error> {
    let answer = async |_badge, request, handles: Vec<Owned>| service.answer(request, &handles);
    ipc::serve::<Keyboard>(&inbox, answer).await
}

/// Writes what there is room for: who does not read what is typed loses it.
fn send(writer: &mut AsyncWriter, mut bytes: &[u8]) -> Result<(), Error> {
    while !bytes.is_empty() {
        let count = writer.try_write(bytes)?;
        bytes = bytes.get(count..).unwrap_or_default();
    }
    Ok(())
}
