//! Events: how they are waited for.

/// Wait for all bits of the mask, not for any.
pub const ALL: u64 = 1 << 0;
/// Leave the bits set.
pub const KEEP: u64 = 1 << 1;
