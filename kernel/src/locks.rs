//! The order of the kernel's locks: who holds one takes only such as stand further down (`docs/locking.md`).
//!
//! The checked kernel notes for each processor what it holds, panics when a lock is taken out of order, and when a thread is switched
//! away from with one held.

use ksync::Level;

/// Counts the levels in the order in which they are listed.
macro_rules! levels {
    (names $($(#[doc = $text:literal])+ $name:ident $(, $shared:ident)?;)*) => {
        /// What they are called, in their order.
        #[cfg(feature = "frame-debug")]
        pub const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
    (@ $rank:expr;) => {
        /// How many levels there are.
        pub const COUNT: u8 = $rank;
    };
    (@ $rank:expr; $(#[doc = $text:literal])+ $name:ident $(, $shared:ident)?; $($rest:tt)*) => {
        $(#[doc = $text])+
        pub struct $name;

        impl Level for $name {
            const RANK: Option<u8> = Some($rank);
            const NAME: &'static str = stringify!($name);
            $(const IS_SHARED: bool = levels!(@ $shared);)?
        }

        levels!(@ $rank + 1; $($rest)*);
    };
    (@ shared) => { true };
    ($($levels:tt)*) => {
        levels!(names $($levels)*);
        levels!(@ 0; $($levels)*);
    };
}

levels! {
    /// A walk along a chain of calls, which passes a priority on. One at a time.
    Walk;
    /// State of a process: its life, its threads.
    ProcessState;
    /// The list of processes that have threads.
    Running;
    /// The children of a process.
    Children;
    /// Exceptions that threads of a process wait with.
    Exceptions;
    /// I/O ports of a process.
    Ports;
    /// The right to answer that a handle names.
    Reply;
    /// Whether a thread has ended, and who wants to know.
    ThreadExit;
    /// Who waits in a mailbox.
    Mailbox;
    /// The timer of an event.
    EventTimer;
    /// The alarms of a processor.
    Alarms;
    /// An interrupt line and its owner.
    InterruptLine;
    /// The registers of an I/O APIC.
    IoApic;
    /// Devices that the firmware names.
    FirmwareDevices;
    /// Pages that the firmware's AML has touched.
    FirmwarePages;
    /// Who listens to the log.
    LogListener;
    /// Who waits for words of an area. Two are taken in the order of their addresses.
    Sleepers, shared;
    /// The area in whose list a thread waits.
    SleeperArea;
    /// Bits of an event, and who waits for them.
    Event;
    /// The run queue of a processor.
    RunQueue;
    /// Where a thread may run.
    Affinity;
    /// What is mapped in a space.
    Mappings;
    /// An area: its pages, and who shows them.
    Area;
    /// Areas with large pages.
    Pressure;
    /// Page tables of a space.
    Tables;
    /// Kernel stacks that are free.
    Stacks;
    /// Small objects that a processor has at hand.
    Objects;
    /// The kernel's heap.
    Heap;
    /// The next address for a device's memory.
    NextDevice;
    /// Device memory that the kernel has mapped.
    Devices;
    /// The kernel's half of all page tables.
    KernelTables;
    /// What an account has left. From child to parent.
    Account, shared;
    /// Frames that a processor has at hand.
    Stock;
    /// The frame allocator.
    Frames;
    /// Serial port and screen.
    Output;
}

const _: () = assert!(COUNT <= ksync::order::LEVELS_MAX);

/// What processors share, counted in the checked kernel.
#[cfg(feature = "frame-debug")]
pub static TALLY: ksync::Tally = ksync::Tally::new();
