//! `vm_area`: kinds, what a mapping allows, and what can be asked.

/// Demand-allocated, resizable, shareable memory.
pub const OPEN: u64 = 0;
/// As open, cut into equal sections, each below a guard page that can never be touched.
pub const GUARDED: u64 = 1;
/// A buffer that a mapping shows twice, back to back: `size` is that of the buffer, and the area is twice as long.
pub const RING: u64 = 2;
/// A given range of physical memory, which is that of a device: `vm_area_create_fixed`.
pub const FIXED: u64 = 3;

/// How the processors cache the memory of a device: not at all.
pub const UNCACHED: u64 = 0;
/// How the processors cache the memory of a device: not, but writes may be gathered and reordered. For framebuffers.
pub const WRITE_COMBINING: u64 = 1;
/// How many ways there are.
pub const CACHINGS: u64 = 2;

/// The first number that is no kind of area that programs can make.
pub const NEW_KINDS: u64 = FIXED;

/// The mapping can be read.
pub const READ: u64 = 1 << 0;
/// The mapping can be written to; not together with [`EXECUTE`].
pub const WRITE: u64 = 1 << 1;
/// The mapping can be executed.
pub const EXECUTE: u64 = 1 << 2;
/// For `process_map`: at the given address, or not at all.
pub const AT_ADDRESS: u64 = 1 << 3;

wire! {
    /// What `vm_area_info` tells.
    Info {
        /// One of the kinds above.
        kind,
        /// Length in bytes, as a mapping sees it.
        size,
        /// Bytes that have pages.
        committed,
        /// Mappings of it, in all processes.
        mappings,
        /// Of `committed`, the bytes in pages that are shared with a snapshot.
        shared,
        /// Of `committed`, the bytes in large (2 MiB) pages.
        large,
    }
}

wire! {
    /// A mapping, as `process_next_area` tells of it.
    Entry {
        /// Where it begins.
        address,
        /// Bytes.
        len,
        /// What it allows: [`READ`], [`WRITE`], [`EXECUTE`].
        access,
        /// The kind of its area.
        kind,
        /// Where in the area it begins.
        offset,
        /// Bytes of the whole area that have pages.
        committed,
        /// Bytes of the whole area, as a mapping sees it.
        size,
        /// The number of the area, as in [`crate::handle::Info::object`].
        object,
    }
}
