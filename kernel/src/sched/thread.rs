//! Threads: a kernel stack, what runs on it, and whether it may run.

use alloc::boxed::Box;
use core::cell::Cell;
use core::mem::offset_of;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use bitflags::bitflags;
use ksched::{Cpu, CpuSet, LEVELS, Node, Priority};
use ksync::chain::Urgency;
use ksync::{Arc, Wake, Whereabouts};

use super::cpu::Ready;
use super::registers::UserState;
use crate::arch::current::trap::TrapFrame;
use crate::arch::current::{IrqLock, fpu, switch};
use crate::boot::Text;
use crate::locks;
use crate::mm::MapError;
use crate::mm::stack::KernelStack;
use crate::object::Binding;
use crate::object::event::EventWait;
use crate::object::mailbox::Ipc;
use crate::process::Process;
use crate::vm::futex::FutexWait;

/// Where a thread may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Affinity {
    /// On any CPU.
    Any,
    /// Only on the CPU with this index.
    Pinned(u32),
    /// On any of these.
    Among(CpuSet),
}

/// [`Thread::home`]: any CPU.
const ANYWHERE: u32 = u32::MAX;
/// [`Thread::home`]: those of the set.
const AMONG: u32 = u32::MAX - 1;

/// Whether a thread has ended, and who wants to know.
enum ExitState {
    Alive(Option<Binding>),
    Ended,
}

bitflags! {
    /// What a thread is to look after before it goes back to user mode.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct Attention: u32 {
        /// End.
        const END = 1 << 0;
        /// Wait until it is resumed.
        const SUSPEND = 1 << 1;
        /// Go where it may run.
        const MOVE = 1 << 2;
    }
}

/// What a new thread does.
pub enum Start {
    /// Runs a function in the kernel, then ends.
    Kernel(Box<dyn FnOnce() + Send>),
    /// Enters user mode at an instruction, with a stack pointer. Its registers lie in its frame from the beginning
    /// ([`Thread::frame`]).
    User {
        /// Its first instruction.
        entry: u64,
        /// Its first stack pointer.
        stack: u64,
        /// What it finds in RDI.
        argument: u64,
    },
}

impl<F: FnOnce() + Send + 'static> From<Box<F>> for Start {
    fn from(body: Box<F>) -> Self {
        Self::Kernel(body)
    }
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// A thread of execution in the kernel, or of a process.
pub struct Thread {
    /// Unique for the life of the system.
    pub id: u64,
    name: Text<32>,
    /// Kept for the thread; it is used by address.
    _stack: Option<KernelStack>,
    /// Top of its kernel stack; 0 if that is not of the pool.
    stack_top: u64,
    /// The stack pointer while the thread does not run.
    pub(super) saved_stack: Cell<u64>,
    /// The process that the thread belongs to; none for threads of the kernel.
    pub process: Option<Arc<Process>>,
    pub(super) fpu: Option<fpu::State>,
    /// Its place in a run queue.
    pub(super) node: Node<Ready>,
    /// The index of the only CPU that it may run on, [`ANYWHERE`] or [`AMONG`].
    home: AtomicU32,
    /// Where it may run, if `home` says so.
    cpus: IrqLock<CpuSet, locks::Affinity>,
    /// The priority that it was given, and the highest of those that wait for it.
    urgency: Urgency,
    /// The CPU that it was last put on, and what it is asked: bits of [`Attention`].
    pub(super) whereabouts: Whereabouts,
    /// How often it was given a processor. Written by the processor that switches to it.
    pub(super) switches: AtomicU64,
    exit: IrqLock<ExitState, locks::ThreadExit>,
    /// Its user mode, as debuggers see and change it.
    pub(super) user: UserState,
    /// Whether it may run.
    pub(super) wake: Wake,
    /// Its calls, and those that it serves.
    pub ipc: Ipc,
    /// What a thread of the kernel runs.
    body: Cell<Option<Box<dyn FnOnce() + Send>>>,
    /// The event that it waits for.
    pub event: EventWait,
    /// The word that it waits for.
    pub futex: FutexWait,
}

// SAFETY: the `Cell`s belong to the CPU that runs or switches the thread, or that holds it (invariants 6 and 13), or to who holds the lock of a list; the rest is shared safely.
unsafe impl Sync for Thread {}
// SAFETY: as above; what it starts with is `Send`.
unsafe impl Send for Thread {}

