//! The system-call table, rights, errors and wire structures.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
