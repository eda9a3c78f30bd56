//! Futexes.

/// How many values a word can have: it has four bytes.
pub const VALUES: u64 = 1 << 32;
