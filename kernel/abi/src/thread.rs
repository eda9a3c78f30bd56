//! Threads: what can be asked.

/// How many priorities there are: 0 is the highest.
pub const PRIORITIES: u64 = 8;

/// The priority of a new thread.
pub const NORMAL_PRIORITY: u64 = 4;

/// [`Info::state`]: it runs, or could.
pub const RUNNABLE: u64 = 0;
/// [`Info::state`]: it waits for something.
pub const WAITING: u64 = 1;
/// [`Info::state`]: it is suspended, and does not run user code.
pub const SUSPENDED: u64 = 2;
/// [`Info::state`]: it has ended.
pub const ENDED: u64 = 3;

/// For `thread_create`: it begins suspended, and its registers can be read and changed before it runs.
pub const SUSPEND: u64 = 1 << 0;

/// [`Registers::place`]: between two instructions of its program.
pub const AT_BORDER: u64 = 0;
/// [`Registers::place`]: within a system call.
pub const IN_CALL: u64 = 1;

/// [`Registers::rflags`]: the bits that can be changed. CF, PF, AF, ZF, SF, TF (it traps after each instruction), DF, OF, AC, ID. Of
/// the others, bit 1 and IF are set, and all that are left are clear.
pub const FLAGS: u64 = 0x0024_0dd5;

wire! {
    /// What `thread_info` tells.
    Info {
        /// Number of the thread, unique for the life of the system.
        number,
        /// One of the states above.
        state,
        /// The priority that it was given.
        priority,
        /// The priority that it has while others wait for it.
        effective_priority,
        /// The processor that it was last on; [`crate::process::ANY_CPU`] when it was on none yet.
        processor,
        /// For how long it has run, in nanoseconds.
        ran,
        /// How often it was given a processor, after another thread or after that was idle.
        switches,
    }
}

wire! {
    /// The registers of a stopped thread. For one that is within a call they are those with which it made the call: RAX is the number
    /// of the call. Within a call that brings a message, which may come at any moment, RCX, RDX, RSI, RDI and R8 to R15 read as 0.
    Registers {
        /// RAX.
        rax,
        /// RBX.
        rbx,
        /// RCX.
        rcx,
        /// RDX.
        rdx,
        /// RSI.
        rsi,
        /// RDI.
        rdi,
        /// RBP.
        rbp,
        /// RSP: an address in user space.
        rsp,
        /// R8.
        r8,
        /// R9.
        r9,
        /// R10.
        r10,
        /// R11.
        r11,
        /// R12.
        r12,
        /// R13.
        r13,
        /// R14.
        r14,
        /// R15.
        r15,
        /// The next instruction: an address in user space.
        rip,
        /// RFLAGS: see [`FLAGS`].
        rflags,
        /// The base of FS, as it was set last, an address in user space. The program loses it when it loads a selector to FS.
        fs_base,
        /// The base of GS, likewise.
        gs_base,
        /// [`AT_BORDER`] or [`IN_CALL`].
        place,
    }
}
