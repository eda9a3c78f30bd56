//! The machine: one module per architecture, each defining the same names.

pub mod x86_64;

pub use x86_64 as current;