/// Why a thread could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

impl From<MapError> for OutOfMemory {
    fn from(_: MapError) -> Self {
        Self
    }
}

impl Thread {
    /// Where the word lies in which there is what a thread is to look after, for the entry code of system calls.
    pub const ASKED: usize = offset_of!(Self, whereabouts) + Whereabouts::ASKED;

    /// A thread that will do what `start` says.
    ///
    /// # Errors
    /// When memory is short.
    pub fn new(
        name: &str,
        affinity: Affinity,
        process: Option<Arc<Process>>,
        start: impl Into<Start>,
    ) -> Result<Arc<Self>, OutOfMemory> {
        let stack = KernelStack::new()?;
        let mut top = stack.top();
        let body = match start.into() {
            Start::Kernel(body) => Some(body),
            Start::User {
                entry,
                stack,
                argument,
            } => {
                top -= size_of::<TrapFrame>() as u64;
                let frame = TrapFrame::start(entry, stack, argument);
                // SAFETY: the stack is new and ours, and longer than a frame, whose size is a multiple of 16.
                unsafe { (top as *mut TrapFrame).write(frame) };
                None
            }
        };
        // SAFETY: the stack is new and ours; what lies above the top is not touched.
        let stack_pointer = unsafe { switch::prepare(top, super::first_run) };
        let fpu = if process.is_some() {
            Some(fpu::State::new().ok_or(OutOfMemory)?)
        } else {
            None
        };
        let thread = Self::with(name, affinity, Some(stack), process, fpu);
        thread.saved_stack.set(stack_pointer);
        thread.body.set(body);
        Arc::try_new(thread).map_err(|_| OutOfMemory)
    }

    /// The thread for a context that runs already, on `stack` or on one that is not of the pool.
    ///
    /// # Errors
    /// When memory is short.
    pub fn adopt(
        name: &str,
        affinity: Affinity,
        stack: Option<KernelStack>,
    ) -> Result<Arc<Self>, OutOfMemory> {
        Arc::try_new(Self::with(name, affinity, stack, None, None)).map_err(|_| OutOfMemory)
    }

