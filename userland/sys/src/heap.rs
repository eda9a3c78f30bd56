//! The heap: [`talc`](https://docs.rs/talc) over memory that is mapped when it is needed.
//!
//! It takes nothing before its first use. Each time that it needs more it makes an area, at least as large as all it has so far up to
//! 256 KiB, with all its pages, and maps it; an area in which nothing is left any more is unmapped and given back, but for one. When the machine or the
//! process's limit has no more, allocations fail: `try_reserve` and [`try_box`] tell so, and what cannot be told ends the program with
//! status [`OUT_OF_MEMORY`].

use alloc::boxed::Box;
use core::alloc::Layout;

/// The exit status of a program that could not allocate memory and had no way to tell.
pub const OUT_OF_MEMORY: u64 = 102;

/// A box, if there is memory for it; else the value.
///
/// # Errors
/// The value, when there is no memory.
pub fn try_box<T>(value: T) -> Result<Box<T>, T> {
    let layout = Layout::new::<T>();
    if layout.size() == 0 {
        return Ok(Box::new(value));
    }
    // SAFETY: the size is not 0. What comes back is null, or memory for a `T` from the allocator that `Box` uses.
    unsafe {
        let place = alloc::alloc::alloc(layout).cast::<T>();
        if place.is_null() {
            return Err(value);
        }
        place.write(value);
        Ok(Box::from_raw(place))
    }
}

/// How much memory the heap has mapped, in bytes.
pub fn mapped() -> u64 {
    #[cfg(target_os = "none")]
    return talc_heap::mapped();
    #[cfg(not(target_os = "none"))]
    0
}

#[cfg(target_os = "none")]
mod talc_heap;
