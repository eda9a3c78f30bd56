//! A terminal on a port: sessions of clients, one at a time, and the bytes between their channels and the port.
//!
//! Three tasks look after it: [`Terminal::input`] takes what came to the client, [`Terminal::output`] takes what the client writes to the port, and
//! [`serve_interrupts`] looks after the device. They tell each other that bytes have moved.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use protocols::Fault;
use protocols::terminal::{Answer, Request, Size};
use sys::exec::{AsyncReader, AsyncWriter, Either, Executor, Interrupts, race};
use sys::object::Owned;
use sys::time::MILLISECOND;
use tasks::Changed;

use crate::port::{Counts, Port, Served, serve_line};
use crate::registers::Registers;

/// Room of the channel for what is typed.
const INPUT_ROOM: u64 = 4096;
/// Room of the channel for what is shown.
const OUTPUT_ROOM: u64 = 16 * 1024;
/// Bytes that are moved in one go.
const PIECE: usize = 512;
/// How often a device may have another cause to interrupt, again and again, before its line is left alone.
const AGAIN_MAX: u32 = 1000;

/// A terminal on a port.
pub struct Terminal<R> {
    exec: Executor,
    port: RefCell<Port<R>>,
    /// Bytes have moved, a session has begun, or it shall stop.
    changed: Changed,
    /// The session, counting all of them; its ends, until the tasks take them.
    session: Cell<u64>,
    input: RefCell<Option<AsyncWriter>>,
    output: RefCell<Option<AsyncReader>>,
    is_stopping: Cell<bool>,
    has_stopped: Cell<bool>,
}

impl<R: Registers> Terminal<R> {
    /// A terminal that nobody is attached to.
    pub fn new(exec: &Executor, port: Port<R>) -> Rc<Self> {
        Rc::new(Self {
            exec: exec.clone(),
            port: RefCell::new(port),
            changed: Changed::new(),
            session: Cell::new(0),
            input: RefCell::new(None),
            output: RefCell::new(None),
            is_stopping: Cell::new(false),
            has_stopped: Cell::new(false),
        })
    }

    /// What has happened on the port.
    pub fn counts(&self) -> Counts {
        self.port.borrow().counts()
    }

    /// Does what a client asks.
    ///
    /// # Errors
    /// `InvalidArgument` for handles that the request does not have; `Busy` for who comes when the driver is about to end, and would be
    /// heard no more; as the calls that make channels.
    pub fn answer(
        &self,
        request: Request,
        handles: &[Owned],
    ) -> Result<(Answer, Vec<Owned>), Fault> {
        // A line does not tell how large the screen at its other end is.
        let size = Size::default();
        match request {
            Request::Attach { .. } if self.is_stopping.get() => Err(Fault::Busy),
            Request::Attach { input, output } if handles.len() <= 1 => {
                let handles = self.attach(handles.first(), input, output)?;
                Ok((Answer::Attached(size), handles))
            }
            Request::Size if handles.is_empty() => Ok((Answer::Size(size), Vec::new())),
            Request::Attach { .. } | Request::Size => Err(Fault::InvalidArgument),
        }
    }

    fn attach(
        &self,
        event: Option<&Owned>,
        input: (u64, u64),
        output: (u64, u64),
    ) -> Result<Vec<Owned>, Fault> {
        let input = tasks::listener(event, input)?;
        let output = tasks::listener(event, output)?;
        let short = |error| match error {
            abi::Error::OutOfMemory => Fault::OutOfMemory,
            _ => Fault::NoRoom,
        };
        let (writer, reads) = tasks::to_client(&self.exec, INPUT_ROOM, input).map_err(short)?;
        let (reader, writes) =
            tasks::from_client(&self.exec, OUTPUT_ROOM, output).map_err(short)?;
        self.input.replace(Some(writer));
        self.output.replace(Some(reader));
        self.session.set(self.session.get().wrapping_add(1));
        self.changed.tell();
        Ok(tasks::list([reads, writes]))
    }

    /// Waits until a session is not the newest one any more, or the driver stops.
    async fn over(&self, session: u64) {
        let is_over = || self.session.get() != session || self.is_stopping.get();
        self.changed.until(|| is_over().then_some(())).await;
    }

