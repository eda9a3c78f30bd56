//! Resources: what of the machine a program may use.

/// [`Info::kind`]: physical memory that belongs to devices; a range of bytes.
pub const MEMORY: u64 = 0;
/// [`Info::kind`]: I/O ports.
pub const PORTS: u64 = 1;
/// [`Info::kind`]: interrupt lines, by their global system interrupts.
pub const LINES: u64 = 2;

/// Interrupts of the ISA bus have numbers below this.
pub const ISA_INTERRUPTS: u64 = 16;

wire! {
    /// What `resource_info` tells.
    Info {
        /// One of the kinds above.
        kind,
        /// The first one that belongs to it.
        start,
        /// How many there are.
        len,
    }
}
