//! The log ring: written from any context without waiting, read by sequence number.
//!
//! A writer takes a sequence number and with it a slot, marks the slot as being written, fills it
//! and marks it as written with that number. Readers copy a slot and look at its mark before and
//! after: when it changed, the copy is torn and thrown away. The words of a slot are atomic, which
//! makes that a plain, safe seqlock. A writer never waits: when its slot is still being filled by one
//! that was overtaken by a whole round (a processor stopped in the middle, or this very processor
//! interrupted by an NMI), the newer record is dropped and counted.
//!
//! Invariants: a slot's mark only grows; while it says "being written", one writer alone touches
//! the words.

use crate::meta::Meta;
use crate::record::{Header, MAX_TARGET, Record, TextBuffer};
use core::fmt;
use ksync::atomic::{AtomicU64, Ordering, fence};

/// Words of a slot before target and text: time, process, then processor and lengths.
const HEADER_WORDS: usize = 3;
/// Bytes of a word.
const WORD: usize = 8;

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It can be read by this sequence number until it is overwritten.
    Stored(u64),
    /// Its slot was still being written; it is gone, and counted in [`Ring::dropped`].
    Dropped,
}

/// Why there is no record to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// No record with this number has been begun yet.
    NotYet,
    /// It is being written just now, or was dropped: try again, and after a while go on at `next`.
    Unfinished {
        /// The following number.
        next: u64,
    },
    /// It was overwritten by later ones.
    Missed {
        /// The oldest number that may still be there.
        next: u64,
    },
}

/// One record's place.
struct Slot<const WORDS: usize> {
    /// 0: never used; `2 * sequence + 1`: being written; `2 * sequence + 2`: written.
    mark: AtomicU64,
    words: [AtomicU64; WORDS],
}

/// A ring of `SLOTS` records with `WORDS` times 8 bytes each for processor, time, target and text
/// (24 bytes go to the first three). Meant for a `static`: it needs no set-up and no allocator.
pub struct Ring<const SLOTS: usize = 1024, const WORDS: usize = 64> {
    /// The next sequence number.
    head: AtomicU64,
    dropped: AtomicU64,
    slots: [Slot<WORDS>; SLOTS],
}

impl<const SLOTS: usize, const WORDS: usize> Ring<SLOTS, WORDS> {
    /// The most bytes that target and text of a record take together.
    pub const CAPACITY: usize = {
        assert!(
            SLOTS > 0 && WORDS > HEADER_WORDS && WORDS <= 512,
            "a slot needs room for text"
        );
        (WORDS - HEADER_WORDS) * WORD
    };

