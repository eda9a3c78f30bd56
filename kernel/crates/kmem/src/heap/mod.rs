//! What the kernel heap is made of, besides the allocator proper: [`chunks`] that it grows and shrinks by, and [`objects`]
//! that processors keep at hand.

pub mod chunks;
pub mod objects;
