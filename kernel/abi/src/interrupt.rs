//! Interrupts: how a line is taken.

/// As the firmware says; where it says nothing, edges to high for the lines of the ISA bus, the first sixteen, and low levels, those of PCI,
/// for others.
pub const AS_WIRED: u64 = 0;
/// It fires when it becomes high.
pub const EDGE_HIGH: u64 = 1;
/// It fires when it becomes low.
pub const EDGE_LOW: u64 = 2;
/// It fires while it is high.
pub const LEVEL_HIGH: u64 = 3;
/// It fires while it is low.
pub const LEVEL_LOW: u64 = 4;
/// How many ways there are; their numbers are those below.
pub const MODES: u64 = 5;

wire! {
    /// What `interrupt_info` tells.
    Info {
        /// The number of the line: its global system interrupt.
        line,
        /// How it is taken: one of the numbers above but [`AS_WIRED`].
        mode,
        /// The processor that gets it.
        processor,
        /// How often it has fired.
        fired,
        /// How often of that since it was acknowledged; a level at most once.
        unacknowledged,
    }
}
