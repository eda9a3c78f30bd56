//! Where a thread is, and what it is asked to look after: what other processors see and change of a thread that they do not run.
//!
//! Who asks something of a thread first notes it ([`Whereabouts::ask`]), and then interrupts the processor that the thread was last put
//! on. Who puts a thread on a processor first says so ([`Whereabouts::put_on`]), and the thread looks for what it is asked
//! before it goes to user mode ([`Whereabouts::asked`]). Both write first and then read, in one total order: either the
//! interrupt goes where the thread is, or the thread sees what it is asked.
//!
//! A thread that blocks is woken besides ([`crate::Wake`]): it looks for what it is asked before each time that it blocks.

use core::mem::offset_of;

use crate::atomic::{AtomicBool, AtomicU32, Ordering, const_new, in_one_order};

/// See the module's text.
#[derive(Debug)]
pub struct Whereabouts {
    /// The processor that the thread was last put on.
    cpu: AtomicU32,
    /// Whether a processor stands on its stack.
    on_cpu: AtomicBool,
    /// What it is asked to look after: bits.
    asked: AtomicU32,
}

impl Whereabouts {
    /// Where the word of what is asked lies, for assembly that does what [`Self::asked`] does.
    pub const ASKED: usize = offset_of!(Self, asked);

    /// The processor of a thread that has not been put on any.
    pub const NOWHERE: u32 = u32::MAX;

    const_new! {
        /// Those of a thread that has not been put on any processor, and is asked nothing.
        pub fn new() -> Self {
            Self {
                cpu: AtomicU32::new(Self::NOWHERE),
                on_cpu: AtomicBool::new(false),
                asked: AtomicU32::new(0),
            }
        }
    }

    /// The thread is put on a processor. What it is asked must be looked for after this, before it goes to user mode.
    #[inline]
    pub fn put_on(&self, cpu: u32) {
        self.cpu.store(cpu, Ordering::SeqCst);
        in_one_order();
    }

    /// The processor that it was last put on.
    #[inline]
    pub fn cpu(&self) -> u32 {
        self.cpu.load(Ordering::SeqCst)
    }

    /// Asks the thread to look after something; the processor that is to be interrupted for it to do so, should it be in
    /// user mode.
    #[inline]
    pub fn ask(&self, what: u32) -> u32 {
        self.asked.fetch_or(what, Ordering::SeqCst);
        in_one_order();
        self.cpu()
    }

    /// Something needs not be looked after any more.
    #[inline]
    pub fn withdraw(&self, what: u32) {
        self.asked.fetch_and(!what, Ordering::SeqCst);
    }

    /// What it is asked to look after.
    #[inline]
    pub fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }

    /// A processor is about to go over to its stack, or has left it: with the latter, what was written there is seen by whoever finds
    /// that it is left.
    #[inline]
    pub fn set_on_cpu(&self, is_on_cpu: bool) {
        self.on_cpu.store(is_on_cpu, Ordering::Release);
    }

    /// Whether a processor stands on its stack.
    #[inline]
    pub fn is_on_cpu(&self) -> bool {
        self.on_cpu.load(Ordering::Acquire)
    }
}

impl Default for Whereabouts {
    fn default() -> Self {
        Self::new()
    }
}
