//! Small objects of the heap that each processor keeps at hand, so that making and dropping the kernel's objects takes
//! neither the shared allocator's lock nor its search.
//!
//! Lock order: one cache, or the shared allocator; never two of them at once.

use core::alloc::Layout;
use core::ptr::NonNull;

use kmem::heap::objects::{Cache, Class};

use super::heap;
use crate::arch::current::{IrqLock, percpu};
use crate::locks;

/// A place in the heap, which nobody uses.
#[derive(Clone, Copy, Debug)]
struct Place(NonNull<u8>);

// SAFETY: the place belongs to who holds this, on whatever processor.
unsafe impl Send for Place {}

/// The objects of one processor, in its per-CPU area.
#[repr(align(64))]
pub struct Objects(IrqLock<Cache<Place>, locks::Objects>);

impl Objects {
    /// None.
    pub const fn new() -> Self {
        Self(IrqLock::new(Cache::new()))
    }
}

/// The layout of a class's places.
fn layout(class: Class) -> Layout {
    Layout::from_size_align(class.size(), class.align())
        .expect("a class's alignment is a power of two, and its size a small multiple")
}

/// Takes a place for an object of `size` bytes.
pub(super) fn take(class: Class, size: usize) -> Option<NonNull<u8>> {
    {
        let mut cache = percpu::current().objects.0.lock();
        if let Some(Place(place)) = cache.take(class) {
            cache.count(size as i64);
            return Some(place);
        }
    }
    let place = heap::take(layout(class)).or_else(|| {
        // What others keep may be what is missing.
        drain();
        heap::take(layout(class))
    })?;
    count(size as i64);
    Some(place)
}

/// Gives the place of an object back.
///
/// # Safety
/// It was taken for this class and size, and nobody uses it.
pub(super) unsafe fn give_back(class: Class, size: usize, place: NonNull<u8>) {
    let surplus = {
        let mut cache = percpu::current().objects.0.lock();
        cache.count(-(size as i64));
        cache.put(class, Place(place))
    };
    if let Some(surplus) = surplus {
        let places = surplus.into_iter().flatten().map(|Place(place)| place);
        // SAFETY: taken for this class, and kept since.
        unsafe { heap::give_back(places, layout(class)) };
    }
}

/// Notes that objects have become larger, or smaller, by so many bytes.
pub(super) fn count(bytes: i64) {
    percpu::current().objects.0.lock().count(bytes);
}

/// Gives the objects of all processors back to the shared allocator.
pub(super) fn drain() {
    for area in percpu::all() {
        for class in Class::all() {
            let places = area.objects.0.lock().drain(class);
            let places = places.into_iter().flatten().map(|Place(place)| place);
            // SAFETY: taken for this class, and kept since.
            unsafe { heap::give_back(places, layout(class)) };
        }
    }
}

/// Bytes of small objects that are in use.
pub(super) fn used() -> i64 {
    percpu::all()
        .map(|area| area.objects.0.lock().used())
        .fold(0, i64::wrapping_add)
}
