//! A counted pointer whose making can fail.
//!
//! `alloc::sync::Arc` ends the system when memory is short; in a kernel that is an error of the program that asked. There are
//! no weak references: what must not keep an object alive names it by number, or by a pointer that the object's drop takes
//! away ([`Arc::upgrade`]).
//!
//! Invariant: `count` is the number of [`Arc`]s (and raw pointers from [`Arc::into_raw`]) of one allocation; whoever
//! brings it from 1 to 0 is alone and frees. The order is that of Boost's counted pointers: a decrement releases, the
//! last one acquires, so that every use of the object happens before it is dropped.

use alloc::alloc::{Layout, alloc, dealloc};
use core::fmt;
use core::marker::PhantomData;
use core::mem::{ManuallyDrop, MaybeUninit};
use core::ops::Deref;
use core::ptr::NonNull;

use crate::atomic::{AtomicUsize, Ordering, fence};

/// There was no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocError;

impl fmt::Display for AllocError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the kernel's heap has no memory for an object")
    }
}

/// More references than this would let the count overflow: reached only when references are leaked for years.
const MOST: usize = isize::MAX as usize;

/// How many references there are to a value.
pub struct Count(AtomicUsize);

impl Count {
    /// Counts a reference more, which is never dropped if the caller does not make it.
    #[inline(always)]
    pub fn add(&self) {
        // Relaxed: the new reference is made from one that exists, so that nobody frees meanwhile.
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        if before > MOST {
            overflows();
        }
    }

    /// Takes a reference off, unless it is the last one. Returns whether it was taken off.
    ///
    /// The last one stays counted, so that it can be dropped by its type. While it is not, for a moment, [`Arc::upgrade`] makes none of it.
    ///
    /// # Safety
    /// The caller has a reference, and forgets it if it was taken off.
    #[inline(always)]
    pub unsafe fn take_off(&self) -> bool {
        if self.0.fetch_sub(1, Ordering::Release) != 1 {
            return true;
        }
        // Nobody else has one, and who looked in the meantime found none.
        self.0.fetch_add(1, Ordering::Relaxed);
        false
    }
}

/// A user program cannot get here: each reference takes at least eight bytes of memory somewhere.
#[cold]
#[inline(never)]
fn overflows() -> ! {
    panic!("a reference count would overflow")
}

// The value comes last and the layout is C's: `from_raw` finds the block by a fixed distance.
#[repr(C)]
struct Block<T> {
    count: Count,
    value: T,
}

/// A counted reference to a `T` on the heap.
pub struct Arc<T> {
    block: NonNull<Block<T>>,
    owns: PhantomData<Block<T>>,
}

// SAFETY: an `Arc` gives shared access to the value from any thread, and the last one drops it wherever it is: both `Send` and
// `Sync` are needed of the value, as for `alloc::sync::Arc`.
unsafe impl<T: Send + Sync> Send for Arc<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Arc<T> {}

impl<T> Arc<T> {
    /// Puts a value on the heap.
    ///
    /// # Errors
    /// When memory is short; the value is dropped then.
    pub fn try_new(value: T) -> Result<Self, AllocError> {
        let layout = Layout::new::<Block<T>>();
        // SAFETY: the layout is not of size zero: it has a counter.
        let place = unsafe { alloc(layout) }.cast::<Block<T>>();
        let block = NonNull::new(place).ok_or(AllocError)?;
        // SAFETY: fresh memory of the right layout.
        unsafe {
            block.write(Block {
                count: Count(AtomicUsize::new(1)),
                value,
            });
        }
        Ok(Self {
            block,
            owns: PhantomData,
        })
    }

    /// Takes the memory for a value that must not get lost if there is none.
    ///
    /// # Errors
    /// When memory is short.
    pub fn try_reserve() -> Result<Reserved<T>, AllocError> {
        // The layout of `Block<MaybeUninit<T>>` is that of `Block<T>`: both are C's, and `MaybeUninit` is transparent.
        Arc::try_new(MaybeUninit::uninit()).map(Reserved)
    }

    fn block(&self) -> &Block<T> {
        // SAFETY: this reference is counted, so that the block is alive.
        unsafe { self.block.as_ref() }
    }

    /// The address of the value.
    pub fn as_ptr(&self) -> *const T {
        // Not through a reference to the block, whose value the last owner changes by this pointer.
        // SAFETY: this reference is counted, so that the block is alive.
        unsafe { &raw const (*self.block.as_ptr()).value }
    }

    /// Whether two name the same value.
    pub fn ptr_eq(this: &Self, other: &Self) -> bool {
        this.block == other.block
    }

    /// Whether a reference, if there is one, is to this value.
    #[inline(always)]
    pub fn is_of(this: Option<&Self>, value: &T) -> bool {
        let block = this.map_or(core::ptr::null(), |this| this.block.as_ptr().cast_const());
        let offset = core::mem::offset_of!(Block<T>, value);
        core::ptr::addr_eq(block, core::ptr::from_ref(value).wrapping_byte_sub(offset))
    }

    /// How many references there are at this moment. If it is 1 and the caller owns the one, nobody else can make another.
    pub fn count(this: &Self) -> usize {
        this.block().count.0.load(Ordering::Acquire)
    }

    /// Where its references are counted. It is the same place for each type, so that who has one of several types need not tell
    /// them apart to count one more.
    #[inline(always)]
    pub fn counter(this: &Self) -> &Count {
        &this.block().count
    }

