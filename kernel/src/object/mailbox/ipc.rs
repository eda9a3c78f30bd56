//! What a thread has for its calls, and for those that it serves.

use core::cell::Cell;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use abi::Error;
use ksched::{Link, Linked, Node, Task};
use ksync::chain::Place;
use ksync::{Arc, Call, Serial};

use super::Mailbox;
use super::long::Long;
use super::reply::ReplyRight;
use crate::sched::Ready;
use crate::sched::thread::Thread;

/// A thread in a list of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting(pub(super) Ready);

impl Waiting {
    /// A thread that waits in a mailbox, or looks for itself there.
    ///
    /// # Safety
    /// It runs, or the caller knows that it cannot go on (invariant 14).
    #[inline]
    pub(super) unsafe fn new(thread: &Thread) -> Self {
        // SAFETY: it takes itself out of the list before it goes on (caller).
        Self(unsafe { Ready::of(thread) })
    }
}

impl Task for Waiting {
    fn node(&self) -> &Node<Self> {
        &self.0.thread().ipc.node
    }
}

impl Linked for Waiting {
    #[inline(always)]
    fn link(&self) -> &Link<Self> {
        &self.0.thread().ipc.link
    }
}

/// What a thread knows of its calls and of those that it serves.
///
/// The `Cell`s are the thread's own, but for what the one who delivers a message to it writes: that one holds the lock of the mailbox in
/// whose list the thread was.
pub struct Ipc {
    /// Its place among callers.
    pub(super) node: Node<Waiting>,
    /// Its place among servers.
    pub(super) link: Link<Waiting>,
    /// Whether it is among the servers of a mailbox. Touched with the lock of that.
    pub(super) is_listed: Cell<bool>,
    /// The call that it makes.
    pub(super) call: Call,
    /// The badge of the handle that it calls by.
    pub(super) badge: Cell<u64>,
    /// The mailbox that it calls, while it waits for the answer: for those who pass a priority on.
    pub(super) place: Place<Mailbox>,
    /// A message has been delivered to it.
    pub(super) is_received: AtomicBool,
    /// Why its call was rejected, if it was.
    pub(super) rejection: Cell<Error>,
    /// The mailbox that it waits in while it is parked ([`crate::sched::direct`]): for an answer if it has a [`Self::place`], else for a
    /// message. Written by the thread; taken by it, or by the one who ends the wait.
    pub(super) parked: Cell<Option<Arc<Mailbox>>>,
    /// The words of its messages that do not fit into registers.
    pub(super) long: Long,
    /// The call that it serves.
    pub(super) reply: Cell<Option<ReplyRight>>,
    /// The mailbox that this call came by.
    pub(super) serves: AtomicPtr<Mailbox>,
}

impl Ipc {
    /// That of a thread which has neither called nor served.
    pub const fn new() -> Self {
        Self {
            node: Node::new(),
            link: Link::new(),
            is_listed: Cell::new(false),
            call: Call::new(),
            badge: Cell::new(0),
            place: Place::new(),
            is_received: AtomicBool::new(false),
            rejection: Cell::new(Error::NotTaken),
            parked: Cell::new(None),
            long: Long::new(),
            reply: Cell::new(None),
            serves: AtomicPtr::new(core::ptr::null_mut()),
        }
    }

    /// Whether the call that the thread serves came by a mailbox.
    pub(super) fn serves(&self, mailbox: &Mailbox) -> bool {
        core::ptr::eq(self.serves.load(Ordering::Relaxed), mailbox)
    }

    /// Whether a message was delivered to the thread that it has not taken yet.
    pub fn is_received(&self) -> bool {
        self.is_received.load(Ordering::Relaxed)
    }

    /// The thread, which serves nobody, serves a call that came by a mailbox.
    #[inline(always)]
    pub(super) fn serve(&self, mailbox: &Mailbox, right: ReplyRight) {
        let before = self.reply.replace(Some(right));
        debug_assert!(before.is_none(), "a thread serves two calls");
        // There is nothing to drop.
        core::mem::forget(before);
        let mailbox = core::ptr::from_ref(mailbox).cast_mut();
        self.serves.store(mailbox, Ordering::Relaxed);
    }

    /// The number of the call that the thread makes.
    pub fn serial(&self) -> Serial {
        self.call.serial()
    }
}
