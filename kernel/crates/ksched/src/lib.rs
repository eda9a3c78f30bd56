//! Scheduling decisions: run queues, quanta, placement.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
