//! Which address space a processor has loaded, and how processors forget translations of it.
//!
//! Each space knows on which processors it is *active*: where its tables are loaded, also *lazily*, by a processor that
//! went on to run a thread of the kernel, which any tables serve. A change of the tables is complete when [`flush`]
//! returns: this processor and all on which the space is active have forgotten the old translations. Only then are
//! frames that were mapped reused (invariant 4).
//!
//! A processor that becomes active sets its bit before it loads the tables; one that flushes changes the tables before it
//! reads the bits. Both put a full barrier in between, so either the flush sees the bit, or the processor that loads sees
//! the changed tables. Leaving works without: a bit that stays set for a moment too long costs an interrupt.
//!
//! The requests are [`ksync::Requests`]: processors serve each other while they wait, for an answer or for a lock, so
//! that flushing with locks held and interrupts off is safe. Serving takes no lock.

use core::sync::atomic::{AtomicU64, Ordering, fence};

use kaddr::{PAGE_SIZE, PhysAddr, VirtAddr};
use kmem::pt::Flush;
use ksync::{IrqGuard, PerCpuFlags, Request};
use x86_64::registers::control::{Cr3, Cr4, Cr4Flags};

use super::percpu::{self, PerCpu};
use super::{Irq, apic};

/// More pages than this are forgotten all at once, with everything else that is not global: about what refilling the
/// whole costs.
const PAGES_ONE_BY_ONE: u64 = 32;

/// In the place of a number of pages: everything of the space.
const ALL: u64 = u64::MAX;
/// In the place of a number of pages: the space is about to die; unload it.
const LEAVE: u64 = u64::MAX - 1;

/// Processors that take part: those that may have translations of the kernel's half.
static ONLINE: PerCpuFlags = PerCpuFlags::new();
/// Root of the kernel's own tables, for [`LEAVE`], which takes no lock.
static KERNEL_ROOT: AtomicU64 = AtomicU64::new(0);
/// How many requests were sent to other processors.
static SENT: AtomicU64 = AtomicU64::new(0);

/// What the processors know of an address space. It stays where it is while any processor has the space loaded.
pub struct SpaceTlb {
    root: PhysAddr,
    active: PerCpuFlags,
}

impl SpaceTlb {
    /// For a space with these tables, which is loaded nowhere.
    pub const fn new(root: PhysAddr) -> Self {
        Self {
            root,
            active: PerCpuFlags::new(),
        }
    }

