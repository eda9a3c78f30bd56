//! The kernel heap: `talc` over a range of virtual memory that grows by whole chunks of frames.

use alloc::alloc::{GlobalAlloc, alloc};
use core::alloc::Layout;
use core::ptr::NonNull;

use kaddr::{PAGE_SIZE, VirtAddr};
use talc::DefaultBinning;
use talc::base::Talc;
use talc::base::binning::Binning;
use talc::source::Source;

use super::layout::HEAP;
use crate::arch::current::IrqLock;

/// Smallest step by which the heap grows, in bytes.
const CHUNK: u64 = 256 * 1024;

/// Where the heap gets its memory from: the next unmapped part of its range.
#[derive(Debug)]
struct Growing {
    mapped_to: VirtAddr,
    end: Option<NonNull<u8>>,
}

// SAFETY: the pointer is the heap's end, used only under the heap's lock.
unsafe impl Send for Growing {}

// SAFETY: `acquire` uses no heap: it maps frames and hands them over; it touches the allocator only through `talc`.
unsafe impl Source for Growing {
    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, layout: Layout) -> Result<(), ()> {
        // Room for the request, its alignment and the allocator's own words.
        let wanted = (layout.size() as u64)
            .checked_add(layout.align() as u64)
            .and_then(|sum| sum.checked_add(PAGE_SIZE));
        let bytes = wanted
            .and_then(|bytes| bytes.checked_next_multiple_of(CHUNK))
            .ok_or(())?;
        let start = talc.source.mapped_to;
        let end = start
            .checked_add(bytes)
            .filter(|end| *end <= HEAP.end)
            .ok_or(())?;
        super::map_fresh(kaddr::VirtRange::new(start, end), super::Purpose::Heap)
            .map_err(|_| ())?;
        talc.source.mapped_to = end;
        // SAFETY: the range was mapped just now for the heap alone, directly after what the heap has already.
        let new_end = unsafe {
            match talc.source.end {
                Some(old) => talc.extend(old, end.as_u64() as *mut u8),
                None => talc
                    .claim(start.as_u64() as *mut u8, bytes as usize)
                    .ok_or(())?,
            }
        };
        talc.source.end = Some(new_end);
        Ok(())
    }
}

/// The global allocator: `talc` behind a lock that keeps interrupts off.
pub struct Heap(IrqLock<Counted>);

/// The allocator and how much of it is in use.
struct Counted {
    talc: Talc<Growing, DefaultBinning>,
    used: u64,
}

/// What the heap holds at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Bytes that were asked for and not given back.
    pub used: u64,
    /// Bytes that are mapped for the heap: it never shrinks.
    pub mapped: u64,
}

/// What the heap holds now.
pub fn usage() -> Usage {
    let heap = ALLOCATOR.0.lock();
    Usage {
        used: heap.used,
        mapped: heap
            .talc
            .source
            .mapped_to
            .offset_from(HEAP.start)
            .unwrap_or(0),
    }
}

#[cfg_attr(target_os = "none", global_allocator)]
static ALLOCATOR: Heap = Heap(IrqLock::new(Counted {
    talc: Talc::new(Growing {
        mapped_to: HEAP.start,
        end: None,
    }),
    used: 0,
}));

// SAFETY: `talc` upholds the contract; the lock makes it exclusive.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let mut heap = self.0.lock();
        // SAFETY: the layout is of non-zero size (contract of `GlobalAlloc`).
        let Some(place) = (unsafe { heap.talc.allocate(layout) }) else {
            return core::ptr::null_mut();
        };
        heap.used = heap.used.wrapping_add(layout.size() as u64);
        place.as_ptr()
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let mut heap = self.0.lock();
        heap.used = heap.used.wrapping_sub(layout.size() as u64);
        // SAFETY: allocated here with this layout (contract of `GlobalAlloc`).
        unsafe { heap.talc.deallocate(pointer, layout) }
    }
}

/// Puts a value on the heap for ever.
pub fn leak<T>(value: T) -> Option<&'static mut T> {
    let layout = Layout::new::<T>();
    debug_assert!(layout.size() != 0);
    // SAFETY: the layout is not of size zero.
    let place = unsafe { alloc(layout) }.cast::<T>();
    if place.is_null() {
        return None;
    }
    // SAFETY: the place is aligned, large enough and ours for ever.
    unsafe {
        place.write(value);
        Some(&mut *place)
    }
}