    /// An empty ring.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self {
            head: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            slots: [const {
                Slot {
                    mark: AtomicU64::new(0),
                    words: [const { AtomicU64::new(0) }; WORDS],
                }
            }; SLOTS],
        }
    }

    /// An empty ring.
    #[cfg(loom)]
    pub fn new() -> Self {
        let slot = |_| Slot {
            mark: AtomicU64::new(0),
            words: core::array::from_fn(|_| AtomicU64::new(0)),
        };
        Self {
            head: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            slots: core::array::from_fn(slot),
        }
    }

    fn slot(&self, sequence: u64) -> Option<&Slot<WORDS>> {
        let index = sequence.checked_rem(u64::try_from(SLOTS).ok()?)?;
        self.slots.get(usize::try_from(index).ok()?)
    }

    /// Adds a record. From any context: it takes no lock, does not wait and does not allocate. The
    /// text is made before the slot is touched, so `text` may itself log, or panic.
    pub fn write(&self, header: &Header<'_>, text: fmt::Arguments<'_>) -> Written {
        // On the stack: all of a slot's bytes, of which the header's words stay unused.
        let mut bytes = [[0; WORD]; WORDS];
        let (_, room) = bytes.as_flattened_mut().split_at_mut(HEADER_WORDS * WORD);
        let most = MAX_TARGET.min(room.len() / 2);
        let (target, _) = header
            .target
            .split_at(header.target.floor_char_boundary(most));
        let (target_place, text_place) = room.split_at_mut(target.len());
        target_place.copy_from_slice(target.as_bytes());
        let mut buffer = TextBuffer::new(text_place);
        // The buffer never fails; an error can only come from the text, which then is shorter.
        let _ = fmt::Write::write_fmt(&mut buffer, text);
        let (text_len, completeness) = buffer.finish();

        let meta = Meta {
            cpu: header.cpu,
            level: header.level,
            completeness,
            target_len: target.len(),
            text_len,
        };
        let used =
            HEADER_WORDS.saturating_add(target.len().saturating_add(text_len).div_ceil(WORD));
        let body = bytes
            .iter()
            .map(|word| u64::from_le_bytes(*word))
            .skip(HEADER_WORDS);
        let words = [header.time_ns, header.process, meta.pack()]
            .into_iter()
            .chain(body)
            .take(used);
        self.publish(words)
    }

    /// Takes a number and fills its slot.
    fn publish(&self, words: impl Iterator<Item = u64>) -> Written {
        let sequence = self.head.fetch_add(1, Ordering::Relaxed);
        let Some((slot, writing)) = self.slot(sequence).and_then(|slot| slot.begin(sequence))
        else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return Written::Dropped;
        };
        // Readers that see any of the new words must see the mark change: this orders the mark
        // before the words, and the release below the words before the final mark.
        fence(Ordering::Release);
        for (place, word) in slot.words.iter().zip(words) {
            place.store(word, Ordering::Relaxed);
        }
        slot.mark.store(writing.wrapping_add(1), Ordering::Release);
        Written::Stored(sequence)
    }

    /// Reads the record with this number. Its bytes are copied to `buffer`, as they may be overwritten
    /// at any time; [`Ring::CAPACITY`] bytes are enough, fewer cut the text without a mark.
    pub fn read<'b>(&self, sequence: u64, buffer: &'b mut [u8]) -> Result<Record<'b>, ReadError> {
        let head = self.head.load(Ordering::Acquire);
        if sequence >= head {
            return Err(ReadError::NotYet);
        }
        let missed = ReadError::Missed {
            next: head
                .saturating_sub(u64::try_from(SLOTS).unwrap_or(u64::MAX))
                .max(sequence.saturating_add(1)),
        };
        let unfinished = ReadError::Unfinished {
            next: sequence.saturating_add(1),
        };
        let written = sequence.saturating_mul(2).saturating_add(2);
        let slot = self.slot(sequence).ok_or(missed)?;
        let mark = slot.mark.load(Ordering::Acquire);
        if mark != written {
            return Err(if mark > written { missed } else { unfinished });
        }
        let word = |index: usize| {
            slot.words
                .get(index)
                .map(|word| word.load(Ordering::Relaxed))
        };
        let [time_ns, process, meta] = [0, 1, 2].map(|index| word(index).unwrap_or(0));
        let meta = Meta::unpack(meta);
        let places = buffer
            .chunks_mut(WORD)
            .take(meta.target_len.saturating_add(meta.text_len).div_ceil(WORD));
        for (place, word) in places.zip(slot.words.iter().skip(HEADER_WORDS)) {
            let bytes = word.load(Ordering::Relaxed).to_le_bytes();
            if let Some(bytes) = bytes.get(..place.len()) {
                place.copy_from_slice(bytes);
            }
        }
        // All words before the second look at the mark: had one of them come from a later record,
        // this would see that record's mark.
        fence(Ordering::Acquire);
        if slot.mark.load(Ordering::Relaxed) != written {
            return Err(missed);
        }
        let (target, rest) = buffer
            .split_at_checked(meta.target_len)
            .unwrap_or((buffer, &[]));
        let text = rest.get(..meta.text_len).unwrap_or(rest);
        Ok(Record {
            sequence,
            header: Header {
                time_ns,
                process,
                cpu: meta.cpu,
                level: meta.level,
                target: valid_part(target),
            },
            text: valid_part(text),
            completeness: meta.completeness,
        })
    }

    /// The number that the next record will have.
    pub fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    /// The oldest number that may still be there.
    pub fn oldest(&self) -> u64 {
        self.head()
            .saturating_sub(u64::try_from(SLOTS).unwrap_or(u64::MAX))
    }

    /// How many records found no place.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl<const SLOTS: usize, const WORDS: usize> Default for Ring<SLOTS, WORDS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const WORDS: usize> Slot<WORDS> {
    /// Marks the slot as being written with `sequence`; `None` when another writer is at it or was
    /// there with a later number.
    fn begin(&self, sequence: u64) -> Option<(&Self, u64)> {
        let writing = sequence.checked_mul(2)?.checked_add(1)?;
        let mut mark = self.mark.load(Ordering::Relaxed);
        // Each turn that fails saw the mark grow, so there are few.
        loop {
            if mark % 2 == 1 || mark > writing {
                return None;
            }
            match self.mark.compare_exchange_weak(
                mark,
                writing,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some((self, writing)),
                Err(now) => mark = now,
            }
        }
    }
}

/// The text in `bytes`, up to where a short buffer may have cut a character.
fn valid_part(bytes: &[u8]) -> &str {
    match core::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => bytes
            .get(..error.valid_up_to())
            .and_then(|valid| core::str::from_utf8(valid).ok())
            .unwrap_or(""),
    }
}
