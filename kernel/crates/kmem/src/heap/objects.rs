//! Objects that were given back to the heap and that their processor keeps at hand: for the kernel's own objects are made
//! and dropped all the time, in a few sizes.
//!
//! A [`Cache`] has a magazine for every [`Class`] of sizes (J. Bonwick, J. Adams: Magazines and Vmem, USENIX 2001). It
//! holds places, whatever names them; what a place is, and the lock around the cache, are the kernel's.

use core::alloc::Layout;

/// Sizes of the classes, in bytes. From one to the next it is at most one half more, so that at most a third of a place is
/// left over.
const SIZES: [usize; CLASSES] = [
    32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072,
];
/// How many classes there are.
const CLASSES: usize = 14;
/// The strictest alignment that any class has.
const ALIGN_MAX: usize = 64;
/// Room in a magazine.
const CAPACITY: usize = 16;
/// A magazine holds at most so many bytes, if that is not less than [`LEAST`] places.
const BYTES_MAX: usize = 8192;
/// So many places every magazine may hold.
const LEAST: usize = 4;

/// A class of sizes: all its objects fit into the same places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class(u8);

impl Class {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..CLASSES as u8).map(Self)
    }

    /// The class for a layout; `None` for large and for strictly aligned ones, which are not kept.
    pub fn of(layout: Layout) -> Option<Self> {
        // Between powers of two lies one more class, in the middle.
        let size = layout.size().max(SIZES[0]);
        let power = usize::BITS - (size - 1).leading_zeros();
        let index = if size <= 3 << (power - 2) && power > 5 {
            2 * power - 11
        } else {
            2 * power - 10
        };
        let class = Self(u8::try_from(index).ok()?);
        ((index as usize) < CLASSES && layout.align() <= class.align()).then_some(class)
    }

    /// Bytes of a place.
    pub fn size(self) -> usize {
        SIZES[self.0 as usize]
    }

    /// What a place's address is a multiple of.
    pub fn align(self) -> usize {
        let size = self.size();
        (size & size.wrapping_neg()).min(ALIGN_MAX)
    }

    /// How many places a magazine of this class may hold.
    pub fn limit(self) -> usize {
        (BYTES_MAX / self.size()).clamp(LEAST, CAPACITY)
    }
}

#[derive(Clone, Copy, Debug)]
struct Magazine<P> {
    len: usize,
    /// The first `len` hold places.
    places: [Option<P>; CAPACITY],
}

/// The places that one processor keeps, and the bytes that it took of the heap, minus those that it gave back. An object
/// may be given back on another processor than the one that took it, so only the sum over all processors means anything.
#[derive(Debug)]
pub struct Cache<P> {
    magazines: [Magazine<P>; CLASSES],
    used: i64,
}

/// Places that have to go back to the heap.
pub type Surplus<P> = [Option<P>; CAPACITY];

impl<P: Copy> Cache<P> {
    /// An empty one.
    pub const fn new() -> Self {
        Self {
            magazines: [Magazine {
                len: 0,
                places: [None; CAPACITY],
            }; CLASSES],
            used: 0,
        }
    }

    /// A place that is kept for this class.
    #[inline]
    pub fn take(&mut self, class: Class) -> Option<P> {
        let magazine = &mut self.magazines[class.0 as usize];
        magazine.len = magazine.len.checked_sub(1)?;
        magazine.places[magazine.len].take()
    }

    /// Keeps a place. If there are too many then, the older half is returned, which has to go back to the heap.
    #[inline]
    pub fn put(&mut self, class: Class, place: P) -> Option<Surplus<P>> {
        let magazine = &mut self.magazines[class.0 as usize];
        let surplus = if magazine.len >= class.limit() {
            Some(magazine.shed(class.limit() / 2))
        } else {
            None
        };
        magazine.places[magazine.len] = Some(place);
        magazine.len += 1;
        surplus
    }

    /// Returns all that are kept for a class.
    pub fn drain(&mut self, class: Class) -> Surplus<P> {
        let magazine = &mut self.magazines[class.0 as usize];
        magazine.shed(magazine.len)
    }

    /// Notes bytes that were taken; a negative number for those given back.
    #[inline]
    pub fn count(&mut self, bytes: i64) {
        self.used = self.used.wrapping_add(bytes);
    }

    /// What was noted, in all.
    pub fn used(&self) -> i64 {
        self.used
    }
}

impl<P: Copy> Magazine<P> {
    fn shed(&mut self, count: usize) -> Surplus<P> {
        let mut surplus = [None; CAPACITY];
        surplus[..count].copy_from_slice(&self.places[..count]);
        self.places.copy_within(count..self.len, 0);
        self.places[self.len - count..self.len].fill(None);
        self.len -= count;
        surplus
    }
}

impl<P: Copy> Default for Cache<P> {
    fn default() -> Self {
        Self::new()
    }
}
