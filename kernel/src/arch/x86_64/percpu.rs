//! The per-CPU area, reached through the GS base.
//!
//! In kernel mode the GS base of every CPU points to its own [`PerCpu`] (invariant 2). The area of the boot CPU
//! is static, those of the others are made before they start; none is ever freed.

use core::cell::{Cell, UnsafeCell};
use core::mem::offset_of;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use kirq::Vectors;
use kmem::tlb::Slots;
use ksync::{CpuBit, Held, Requests};
use x86_64::VirtAddr;
use x86_64::registers::model_specific::{GsBase, KernelGsBase};

use super::gdt::Tables;
use super::shootdown::SpaceTlb;
use crate::mm::{Objects, Stock};
use crate::panic::Snapshot;
use crate::sched::CpuQueue;
use crate::sched::thread::Thread;

/// The most processors that this kernel runs: the width of `ksched::CpuSet`.
pub const MAX_CPUS: usize = 1024;

/// What one CPU owns. Fields in `Cell`s are touched by their own CPU only, with interrupts off or in code that
/// cannot move to another CPU (invariant 5).
#[repr(C, align(64))]
pub struct PerCpu {
    /// Address of this structure itself, so that `gs:[0]` gives a pointer.
    this: Cell<*const PerCpu>,
    /// Top of the kernel stack of the running thread: where SYSCALL goes on.
    pub kernel_stack: Cell<u64>,
    /// Where SYSCALL keeps the user stack pointer for two instructions.
    user_stack: Cell<u64>,
    /// The running thread.
    pub current: Cell<*const Thread>,
    /// Position in [`CPUS`]: 0 is the boot CPU.
    pub index: u32,
    /// The same in sets of processors.
    pub bit: CpuBit,
    /// Local APIC id; set once, before the CPU is used.
    pub apic_id: AtomicU32,
    /// Set when the scheduler should run before the next return to user mode.
    pub need_resched: Cell<bool>,
    /// The levels of the locks that this CPU holds; noted in the checked kernel only.
    pub held: Held,
    /// Interrupts that this CPU took, for the statistics.
    pub interrupts: AtomicU64,
    /// The run queue and what belongs to it.
    pub queue: CpuQueue,
    /// Whether the FS or the GS base of user mode may be other than 0.
    pub has_bases: Cell<bool>,
    /// The address space whose tables are loaded; null: the kernel's own.
    pub loaded: Cell<*const SpaceTlb>,
    /// What this CPU keeps translations of, and under which PCID (invariant 11).
    pub slots: UnsafeCell<Slots>,
    /// The vectors of this CPU that devices use.
    pub vectors: Vectors,
    /// Which version of which process's ports this CPU lets programs use ([`crate::process::Ports`]); 0: none.
    pub ports: Cell<u64>,
    /// Where this CPU records what it does; null unless the trace is on. Set once, never freed.
    pub trace: AtomicPtr<ktrace::Ring>,
    /// What this CPU asks of others, and who asks something of it.
    pub requests: Requests,
    /// Free frames that this CPU has at hand.
    pub frames: Stock,
    /// Small objects of the heap that this CPU has at hand.
    pub objects: Objects,
    /// Where this CPU leaves its registers when another one panics.
    pub snapshot: Snapshot,
    /// GDT, TSS and interrupt stacks.
    pub tables: UnsafeCell<Tables>,
}

// SAFETY: the `Cell`s and the `UnsafeCell`s are used by the owning CPU only (invariant 5); the rest is atomic or locked.
unsafe impl Sync for PerCpu {}
// SAFETY: an area is made by the boot CPU and handed over once, before its owner starts.
unsafe impl Send for PerCpu {}

/// Offset of [`PerCpu::kernel_stack`], for the entry code.
pub const KERNEL_STACK: usize = offset_of!(PerCpu, kernel_stack);
/// Offset of the user stack scratch word, for the entry code.
pub const USER_STACK: usize = offset_of!(PerCpu, user_stack);

