//! Priority inheritance: who is waited for runs at the priority of those who wait, along a chain of calls.
//!
//! A thread that serves a call and makes one itself is a link. Walking along a chain goes from mailbox to mailbox by plain pointers;
//! how those who walk and those who leave a chain come to terms is the matter of [`ksync::chain`].

use ksched::Priority;
use ksync::Arc;
use ksync::chain::Walks;

use super::{Mailbox, Waiting};
use crate::arch::current::IrqLock;
use crate::locks;
use crate::sched;
use crate::sched::thread::Thread;

/// Held while somebody walks.
static WALK: IrqLock<(), locks::Walk> = IrqLock::new(());
/// Whether somebody walks.
static WALKS: Walks = Walks::new();

/// How far a priority is passed on. Interrupts are off meanwhile.
const LENGTH_MAX: usize = 16;

/// The thread's call is over: it may let go of the mailbox afterwards.
#[inline(always)]
pub(super) fn leave(caller: &Thread) {
    if caller.ipc.place.leave(&WALKS) {
        wait_for_walk();
    }
}

#[cold]
#[inline(never)]
fn wait_for_walk() {
    drop(WALK.lock());
}

/// Passes the priority of a caller that must wait on to the one who serves the mailbox, to the one whom that one calls, and so on.
#[cold]
pub(super) fn pass_on(first: &Mailbox, priority: Priority) {
    walk(|| Some(Step(first, priority)));
}

/// A thread was given another priority: if it calls, its place among the callers is another one, and its priority is passed on. Who
/// serves it keeps a higher one that it had.
pub fn priority_changed(thread: &Thread) {
    // Its priority was stored before: if it calls only now, it tells its server itself.
    if !thread.ipc.place.target().is_null() {
        // SAFETY: the walk has begun when this is asked (invariant 16).
        walk(|| unsafe { step(thread) });
    }
}

/// A mailbox on the way, which stays until the walk is over, and the priority with which it is called.
struct Step(*const Mailbox, Priority);

/// The step from a thread to the mailbox that it calls, if it does. If it waits in the list of those who call, it has the place there
/// that is due to it.
///
/// # Safety
/// A walk has begun, and is not over until the step was used.
unsafe fn step(thread: &Thread) -> Option<Step> {
    let target = thread.ipc.place.target();
    // SAFETY: null, or the target of a thread that had not left when the walk began, and waits for its end before it lets go
    // (invariant 16).
    let mailbox = unsafe { target.as_ref() }?;
    let mut state = mailbox.state.lock();
    let priority = thread.priority();
    // SAFETY: it has not left, and so waits there, if it waits in any list at all (invariants 14 and 16).
    let waiting = unsafe { Waiting::new(thread) };
    state.callers.set_priority(waiting, priority);
    Some(Step(target, priority))
}

/// Walks from the first step on, and gives each server on the way the priority with which it is called.
fn walk(first: impl FnOnce() -> Option<Step>) {
    // Dropped when no lock is held.
    let mut servers: [Option<Arc<Thread>>; LENGTH_MAX] = [const { None }; LENGTH_MAX];
    let walk = WALK.lock();
    WALKS.begin();
    let mut next = first();
    for place in &mut servers {
        let Some(Step(mailbox, priority)) = next else {
            break;
        };
        // SAFETY: the first one is the caller's own, or one of `step`, as each further one is (invariant 16).
        let Some(server) = (unsafe { (*mailbox).pass_to_server(priority) }) else {
            break;
        };
        let server = place.insert(server);
        sched::reprioritise(server);
        // SAFETY: the walk goes on (invariant 16).
        next = unsafe { step(server) };
    }
    WALKS.end();
    drop(walk);
}

impl Mailbox {
    /// Gives a priority to the one who received last, if that one serves a call of this mailbox, and is less urgent; who that is.
    fn pass_to_server(&self, priority: Priority) -> Option<Arc<Thread>> {
        let state = self.state.lock();
        let server = state.last_server.as_ref()?;
        if !server.ipc.serves(self) || server.priority() <= priority {
            return None;
        }
        server.inherit(priority);
        Some(server.clone())
    }
}