    /// Takes what comes to whoever is attached. What nobody has taken is for the next one.
    pub async fn input(self: Rc<Self>) {
        let mut buffer = [0; PIECE];
        let mut left = 0..0;
        loop {
            let mut writer = self.changed.until(|| self.input.take()).await;
            let session = self.session.get();
            loop {
                let came = self.changed.until(|| {
                    if self.session.get() != session {
                        return Some(false);
                    }
                    if left.is_empty() {
                        left = 0..self.port.borrow_mut().receive(&mut buffer);
                    }
                    (!left.is_empty()).then_some(true)
                });
                if !came.await {
                    break;
                }
                let bytes = buffer.get(left.clone()).unwrap_or_default();
                match race(self.over(session), writer.write(bytes)).await {
                    Either::Second(Ok(count)) => left.start = left.start.saturating_add(count),
                    // Another one is attached, or nobody reads.
                    Either::First(()) | Either::Second(Err(_)) => break,
                }
            }
        }
    }

    /// Takes what whoever is attached writes to the port. Ends when the driver stops and all has been taken.
    pub async fn output(self: Rc<Self>) {
        let mut buffer = [0; PIECE];
        while let Some(mut reader) = self.next_output().await {
            let session = self.session.get();
            loop {
                match race(self.over(session), reader.read(&mut buffer)).await {
                    Either::Second(Ok(count @ 1..)) => self.send_first(&buffer, count).await,
                    Either::Second(Ok(0) | Err(_)) => break,
                    Either::First(()) => {
                        // What was written before is still shown, and no more than that.
                        let mut most = OUTPUT_ROOM as usize;
                        while most > 0
                            && let Ok(count @ 1..) = reader.try_read(&mut buffer)
                        {
                            self.send_first(&buffer, count).await;
                            most = most.saturating_sub(count);
                        }
                        break;
                    }
                }
            }
        }
        self.has_stopped.set(true);
        self.changed.tell();
    }

    async fn next_output(&self) -> Option<AsyncReader> {
        self.changed
            .until(|| match self.output.take() {
                Some(reader) => Some(Some(reader)),
                None => self.is_stopping.get().then_some(None),
            })
            .await
    }

    /// Sends the first bytes of a buffer, as there is room for them.
    async fn send_first(&self, buffer: &[u8], count: usize) {
        let mut rest = buffer.get(..count).unwrap_or(buffer);
        while !rest.is_empty() {
            let sent = self.changed.until(|| {
                let sent = self.port.borrow_mut().send(rest);
                (sent != 0).then_some(sent)
            });
            rest = rest.get(sent.await..).unwrap_or_default();
        }
    }

    /// Sends what was written until now, to the last bit; then the driver can end. For a port that is held by its other side, this is never
    /// done.
    pub async fn stop(&self) {
        self.is_stopping.set(true);
        self.changed.tell();
        self.changed
            .until(|| self.has_stopped.get().then_some(()))
            .await;
        // No interrupt tells of the last bit.
        while !self.port.borrow_mut().is_drained() {
            self.exec.sleep(MILLISECOND).await;
        }
    }
}

/// Looks after the ports on a line, as long as it can be waited for. Ends when a device interrupts without end: what the line is then left.
///
/// # Errors
/// As the calls that wait for the line.
pub async fn serve_interrupts<R: Registers>(
    exec: Executor,
    line: Interrupts,
    mode: u64,
    terminals: Vec<Rc<Terminal<R>>>,
) -> Result<(), abi::Error> {
    let is_level = mode == abi::interrupt::LEVEL_HIGH || mode == abi::interrupt::LEVEL_LOW;
    // What came before the line was bound has made no interrupt.
    loop {
        let mut again = 0;
        while serve_line(terminals.iter().map(|terminal| &terminal.port)) == Served::Again {
            again += 1;
            if again > AGAIN_MAX {
                return Ok(());
            }
            exec.yield_now().await;
        }
        for terminal in &terminals {
            terminal.changed.tell();
        }
        if is_level {
            // It may fire for others, or before anything was served.
            let _ = line.acknowledge();
            line.fired_level().await?;
        } else {
            line.fired().await?;
        }
    }
}
