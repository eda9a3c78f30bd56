//! The vectors of a processor that devices use, and which line each belongs to.

use core::sync::atomic::{AtomicU16, Ordering};

/// The first vector for devices: above those of exceptions, and of the controllers of old.
pub const FIRST_VECTOR: u8 = 0x30;
/// The last one: those above are the kernel's own, and more urgent.
pub const LAST_VECTOR: u8 = 0xef;
const COUNT: usize = (LAST_VECTOR - FIRST_VECTOR) as usize + 1;
/// Belongs to no line; line `n` is the number `n + 1`.
const FREE: u16 = 0;

/// The vectors of one processor. Taking one and looking one up needs no lock.
#[derive(Debug)]
pub struct Vectors {
    lines: [AtomicU16; COUNT],
    used: AtomicU16,
}

impl Vectors {
    /// All of them free.
    pub const fn new() -> Self {
        Self {
            lines: [const { AtomicU16::new(FREE) }; COUNT],
            used: AtomicU16::new(0),
        }
    }

    /// How many are taken.
    pub fn used(&self) -> u16 {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes a vector for a line; none if all are taken, or for a line whose number is too great to be noted.
    pub fn take(&self, line: usize) -> Option<u8> {
        let note = u16::try_from(line).ok()?.checked_add(1)?;
        for (vector, place) in (FIRST_VECTOR..=LAST_VECTOR).zip(&self.lines) {
            let taken = place.compare_exchange(FREE, note, Ordering::AcqRel, Ordering::Relaxed);
            if taken.is_ok() {
                self.used.fetch_add(1, Ordering::Relaxed);
                return Some(vector);
            }
        }
        None
    }

    /// Gives a vector back that was taken.
    pub fn give_back(&self, vector: u8) {
        if let Some(place) = self.place(vector)
            && place.swap(FREE, Ordering::AcqRel) != FREE
        {
            self.used.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The line that a vector belongs to.
    #[inline]
    pub fn line(&self, vector: u8) -> Option<usize> {
        let note = self.place(vector)?.load(Ordering::Acquire);
        usize::from(note).checked_sub(1)
    }

    #[inline]
    fn place(&self, vector: u8) -> Option<&AtomicU16> {
        self.lines
            .get(usize::from(vector.checked_sub(FIRST_VECTOR)?))
    }
}

impl Default for Vectors {
    fn default() -> Self {
        Self::new()
    }
}
