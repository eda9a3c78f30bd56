//! Build, image, QEMU, tests and symbols: what the shells in scripts/ call.

fn main() {}
