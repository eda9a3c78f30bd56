//! The decisions of the shim: configuration, kernel image, memory map, protocol answers.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
