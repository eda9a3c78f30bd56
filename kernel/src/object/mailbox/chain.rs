//! Priority inheritance: who is waited for runs at the priority of those who wait, along a chain of calls.
//!
//! A thread that serves a call and makes one itself is a link. Walking along a chain goes from mailbox to mailbox by plain pointers
//! ([`Ipc::target`](super::Ipc)). A thread that leaves its place in a chain erases its pointer and then, if somebody walks, waits
//! until that one is done: only after that may it let go of the mailbox. Pointer and flag are written by one side and read by the
//! other in one order, so that either the walker finds no pointer, or the thread finds the flag.

use core::sync::atomic::{AtomicBool, Ordering};

use ksched::Priority;
use ksync::Arc;

use super::{Mailbox, Waiting};
use crate::arch::current::IrqLock;
use crate::locks;
use crate::sched;
use crate::sched::thread::Thread;

/// Held while somebody walks.
static WALK: IrqLock<(), locks::Walk> = IrqLock::new(());
/// Whether somebody walks.
static IS_WALKED: AtomicBool = AtomicBool::new(false);

/// How far a priority is passed on. Interrupts are off meanwhile.
const LENGTH_MAX: usize = 16;

/// The thread calls a mailbox, which stays until it has left.
#[inline]
pub(super) fn enter(caller: &Thread, mailbox: &Mailbox) {
    let target = core::ptr::from_ref(mailbox).cast_mut();
    caller.ipc.target.store(target, Ordering::Release);
}

/// The thread's call is over.
#[inline(always)]
pub(super) fn leave(caller: &Thread) {
    caller
        .ipc
        .target
        .store(core::ptr::null_mut(), Ordering::SeqCst);
    if IS_WALKED.load(Ordering::SeqCst) {
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
    // Dropped when no lock is held.
    let mut servers: [Option<Arc<Thread>>; LENGTH_MAX] = [const { None }; LENGTH_MAX];
    let walk = WALK.lock();
    IS_WALKED.store(true, Ordering::SeqCst);
    let mut mailbox = core::ptr::from_ref(first);
    for place in &mut servers {
        let (server, target) = {
            // SAFETY: the first one is the caller's. Each further one is the target of a thread that had not left when the flag
            // was set, and waits for us before it lets go.
            let state = unsafe { (*mailbox).state.lock() };
            let Some(server) = &state.last_server else {
                break;
            };
            let is_serving = core::ptr::eq(server.ipc.serves.load(Ordering::Relaxed), mailbox);
            if !is_serving || server.priority() <= priority {
                break;
            }
            server.inherit(priority);
            (server.clone(), server.ipc.target.load(Ordering::SeqCst))
        };
        let server = place.insert(server);
        sched::reprioritise(server);
        // SAFETY: null, or see above.
        let Some(next) = (unsafe { target.as_ref() }) else {
            break;
        };
        // It waits there, if it waits in any list at all: it has not left.
        // SAFETY: see above: it has not left.
        let waiting = unsafe { Waiting::new(server) };
        next.state.lock().callers.set_priority(waiting, priority);
        mailbox = next;
    }
    IS_WALKED.store(false, Ordering::SeqCst);
    drop(walk);
}
