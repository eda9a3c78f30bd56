//! What host tests of the kernel crates run on: a fake machine, and models of concurrency ([`models`]).
//!
//! A [`Machine`] has sparse physical memory and processors, each with a translation lookaside
//! buffer ([`Tlb`]) that keeps what it has seen until it is told to forget, like a real one. So a
//! test can tell when code forgets to flush: the processor goes on using the old translation.
//!
//! The page walk here is written from the processor's manual (Intel SDM Vol. 3A chapter 4) and
//! shares no code with `kmem`, which it judges. It never shares state between tests, and it panics
//! when something is asked of it that no machine can do, such as reading memory that is not there.
//!
//! Neighbours: depends on `kaddr`, and on `loom` when models are checked; the tests that use it implement other crates' traits for
//! thin wrappers of it.

#![forbid(unsafe_code)]

mod machine;
mod memory;
pub mod models;
mod tlb;
mod walk;

pub use machine::{CpuId, Kept, Machine, Stale};
pub use memory::Memory;
pub use tlb::{GlobalPages, Pcid, Tlb};
pub use walk::{Access, Fault, Leaf, Mode, PagingLevels, Rights};
