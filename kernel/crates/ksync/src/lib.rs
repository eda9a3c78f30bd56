//! Locks, once cells and hand-shakes of the kernel.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
