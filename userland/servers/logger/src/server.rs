//! What the server does for its clients, on the executor.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::convert::Infallible;
use core::fmt::{self, Write};

use abi::{Error, Rights};
use protocols::Fault;
use protocols::logger::{Answer, Logger, Request, Select, Status};
use sys::call;
use sys::exec::{AsyncWriter, Either, Executor, Inbox, Signal, race};
use sys::object::{Mapping, Owned, System, VmArea};
use tasks::Changed;

use crate::filter::Filter;
use crate::intake::Intake;
use crate::query::{Follower, plan, write};
use crate::store::Store;

/// Room of a follower's channel.
const FOLLOW_ROOM: u64 = 16 * 1024;
/// Text that is made for a follower in one go.
const PIECE: usize = 4096;
/// Bytes of records that are read at once.
const BATCH: usize = 32 * 1024;
/// How long to wait when the kernel has no memory to give records.
const PAUSE: u64 = sys::time::MILLISECOND;
/// How many followers there are at most; a newer one takes the place of the oldest.
pub const FOLLOWERS_MAX: usize = 24;
/// How many of them may have one badge.
pub const FOLLOWERS_EACH: usize = 4;

/// Somebody who follows: whose it is, and whether it goes on.
struct Entry {
    badge: u64,
    is_over: Rc<Cell<bool>>,
}

/// The server.
pub struct Server {
    exec: Executor,
    store: RefCell<Store>,
    filter: RefCell<Filter>,
    intake: RefCell<Intake>,
    /// The oldest first.
    followers: RefCell<VecDeque<Entry>>,
    /// There are new records, or a follower shall end.
    changed: Changed,
}

impl Server {
    /// A server that keeps about so many bytes of records.
    pub fn new(exec: &Executor, keep: usize) -> Rc<Self> {
        Rc::new(Self {
            exec: exec.clone(),
            store: RefCell::new(Store::new(keep)),
            filter: RefCell::new(Filter::default()),
            intake: RefCell::new(Intake::default()),
            followers: RefCell::new(VecDeque::new()),
            changed: Changed::new(),
        })
    }

