//! The UEFI chainloader: feature check, Limine or its own loader.

fn main() {}