    /// The value for change, if this is the only reference.
    pub fn get_mut(this: &mut Self) -> Option<&mut T> {
        if Self::count(this) == 1 {
            // SAFETY: the only reference is borrowed mutably; the acquire load above orders the uses of those dropped before.
            Some(unsafe { &mut this.block.as_mut().value })
        } else {
            None
        }
    }

    /// The value itself, if this is the only reference.
    ///
    /// # Errors
    /// The reference, if it is not.
    pub fn try_unwrap(this: Self) -> Result<T, Self> {
        if Self::count(&this) != 1 {
            return Err(this);
        }
        let this = ManuallyDrop::new(this);
        // SAFETY: the only reference, which is given up here: the value is moved out once, and the block freed without dropping it.
        unsafe {
            let block = this.block.read();
            dealloc(this.block.as_ptr().cast(), Layout::new::<Block<T>>());
            Ok(block.value)
        }
    }

    /// Gives the reference up for a pointer to the value, which goes on to count.
    pub fn into_raw(this: Self) -> *const T {
        ManuallyDrop::new(this).as_ptr()
    }

    /// The reference that a pointer stands for.
    ///
    /// # Safety
    /// From [`Self::into_raw`], or counted by [`Self::increment_strong_count`], and not used up yet.
    pub unsafe fn from_raw(value: *const T) -> Self {
        let offset = core::mem::offset_of!(Block<T>, value);
        // SAFETY: the value lies in a block (caller's promise), at this distance from its start.
        let block = unsafe { value.byte_sub(offset) }
            .cast_mut()
            .cast::<Block<T>>();
        Self {
            // SAFETY: not null, as the value is not.
            block: unsafe { NonNull::new_unchecked(block) },
            owns: PhantomData,
        }
    }

    /// A reference to a value that is known by its address alone, if there is any other reference still. So a list can name
    /// objects that it does not keep alive: their drop takes them off the list.
    ///
    /// # Safety
    /// The pointer comes from [`Self::as_ptr`], and a drop of the value has not ended: it waits for the caller, say at a lock
    /// that the caller holds. Nobody uses [`Self::get_mut`] or [`Self::try_unwrap`] on references to it.
    pub unsafe fn upgrade(value: *const T) -> Option<Self> {
        // SAFETY: from a reference, which is not counted here, and is forgotten unless it is.
        let this = ManuallyDrop::new(unsafe { Self::from_raw(value) });
        let one_more = |count: usize| (count != 0).then_some(count + 1);
        // SAFETY: the block is freed after the drop of the value, which has not ended (caller's promise). Only the count is
        // referred to: the value may be the drop's alone.
        let count = unsafe { &(*this.block.as_ptr()).count.0 };
        // Acquire: what the others have done with the value before is seen.
        let counted = count.fetch_update(Ordering::Acquire, Ordering::Relaxed, one_more);
        counted.is_ok().then(|| ManuallyDrop::into_inner(this))
    }

    /// Counts one more reference, for a later [`Self::from_raw`].
    ///
    /// # Safety
    /// The pointer comes from an `Arc` that lives now.
    pub unsafe fn increment_strong_count(value: *const T) {
        // SAFETY: the caller's `Arc` lives; wrapping keeps it counted.
        let this = ManuallyDrop::new(unsafe { Self::from_raw(value) });
        let _ = ManuallyDrop::new(Self::clone(&this));
    }
}

/// Memory for a counted value that is not there yet.
pub struct Reserved<T>(Arc<MaybeUninit<T>>);

impl<T> Reserved<T> {
    /// Puts the value there.
    pub fn fill(self, value: T) -> Arc<T> {
        let block = ManuallyDrop::new(self.0).block.cast::<Block<T>>();
        // SAFETY: the only reference to a block of the same layout, whose value is written here for the first time.
        unsafe { (&raw mut (*block.as_ptr()).value).write(value) };
        Arc {
            block,
            owns: PhantomData,
        }
    }
}

impl<T> Clone for Arc<T> {
    #[inline]
    fn clone(&self) -> Self {
        self.block().count.add();
        Self {
            block: self.block,
            owns: PhantomData,
        }
    }
}

impl<T> Deref for Arc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.block().value
    }
}

impl<T> Drop for Arc<T> {
    #[inline]
    fn drop(&mut self) {
        if self.block().count.0.fetch_sub(1, Ordering::Release) == 1 {
            self.drop_last();
        }
    }
}

impl<T> Arc<T> {
    /// Drops the value and gives its memory back. Apart, so that those who drop one of many references do not save registers for it.
    #[inline(never)]
    fn drop_last(&mut self) {
        fence(Ordering::Acquire);
        // SAFETY: the count is 0, so that nobody else has a reference nor can make one; the fence orders all their uses before. Not
        // the whole block is dropped: `upgrade` may look at the count meanwhile.
        unsafe {
            (&raw mut (*self.block.as_ptr()).value).drop_in_place();
            dealloc(self.block.as_ptr().cast(), Layout::new::<Block<T>>());
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Arc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// Puts a value on the heap, as a `Box`.
///
/// # Errors
/// When memory is short; the value is dropped then.
pub fn try_box<T>(value: T) -> Result<alloc::boxed::Box<T>, AllocError> {
    let layout = Layout::new::<T>();
    if layout.size() == 0 {
        // Nothing is allocated for it.
        return Ok(alloc::boxed::Box::new(value));
    }
    // SAFETY: the layout is not of size zero.
    let place = NonNull::new(unsafe { alloc(layout) }.cast::<T>()).ok_or(AllocError)?;
    // SAFETY: fresh memory of the layout that `Box` frees with.
    unsafe {
        place.write(value);
        Ok(alloc::boxed::Box::from_raw(place.as_ptr()))
    }
}
