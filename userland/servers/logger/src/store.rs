//! The records that are kept: the last ones that fit, in pieces of memory that are used again and again.
//!
//! A piece holds whole records, in the form in which the kernel gives them. When there are as many pieces as there may be, the oldest one is
//! emptied for the next records.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use abi::log::{CUT, HEAD_SIZE, Head, Level, Record};

/// Flag of a record that the server has made: it tells of lost ones. The kernel uses the lowest bits.
pub const LOST: u8 = 1 << 7;

/// Bytes of a piece.
const PIECE: usize = 16 * 1024;

struct Piece {
    /// The number of its first record, counting all that were ever kept or told to be lost.
    first: u64,
    records: u64,
    bytes: Vec<u8>,
}

/// A place between two records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The piece, counting all that there ever were.
    piece: u64,
    offset: usize,
    /// The number of the record behind it.
    number: u64,
}

/// What a cursor came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// A record; the cursor is behind it now.
    Record(Record<'a>),
    /// So many records are there no more, with those that were told to be lost among them; the cursor is at the first one that is there.
    Skipped(u64),
    /// There are no more yet.
    End,
}

/// The records.
pub struct Store {
    pieces: VecDeque<Piece>,
    most: usize,
    /// The number of the first piece, counting all that there ever were.
    first_piece: u64,
    /// The number of the next record.
    next: u64,
}

impl Store {
    /// For about so many bytes.
    pub fn new(bytes: usize) -> Self {
        Self {
            pieces: VecDeque::new(),
            most: (bytes / PIECE).max(2),
            first_piece: 0,
            next: 0,
        }
    }

    /// How many records there are.
    pub fn len(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.records).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Before the oldest record.
    pub fn start(&self) -> Cursor {
        Cursor {
            piece: self.first_piece,
            offset: 0,
            number: self.pieces.front().map_or(self.next, |piece| piece.first),
        }
    }

    /// Behind the newest record.
    pub fn end(&self) -> Cursor {
        let Some((piece, before)) = self.pieces.back().zip(self.pieces.len().checked_sub(1)) else {
            return self.start();
        };
        Cursor {
            piece: self.first_piece.saturating_add(before as u64),
            offset: piece.bytes.len(),
            number: self.next,
        }
    }

    /// Keeps a record; whether there was memory for it.
    pub fn push(&mut self, record: &Record<'_>) -> bool {
        let size = record.head.record_size();
        let fits = |piece: &Piece| piece.bytes.capacity().saturating_sub(piece.bytes.len()) >= size;
        if !self.pieces.back().is_some_and(fits) && !self.add_piece() {
            return false;
        }
        let Some(piece) = self.pieces.back_mut().filter(|piece| fits(piece)) else {
            return false;
        };
        let end = piece.bytes.len().saturating_add(size);
        piece.bytes.extend_from_slice(&record.head.to_bytes());
        piece.bytes.extend_from_slice(record.target);
        piece.bytes.extend_from_slice(record.text);
        piece.bytes.resize(end, 0);
        piece.records = piece.records.saturating_add(1);
        self.next = self.next.saturating_add(weight(record));
        true
    }

    /// A new piece; the oldest one becomes it when there are enough, or no memory for another one.
    fn add_piece(&mut self) -> bool {
        let mut bytes = Vec::new();
        let is_new = self.pieces.len() < self.most
            && self.pieces.try_reserve(1).is_ok()
            && bytes.try_reserve_exact(PIECE).is_ok();
        if !is_new {
            let Some(oldest) = self.pieces.pop_front() else {
                return false;
            };
            self.first_piece = self.first_piece.saturating_add(1);
            bytes = oldest.bytes;
            bytes.clear();
        }
        self.pieces.push_back(Piece {
            first: self.next,
            records: 0,
            bytes,
        });
        true
    }

    /// The record behind a cursor, which moves.
    pub fn next(&self, cursor: &mut Cursor) -> Next<'_> {
        loop {
            let Some(index) = cursor.piece.checked_sub(self.first_piece) else {
                let skipped = self.start().number.saturating_sub(cursor.number);
                *cursor = self.start();
                if skipped == 0 {
                    continue;
                }
                return Next::Skipped(skipped);
            };
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            let Some(piece) = self.pieces.get(index) else {
                return Next::End;
            };
            let mut rest = piece.bytes.get(cursor.offset..).unwrap_or_default();
            let before = rest.len();
            if let Some(record) = Record::take(&mut rest) {
                cursor.offset = cursor
                    .offset
                    .saturating_add(before.saturating_sub(rest.len()));
                cursor.number = cursor.number.saturating_add(weight(&record));
                return Next::Record(record);
            }
            if index.saturating_add(1) >= self.pieces.len() {
                return Next::End;
            }
            (cursor.piece, cursor.offset) = (cursor.piece.saturating_add(1), 0);
        }
    }

    /// All records, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Record<'_>> {
        let mut cursor = self.start();
        core::iter::from_fn(move || match self.next(&mut cursor) {
            Next::Record(record) => Some(record),
            Next::Skipped(_) | Next::End => None,
        })
    }
}

/// The text of a record that the server makes.
struct Text {
    bytes: [u8; 64],
    len: usize,
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len.checked_add(text.len()).ok_or(fmt::Error)?;
        let place = self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// What follows the count in a record of lost ones.
const LOST_TEXT: &str = " records lost";

/// For how many records one stands: who misses one that tells of lost ones misses all of them.
fn weight(record: &Record<'_>) -> u64 {
    let is_lost = record.head.flags & LOST != 0;
    let text = core::str::from_utf8(record.text).ok().filter(|_| is_lost);
    let count = text.and_then(|text| text.strip_suffix(LOST_TEXT)?.parse().ok());
    count.unwrap_or(1)
}

/// Gives `then` a record that says that so many are lost, from a number on.
pub fn with_lost<T>(
    first: u64,
    count: u64,
    time_ns: u64,
    then: impl FnOnce(&Record<'_>) -> T,
) -> T {
    let mut text = Text {
        bytes: [0; 64],
        len: 0,
    };
    // It has room for the largest number.
    let _ = write!(text, "{count}{LOST_TEXT}");
    let text = text.bytes.get(..text.len).unwrap_or_default();
    let target = b"logger";
    let head = Head {
        sequence: first,
        time_ns,
        process: 0,
        cpu: 0,
        level: Level::Warn,
        flags: LOST,
        target_len: target.len() as u16,
        text_len: text.len() as u16,
    };
    then(&Record { head, target, text })
}

/// Whether a record's text is not all of it.
pub fn is_cut(record: &Record<'_>) -> bool {
    record.head.flags & CUT != 0
}

/// The most bytes that a record takes here.
pub const RECORD_MAX: usize = abi::log::RECORD_MAX;
const _: () = assert!(RECORD_MAX < PIECE && HEAD_SIZE < RECORD_MAX);
