//! A Limine-protocol kernel that prints every answer of the boot loader in a canonical form.

fn main() {}
