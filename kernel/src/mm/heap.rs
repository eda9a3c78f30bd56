//! The kernel heap: `talc` over chunks of memory that are mapped when it needs more, and unmapped when nothing lies in them
//! any more. Small objects that were given back are kept by their processor: see [`super::objects`].
//!
//! Each run of chunks is a heap of its own to `talc`. The first one holds its lists and stays for ever; one more is kept
//! when it is empty, lest a single object at the edge map and unmap a chunk again and again.

use alloc::alloc::{GlobalAlloc, alloc};
use core::alloc::Layout;
use core::ptr::NonNull;

use kaddr::{PAGE_SIZE, VirtAddr, VirtRange};
use kmem::heap::chunks::{Chunks, Run};
use kmem::heap::objects::Class;
use talc::DefaultBinning;
use talc::base::Talc;
use talc::base::binning::Binning;
use talc::source::Source;

use super::layout::HEAP;
use super::{Purpose, inject, objects};
use crate::arch::current::IrqLock;
use crate::locks;

/// Bytes by which the heap grows and shrinks.
const CHUNK: u64 = 256 * 1024;
/// Words of the bitmap of chunks: 16 GiB can be mapped.
const WORDS: usize = 1024;

/// A heap of `talc`'s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    run: Run,
    /// The end as `talc` knows it.
    end: NonNull<u8>,
}

/// Where the heap gets its memory from, and what has become empty.
#[derive(Debug)]
struct Mapped {
    chunks: Chunks<WORDS>,
    /// The heap that became empty by the call that is going on.
    emptied: Option<Part>,
    /// A heap that was empty and is kept; it may be in use again.
    spare: Option<Part>,
}

// SAFETY: the pointers are ends of heaps, used only under the heap's lock.
unsafe impl Send for Mapped {}

/// The addresses of a run of chunks.
fn addresses(run: Run) -> VirtRange {
    let offset = |chunk: usize| VirtAddr::new(HEAP.start.as_u64() + chunk as u64 * CHUNK);
    VirtRange::new(offset(run.start), offset(run.start + run.len))
}

// SAFETY: nothing here uses the heap: `acquire` maps frames and hands them over, `resize` notes what it is told.
unsafe impl Source for Mapped {
    const TRACK_HEAP_END: bool = true;

    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, layout: Layout) -> Result<(), ()> {
        // Room for the request, its alignment and the allocator's own words.
        let wanted = (layout.size() as u64)
            .checked_add(layout.align() as u64)
            .and_then(|sum| sum.checked_add(PAGE_SIZE))
            .ok_or(())?;
        let run = talc.source.chunks.take(wanted.div_ceil(CHUNK) as usize);
        let run = run.ok_or(())?;
        let range = addresses(run);
        if super::map_fresh(range, Purpose::Heap).is_ok() {
            let start = range.start.as_u64() as *mut u8;
            // SAFETY: the range was mapped just now for the heap alone; nothing touches it but through the heap until it
            // was truncated to nothing, and only then it is unmapped (invariant 10).
            if unsafe { talc.claim(start, range.len() as usize) }.is_some() {
                return Ok(());
            }
            super::unmap_fresh(range, Purpose::Heap);
        }
        let _was_ours = talc.source.chunks.give_back(run);
        Err(())
    }

    unsafe fn resize(&mut self, base: *mut u8, end: *mut u8, is_empty: bool) -> *mut u8 {
        if is_empty && let Some(end) = NonNull::new(end) {
            // The base lies a few bytes above the start of the run, and the end at most as many below its end.
            let chunk = |address: u64| ((address - HEAP.start.as_u64()) / CHUNK) as usize;
            let start = chunk(base as u64 - 1);
            let len = chunk(end.as_ptr() as u64 - 1) + 1 - start;
            let run = Run { start, len };
            self.emptied = Some(Part { run, end });
        }
        end
    }
}

/// The allocator, and how many bytes large objects take.
struct Shared {
    talc: Talc<Mapped, DefaultBinning>,
    large: u64,
}

static SHARED: IrqLock<Shared, locks::Heap> = IrqLock::new(Shared {
    talc: Talc::new(Mapped {
        chunks: Chunks::new(),
        emptied: None,
        spare: None,
    }),
    large: 0,
});

impl Shared {
    /// After an object was given back: unmaps what became empty, but for one part.
    fn settle(&mut self) {
        let Some(part) = self.talc.source.emptied.take() else {
            return;
        };
        let is_other = |spare: &Part| *spare != part;
        if part.run.len > 1 || self.spare().is_some_and(|spare| is_other(&spare)) {
            self.release(part);
        } else {
            self.talc.source.spare = Some(part);
        }
    }

