//! What frames are used for, and where they are.

/// What a frame is taken for. Whoever gives it back names the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Page tables of processes.
    Table = 0,
    /// Pages of user memory.
    User = 1,
    /// The kernel heap.
    Heap = 2,
    /// Kernel stacks.
    Stack = 3,
    /// Memory that devices, or processors that start, read by its physical address.
    Device = 4,
    /// Anything else.
    Other = 5,
    /// Page tables of the kernel's half, which all processes share.
    KernelTable = 6,
}

/// How many purposes there are.
pub const PURPOSES: usize = 7;

impl Purpose {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; PURPOSES] = [
        Self::Table,
        Self::User,
        Self::Heap,
        Self::Stack,
        Self::Device,
        Self::Other,
        Self::KernelTable,
    ];

    /// A word for reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Table => "tables",
            Self::User => "user",
            Self::Heap => "heap",
            Self::Stack => "stacks",
            Self::Device => "devices",
            Self::Other => "other",
            Self::KernelTable => "kernel tables",
        }
    }
}

/// A part of memory that some processors reach faster than others do.
///
/// Today all memory is [`Node::ONLY`], and no allocation looks at its node: it is in the interface
/// so that callers need not change when it does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(u32);

impl Node {
    /// The one node that there is.
    pub const ONLY: Self = Self(0);

    /// Its number, from 0 on.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// How memory is used at one moment, in frames: `total = free + the sum of used`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// All frames that are managed.
    pub total: u64,
    /// Those that can be had, the cached ones among them.
    pub free: u64,
    /// Free frames in the caches of processors.
    pub cached: u64,
    used: [u64; PURPOSES],
}

impl Statistics {
    pub(super) fn new(total: u64, free: u64, cached: u64, used: [u64; PURPOSES]) -> Self {
        Self {
            total,
            free,
            cached,
            used,
        }
    }

    /// Frames in use for a purpose.
    pub fn used_for(&self, purpose: Purpose) -> u64 {
        self.used[purpose as usize]
    }

    /// Frames in use.
    pub fn used(&self) -> u64 {
        self.used.iter().sum()
    }
}
