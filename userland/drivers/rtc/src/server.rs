//! The date for clients, and how it stays right.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::convert::Infallible;

use protocols::Fault;
use protocols::clock::{Answer, Clock, Request};
use sys::exec::{Executor, Inbox, Interrupts};
use sys::time::{MILLISECOND, SECOND};

use crate::chip::{Chip, Trouble};
use crate::registers::Registers;
use crate::wall::Wall;

/// How often a chip that counts just now is tried, a millisecond apart. It takes two.
const TRIES: u32 = 20;
/// The chip is looked at so often, for what the two clocks have gone apart.
const PERIOD: u64 = 600 * SECOND;
/// What is less is no difference.
const PRECISION: u64 = 20 * MILLISECOND;

/// The server.
pub struct Server<R> {
    exec: Executor,
    chip: RefCell<Chip<R>>,
    wall: Cell<Option<Wall>>,
}

impl<R: Registers> Server<R> {
    /// A server that knows no date yet.
    pub fn new(exec: &Executor, chip: Chip<R>) -> Rc<Self> {
        Rc::new(Self {
            exec: exec.clone(),
            chip: RefCell::new(chip),
            wall: Cell::new(None),
        })
    }

    /// What the chip says; waits while it counts.
    async fn read(&self) -> Result<u64, Trouble> {
        let mut tries = 0;
        loop {
            let read = self.chip.borrow_mut().read();
            tries += 1;
            if read != Err(Trouble::Updating) || tries > TRIES {
                return read;
            }
            self.exec.sleep(MILLISECOND).await;
        }
    }

    /// Looks at the chip, and takes over its date. Within a second of its own nobody knows where it is: the date may be almost one second late.
    ///
    /// # Errors
    /// When it has none.
    pub async fn look(&self) -> Result<(), Trouble> {
        let seconds = self.read().await?;
        self.adopt(seconds, sys::time::now());
        Ok(())
    }

    /// Takes over what the chip said at a moment, if that is anything new.
    fn adopt(&self, seconds: u64, at: u64) {
        let Some(new) = Wall::new(seconds, at) else {
            return;
        };
        let is_news = |old: Wall| old.difference(&new) > PRECISION;
        if self.wall.get().is_none_or(is_news) {
            self.wall.set(Some(new));
        }
    }

    /// Does what a client asks.
    ///
    /// # Errors
    /// `Failed` without a date, or when the chip does not keep it; `InvalidArgument` for one that it cannot keep.
    pub async fn answer(&self, request: Request) -> Result<Answer, Fault> {
        match request {
            Request::Now => {
                if self.wall.get().is_none() {
                    self.look().await.map_err(|_| Fault::Failed)?;
                }
                let wall = self.wall.get().ok_or(Fault::Failed)?;
                let monotonic = sys::time::now();
                let wall = wall.at(monotonic);
                Ok(Answer::Time { wall, monotonic })
            }
            Request::Set { seconds } => {
                let new = Wall::new(seconds, sys::time::now()).ok_or(Fault::InvalidArgument)?;
                let set = self.chip.borrow_mut().set(seconds);
                set.map_err(|trouble| match trouble {
                    Trouble::Range => Fault::InvalidArgument,
                    _ => Fault::Failed,
                })?;
                self.wall.set(Some(new));
                Ok(Answer::Done)
            }
        }
    }

    /// Answers clients.
    ///
    /// # Errors
    /// When nothing can be received any more.
    pub async fn serve(self: Rc<Self>, inbox: Inbox) -> Result<Infallible, abi::Error> {
        ipc::serve::<Clock>(&inbox, async |_, request, handles| {
            if !handles.is_empty() {
                return Err(Fault::InvalidArgument);
            }
            Ok((self.answer(request).await?, Vec::new()))
        })
        .await
    }

    /// Looks at the chip from time to time, at the very begin of one of its seconds.
    ///
    /// # Errors
    /// When its line cannot be waited for.
    pub async fn keep(self: Rc<Self>, line: Interrupts) -> Result<(), abi::Error> {
        loop {
            self.chip.borrow_mut().interrupt_each_second();
            loop {
                line.fired().await?;
                let at = sys::time::now();
                if self.chip.borrow_mut().has_counted() {
                    // Whatever is wrong was told at the start.
                    if let Ok(seconds) = self.read().await {
                        self.adopt(seconds, at);
                    }
                    break;
                }
            }
            self.chip.borrow_mut().be_quiet();
            self.exec.sleep(PERIOD).await;
        }
    }
}
