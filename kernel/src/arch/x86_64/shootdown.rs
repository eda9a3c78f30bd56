//! Which address space a processor has loaded, and how processors forget translations of it.
//!
//! Each space knows on which processors it is *active*: where its tables are loaded, also *lazily*, by a processor that
//! went on to run a thread of the kernel, which any tables serve. A change of the tables is complete when [`flush`]
//! returns: this processor and all on which the space is active have forgotten the old translations, and all others will
//! before they use any. Only then are frames that were mapped reused (invariants 4 and 11).
//!
//! A processor that becomes active sets its bit before it reads the space's generation and loads the tables; one that
//! flushes changes the tables and counts the change before it reads the bits. Both put a full barrier in between
//! ([`ksync::Residency`]), so either the flush sees the bit, or the processor that loads sees the new generation and the
//! changed tables. Leaving works without: a bit that stays set for a moment too long costs an interrupt. It must come after
//! the load of the new tables, though, since until then the processor may use the old ones, on speculation at least.
//!
//! What a processor has to do for a load or a request is decided by its table of slots ([`kmem::tlb`]). A decision is
//! carried out before anything else can ask the table: interrupts are off, and no lock is waited for in between.
//!
//! The requests are [`ksync::Requests`]: processors serve each other while they wait, for an answer or for a lock, so
//! that flushing with locks held and interrupts off is safe. Serving takes no lock.

use core::sync::atomic::{AtomicU64, Ordering, fence};

use kaddr::PhysAddr;
use kmem::pt::Flush;
use kmem::tlb::{Action, Request, Slots, SpaceId};
use ksync::{IrqGuard, PerCpuFlags, Residency};
use ktrace::Group;
use x86_64::structures::paging::PhysFrame;

use super::percpu::{self, PerCpu};
use super::{Irq, apic, tlb};
use crate::trace;

/// Processors that take part: those that may have translations of the kernel's half.
static ONLINE: PerCpuFlags = PerCpuFlags::new();
/// Root of the kernel's own tables; read without a lock.
static KERNEL_ROOT: AtomicU64 = AtomicU64::new(0);
/// How many requests were sent to other processors.
static SENT: AtomicU64 = AtomicU64::new(0);
/// The number of the next space.
static NEXT_SPACE: AtomicU64 = AtomicU64::new(1);

/// What the processors know of an address space. It stays where it is while any processor has the space loaded.
pub struct SpaceTlb {
    id: SpaceId,
    frame: PhysFrame,
    residency: Residency,
}

impl SpaceTlb {
    /// For a space with these tables, which is loaded nowhere.
    pub fn new(root: PhysAddr) -> Self {
        let Some(id) = SpaceId::new(NEXT_SPACE.fetch_add(1, Ordering::Relaxed)) else {
            unreachable!("nobody can make 2^64 spaces");
        };
        Self {
            id,
            frame: tlb::frame_of(root),
            residency: Residency::new(),
        }
    }

    /// The space's number, unique for the life of the system.
    pub fn id(&self) -> u64 {
        self.id.get()
    }
}

/// How many requests were sent to other processors since the start.
pub fn sent() -> u64 {
    SENT.load(Ordering::Relaxed)
}

/// Tells which tables are the kernel's own.
pub fn set_kernel_root(root: PhysAddr) {
    KERNEL_ROOT.store(root.as_u64(), Ordering::Release);
}

/// Makes this processor take part, with PCIDs where they are used. What it cached of the kernel's half before, it forgets.
///
/// # Safety
/// With interrupts off, the per-CPU area installed, on the kernel's own tables.
pub unsafe fn join() {
    let area = percpu::current();
    // SAFETY: the kernel's own tables were loaded by their plain address, and interrupts are off (caller).
    let with_pcid = unsafe { tlb::enable_pcids() };
    with_slots(area, |slots| *slots = Slots::new(with_pcid));
    ONLINE.set(area.index);
    fence(Ordering::SeqCst);
    tlb::forget_everything();
}

/// Loads a space for the thread that runs next. (A thread of the kernel goes on with what is loaded.) Whether another one was loaded
/// before.
///
/// # Safety
/// On the CPU of this area, with interrupts off. The space's tables have the kernel's half; space and tables live until [`retire`].
#[inline(always)]
pub unsafe fn activate(area: &PerCpu, space: &SpaceTlb) -> bool {
    let old = area.loaded.get();
    if core::ptr::eq(old, space) {
        return false;
    }
    space.residency.enter(area.bit);
    let generation = space.residency.generation();
    if with_slots(area, |slots| slots.load_plainly(space.id, generation)) {
        // SAFETY: the caller vouches for the tables; nothing is kept.
        unsafe { tlb::load_plainly(space.frame) };
    } else {
        let load = with_slots(area, |slots| slots.load(space.id, generation));
        // SAFETY: the caller vouches for the tables; the generation was read after this processor had entered, so that what
        // the table of slots lets it keep is up to date, or a request is on its way (invariant 11).
        unsafe { tlb::load(space.frame, load) };
    }
    area.loaded.set(space);
    // SAFETY: null, or a space that lives until it was retired, and then it would not be loaded here.
    if let Some(old) = unsafe { old.as_ref() } {
        old.residency.leave(area.bit);
    }
    true
}