    fn address(&self) -> u64 {
        core::ptr::from_ref(self) as u64
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

/// Makes this processor take part. What it cached of the kernel's half before, it forgets.
///
/// # Safety
/// With interrupts off, the per-CPU area installed, on the kernel's own tables.
pub unsafe fn join() {
    ONLINE.set(percpu::current().index);
    fence(Ordering::SeqCst);
    forget_everything();
}

/// Loads a space for the thread that runs next; none for a thread of the kernel, which goes on with what is loaded.
///
/// # Safety
/// With interrupts off. The space's tables have the kernel's half; space and tables live until [`retire`].
pub unsafe fn activate(space: Option<&SpaceTlb>) {
    let Some(space) = space else { return };
    let area = percpu::current();
    let old = area.loaded.get();
    if core::ptr::eq(old, space) {
        return;
    }
    space.active.set(area.index);
    fence(Ordering::SeqCst);
    // SAFETY: the caller vouches for the tables.
    unsafe { load(space.root) };
    area.loaded.set(space);
    // SAFETY: null, or a space that lives until it was retired, and then it would not be loaded here.
    if let Some(old) = unsafe { old.as_ref() } {
        old.active.clear(area.index);
    }
}

/// Makes all processors forget what an edit of a space's tables has changed.
pub fn flush(space: &SpaceTlb, flush: &Flush) {
    if flush.is_empty() {
        return;
    }
    let irq = IrqGuard::<Irq>::new();
    fence(Ordering::SeqCst);
    let area = percpu::current();
    let request = request(space.address(), flush);
    let others = send(area, &space.active, request);
    carry_out(area, request);
    if others {
        area.requests.wait(serve);
    }
    drop(irq);
}

/// Makes all processors forget what an edit of the kernel's half has changed.
pub fn flush_kernel(flush: &Flush) {
    if flush.is_empty() {
        return;
    }
    let irq = IrqGuard::<Irq>::new();
    fence(Ordering::SeqCst);
    let area = percpu::current();
    let request = request(0, flush);
    let others = send(area, &ONLINE, request);
    carry_out(area, request);
    if others {
        area.requests.wait(serve);
    }
    drop(irq);
}

/// Makes all processors unload a space, after which its tables may be freed. None of its threads runs or will run.
pub fn retire(space: &SpaceTlb) {
    let irq = IrqGuard::<Irq>::new();
    fence(Ordering::SeqCst);
    let area = percpu::current();
    let request = [space.address(), 0, LEAVE];
    let others = send(area, &space.active, request);
    carry_out(area, request);
    if others {
        area.requests.wait(serve);
    }
    drop(irq);
}

/// Carries out what other processors ask of this one.
pub fn serve() {
    let area = percpu::current();
    area.requests.serve(
        percpu::count() as u32,
        |from| percpu::get(from as usize).map(|other| &other.requests),
        |request| carry_out(area, request),
    );
}

fn request(space: u64, flush: &Flush) -> Request {
    let pages = flush.address_count();
    if pages > PAGES_ONE_BY_ONE {
        return [space, 0, ALL];
    }
    let range = flush.range();
    // The size of the smallest page that changed: a power of two, so that it fits beside a page's address.
    let step = range.len().checked_div(pages).unwrap_or(PAGE_SIZE);
    [
        space,
        range.start.as_u64() | u64::from(step.max(PAGE_SIZE).trailing_zeros()),
        pages,
    ]
}

/// Asks all processors of a set but this one; whether there are any. A processor that enters the set meanwhile needs not be
/// asked (see the module's text); one that leaves it answers that there is nothing to do.
fn send(area: &PerCpu, targets: &PerCpuFlags, request: Request) -> bool {
    let mut count = 0;
    for index in targets.iter().filter(|index| *index != area.index) {
        let Some(other) = percpu::get(index as usize) else {
            continue;
        };
        if count == 0 {
            area.requests.open(request);
        }
        count += 1;
        area.requests.expect_answer();
        if other.requests.ring(area.index) {
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

/// Carries a request out on this processor.
fn carry_out(area: &PerCpu, [space, start, pages]: Request) {
    let is_loaded = area.loaded.get() as u64 == space;
    match pages {
        LEAVE if is_loaded => {
            // SAFETY: the kernel's own tables live for ever, and the thread that runs here is one of the kernel.
            unsafe { load(PhysAddr::new(KERNEL_ROOT.load(Ordering::Acquire))) };
            let left = area.loaded.replace(core::ptr::null());
            // SAFETY: the space that is being retired by somebody who waits for this.
            if let Some(left) = unsafe { left.as_ref() } {
                left.active.clear(area.index);
            }
        }
        // A space that is not loaded here any more: loading another one has made us forget it.
        _ if space != 0 && !is_loaded => {}
        ALL if space == 0 => forget_everything(),
        // SAFETY: the same tables again.
        ALL => unsafe { load(PhysAddr::new(Cr3::read_raw().0.start_address().as_u64())) },
        pages => {
            let step = 1 << (start % PAGE_SIZE);
            let mut address = start & !(PAGE_SIZE - 1);
            for _ in 0..pages {
                forget(VirtAddr::new(address));
                address = address.wrapping_add(step);
            }
        }
    }
}

fn forget(address: VirtAddr) {
    x86_64::instructions::tlb::flush(x86_64::VirtAddr::new_truncate(address.as_u64()));
}

/// Forgets all translations, global ones too (Intel SDM vol. 3A, 4.10.4.1: a change of CR4.PGE).
fn forget_everything() {
    let flags = Cr4::read();
    // SAFETY: global pages are only an optimisation, on again at once.
    unsafe {
        Cr4::write(flags - Cr4Flags::PAGE_GLOBAL);
        Cr4::write(flags);
    }
}

/// Loads the kernel's own tables, when a processor starts.
///
/// # Safety
/// On a stack in the kernel's half, with no space loaded.
pub unsafe fn load_kernel_tables() {
    // SAFETY: the kernel's own tables live for ever.
    unsafe { load(PhysAddr::new(KERNEL_ROOT.load(Ordering::Acquire))) };
}

/// Loads page tables.
///
/// # Safety
/// They have the kernel's half and outlive their use.
unsafe fn load(root: PhysAddr) {
    let frame = x86_64::structures::paging::PhysFrame::containing_address(x86_64::PhysAddr::new(
        root.as_u64(),
    ));
    // SAFETY: the caller vouches for the tables; PCID is off, so that the low bits are zero.
    unsafe { Cr3::write_raw(frame, 0) };
}
