//! `talc` over areas of the kernel's: the global allocator.

use alloc::alloc::GlobalAlloc;
use core::alloc::Layout;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};

use abi::{PAGE_SIZE, area};
use talc::DefaultBinning;
use talc::base::Talc;
use talc::base::binning::Binning;
use talc::source::Source;

use crate::sync::Mutex;
use crate::{call, start};

/// The least by which the heap grows.
const LEAST: u64 = 32 * 1024;
/// What it grows by at most, when no more is asked for at once.
const MOST: u64 = 256 * 1024;

/// Bytes that are mapped.
static MAPPED: AtomicU64 = AtomicU64::new(0);

pub fn mapped() -> u64 {
    MAPPED.load(Ordering::Relaxed)
}

/// A mapped area, as `talc` knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    start: u64,
    len: u64,
    end: NonNull<u8>,
}

/// Where the memory comes from, and what has become empty.
#[derive(Debug)]
struct Areas {
    /// What became empty by the call that is going on.
    emptied: Option<Part>,
    /// What was empty and is kept, lest a single object map and unmap it again and again; it may be in use again.
    spare: Option<Part>,
}

// SAFETY: the pointers are ends of heaps, used only under the heap's lock.
unsafe impl Send for Areas {}

fn map(len: u64) -> Option<u64> {
    let new = call::vm_area_create(area::OPEN, len, 0).ok()?;
    // With its pages: memory that is short is an error here, and an exception when it is touched.
    let address = call::vm_area_commit(new, 0, len)
        .and_then(|()| call::process_map(start::own(), new, 0, 0, len, area::READ | area::WRITE));
    // The mapping keeps the area.
    let _ = call::handle_close(new);
    let address = address.ok()?;
    MAPPED.fetch_add(len, Ordering::Relaxed);
    Some(address)
}

fn unmap(start: u64, len: u64) {
    // A whole mapping: this takes no memory.
    let _ = call::process_unmap(start::own(), start, len);
    MAPPED.fetch_sub(len, Ordering::Relaxed);
}

// SAFETY: nothing here uses the heap: `acquire` maps memory and hands it over, `resize` notes what it is told.
unsafe impl Source for Areas {
    const TRACK_HEAP_END: bool = true;

    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, layout: Layout) -> Result<(), ()> {
        // Room for the request, its alignment and the allocator's own words.
        let wanted = (layout.size() as u64)
            .checked_add(layout.align() as u64)
            .and_then(|sum| sum.checked_add(2 * PAGE_SIZE))
            .and_then(|sum| sum.checked_next_multiple_of(PAGE_SIZE))
            .ok_or(())?;
        let len = wanted.max(mapped().clamp(LEAST, MOST));
        let (start, len) = map(len)
            .map(|start| (start, len))
            .or_else(|| map(wanted).map(|start| (start, wanted)))
            .ok_or(())?;
        // SAFETY: mapped just now for the heap alone; it is unmapped only when `talc` has given all of it back.
        if unsafe { talc.claim(start as *mut u8, len as usize) }.is_none() {
            unmap(start, len);
            return Err(());
        }
        Ok(())
    }

    unsafe fn resize(&mut self, base: *mut u8, end: *mut u8, is_empty: bool) -> *mut u8 {
        if is_empty && let Some(heap_end) = NonNull::new(end) {
            // The base lies a few bytes above the start of the area, and the end at most as many below its end.
            let start = (base as u64 - 1) & !(PAGE_SIZE - 1);
            let len = (end as u64).next_multiple_of(PAGE_SIZE) - start;
            self.emptied = Some(Part {
                start,
                len,
                end: heap_end,
            });
        }
        end
    }
}

/// The allocator.
struct Shared(Talc<Areas, DefaultBinning>);

impl Shared {
    const fn new() -> Self {
        Self(Talc::new(Areas {
            emptied: None,
            spare: None,
        }))
    }

    /// After an object was given back: unmaps what became empty, but for one part of usual size.
    fn settle(&mut self) {
        let Some(part) = self.0.source.emptied.take() else {
            return;
        };
        let is_other = |spare: Part| spare != part;
        if part.len > MOST || self.spare().is_some_and(is_other) {
            self.release(part);
        } else {
            self.0.source.spare = Some(part);
        }
    }

    /// The part that is kept, if it is empty still.
    fn spare(&self) -> Option<Part> {
        let spare = self.0.source.spare?;
        // SAFETY: the end of a heap that was not released, and ends never move.
        let reserved = unsafe { self.0.reserved(spare.end) };
        (!reserved.any).then_some(spare)
    }

    fn release(&mut self, part: Part) {
        // SAFETY: the end of a heap of this allocator that was not released yet.
        let rest = unsafe { self.0.truncate(part.end, core::ptr::null_mut()) };
        if rest.is_none() {
            if self.0.source.spare == Some(part) {
                self.0.source.spare = None;
            }
            // What truncating noted is this part itself.
            self.0.source.emptied = None;
            unmap(part.start, part.len);
        }
    }
}

static SHARED: Mutex<Shared> = Mutex::new(Shared::new());

/// The global allocator.
struct Heap;

#[global_allocator]
static ALLOCATOR: Heap = Heap;

// SAFETY: `talc` upholds the contract, and the lock makes it exclusive.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by contract the size is not 0.
        let place = unsafe { SHARED.lock().0.allocate(layout) };
        place.map_or(core::ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let mut shared = SHARED.lock();
        // SAFETY: allocated here with this layout, by contract.
        unsafe { shared.0.deallocate(pointer, layout) };
        shared.settle();
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: allocated here with this layout, and the new size makes a layout, by contract.
        if unsafe {
            SHARED
                .lock()
                .0
                .try_realloc_in_place(pointer, layout, new_size)
        } {
            return pointer;
        }
        // SAFETY: the caller's promise.
        let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        // SAFETY: the layout is valid and, by contract, not of size 0.
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
