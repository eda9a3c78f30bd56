//! Processes: an address space, a handle table, threads, an account, and how it all ends.
//!
//! A process ends in three steps. It is *ending* as soon as somebody has said how ([`Process::end`]): from then on no thread
//! of it returns to user mode, and none starts. When its last thread has left, that thread gives back what the process
//! held: handles, mappings and with them pages. Only then has it *ended*: the status can be read, and those who wait
//! are told. So whoever sees the end of a process sees its memory free.

pub mod exception;
pub mod loader;

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use abi::{Error, Handle, ObjectType, Rights};
use kmem::sorted::SortedMap;
use ksync::{AllocError, Arc};

use crate::arch::current::IrqLock;
use crate::boot::Text;
use crate::object::{Binding, HandleTable, Object};
use crate::sched::{self, thread::Thread};
use crate::vm::{Account, AddressSpace};
use exception::Exceptions;

/// Processes that have threads, by number.
static RUNNING: IrqLock<SortedMap<u64, Arc<Process>>> = IrqLock::new(SortedMap::new());
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// Ends all processes that have threads. Those that the calling thread waits for end a little later.
#[cfg(feature = "fault-injection")]
pub fn end_all(exit: Exit) {
    let mut from = 0;
    let next = |from| {
        let running = RUNNING.lock();
        running
            .ceiling(from)
            .map(|(id, process)| (id, process.clone()))
    };
    while let Some((id, process)) = next(from) {
        process.end(exit);
        from = id + 1;
    }
}

/// The most threads of a process.
pub const THREADS_MAX: usize = 1024;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By its own choice or that of another, with a status.
    Status(u64),
    /// By an exception that nobody handled; its vector.
    Fault(u64),
}

impl Exit {
    /// The status that a shell would show: that of the program, or 128 plus the vector of the exception.
    pub fn status(self) -> u64 {
        match self {
            Self::Status(status) => status,
            Self::Fault(vector) => 128 + vector,
        }
    }
}

/// Where a process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It runs, or waits for its first thread.
    Alive,
    /// It is known how it ends, and its threads are leaving.
    Ending(Exit),
    /// It holds nothing any more.
    Ended(Exit),
}

struct State {
    phase: Phase,
    threads: Vec<Arc<Thread>>,
    on_exit: Option<Binding>,
    waiters: Vec<Arc<Thread>>,
}

impl State {
    /// Takes a thread off the list.
    fn remove(&mut self, thread: &Thread) -> Option<Arc<Thread>> {
        let mut threads = self.threads.iter();
        let place = threads.position(|other| core::ptr::eq(other.as_ptr(), thread))?;
        Some(self.threads.swap_remove(place))
    }
}

/// A running program.
pub struct Process {
    /// Unique for the life of the system.
    id: u64,
    name: Text<32>,
    account: Arc<Account>,
    space: AddressSpace,
    handles: IrqLock<HandleTable>,
    state: IrqLock<State>,
    /// Exceptions that its threads wait with.
    pub exceptions: IrqLock<Exceptions>,
    /// Pages that were provided at a fault.
    pub faults: AtomicU64,
}

