//! What can be asked about the machine.

/// Numbers of processors are below this.
pub const PROCESSORS: u64 = 8 * crate::CPU_SET_MAX as u64;

wire! {
    /// Memory and processors of the machine. Memory counts in frames of 4 KiB; all frames are free or used for one purpose.
    Statistics {
        /// Processors that run.
        processors,
        /// All frames that the kernel manages.
        total,
        /// Free frames, those in the caches of processors included.
        free,
        /// Of the free ones, those in the caches of processors.
        cached,
        /// Pages of areas.
        user,
        /// Page tables of processes.
        tables,
        /// The kernel's heap.
        heap,
        /// Kernel stacks.
        stacks,
        /// Everything else: page tables of the kernel, memory of devices.
        other,
        /// Bytes of the kernel's heap that are in use. What it keeps to use it again, of its own accord, does not count.
        heap_used,
        /// TLB shootdowns that were sent to other processors.
        shootdowns,
    }
}

wire! {
    /// What a processor has done since it started.
    Processor {
        /// The time of these figures on the monotonic clock, in nanoseconds.
        now,
        /// For how long threads ran on it, in nanoseconds. It was idle for the rest.
        busy,
        /// How often it has gone from one thread to another, or to or from being idle.
        switches,
        /// Interrupts that it took.
        interrupts,
        /// Threads that run or wait to run on it.
        runnable,
    }
}
