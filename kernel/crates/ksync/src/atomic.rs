//! The atomic types of the kernel: those of `core`, or those of loom under `--cfg loom`.

#[cfg(not(loom))]
pub use core::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};
#[cfg(loom)]
pub use loom::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};

/// What every loop that waits for another processor does on each turn: the pause instruction.
#[inline]
pub fn relax() {
    #[cfg(not(loom))]
    core::hint::spin_loop();
    #[cfg(loom)]
    loom::hint::spin_loop();
}

/// After a `SeqCst` access that is followed by another one to another place: under loom, which takes such accesses for `AcqRel` ones,
/// the fence that stands for their one total order. Elsewhere they need nothing more.
#[inline]
pub(crate) fn in_one_order() {
    #[cfg(loom)]
    fence(Ordering::SeqCst);
}

/// Defines a constructor that is `const`, except under loom, whose atomics cannot be.
macro_rules! const_new {
    ($(#[$meta:meta])* $vis:vis fn new() -> Self $body:block) => {
        $(#[$meta])*
        #[cfg(not(loom))]
        $vis const fn new() -> Self $body
        $(#[$meta])*
        #[cfg(loom)]
        $vis fn new() -> Self $body
    };
}
pub(crate) use const_new;
