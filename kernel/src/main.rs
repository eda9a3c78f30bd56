//! The jsix kernel.

fn main() {}
