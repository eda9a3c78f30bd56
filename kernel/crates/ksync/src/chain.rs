//! Priority inheritance: what threads share with those who walk along a chain of calls.
//!
//! A thread that calls says whom ([`Place::enter`]), and then looks how urgent it is, to tell its server. Who makes a thread more
//! urgent first notes that ([`Urgency`]), and then looks whom it calls, to tell that server. Both write first and then read, in one
//! total order: one of the two tells the server.
//!
//! Whom a thread calls is named by a plain pointer. Who walks says so first ([`Walks::begin`]), and a thread that leaves its place in
//! a chain erases the pointer first ([`Place::leave`]). Either the walker finds no pointer, or the thread finds that somebody walks, and
//! keeps what the pointer names until that one is done.

use crate::atomic::{AtomicBool, AtomicPtr, AtomicU8, Ordering, const_new, in_one_order};

/// How urgent a thread is: its own level, and that of the most urgent one that waits for it. 0 is the most urgent level.
#[derive(Debug)]
pub struct Urgency {
    own: AtomicU8,
    inherited: AtomicU8,
}

/// The level of nobody.
const NOBODY: u8 = u8::MAX;

impl Urgency {
    /// That of a thread with this level, for which nobody waits.
    #[cfg(not(loom))]
    pub const fn new(own: u8) -> Self {
        Self {
            own: AtomicU8::new(own),
            inherited: AtomicU8::new(NOBODY),
        }
    }

    /// That of a thread with this level, for which nobody waits.
    #[cfg(loom)]
    pub fn new(own: u8) -> Self {
        Self {
            own: AtomicU8::new(own),
            inherited: AtomicU8::new(NOBODY),
        }
    }

    /// Its own level.
    #[inline]
    pub fn own(&self) -> u8 {
        self.own.load(Ordering::Relaxed)
    }

    /// The level at which it runs: the more urgent of the two. Never less urgent than its own.
    #[inline]
    pub fn level(&self) -> u8 {
        let own = self.own.load(Ordering::SeqCst);
        own.min(self.inherited.load(Ordering::SeqCst))
    }

    /// Gives it another level of its own.
    #[inline]
    pub fn set_own(&self, level: u8) {
        self.own.store(level, Ordering::SeqCst);
        in_one_order();
    }

    /// Somebody with this level waits for the thread.
    #[inline(always)]
    pub fn inherit(&self, level: u8) {
        if level < self.own() {
            self.inherited.fetch_min(level, Ordering::SeqCst);
            in_one_order();
        }
    }

    /// Nobody waits for the thread any more.
    #[inline]
    pub fn disinherit(&self) {
        if self.inherited.load(Ordering::Relaxed) != NOBODY {
            self.inherited.store(NOBODY, Ordering::SeqCst);
        }
    }
}

/// Whom a thread calls, while it waits for the answer.
#[derive(Debug)]
pub struct Place<T>(AtomicPtr<T>);

impl<T> Place<T> {
    /// That of a thread which calls nobody.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self(AtomicPtr::new(core::ptr::null_mut()))
    }

    /// That of a thread which calls nobody.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self(AtomicPtr::new(core::ptr::null_mut()))
    }

    /// The thread calls. It looks at its [`Urgency`] afterwards. `target` stays until it has left, and nobody has walked since.
    #[inline(always)]
    pub fn enter(&self, target: &T) {
        let target = core::ptr::from_ref(target).cast_mut();
        self.0.store(target, Ordering::SeqCst);
        in_one_order();
    }

    /// The thread's call is over; whether it must wait until nobody walks before it lets go of what it called.
    #[inline(always)]
    #[must_use]
    pub fn leave(&self, walks: &Walks) -> bool {
        self.0.store(core::ptr::null_mut(), Ordering::SeqCst);
        in_one_order();
        walks.0.load(Ordering::SeqCst)
    }

    /// Whom the thread calls; null if nobody. Who has begun to walk before this may use it until the walk ends.
    #[inline]
    pub fn target(&self) -> *mut T {
        self.0.load(Ordering::SeqCst)
    }
}

impl<T> Default for Place<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether somebody walks along chains: one at a time, which a lock sees to.
#[derive(Debug)]
pub struct Walks(AtomicBool);

impl Walks {
    const_new! {
        /// Nobody walks.
        pub fn new() -> Self {
            Self(AtomicBool::new(false))
        }
    }

    /// A walk begins. The lock that lets one in at a time is held.
    #[inline]
    pub fn begin(&self) {
        self.0.store(true, Ordering::SeqCst);
        in_one_order();
    }

    /// It is over.
    #[inline]
    pub fn end(&self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Default for Walks {
    fn default() -> Self {
        Self::new()
    }
}
