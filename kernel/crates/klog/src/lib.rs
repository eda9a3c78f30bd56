//! Log records, the lock-free log ring and symbolizer markup.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
