//! Threads: a kernel stack, what runs on it, and whether it may run.

use alloc::boxed::Box;
use core::cell::Cell;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

use ksync::Arc;

use crate::arch::current::{fpu, switch};
use crate::boot::Text;
use crate::mm::MapError;
use crate::mm::stack::KernelStack;
use crate::process::Process;

/// Where a thread may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Affinity {
    /// On any CPU.
    Any,
    /// Only on the CPU with this index.
    Pinned(u32),
}

/// What a new thread does.
pub enum Start {
    /// Runs a function in the kernel, then ends.
    Kernel(Box<dyn FnOnce() + Send>),
    /// Enters user mode at an instruction, with a stack pointer. It leaves nothing behind on the kernel stack: what
    /// lay there would never be dropped.
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

/// The thread runs or waits in a run queue.
const RUNNABLE: u8 = 0;
/// The thread waits to be woken.
const BLOCKED: u8 = 1;
/// The thread was woken while it had not blocked yet: its next block returns at once.
const WOKEN: u8 = 2;

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// A thread of execution in the kernel, or of a process.
pub struct Thread {
    /// Unique for the life of the system.
    pub id: u64,
    name: Text<32>,
    stack: Option<KernelStack>,
    /// The stack pointer while the thread does not run.
    pub(super) saved_stack: Cell<u64>,
    /// The process that the thread belongs to; none for threads of the kernel.
    pub process: Option<Arc<Process>>,
    pub(super) fpu: Option<fpu::State>,
    /// Where it may run.
    pub affinity: Affinity,
    /// The CPU that it was last put on.
    pub(super) cpu: AtomicU32,
    must_end: AtomicBool,
    state: AtomicU8,
    start: Cell<Option<Start>>,
}

// SAFETY: the `Cell`s belong to the CPU that runs or switches the thread (invariant 6); the rest is shared safely.
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
        // SAFETY: the stack is new and ours.
        let stack_pointer = unsafe { switch::prepare(stack.top(), super::first_run) };
        let fpu = if process.is_some() {
            Some(fpu::State::new().ok_or(OutOfMemory)?)
        } else {
            None
        };
        let thread = Self::with(name, affinity, Some(stack), process, fpu);
        thread.saved_stack.set(stack_pointer);
        thread.start.set(Some(start.into()));
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
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            name: Text::new(name),
            stack,
            saved_stack: Cell::new(0),
            process,
            fpu,
            affinity,
            cpu: AtomicU32::new(0),
            must_end: AtomicBool::new(false),
            state: AtomicU8::new(RUNNABLE),
            start: Cell::new(None),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Top of its kernel stack.
    pub(super) fn stack_top(&self) -> u64 {
        self.stack.as_ref().map_or(0, KernelStack::top)
    }

    /// Whether the thread must end instead of going (back) to user mode.
    pub fn must_end(&self) -> bool {
        self.must_end.load(Ordering::SeqCst)
    }

    pub(super) fn set_must_end(&self) {
        self.must_end.store(true, Ordering::SeqCst);
    }

    pub(super) fn take_start(&self) -> Option<Start> {
        self.start.take()
    }

    /// Before blocking: whether a wake-up came already, which this consumes.
    pub(super) fn consume_wake(&self) -> bool {
        self.state
            .compare_exchange(WOKEN, RUNNABLE, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// After the switch away from a thread that blocks: whether it is blocked now. If not, a wake-up came in between
    /// and the thread is runnable.
    pub(super) fn settle_block(&self) -> bool {
        if self
            .state
            .compare_exchange(RUNNABLE, BLOCKED, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
        {
            return true;
        }
        self.state.store(RUNNABLE, Ordering::Release);
        false
    }

    /// Notes a wake-up; whether the caller must put the thread in a run queue.
    pub(super) fn note_wake(&self) -> bool {
        loop {
            match self.state.load(Ordering::Acquire) {
                BLOCKED => {
                    if self.exchange(BLOCKED, RUNNABLE) {
                        return true;
                    }
                }
                RUNNABLE => {
                    if self.exchange(RUNNABLE, WOKEN) {
                        return false;
                    }
                }
                _ => return false,
            }
            core::hint::spin_loop();
        }
    }

    fn exchange(&self, from: u8, to: u8) -> bool {
        self.state
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}
