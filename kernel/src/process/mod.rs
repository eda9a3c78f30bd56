//! Processes: an address space, a handle table, threads, an account, and how it all ends.
//!
//! A process ends in three steps. It is *ending* as soon as somebody has said how ([`Process::end`]): from then on no thread
//! of it returns to user mode, and none starts. When its last thread has left, that thread gives back what the process
//! held: handles, mappings and with them pages. Only then has it *ended*: the status can be read, and those who wait
//! are told. So whoever sees the end of a process sees its memory free.

pub mod exception;
mod family;
pub mod first;
pub mod loader;
mod ports;

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use abi::process::Usage;
use abi::{Error, Handle, Rights};
use kaddr::PAGE_SIZE;
use kmem::sorted::SortedMap;
use kobj::{HANDLES_MAX, Named};
use ksync::{AllocError, Arc};

use crate::arch::current::IrqLock;
use crate::boot::Text;
use crate::locks;
use crate::object::{Binding, HandleTable, Object, leftover};
use crate::sched;
use crate::sched::thread::Thread;
use crate::sched::usage::{self, Used};
use crate::vm::{Account, AddressSpace};
use exception::Exceptions;
use family::Children;
pub use ports::Ports;

/// Processes that have threads, by number.
static RUNNING: IrqLock<SortedMap<u64, Arc<Process>>, locks::Running> =
    IrqLock::new(SortedMap::new());
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
    /// Its threads have left, and one processor gives back what it held.
    Releasing(Exit),
    /// It holds nothing any more.
    Ended(Exit),
}

struct State {
    phase: Phase,
    /// By number.
    threads: Vec<Arc<Thread>>,
    /// What those have used that have left.
    left: Used,
    on_exit: Option<Binding>,
    waiters: Vec<Arc<Thread>>,
}

impl State {
    /// Takes a thread off the list.
    fn remove(&mut self, thread: &Thread) -> Option<Arc<Thread>> {
        let place = self.place_of(thread.id);
        let found = self.threads.get(place)?;
        (found.id == thread.id).then(|| self.threads.remove(place))
    }

    /// The place of the first thread whose number is this or more.
    fn place_of(&self, number: u64) -> usize {
        self.threads.partition_point(|thread| thread.id < number)
    }
}

/// A running program.
pub struct Process {
    /// Unique for the life of the system.
    id: u64,
    /// The number of the one that has made it; 0 if the kernel did.
    parent: u64,
    name: Text<32>,
    account: Arc<Account>,
    space: AddressSpace,
    handles: Arc<HandleTable>,
    /// Those that it has made.
    children: Arc<Children>,
    /// Those that the one has made which has made it.
    siblings: Option<Arc<Children>>,
    state: IrqLock<State, locks::ProcessState>,
    /// The I/O ports that it may use.
    pub ports: Ports,
    /// Exceptions that its threads wait with.
    pub exceptions: IrqLock<Exceptions, locks::Exceptions>,
    /// Pages that were provided at a fault.
    pub faults: AtomicU64,
}

impl Process {
    /// Its number, unique for the life of the system.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// A process without handles, mappings and threads, which ends with its parent.
    ///
    /// # Errors
    /// `OutOfMemory`; `Ended` when the parent has ended.
    pub fn new(
        name: &str,
        account: Arc<Account>,
        parent: Option<&Self>,
    ) -> Result<Arc<Self>, Error> {
        let process = Self::make(name, account, parent).map_err(|_| Error::OutOfMemory)?;
        if let Some(siblings) = &process.siblings {
            siblings.add(&process)?;
        }
        Ok(process)
    }

