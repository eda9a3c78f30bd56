//! Processor numbers and sets of them.

use core::fmt;

/// The most processors that the kernel can number.
pub const MAX_CPUS: usize = 1024;
const WORDS: usize = MAX_CPUS / 64;

/// The kernel's number of a processor: 0 is the one that booted. Always below [`MAX_CPUS`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cpu(u16);

impl Cpu {
    /// The processor that booted.
    pub const BOOT: Self = Self(0);

    /// The processor with this number, if it is below [`MAX_CPUS`].
    pub const fn new(number: usize) -> Option<Self> {
        if number < MAX_CPUS {
            Some(Self(number as u16))
        } else {
            None
        }
    }

    /// Its number.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cpu{}", self.0)
    }
}

impl fmt::Debug for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A set of processors.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
pub struct CpuSet {
    words: [u64; WORDS],
}

impl CpuSet {
    /// No processor.
    pub const EMPTY: Self = Self { words: [0; WORDS] };
    /// All that there can be.
    pub const ALL: Self = Self {
        words: [u64::MAX; WORDS],
    };

    /// Only this one.
    pub fn only(cpu: Cpu) -> Self {
        let mut set = Self::EMPTY;
        set.insert(cpu);
        set
    }

    /// The processors 0 to `count - 1`.
    pub fn first(count: usize) -> Self {
        (0..count.min(MAX_CPUS)).filter_map(Cpu::new).collect()
    }

    fn place(cpu: Cpu) -> (usize, u64) {
        (cpu.index() / 64, 1 << (cpu.index() % 64))
    }

    /// Adds one; `true` when it was not in the set.
    pub fn insert(&mut self, cpu: Cpu) -> bool {
        let (index, bit) = Self::place(cpu);
        let Some(word) = self.words.get_mut(index) else {
            return false;
        };
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// Takes one out; `true` when it was in the set.
    pub fn remove(&mut self, cpu: Cpu) -> bool {
        let (index, bit) = Self::place(cpu);
        let Some(word) = self.words.get_mut(index) else {
            return false;
        };
        let known = *word & bit != 0;
        *word &= !bit;
        known
    }

    /// Whether it is in the set.
    pub fn contains(&self, cpu: Cpu) -> bool {
        let (index, bit) = Self::place(cpu);
        self.words.get(index).is_some_and(|word| word & bit != 0)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.words == [0; WORDS]
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.words
            .iter()
            .map(|word| word.count_ones() as usize)
            .sum()
    }

    /// The one with the lowest number.
    pub fn lowest(&self) -> Option<Cpu> {
        self.iter().next()
    }

    /// Those in this set, in the other, or in both.
    pub fn union(&self, other: &Self) -> Self {
        self.combine(other, |a, b| a | b)
    }

    /// Those in both sets.
    pub fn intersection(&self, other: &Self) -> Self {
        self.combine(other, |a, b| a & b)
    }

    /// Those in this set that are not in the other.
    pub fn difference(&self, other: &Self) -> Self {
        self.combine(other, |a, b| a & !b)
    }

    fn combine(&self, other: &Self, with: fn(u64, u64) -> u64) -> Self {
        let mut words = self.words;
        for (word, other) in words.iter_mut().zip(other.words) {
            *word = with(*word, other);
        }
        Self { words }
    }

    /// The processors in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = Cpu> + use<> {
        self.words
            .into_iter()
            .enumerate()
            .flat_map(|(index, mut rest)| {
                core::iter::from_fn(move || {
                    let bit = rest.trailing_zeros() as usize;
                    rest &= rest.checked_sub(1)?;
                    Cpu::new(index.checked_mul(64)?.checked_add(bit)?)
                })
            })
    }
}

impl Default for CpuSet {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl FromIterator<Cpu> for CpuSet {
    fn from_iter<I: IntoIterator<Item = Cpu>>(cpus: I) -> Self {
        let mut set = Self::EMPTY;
        for cpu in cpus {
            set.insert(cpu);
        }
        set
    }
}

impl fmt::Debug for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