impl Process {
    /// A process without handles, mappings and threads.
    ///
    /// # Errors
    /// When memory is short.
    pub fn new(name: &str, account: Arc<Account>) -> Result<Arc<Self>, AllocError> {
        let space = AddressSpace::new(account.clone()).map_err(|_| AllocError)?;
        Arc::try_new(Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            name: Text::new(name),
            account,
            space,
            handles: IrqLock::new(HandleTable::new()),
            state: IrqLock::new(State {
                phase: Phase::Alive,
                threads: Vec::new(),
                on_exit: None,
                waiters: Vec::new(),
            }),
            exceptions: IrqLock::new(Exceptions::new()),
            faults: AtomicU64::new(0),
        })
    }

    /// Its name: for programs from boot modules, that of the module.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Its address space.
    pub fn space(&self) -> &AddressSpace {
        &self.space
    }

    /// Its memory account.
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// The object behind a handle.
    ///
    /// # Errors
    /// `BadHandle`, `WrongType` or `AccessDenied`.
    pub fn object(
        &self,
        handle: Handle,
        kind: ObjectType,
        rights: Rights,
    ) -> Result<Object, Error> {
        self.handles.lock().get(handle, kind, rights)
    }

    /// The object behind a handle of any type, and the handle's rights.
    ///
    /// # Errors
    /// `BadHandle` or `AccessDenied`.
    pub fn any_object(&self, handle: Handle, needed: Rights) -> Result<(Object, Rights), Error> {
        self.handles.lock().any(handle, needed)
    }

    /// Adds a handle.
    ///
    /// # Errors
    /// `OutOfMemory` or `TooMany`; `Ended` when the process is ending. The object is dropped then.
    pub fn add_handle(&self, object: Object, rights: Rights) -> Result<Handle, Error> {
        // With the lock held the phase cannot pass to `Ended` without the handle being seen by `release`.
        let result = {
            let mut handles = self.handles.lock();
            if self.is_ending() {
                Err((object, Error::Ended))
            } else {
                handles.insert(object, rights)
            }
        };
        result.map_err(|(object, error)| {
            drop(object);
            error
        })
    }

    /// Removes a handle; what it named may go with it.
    ///
    /// # Errors
    /// `BadHandle`.
    pub fn remove_handle(&self, handle: Handle) -> Result<(), Error> {
        let object = self.handles.lock().remove(handle)?;
        drop(object);
        Ok(())
    }

    /// How many handles it has.
    pub fn handle_count(&self) -> usize {
        self.handles.lock().len()
    }

    /// How many threads it has.
    pub fn thread_count(&self) -> usize {
        self.state.lock().threads.len()
    }

    /// Whether it is known how the process ends: it takes nothing more.
    pub fn is_ending(&self) -> bool {
        self.state.lock().phase != Phase::Alive
    }

    /// How it ended, when it has and everything is given back.
    pub fn ended(&self) -> Option<Exit> {
        match self.state.lock().phase {
            Phase::Ended(exit) => Some(exit),
            Phase::Alive | Phase::Ending(_) => None,
        }
    }

    /// Enters a new thread, which must then be started.
    ///
    /// # Errors
    /// `TooMany`, `OutOfMemory`, `Ended`.
    pub fn add_thread(&self, thread: &Arc<Thread>) -> Result<(), Error> {
        let mut state = self.state.lock();
        if state.phase != Phase::Alive {
            return Err(Error::Ended);
        }
        if state.threads.len() >= THREADS_MAX {
            return Err(Error::TooMany);
        }
        state
            .threads
            .try_reserve(1)
            .map_err(|_| Error::OutOfMemory)?;
        if state.threads.is_empty()
            && let Some(process) = &thread.process
        {
            let mut running = RUNNING.lock();
            let entered = running.insert(self.id, process.clone());
            entered.map_err(|_| Error::OutOfMemory)?;
        }
        state.threads.push(thread.clone());
        Ok(())
    }

    /// Takes a thread off the list that was entered but could not be started.
    pub fn withdraw_thread(&self, thread: &Thread) {
        let (gone, process) = {
            let mut state = self.state.lock();
            let gone = state.remove(thread);
            let is_last = state.threads.is_empty();
            (gone, if is_last { self.leave_running() } else { None })
        };
        drop((gone, process));
        self.release_if_empty();
    }

    /// Takes the process off the list of those that have threads. The reference is to be dropped when no lock is held.
    fn leave_running(&self) -> Option<Arc<Self>> {
        RUNNING.lock().remove(self.id)
    }

    /// Ends the process: the first call says how. Its threads leave when they would return to user mode; if there are
    /// none, it has ended when this returns.
    pub fn end(&self, exit: Exit) {
        {
            let mut state = self.state.lock();
            if state.phase != Phase::Alive {
                return;
            }
            state.phase = Phase::Ending(exit);
        }
        // Threads leave meanwhile and shorten the list; none is added any more.
        let staying = || {
            let state = self.state.lock();
            let mut threads = state.threads.iter();
            threads.find(|thread| !thread.must_end()).cloned()
        };
        while let Some(thread) = staying() {
            sched::make_leave(&thread);
        }
        self.release_if_empty();
    }

    /// Takes a thread off the list, which is about to end. The last one ends the process.
    pub fn thread_leaves(&self, thread: &Thread) {
        let gone = {
            let mut state = self.state.lock();
            let gone = state.remove(thread);
            if state.threads.is_empty() && state.phase == Phase::Alive {
                state.phase = Phase::Ending(Exit::Status(0));
            }
            gone
        };
        drop(gone);
        self.release_if_empty();
    }

    /// Gives everything back when the process is ending and the last thread has left.
    fn release_if_empty(&self) {
        let exit = {
            let state = self.state.lock();
            match state.phase {
                Phase::Ending(exit) if state.threads.is_empty() => exit,
                _ => return,
            }
        };
        // Two may come here (the one who ends an empty process, and the last thread): both find the same or nothing.
        let handles = core::mem::replace(&mut *self.handles.lock(), HandleTable::new());
        drop(handles);
        self.exceptions.lock().clear();
        self.space.clear();
        let (waiters, on_exit) = {
            let mut state = self.state.lock();
            if matches!(state.phase, Phase::Ended(_)) {
                return;
            }
            state.phase = Phase::Ended(exit);
            (core::mem::take(&mut state.waiters), state.on_exit.take())
        };
        drop(self.leave_running());
        if let Some(binding) = on_exit {
            binding.signal();
        }
        for waiter in waiters {
            sched::wake(&waiter);
        }
    }

    /// Sets what happens when it has ended; at once if it has.
    pub fn on_exit(&self, binding: Option<Binding>) {
        let old = {
            let mut state = self.state.lock();
            if !matches!(state.phase, Phase::Ended(_)) {
                core::mem::replace(&mut state.on_exit, binding)
            } else {
                drop(state);
                if let Some(binding) = binding {
                    binding.signal();
                }
                None
            }
        };
        drop(old);
    }

    /// Blocks the calling kernel thread until the process has ended.
    pub fn wait(&self) -> Exit {
        loop {
            {
                let mut state = self.state.lock();
                if let Phase::Ended(exit) = state.phase {
                    return exit;
                }
                if state.waiters.try_reserve(1).is_ok() {
                    state.waiters.push(sched::current_thread());
                } else {
                    // Without memory to be on the list, look again after the others had their turn.
                    drop(state);
                    sched::yield_now();
                    continue;
                }
            }
            sched::block();
        }
    }

    /// Counts a fault that was resolved.
    pub fn count_fault(&self) {
        self.faults.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A process that never had a thread may still have mappings.
        self.space.clear();
    }
}