impl PerCpu {
    /// An area for the CPU with this index.
    pub const fn new(index: u32) -> Self {
        Self {
            this: Cell::new(ptr::null()),
            kernel_stack: Cell::new(0),
            user_stack: Cell::new(0),
            current: Cell::new(ptr::null()),
            index,
            bit: CpuBit::new(index),
            apic_id: AtomicU32::new(0),
            need_resched: Cell::new(false),
            held: Held::new(),
            interrupts: AtomicU64::new(0),
            queue: CpuQueue::new(),
            // What the firmware has left.
            has_bases: Cell::new(true),
            loaded: Cell::new(ptr::null()),
            slots: UnsafeCell::new(Slots::new(0)),
            vectors: Vectors::new(),
            ports: Cell::new(0),
            trace: AtomicPtr::new(ptr::null_mut()),
            requests: Requests::new(),
            frames: Stock::new(),
            objects: Objects::new(),
            snapshot: Snapshot::new(),
            tables: UnsafeCell::new(Tables::new()),
        }
    }

    /// Points this CPU's GS base here and loads its tables.
    ///
    /// # Safety
    /// To be called once on the CPU that the area is for, with interrupts off.
    pub unsafe fn install(&'static self) {
        self.this.set(self);
        GsBase::write(VirtAddr::from_ptr(self));
        KernelGsBase::write(VirtAddr::zero());
        // SAFETY: the caller promises that this is the owning CPU, before any other use of the tables.
        unsafe { (*self.tables.get()).load(self) };
        // Loading a null selector into GS may clear the base (AMD64 manual vol. 2, 4.5.3).
        GsBase::write(VirtAddr::from_ptr(self));
    }
}

/// All per-CPU areas by index; null where there is none.
static CPUS: [AtomicPtr<PerCpu>; MAX_CPUS] = [const { AtomicPtr::new(ptr::null_mut()) }; MAX_CPUS];
static COUNT: AtomicUsize = AtomicUsize::new(0);
static BOOT: PerCpu = PerCpu::new(0);

/// An area that nobody uses, of which those of the other CPUs are copies: too large for the stack of the start.
pub fn fresh() -> &'static PerCpu {
    static FRESH: PerCpu = PerCpu::new(0);
    &FRESH
}

/// Makes the boot CPU's area current; before this nothing may use [`current`].
///
/// # Safety
/// Once, on the boot CPU, first thing in the kernel (invariant 3).
pub unsafe fn init_boot() {
    publish(&BOOT);
    // SAFETY: the caller is the boot CPU, and this is the first use.
    unsafe { BOOT.install() };
}

/// Enters an area into the table that [`get`] reads.
pub fn publish(area: &'static PerCpu) {
    CPUS[area.index as usize].store(ptr::from_ref(area).cast_mut(), Ordering::Release);
    COUNT.fetch_max(area.index as usize + 1, Ordering::AcqRel);
}

/// The area of the CPU that runs this.
///
/// The reference is to *a* CPU's area: code that may be moved to another CPU must turn interrupts off first
/// (invariant 5). The kernel itself is not preempted, so it moves only where it calls the scheduler.
pub fn current() -> &'static PerCpu {
    let area: *const PerCpu;
    // SAFETY: in kernel mode the GS base points to this CPU's area, whose first word is its own address (invariant 2).
    unsafe {
        core::arch::asm!("mov {}, gs:[0]", out(reg) area, options(nostack, preserves_flags, readonly));
        &*area
    }
}

/// Whether the boot CPU's area exists yet: before that [`current`] must not be called.
pub fn is_ready() -> bool {
    COUNT.load(Ordering::Acquire) != 0
}

/// How many areas there are: one more than the highest index.
pub fn count() -> usize {
    COUNT.load(Ordering::Acquire)
}

/// The area with this index.
pub fn get(index: usize) -> Option<&'static PerCpu> {
    let area = CPUS.get(index)?.load(Ordering::Acquire);
    // SAFETY: the table holds null or areas that live for ever.
    unsafe { area.as_ref() }
}

/// All areas that exist, started or not.
pub fn all() -> impl Iterator<Item = &'static PerCpu> {
    (0..COUNT.load(Ordering::Acquire)).filter_map(get)
}