/// Makes all processors forget what an edit of a space's tables has changed.
pub fn flush(space: &SpaceTlb, flush: &Flush) {
    if flush.is_empty() {
        return;
    }
    let _irq = IrqGuard::<Irq>::new();
    let generation = space.residency.advance();
    let request = Request::space(space.id, generation, flush);
    ask(space.residency.users(), request);
}

/// Makes all processors forget what an edit of the kernel's half has changed.
pub fn flush_kernel(flush: &Flush) {
    if flush.is_empty() {
        return;
    }
    let _irq = IrqGuard::<Irq>::new();
    fence(Ordering::SeqCst);
    ask(&ONLINE, Request::kernel(flush));
}

/// Makes all processors unload a space, after which its tables may be freed. None of its threads runs or will run.
pub fn retire(space: &SpaceTlb) {
    let _irq = IrqGuard::<Irq>::new();
    fence(Ordering::SeqCst);
    let request = Request::Retire { space: space.id };
    ask(space.residency.users(), request);
}

/// Carries out what other processors ask of this one. With interrupts off: one of them would serve, too.
pub fn serve() {
    let area = percpu::current();
    area.requests.serve(
        percpu::count() as u32,
        |from| percpu::get(from as usize).map(|other| &other.requests),
        |words| carry_out(area, Request::decode(words)),
    );
}

/// Has a request carried out by all processors of a set, and by this one; waits for them. With interrupts off.
fn ask(targets: &PerCpuFlags, request: Request) {
    let area = percpu::current();
    let others = send(area, targets, request.encode());
    carry_out(area, request);
    if others {
        area.requests.wait(serve);
    }
}

/// Asks all processors of a set but this one; whether there are any. A processor that enters the set meanwhile needs not be
/// asked (see the module's text); one that leaves it answers that there is nothing to do.
fn send(area: &PerCpu, targets: &PerCpuFlags, request: ksync::Request) -> bool {
    let mut count = 0;
    let targets = targets.iter_of(percpu::count() as u32);
    for index in targets.filter(|index| *index != area.index) {
        let Some(other) = percpu::get(index as usize) else {
            continue;
        };
        if count == 0 {
            area.requests.open(request);
        }
        count += 1;
        area.requests.expect_answer();
        if other.requests.ring(area.index) {
            if trace::is_on(Group::Ipi) {
                trace::ipi(apic::VECTOR_SHOOTDOWN, index);
            }
            apic::send(
                other.apic_id.load(Ordering::Relaxed),
                apic::VECTOR_SHOOTDOWN,
            );
        }
    }
    if count == 0 {
        return false;
    }
    area.requests.close();
    SENT.fetch_add(count, Ordering::Relaxed);
    true
}

/// Carries a request out on this processor, with interrupts off.
#[inline(always)]
fn carry_out(area: &PerCpu, request: Request) {
    match with_slots(area, |slots| slots.carry_out(request)) {
        Action::Nothing => {}
        Action::Pages(pages) => pages.addresses().for_each(tlb::forget),
        Action::Current => tlb::forget_current(),
        Action::Everything => tlb::forget_everything(),
        Action::Unload => {
            // SAFETY: the thread that runs here is one of the kernel, as none of the space's runs.
            unsafe { load_kernel_tables() };
            let left = area.loaded.replace(core::ptr::null());
            // SAFETY: the space that is being retired by somebody who waits for this.
            if let Some(left) = unsafe { left.as_ref() } {
                left.residency.leave(area.index);
            }
        }
    }
}

/// Loads the kernel's own tables, when a processor starts or has to give up a space.
///
/// # Safety
/// With interrupts off, on a stack in the kernel's half; nothing of the user's half is needed here any more.
pub unsafe fn load_kernel_tables() {
    let load = with_slots(percpu::current(), Slots::load_kernel);
    let root = PhysAddr::new(KERNEL_ROOT.load(Ordering::Acquire));
    // SAFETY: the kernel's own tables live for ever, and the load forgets what was kept under their PCID.
    unsafe { tlb::load(tlb::frame_of(root), load) };
}

/// Asks this processor's table of slots. Interrupts are off, and `decide` only decides.
#[inline(always)]
fn with_slots<R>(area: &PerCpu, decide: impl FnOnce(&mut Slots) -> R) -> R {
    // SAFETY: the area is this processor's, interrupts are off, and `decide` does not come back here (invariant 5).
    decide(unsafe { &mut *area.slots.get() })
}
