//! Mailboxes: synchronous calls from thread to thread.
//!
//! A *caller* sends a message and waits for the answer; a *server* receives messages, one at a time, and answers. A message is a tag
//! and a few words, which lie in the registers of the threads: they are copied from the frame of one to that of the other, by the one
//! of the two that runs, while the other is blocked and cannot go on ([`crate::sched::thread::Thread::frame`]).
//!
//! With a server waiting, a caller hands the processor straight to it, and back comes the processor with the answer: no run queue
//! is touched on either way.
//!
//! While a server is at work it has the highest priority of those who wait for it ([`chain`]).
//!
//! Each thread that waits here takes itself out of the mailbox, with its lock, before it goes on; so it is alive while it is in one
//! of the lists. Who answers has a counted reference to the caller ([`ReplyRight`]).

mod chain;
mod closed;
mod deferred;
mod end;
mod ipc;
mod long;
pub mod parked;
mod reply;

use core::sync::atomic::Ordering;

use abi::Error;
use ksched::{Fifo, Priority, WaitQueue};
use ksync::{AllocError, Answer, Arc};
use ktrace::Group;

pub use chain::priority_changed;
use closed::Clients;
pub use deferred::{Reply, detach, is_serving};
pub use end::End;
pub use ipc::Ipc;
use ipc::Waiting;
pub use long::{accept, eighth_word, load, load_answer, set_buffer, store};
pub use reply::reply;
use reply::{ReplyRight, copy_message, run_answered};

use super::Binding;
use crate::arch::current::{IrqLock, time};
use crate::locks;
use crate::sched::alarm::{self, NEVER};
use crate::sched::thread::Thread;
use crate::sched::{self, Ready, Woken, direct};
use crate::trace;

struct State {
    /// Threads whose message nobody has received yet.
    callers: WaitQueue<Waiting>,
    /// Threads that wait for a message, in the order in which they came.
    servers: Fifo<Waiting>,
    /// Nobody can receive any more.
    is_closed: bool,
    /// Set when a message comes and nobody waits for it.
    readable: Option<Binding>,
    /// The one who received last: it gets the priority of those who wait meanwhile.
    last_server: Option<Arc<Thread>>,
    /// Told when it is closed.
    clients: Clients,
}

/// A mailbox object.
pub struct Mailbox {
    state: IrqLock<State, locks::Mailbox>,
}

impl State {
    /// Takes the server out that waits for longest.
    #[inline(always)]
    fn pop_server(&mut self) -> Option<Ready> {
        let first = self.servers.pop()?;
        first.0.thread().ipc.is_listed.set(false);
        Some(first.0)
    }

    /// Whether a thread is the one who received last.
    #[inline(always)]
    fn is_last(&self, server: &Thread) -> bool {
        Arc::is_of(self.last_server.as_ref(), server)
    }

    #[inline(always)]
    fn push_server(&mut self, server: Waiting) {
        self.servers.push(server);
        server.0.thread().ipc.is_listed.set(true);
    }

    /// Takes a server out, if it is in.
    fn remove_server(&mut self, server: Waiting) {
        if server.0.thread().ipc.is_listed.replace(false) {
            self.servers.remove(server);
        }
    }
}

