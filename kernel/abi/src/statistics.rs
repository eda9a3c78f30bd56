//! What `system_statistics` tells.

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
        /// Bytes of the kernel's heap that are in use.
        heap_used,
        /// TLB shootdowns that were sent to other processors.
        shootdowns,
    }
}