    /// The part that is kept, if it is empty still.
    fn spare(&self) -> Option<Part> {
        let spare = self.talc.source.spare?;
        // SAFETY: the end of a heap that was not released, and ends never move.
        let reserved = unsafe { self.talc.reserved(spare.end) };
        (!reserved.any).then_some(spare)
    }

    /// Takes an empty part from the allocator, and unmaps it.
    fn release(&mut self, part: Part) {
        // SAFETY: the end of a heap of this allocator that was not released yet.
        let rest = unsafe { self.talc.truncate(part.end, core::ptr::null_mut()) };
        if rest.is_some() {
            debug_assert!(false, "the part was empty");
            return;
        }
        super::unmap_fresh(addresses(part.run), Purpose::Heap);
        let was_ours = self.talc.source.chunks.give_back(part.run);
        debug_assert!(was_ours, "a part's chunks are in use");
    }
}

/// Takes memory of the allocator proper.
pub(super) fn take(layout: Layout) -> Option<NonNull<u8>> {
    // SAFETY: no layout of size zero comes here: a class has none, and `GlobalAlloc` forbids it.
    unsafe { SHARED.lock().talc.allocate(layout) }
}

/// Gives memory back to the allocator proper.
///
/// # Safety
/// They were taken with this layout, and nobody uses them.
pub(super) unsafe fn give_back(places: impl Iterator<Item = NonNull<u8>>, layout: Layout) {
    let mut shared = SHARED.lock();
    for place in places {
        // SAFETY: the caller's promise.
        unsafe { shared.talc.deallocate(place.as_ptr(), layout) };
        shared.settle();
    }
}

/// Gives all memory back that is only kept at hand: objects of all processors, and the empty part.
pub fn trim() {
    objects::drain();
    let mut shared = SHARED.lock();
    if let Some(part) = shared.spare() {
        shared.release(part);
    }
    shared.talc.source.spare = None;
}

/// What the heap holds at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Bytes that were asked for and not given back. Processors that take and give back meanwhile can make it wrong.
    pub used: u64,
    /// Bytes that are mapped for the heap.
    pub mapped: u64,
}

/// What the heap holds now.
pub fn usage() -> Usage {
    let small = objects::used();
    let shared = SHARED.lock();
    Usage {
        used: shared.large.wrapping_add_signed(small),
        mapped: shared.talc.source.chunks.count() as u64 * CHUNK,
    }
}

/// The global allocator.
pub struct Heap;

#[cfg_attr(target_os = "none", global_allocator)]
static ALLOCATOR: Heap = Heap;

// SAFETY: `talc` upholds the contract, and the lock makes it exclusive; kept objects are in nobody's hands.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if inject::is_refused() {
            return core::ptr::null_mut();
        }
        let place = match Class::of(layout) {
            Some(class) => objects::take(class, layout.size()),
            None => take(layout).or_else(|| {
                objects::drain();
                take(layout)
            }),
        };
        let Some(place) = place else {
            return core::ptr::null_mut();
        };
        if Class::of(layout).is_none() {
            SHARED.lock().large += layout.size() as u64;
        }
        place.as_ptr()
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let Some(place) = NonNull::new(pointer) else {
            return;
        };
        match Class::of(layout) {
            // SAFETY: allocated here with this layout, and given back (contract of `GlobalAlloc`).
            Some(class) => unsafe { objects::give_back(class, layout.size(), place) },
            None => {
                // SAFETY: as above.
                unsafe { give_back(core::iter::once(place), layout) };
                SHARED.lock().large -= layout.size() as u64;
            }
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's promise that the new size makes a layout.
        let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        let class = Class::of(layout);
        if class.is_some() && class == Class::of(new) {
            // It fits where it is.
            objects::count(new_size as i64 - layout.size() as i64);
            return pointer;
        }
        // SAFETY: the layout is valid and, by contract, not of size zero.
        let place = unsafe { self.alloc(new) };
        if !place.is_null() {
            // SAFETY: two different objects, at least as long as the shorter one; the old one is ours to give back.
            unsafe {
                place.copy_from_nonoverlapping(pointer, layout.size().min(new_size));
                self.dealloc(pointer, layout);
            }
        }
        place
    }
}

/// Puts a copy of a value on the heap for ever, without a stop on the stack, which large ones overflow.
///
/// # Safety
/// There is a value, which nobody has used and nobody will: the copy stands for it.
pub unsafe fn leak_copy<T>(original: *const T) -> Option<&'static mut T> {
    let layout = Layout::new::<T>();
    debug_assert!(layout.size() != 0);
    // SAFETY: the layout is not of size zero.
    let place = unsafe { alloc(layout) }.cast::<T>();
    if place.is_null() {
        return None;
    }
    // SAFETY: the place is aligned, large enough and ours for ever; the original is good to copy (caller).
    unsafe {
        place.copy_from_nonoverlapping(original, 1);
        Some(&mut *place)
    }
}