impl Mailbox {
    /// A mailbox without messages: its receiving end.
    ///
    /// # Errors
    /// When memory is short.
    #[expect(
        clippy::new_ret_no_self,
        reason = "nobody has a mailbox but by an end of it"
    )]
    pub fn new() -> Result<End, AllocError> {
        let mailbox = Arc::try_new(Self {
            state: IrqLock::new(State {
                callers: WaitQueue::new(),
                servers: Fifo::new(),
                is_closed: false,
                readable: None,
                last_server: None,
                clients: Clients::new(),
            }),
        })?;
        End::server(mailbox)
    }

    /// Calls with the message in the running thread's registers, and waits for the answer, which comes there, too; at the
    /// latest until a time on the monotonic clock, in nanoseconds. May park ([`parked`]), and comes back then only if it
    /// cannot.
    ///
    /// # Errors
    /// `PeerClosed` when nobody can receive or answer the message any more; why it could not be taken; `TimedOut`, `OutOfMemory`;
    /// `Ended` when the thread must end.
    pub fn call(this: Arc<Self>, badge: u64, until_ns: u64) -> Result<(), Error> {
        let caller = sched::current_ref();
        let ipc = &caller.ipc;
        ipc.call.begin();
        ipc.badge.set(badge);
        ipc.place.enter(&this);
        let sent = this.send(&mut this.state.lock(), caller);
        if until_ns == NEVER
            && let Ok(Sent::Delivered(Some(server), last)) = sent
        {
            drop(last);
            if direct::can_hand_off(&server) {
                parked::call(this, server)
            }
            sched::hand_off(server);
            let result = this.wait_for_answer(caller, NEVER);
            return this.end_call(caller, result);
        }
        this.call_slowly(caller, sent, until_ns)
    }

    /// As [`Self::call`], after the message was sent.
    #[inline(never)]
    fn call_slowly(
        &self,
        caller: &Thread,
        sent: Result<Sent, Error>,
        until_ns: u64,
    ) -> Result<(), Error> {
        let result = match sent {
            Ok(Sent::Delivered(server, last)) => {
                drop(last);
                match server {
                    // With a deadline the thread blocks below, where it sets an alarm.
                    Some(server) => {
                        if trace::is_on(Group::Ipc) {
                            trace::deliver(caller, server.thread().id);
                        }
                        sched::run(server);
                    }
                    None if until_ns != NEVER => {}
                    None => sched::block(),
                }
                self.wait_for_answer(caller, until_ns)
            }
            Ok(Sent::Queued) => {
                chain::pass_on(self, caller.priority());
                let blocked = alarm::block_until(until_ns);
                let gave_up = blocked.map_err(|_| Error::OutOfMemory);
                gave_up.and_then(|()| self.wait_for_answer(caller, until_ns))
            }
            Err(error) => Err(error),
        };
        self.end_call(caller, result)
    }

    /// The call is over: it was answered, or there is an error.
    fn end_call(&self, caller: &Thread, result: Result<Answer, Error>) -> Result<(), Error> {
        let result = result.or_else(|error| self.give_up(caller, error));
        chain::leave(caller);
        match result? {
            Answer::Given => Ok(()),
            Answer::Refused => Err(Error::PeerClosed),
            Answer::Rejected => Err(caller.ipc.rejection.get()),
        }
    }

    /// Gives a caller's message to a server that waits, or lets it wait for one.
    ///
    /// # Errors
    /// `PeerClosed` when nobody can receive any more.
    fn send(&self, state: &mut State, caller: &Thread) -> Result<Sent, Error> {
        match state.pop_server() {
            Some(server) => {
                // Nobody else waits to be served then.
                let urgent = caller.priority();
                let last = self.deliver(state, caller, server.thread(), urgent);
                // With the lock held: it may have been woken by somebody else, and would end as soon as it has the lock.
                let woken = server.wake();
                if woken.is_none() {
                    // It may wait for a processor, at the priority that it had.
                    sched::reprioritise(server.thread());
                }
                Ok(Sent::Delivered(woken, last))
            }
            // Nobody waits for messages then.
            None if state.is_closed => Err(Error::PeerClosed),
            None => {
                // SAFETY: the running thread.
                let waiting = unsafe { Waiting::new(caller) };
                state.callers.push(waiting, caller.priority());
                if trace::is_on(Group::Ipc) {
                    trace::queue(self, caller);
                }
                if let Some(binding) = &state.readable {
                    binding.signal();
                }
                Ok(Sent::Queued)
            }
        }
    }

    /// Gives a caller's message, and the right to answer, to a server. One of the two runs; the other was taken from a list just now.
    /// It gets the priority `urgent`, of whoever waits for it. Gives the server before this one, which may go when that reference is dropped: with the lock open.
    #[must_use]
    fn deliver(
        &self,
        state: &mut State,
        caller: &Thread,
        server: &Thread,
        urgent: Priority,
    ) -> Option<Arc<Thread>> {
        let ipc = &server.ipc;
        // SAFETY: the lock of the mailbox is held, which the one who does not run needs to go on (invariant 13).
        unsafe {
            copy_message(caller.frame(), server.frame());
            (*server.frame()).rdi = caller.ipc.badge.get();
        }
        let right = ReplyRight {
            // SAFETY: as above: neither of the two ends meanwhile.
            caller: unsafe { sched::counted(caller) },
            serial: caller.ipc.call.serial(),
        };
        ipc.serve(self, right);
        server.inherit(urgent);
        let last = if state.is_last(server) {
            None
        } else {
            // SAFETY: as above.
            state.last_server.replace(unsafe { sched::counted(server) })
        };
        ipc.is_received.store(true, Ordering::Release);
        last
    }

    /// Waits until the call has been answered, blocking first only if it has not.
    #[inline]
    fn wait_for_answer(&self, caller: &Thread, until_ns: u64) -> Result<Answer, Error> {
        loop {
            if let Some(answer) = caller.ipc.call.ended() {
                return Ok(answer);
            }
            check_waiting(until_ns)?;
            alarm::block_until(until_ns).map_err(|_| Error::OutOfMemory)?;
        }
    }

    /// A caller waits no more, for this reason, and its call is not over. What came at the last moment counts.
    #[cold]
    fn give_up(&self, caller: &Thread, error: Error) -> Result<Answer, Error> {
        // SAFETY: the running thread.
        let waiting = unsafe { Waiting::new(caller) };
        self.state.lock().callers.remove(waiting);
        caller.ipc.call.give_up().ok_or(error)
    }

    /// Waits for a message, which comes in the running thread's registers; at the latest until a time on the monotonic clock. A call
    /// that the thread has not answered is refused.
    ///
    /// # Errors
    /// `PeerClosed` when the last handle to receive by was closed; `TimedOut`, `OutOfMemory`, `Ended`.
    pub fn receive(&self, until_ns: u64) -> Result<(), Error> {
        let server = sched::current_ref();
        let before = server.priority();
        drop(server.end_service());
        let received = self.look_for_message(server).and_then(|is_there| {
            if is_there {
                return Ok(());
            }
            self.wait_for_message(server, until_ns)
        });
        sched::follow_priority(server, before);
        received
    }

    /// Answers the call that the running thread serves, if there is one, with the message in its registers, and waits for the next.
    /// A caller that waits no more is no error. May park ([`parked`]), and comes back then only if it cannot; gives the mailbox
    /// back.
    ///
    /// # Errors
    /// As [`Self::receive`], without a deadline; those of long answers: then nothing was received, and the thread serves the call still.
    pub fn reply_and_receive(this: Arc<Self>) -> Result<Arc<Self>, Error> {
        let server = sched::current_ref();
        let before = server.priority();
        let caller = match server.answer() {
            Ok(caller) => caller,
            Err(Error::NotReady | Error::PeerClosed) => {
                long::check_unsent(server)?;
                None
            }
            Err(error) => return Err(error),
        };
        let found = this.look_for_message(server);
        match (found, caller) {
            (Ok(false), Some(caller)) => {
                if direct::can_hand_off(&caller) {
                    parked::receive(this, caller)
                }
                sched::hand_off(caller);
            }
            (Ok(false), None) => sched::block(),
            (_, caller) => {
                if let Some(caller) = caller {
                    run_answered(caller);
                }
                sched::follow_priority(server, before);
                return found.map(|_| this);
            }
        }
        this.wait_for_message(server, NEVER)?;
        Ok(this)
    }

    /// Takes the most urgent message, or puts the thread on the list of those who wait for one; whether there was one.
    fn look_for_message(&self, server: &Thread) -> Result<bool, Error> {
        let mut state = self.state.lock();
        if state.is_closed {
            return Err(Error::PeerClosed);
        }
        if let Some(Waiting(caller)) = state.callers.pop() {
            let urgent = caller.thread().priority();
            let urgent = state.callers.best().map_or(urgent, |best| best.min(urgent));
            let last = self.deliver(&mut state, caller.thread(), server, urgent);
            if trace::is_on(Group::Ipc) {
                trace::deliver(caller.thread(), server.id);
            }
            server.ipc.is_received.store(false, Ordering::Relaxed);
            drop(state);
            drop(last);
            return Ok(true);
        }
        // SAFETY: the running thread.
        let waiting = unsafe { Waiting::new(server) };
        state.push_server(waiting);
        Ok(false)
    }

    /// Waits until a message was delivered, blocking first only if none was.
    fn wait_for_message(&self, server: &Thread, until_ns: u64) -> Result<(), Error> {
        while !server.ipc.is_received.load(Ordering::Acquire) {
            let error = match check_waiting(until_ns) {
                Err(error) => Some(error),
                Ok(()) if self.state.lock().is_closed => Some(Error::PeerClosed),
                Ok(()) => match alarm::block_until(until_ns) {
                    Ok(()) => None,
                    Err(_) => Some(Error::OutOfMemory),
                },
            };
            if let Some(error) = error {
                let error = self.forget(server, error);
                if server.ipc.is_received.load(Ordering::Acquire) {
                    break;
                }
                return Err(error);
            }
        }
        server.ipc.is_received.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Takes a server off the list. Afterwards nothing is delivered to it any more; something may have been.
    #[cold]
    fn forget(&self, server: &Thread, error: Error) -> Error {
        // SAFETY: the running thread.
        let waiting = unsafe { Waiting::new(server) };
        self.state.lock().remove_server(waiting);
        error
    }

    /// Sets what happens when a message comes that nobody waits for; at once if there is one.
    pub fn on_readable(&self, binding: Option<Binding>) {
        let old = {
            let mut state = self.state.lock();
            if !state.callers.is_empty()
                && let Some(binding) = &binding
            {
                binding.signal();
            }
            core::mem::replace(&mut state.readable, binding)
        };
        drop(old);
    }

    /// Nobody can receive any more: whoever waits, on either side, is told.
    pub fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        while let Some(Waiting(caller)) = state.callers.pop() {
            let call = &caller.thread().ipc.call;
            let serial = call.serial();
            if call.claim(serial) {
                call.finish(serial, Answer::Refused);
            }
            // With the lock held: the caller takes it before it goes on.
            sched::wake_ready(caller);
        }
        while let Some(server) = state.pop_server() {
            sched::wake_ready(server);
        }
        let forgotten = (state.readable.take(), state.last_server.take());
        let clients = core::mem::replace(&mut state.clients, Clients::new());
        drop(state);
        drop(forgotten);
        clients.tell();
    }
}

/// What became of a message.
enum Sent {
    /// A server has it, and is to be made to run if it is here. Then the one who received before, if it was another.
    Delivered(Option<Woken>, Option<Arc<Thread>>),
    /// It waits for a server.
    Queued,
}

/// Whether a thread may go on waiting.
#[inline]
fn check_waiting(until_ns: u64) -> Result<(), Error> {
    if sched::current_must_end() {
        return Err(Error::Ended);
    }
    if until_ns != NEVER && time::now_ns() >= until_ns {
        return Err(Error::TimedOut);
    }
    Ok(())
}
