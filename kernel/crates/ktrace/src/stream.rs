//! Events as bytes, one after the other, each readable by itself.
//!
//! A record is: the kind (one byte), the number of words that follow (one byte), then detail, thread, time and those words as
//! LEB128 numbers. Words that are 0 at the end are left out. A trace begins with [`MAGIC`] and ends with [`crate::Kind::End`].

use core::fmt;

use crate::event::{Event, Kind, WORDS};

/// What a trace begins with. The digit changes with the format.
pub const MAGIC: &[u8; 12] = b"jsix trace 1";

/// The most bytes of a record.
pub const MAX_BYTES: usize = 2 + 3 + LONGEST * (2 + WORDS);

/// Bytes of the longest LEB128 number of 64 bits.
const LONGEST: usize = 10;

/// Bytes that are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damaged {
    /// The record is not whole.
    Short,
    /// There is no such kind.
    Kind(u8),
    /// A number is too large for its place.
    Number,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("the last event is cut off"),
            Self::Kind(kind) => write!(f, "there is no kind {kind} of events"),
            Self::Number => f.write_str("a number is too large for its place"),
        }
    }
}

/// Gives the bytes of an event, at most [`MAX_BYTES`].
pub fn encode(event: &Event, mut put: impl FnMut(u8)) {
    let count = WORDS - event.words.iter().rev().take_while(|&&w| w == 0).count();
    put(event.kind as u8);
    put(count as u8);
    let front = [u64::from(event.detail), event.thread, event.time_ns];
    for number in front.into_iter().chain(event.words.into_iter().take(count)) {
        let mut rest = number;
        while rest >= 0x80 {
            put(rest as u8 | 0x80);
            rest >>= 7;
        }
        put(rest as u8);
    }
}

/// Takes an event off the front of `bytes`.
///
/// # Errors
/// [`Damaged`]; how much was taken off then is not said.
pub fn decode(bytes: &mut &[u8]) -> Result<Event, Damaged> {
    let kind = byte(bytes)?;
    let kind = Kind::from_number(kind).ok_or(Damaged::Kind(kind))?;
    let count = usize::from(byte(bytes)?);
    let detail = u16::try_from(number(bytes)?).map_err(|_| Damaged::Number)?;
    let thread = number(bytes)?;
    if thread > Event::THREAD_MAX {
        return Err(Damaged::Number);
    }
    let time_ns = number(bytes)?;
    let mut words = [0; WORDS];
    for word in words.get_mut(..count).ok_or(Damaged::Number)? {
        *word = number(bytes)?;
    }
    Ok(Event {
        time_ns,
        kind,
        detail,
        thread,
        words,
    })
}

fn byte(bytes: &mut &[u8]) -> Result<u8, Damaged> {
    let (first, rest) = bytes.split_first().ok_or(Damaged::Short)?;
    *bytes = rest;
    Ok(*first)
}

fn number(bytes: &mut &[u8]) -> Result<u64, Damaged> {
    let mut value = 0_u64;
    for at in 0..LONGEST as u32 {
        let next = byte(bytes)?;
        let bits = u64::from(next & 0x7f);
        let shifted = bits << (7 * at);
        if shifted >> (7 * at) != bits {
            return Err(Damaged::Number);
        }
        value |= shifted;
        if next & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Damaged::Number)
}
