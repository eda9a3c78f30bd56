//! Requests and answers of [`protocols`] over mailboxes.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
