//! Says hello from user mode.

fn main() {}