    fn make(
        name: &str,
        account: Arc<Account>,
        parent: Option<&Self>,
    ) -> Result<Arc<Self>, AllocError> {
        let space = AddressSpace::new(account.clone()).map_err(|_| AllocError)?;
        Arc::try_new(Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            parent: parent.map_or(0, |parent| parent.id),
            name: Text::new(name),
            account,
            space,
            handles: HandleTable::try_new(HANDLES_MAX)?,
            children: Children::none()?,
            siblings: parent.map(|parent| parent.children.clone()),
            state: IrqLock::new(State {
                phase: Phase::Alive,
                threads: Vec::new(),
                left: Used::NONE,
                on_exit: None,
                waiters: Vec::new(),
            }),
            ports: Ports::none(),
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

    /// Its handles.
    pub fn handles(&self) -> &Arc<HandleTable> {
        &self.handles
    }

    /// Adds a handle that is derived from none.
    ///
    /// # Errors
    /// `OutOfMemory` or `TooMany`; `Ended` when the process is ending. The object is dropped then.
    pub fn add_handle(&self, object: Object, rights: Rights) -> Result<Handle, Error> {
        let added = HandleTable::insert(&self.handles, Named::new(object, rights));
        added.map_err(|(_, error)| error)
    }

    /// Removes a handle; what it named may go with it.
    ///
    /// # Errors
    /// `BadHandle`.
    #[inline(always)]
    pub fn remove_handle(&self, handle: Handle) -> Result<(), Error> {
        self.handles.close_by(handle, Object::release)
    }

    /// How many handles it has.
    pub fn handle_count(&self) -> usize {
        self.handles.count() as usize
    }

    /// How many threads it has.
    pub fn thread_count(&self) -> usize {
        self.state.lock().threads.len()
    }

    /// Its first thread whose number is this or more.
    pub fn next_thread(&self, from: u64) -> Option<Arc<Thread>> {
        let state = self.state.lock();
        state.threads.get(state.place_of(from)).cloned()
    }

    /// What it is and has used. Looks at each of its threads, [`THREADS_MAX`] at the most, with its lock held, so that none is counted
    /// twice or left out.
    pub fn usage(&self) -> Usage {
        let (used, threads) = {
            let state = self.state.lock();
            let threads = state.threads.iter().map(|thread| usage::of_thread(thread));
            (threads.fold(state.left, Used::plus), state.threads.len())
        };
        let [name_0, name_1, name_2, name_3] = Usage::name_words(self.name());
        Usage {
            number: self.id,
            parent: self.parent,
            name_0,
            name_1,
            name_2,
            name_3,
            threads: threads as u64,
            memory: self.account.usage().0.saturating_mul(PAGE_SIZE),
            ran: used.ran_ns,
            switches: used.switches,
        }
    }

    /// The first process whose number is this or more, of those that have threads.
    pub fn next(from: u64) -> Option<Arc<Self>> {
        let running = RUNNING.lock();
        running.ceiling(from).map(|(_, process)| process.clone())
    }

    /// How it ended, when it has and everything is given back.
    pub fn ended(&self) -> Option<Exit> {
        match self.state.lock().phase {
            Phase::Ended(exit) => Some(exit),
            Phase::Alive | Phase::Ending(_) | Phase::Releasing(_) => None,
        }
    }

    /// Whether nobody has ended it yet.
    #[cfg(feature = "frame-debug")]
    pub fn is_alive(&self) -> bool {
        self.state.lock().phase == Phase::Alive
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
        // Mostly at the end.
        let place = state.place_of(thread.id);
        state.threads.insert(place, thread.clone());
        Ok(())
    }

    /// Takes the process off the list of those that have threads. The reference is to be dropped when no lock is held.
    fn leave_running(&self) -> Option<Arc<Self>> {
        RUNNING.lock().remove(self.id)
    }

    /// Ends the process: the first call says how. Its threads leave when they would return to user mode. If it never had
    /// one, it has ended when this returns.
    pub fn end(&self, exit: Exit) {
        {
            let mut state = self.state.lock();
            if state.phase != Phase::Alive {
                return;
            }
            state.phase = Phase::Ending(exit);
        }
        self.handles.seal();
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
            state.left = state.left.plus(usage::of_thread(thread));
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
            let mut state = self.state.lock();
            match state.phase {
                Phase::Ending(exit) if state.threads.is_empty() => {
                    // Two may come here, the one who ends it and the last thread. Only one goes on: it alone knows when
                    // everything is given back.
                    state.phase = Phase::Releasing(exit);
                    exit
                }
                _ => return,
            }
        };
        self.children.end();
        leftover::clear(&self.handles);
        let exceptions = core::mem::take(&mut *self.exceptions.lock());
        drop(exceptions);
        self.space.clear();
        let (waiters, gone) = {
            let mut state = self.state.lock();
            state.phase = Phase::Ended(exit);
            let listed = self.leave_running();
            let on_exit = state.on_exit.take();
            // With the lock held: whoever finds that it has ended finds the bits set, and may take them for good.
            if let Some(binding) = &on_exit {
                binding.signal();
            }
            (core::mem::take(&mut state.waiters), (listed, on_exit))
        };
        drop(gone);
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
        if let Some(siblings) = &self.siblings {
            siblings.leave(self.id);
        }
        // A process that never had a thread may still have handles and mappings.
        leftover::clear(&self.handles);
        self.space.clear();
    }
}
