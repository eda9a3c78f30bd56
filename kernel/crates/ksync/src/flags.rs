//! One bit for each processor, set and read by all of them.

use crate::atomic::{AtomicU64, Ordering, const_new};

/// The most processors that the kernel can number.
pub const MAX_CPUS: usize = 1024;
#[cfg(not(loom))]
const WORDS: usize = MAX_CPUS / 64;
/// Loom bounds the atomics of a model; one word is enough for the processors of a test.
#[cfg(loom)]
const WORDS: usize = 1;

/// Where a processor is in such sets: found once, for those who use it often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuBit {
    word: usize,
    /// Empty for a processor that is in no set.
    mask: u64,
}

impl CpuBit {
    /// That of a processor.
    #[inline]
    pub const fn new(cpu: u32) -> Self {
        let cpu = cpu as usize;
        Self {
            word: cpu / 64 % WORDS,
            mask: if cpu / 64 < WORDS { 1 << (cpu % 64) } else { 0 },
        }
    }
}

impl From<u32> for CpuBit {
    #[inline]
    fn from(cpu: u32) -> Self {
        Self::new(cpu)
    }
}

/// A set of processors that any processor may change at any time. A bit that is set releases what
/// the setter wrote before, and whoever sees it acquires that. Processors from [`MAX_CPUS`] on are
/// in no set: adding one has no effect.
pub struct PerCpuFlags {
    words: [AtomicU64; WORDS],
}

impl PerCpuFlags {
    const_new! {
        /// The empty set.
        pub fn new() -> Self {
            #[cfg(not(loom))]
            return Self { words: [const { AtomicU64::new(0) }; WORDS] };
            #[cfg(loom)]
            return Self { words: core::array::from_fn(|_| AtomicU64::new(0)) };
        }
    }

    #[inline]
    fn word(&self, bit: CpuBit) -> &AtomicU64 {
        // It is below `WORDS`, a power of two: the mask changes nothing and spares the check.
        &self.words[bit.word % WORDS]
    }

    /// Adds a processor; `true` when it was not in the set before.
    #[inline]
    pub fn set(&self, cpu: impl Into<CpuBit>) -> bool {
        let bit = cpu.into();
        let before = self.word(bit).fetch_or(bit.mask, Ordering::AcqRel);
        bit.mask & !before != 0
    }

    /// Takes a processor out; `true` when it was in the set before.
    #[inline]
    pub fn clear(&self, cpu: impl Into<CpuBit>) -> bool {
        let bit = cpu.into();
        let before = self.word(bit).fetch_and(!bit.mask, Ordering::AcqRel);
        bit.mask & before != 0
    }

    /// Whether a processor is in the set.
    pub fn get(&self, cpu: u32) -> bool {
        let bit = CpuBit::new(cpu);
        self.word(bit).load(Ordering::Acquire) & bit.mask != 0
    }

    /// How many processors are in the set. Not one instant: each group of 64 is read by itself.
    pub fn count(&self) -> u32 {
        let ones = |word: &AtomicU64| word.load(Ordering::Acquire).count_ones();
        self.words.iter().map(ones).fold(0, u32::saturating_add)
    }

    /// The processors in the set, in ascending order, read while iterating.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.iter_of(u32::MAX)
    }

    /// The same on a machine with this many processors; it reads no more than these need.
    #[inline]
    pub fn iter_of(&self, processors: u32) -> impl Iterator<Item = u32> {
        let mut words = self
            .words
            .iter()
            .take(processors.div_ceil(u64::BITS) as usize);
        // Of the word that was read last: its bits that are left, and the number of the processor behind its last one.
        let (mut rest, mut end) = (0u64, 0u32);
        core::iter::from_fn(move || {
            while rest == 0 {
                rest = words.next()?.load(Ordering::Acquire);
                end += u64::BITS;
            }
            let bit = rest.trailing_zeros();
            rest &= rest - 1;
            Some(end - u64::BITS + bit)
        })
    }
}

impl Default for PerCpuFlags {
    fn default() -> Self {
        Self::new()
    }
}