    /// Reads the kernel's log as it is written.
    ///
    /// # Errors
    /// When it cannot be read; the handle needs LOG_READ.
    pub async fn read(
        self: Rc<Self>,
        system: System,
        written: Signal,
    ) -> Result<Infallible, Error> {
        let (event, bits) = (written.waiter()?.event, written.mask());
        call::system_log_on_record(system.handle(), Some(event.handle()), bits)?;
        let mut buffer = Vec::new();
        buffer
            .try_reserve_exact(BATCH)
            .map_err(|_| Error::OutOfMemory)?;
        buffer.resize(BATCH, 0);
        loop {
            let next = self.intake.borrow().next();
            let count = match call::system_log_read(system.handle(), next, &mut buffer) {
                Ok(count) => count,
                Err(Error::OutOfMemory) => {
                    self.exec.sleep(PAUSE).await;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if count == 0 {
                written.wait().await;
                continue;
            }
            self.take(buffer.get(..count as usize).unwrap_or_default());
            // Others have their turn while there is more.
            self.exec.yield_now().await;
        }
    }

    /// Answers clients.
    ///
    /// # Errors
    /// When nothing can be received any more.
    pub async fn serve(self: Rc<Self>, inbox: Inbox) -> Result<Infallible, Error> {
        ipc::serve::<Logger>(&inbox, async |badge, request, handles| {
            self.answer(badge, request, &handles)
        })
        .await
    }

    /// Takes what was read of it.
    fn take(&self, bytes: &[u8]) {
        let mut intake = self.intake.borrow_mut();
        if intake.take(bytes, &self.filter.borrow(), &mut self.store.borrow_mut()) {
            drop(intake);
            self.changed.tell();
        }
    }

    /// Does what a client asks.
    ///
    /// # Errors
    /// What the request cannot have.
    pub fn answer(
        self: &Rc<Self>,
        badge: u64,
        request: Request,
        handles: &[Owned],
    ) -> Result<(Answer, Vec<Owned>), Fault> {
        if handles.len() > usize::from(matches!(request, Request::Follow { .. })) {
            return Err(Fault::InvalidArgument);
        }
        match request {
            Request::Query { select, last } => self.query(&select, last),
            Request::Follow { select, bits } => {
                let handles = self.follow(badge, select, handles.first(), bits)?;
                Ok((Answer::Done, handles))
            }
            Request::SetFilter { select } => {
                self.filter.borrow_mut().set(&select)?;
                Ok((Answer::Done, Vec::new()))
            }
            Request::Status => Ok((Answer::Status(self.status()), Vec::new())),
        }
    }

    fn status(&self) -> Status {
        let counts = self.intake.borrow().counts();
        Status {
            received: counts.received,
            lost: counts.lost,
            filtered: counts.filtered,
            kept: self.store.borrow().len(),
            filter: self.filter.borrow().list(),
        }
    }

    fn query(&self, select: &Select, last: u32) -> Result<(Answer, Vec<Owned>), Fault> {
        let store = self.store.borrow();
        let plan = plan(&store, select, last);
        let answer = Answer::Lines {
            bytes: plan.bytes,
            records: plan.records,
        };
        if plan.bytes == 0 {
            return Ok((answer, Vec::new()));
        }
        let short = |_: Error| Fault::OutOfMemory;
        let size = plan.bytes.next_multiple_of(abi::PAGE_SIZE);
        let area = VmArea::open(size).map_err(short)?;
        let mapping = area
            .map(abi::area::READ | abi::area::WRITE)
            .map_err(short)?;
        let mut text = Text { mapping, at: 0 };
        write(&store, select, &plan, &mut text).map_err(|_| Fault::Failed)?;
        let rights = Rights::MAP_READ
            .union(Rights::INSPECT)
            .union(Rights::TRANSFER)
            .union(Rights::DUPLICATE);
        let area = area.duplicate(rights).map_err(short)?;
        Ok((answer, alloc::vec![area.into_owned()]))
    }

    fn follow(
        self: &Rc<Self>,
        badge: u64,
        select: Select,
        event: Option<&Owned>,
        bits: (u64, u64),
    ) -> Result<Vec<Owned>, Fault> {
        let client = tasks::listener(event, bits)?;
        self.make_room(badge);
        let short = |error| match error {
            Error::OutOfMemory => Fault::OutOfMemory,
            _ => Fault::NoRoom,
        };
        let (writer, handles) = tasks::to_client(&self.exec, FOLLOW_ROOM, client).map_err(short)?;
        let follower = Follower::new(&self.store.borrow(), select);
        let is_over = Rc::new(Cell::new(false));
        self.followers.borrow_mut().push_back(Entry {
            badge,
            is_over: is_over.clone(),
        });
        let server = self.clone();
        let task = async move {
            let mut writer = writer;
            server.tell(follower, &mut writer, &is_over).await;
            let mut followers = server.followers.borrow_mut();
            followers.retain(|entry| !Rc::ptr_eq(&entry.is_over, &is_over));
        };
        if let Err(error) = self.exec.try_spawn(task) {
            self.followers.borrow_mut().pop_back();
            return Err(short(error));
        }
        Ok(tasks::list([handles]))
    }

    /// Ends the oldest follower of those that have this badge, or of all, when there are too many. (Nothing tells when the process of a
    /// client has ended that has not read what there is.)
    fn make_room(&self, badge: u64) {
        let mut followers = self.followers.borrow_mut();
        let is_own = |entry: &&Entry| entry.badge == badge;
        let oldest = if followers.iter().filter(is_own).count() >= FOLLOWERS_EACH {
            followers.iter().position(|entry| is_own(&entry))
        } else {
            (followers.len() >= FOLLOWERS_MAX).then_some(0)
        };
        if let Some(entry) = oldest.and_then(|index| followers.remove(index)) {
            entry.is_over.set(true);
            drop(followers);
            self.changed.tell();
        }
    }

    /// Writes lines to a follower until it does not read any more, or has to make room. Only its own task waits for it.
    async fn tell(&self, mut follower: Follower, writer: &mut AsyncWriter, is_over: &Cell<bool>) {
        let mut text = String::new();
        loop {
            let lines = self.changed.until(|| {
                if is_over.get() {
                    return Some(false);
                }
                follower.lines(&self.store.borrow(), &mut text, PIECE);
                (!text.is_empty()).then_some(true)
            });
            // It may have gone while there is nothing to tell.
            match race(lines, writer.closed()).await {
                Either::First(true) => {}
                Either::First(false) | Either::Second(()) => return,
            }
            let over = self.changed.until(|| is_over.get().then_some(()));
            match race(over, writer.write_all(text.as_bytes())).await {
                Either::Second(Ok(())) => text.clear(),
                Either::First(()) | Either::Second(Err(_)) => return,
            }
        }
    }
}

/// Writes text into an area.
struct Text {
    mapping: Mapping,
    at: u64,
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let count = self.mapping.write(self.at, text.as_bytes());
        self.at = self.at.saturating_add(count as u64);
        if count == text.len() {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}