    fn with(
        name: &str,
        affinity: Affinity,
        stack: Option<KernelStack>,
        process: Option<Arc<Process>>,
        fpu: Option<fpu::State>,
    ) -> Self {
        let (home, cpus) = split(affinity);
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            name: Text::new(name),
            stack_top: stack.as_ref().map_or(0, KernelStack::top),
            _stack: stack,
            saved_stack: Cell::new(0),
            process,
            fpu,
            node: Node::new(),
            home: AtomicU32::new(home),
            cpus: IrqLock::new(cpus),
            urgency: Urgency::new(Priority::NORMAL.level()),
            whereabouts: Whereabouts::new(),
            switches: AtomicU64::new(0),
            exit: IrqLock::new(ExitState::Alive(None)),
            user: UserState::new(),
            wake: Wake::new(),
            ipc: Ipc::new(),
            body: Cell::new(None),
            event: EventWait::new(),
            futex: FutexWait::new(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Top of its kernel stack.
    #[inline]
    pub(super) fn stack_top(&self) -> u64 {
        self.stack_top
    }

    /// Whether the thread must end instead of going (back) to user mode.
    pub fn must_end(&self) -> bool {
        self.attention().contains(Attention::END)
    }

    /// What it is to look after.
    #[inline]
    pub(super) fn attention(&self) -> Attention {
        Attention::from_bits_retain(self.whereabouts.asked())
    }

    /// Asks it to look after something; the index of the CPU that is to be interrupted for that.
    #[inline]
    pub(super) fn add_attention(&self, what: Attention) -> u32 {
        self.whereabouts.ask(what.bits())
    }

    pub(super) fn remove_attention(&self, what: Attention) {
        self.whereabouts.withdraw(what.bits());
    }

    /// The priority at which it runs: its own, or that of one that waits for it.
    #[inline]
    pub fn priority(&self) -> Priority {
        // One's own is below `LEVELS`: the mask changes nothing and spares the check.
        Priority::new(self.urgency.level() % LEVELS as u8).unwrap_or(Priority::LOWEST)
    }

    /// The priority that it was given.
    pub fn base_priority(&self) -> Priority {
        Priority::new(self.urgency.own()).unwrap_or(Priority::LOWEST)
    }

    /// Somebody with this priority waits for the thread. Its queue is not told ([`super::reprioritise`]).
    #[inline(always)]
    pub fn inherit(&self, priority: Priority) {
        self.urgency.inherit(priority.level());
    }

    /// Nobody waits for the thread any more.
    #[inline]
    pub fn disinherit(&self) {
        self.urgency.disinherit();
    }

    /// Where the registers of the thread's user mode are while it is in the kernel: at the top of its kernel stack (invariant 13).
    #[inline]
    pub fn frame(&self) -> *mut TrapFrame {
        (self.stack_top() as *mut TrapFrame).wrapping_sub(1)
    }

    pub(super) fn set_base_priority(&self, priority: Priority) {
        self.urgency.set_own(priority.level());
    }

    /// Whether it may run on the CPU with this index.
    #[inline(always)]
    pub(super) fn allows(&self, index: u32) -> bool {
        let home = self.home.load(Ordering::Acquire);
        home == ANYWHERE || home == index || home == AMONG && self.is_among(index)
    }

    #[cold]
    fn is_among(&self, index: u32) -> bool {
        Cpu::new(index as usize).is_some_and(|cpu| self.cpus.lock().contains(cpu))
    }

    /// Whether it may run on one of these CPUs.
    pub(super) fn allows_any(&self, cpus: &CpuSet) -> bool {
        match self.home.load(Ordering::Acquire) {
            ANYWHERE => !cpus.is_empty(),
            AMONG => !self.cpus.lock().intersection(cpus).is_empty(),
            home => Cpu::new(home as usize).is_some_and(|cpu| cpus.contains(cpu)),
        }
    }

    pub(super) fn set_affinity(&self, affinity: Affinity) {
        let (home, cpus) = split(affinity);
        // A reader in between sees the new set or the old rule: both are answers of a moment ago.
        *self.cpus.lock() = cpus;
        self.home.store(home, Ordering::SeqCst);
    }

    /// Whether it runs no user code any more.
    pub(super) fn has_ended(&self) -> bool {
        matches!(*self.exit.lock(), ExitState::Ended)
    }

    /// One of the states in [`abi::thread`].
    pub fn state(&self) -> u64 {
        use abi::thread::{ENDED, RUNNABLE, SUSPENDED, WAITING};
        if self.has_ended() {
            ENDED
        } else if self.attention().contains(Attention::SUSPEND) && self.wake.is_blocked() {
            SUSPENDED
        } else if self.wake.is_blocked() {
            WAITING
        } else {
            RUNNABLE
        }
    }

    /// The CPU that it was last put on; none when it was on none yet.
    pub fn processor(&self) -> Option<u32> {
        Some(self.whereabouts.cpu()).filter(|&cpu| cpu != Whereabouts::NOWHERE)
    }

    /// Sets what happens when it has ended; at once if it has.
    pub fn on_exit(&self, binding: Option<Binding>) {
        let old = match &mut *self.exit.lock() {
            ExitState::Alive(place) => core::mem::replace(place, binding),
            ExitState::Ended => {
                if let Some(binding) = &binding {
                    binding.signal();
                }
                binding
            }
        };
        drop(old);
    }

    /// It runs no user code any more.
    pub(super) fn note_end(&self) {
        let old = {
            let mut exit = self.exit.lock();
            // With the lock held: whoever finds that it has ended finds the bits set, and may take them for good.
            if let ExitState::Alive(Some(binding)) = &*exit {
                binding.signal();
            }
            core::mem::replace(&mut *exit, ExitState::Ended)
        };
        drop(old);
    }

    /// Whether a CPU stands on its stack.
    pub(super) fn is_on_cpu(&self) -> bool {
        self.whereabouts.is_on_cpu()
    }

    #[inline]
    pub(super) fn set_on_cpu(&self, is_on_cpu: bool) {
        self.whereabouts.set_on_cpu(is_on_cpu);
    }

    /// What a thread of the kernel runs.
    pub(super) fn take_body(&self) -> Option<Box<dyn FnOnce() + Send>> {
        self.body.take()
    }
}

/// What stands for an affinity in a thread.
fn split(affinity: Affinity) -> (u32, CpuSet) {
    match affinity {
        Affinity::Any => (ANYWHERE, CpuSet::ALL),
        Affinity::Pinned(index) => (index, CpuSet::EMPTY),
        Affinity::Among(cpus) => (AMONG, cpus),
    }
}
