//! The log as programs read it: records, one after the other.
//!
//! A record is a [head](Head) of [`HEAD_SIZE`] bytes, the target, the text, and zeros up to a multiple of 8. Their sequence numbers ascend; one
//! that is missing belongs to a record that was overwritten before it was read, or is lost.

/// How important a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u64)]
pub enum Level {
    /// Something does not work.
    Error = 1,
    /// Something is not as it should be.
    Warn = 2,
    /// What an operator wants to know.
    Info = 3,
    /// What a developer wants to know.
    Debug = 4,
    /// Every step.
    Trace = 5,
}

impl Level {
    /// The first of the numbers.
    pub const FIRST: u64 = 1;
    /// How many levels there are; their numbers are those from the first on.
    pub const COUNT: u64 = 5;

    /// The level with this number.
    pub const fn from_number(number: u64) -> Option<Self> {
        match number {
            1 => Some(Self::Error),
            2 => Some(Self::Warn),
            3 => Some(Self::Info),
            4 => Some(Self::Debug),
            5 => Some(Self::Trace),
            _ => None,
        }
    }
}

/// Bytes of a head.
pub const HEAD_SIZE: usize = 40;

/// The longest record, in bytes.
pub const RECORD_MAX: usize = HEAD_SIZE + 488;

/// Bit of [`Head::flags`]: the text was longer and is cut.
pub const CUT: u8 = 1 << 0;

/// What a record begins with, in this order, all numbers little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its number. Bytes 0 to 7.
    pub sequence: u64,
    /// When it was written, on the monotonic clock, in nanoseconds. Bytes 8 to 15.
    pub time_ns: u64,
    /// The number of the process that wrote it; 0 for the kernel. Bytes 16 to 23.
    pub process: u64,
    /// The processor. Bytes 24 to 27.
    pub cpu: u32,
    /// The level. Byte 28.
    pub level: Level,
    /// Bits. Byte 29.
    pub flags: u8,
    /// Bytes of the target: of programs the name of the process. Bytes 30 and 31.
    pub target_len: u16,
    /// Bytes of the text. Bytes 32 and 33; the six bytes after them are zero.
    pub text_len: u16,
}

/// A record in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The head.
    pub head: Head,
    /// Where it comes from; UTF-8.
    pub target: &'a [u8],
    /// What it says; UTF-8.
    pub text: &'a [u8],
}

impl Head {
    /// The bytes of the whole record.
    pub const fn record_size(&self) -> usize {
        (HEAD_SIZE + self.target_len as usize + self.text_len as usize).next_multiple_of(8)
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> [u8; HEAD_SIZE] {
        let mut bytes = [0; HEAD_SIZE];
        bytes[..8].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.time_ns.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.process.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.cpu.to_le_bytes());
        bytes[28] = self.level as u8;
        bytes[29] = self.flags;
        bytes[30..32].copy_from_slice(&self.target_len.to_le_bytes());
        bytes[32..34].copy_from_slice(&self.text_len.to_le_bytes());
        bytes
    }

    /// From its bytes; none if there is no such level.
    pub fn from_bytes(bytes: &[u8; HEAD_SIZE]) -> Option<Self> {
        let word = |at: usize| {
            bytes[at..]
                .first_chunk()
                .map(|word| u64::from_le_bytes(*word))
        };
        let short = |at: usize| {
            bytes[at..]
                .first_chunk()
                .map(|short| u16::from_le_bytes(*short))
        };
        Some(Self {
            sequence: word(0)?,
            time_ns: word(8)?,
            process: word(16)?,
            cpu: u32::from_le_bytes(*bytes[24..].first_chunk()?),
            level: Level::from_number(u64::from(bytes[28]))?,
            flags: bytes[29],
            target_len: short(30)?,
            text_len: short(32)?,
        })
    }
}

impl<'a> Record<'a> {
    /// Takes the first record off `bytes`; none when there is no whole one.
    pub fn take(bytes: &mut &'a [u8]) -> Option<Self> {
        let head = Head::from_bytes(bytes.first_chunk()?)?;
        let (record, rest) = bytes.split_at_checked(head.record_size())?;
        let (target, text) = record[HEAD_SIZE..].split_at(usize::from(head.target_len));
        *bytes = rest;
        Some(Self {
            head,
            target,
            text: &text[..usize::from(head.text_len)],
        })
    }
}

/// The records that `bytes` hold.
pub fn records(mut bytes: &[u8]) -> impl Iterator<Item = Record<'_>> {
    core::iter::from_fn(move || Record::take(&mut bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(sequence: u64, target: &str, text: &str) -> Vec<u8> {
        let head = Head {
            sequence,
            time_ns: sequence << 40,
            process: 7,
            cpu: 0x0102_0304,
            level: Level::Warn,
            flags: CUT,
            target_len: target.len() as u16,
            text_len: text.len() as u16,
        };
        let mut bytes = head.to_bytes().to_vec();
        bytes.extend_from_slice(target.as_bytes());
        bytes.extend_from_slice(text.as_bytes());
        bytes.resize(head.record_size(), 0);
        assert_eq!(Head::from_bytes(bytes.first_chunk().unwrap()), Some(head));
        bytes
    }

    #[test]
    fn records_follow_each_other_whatever_their_lengths() {
        let texts = ["", "a", "seven b", "eight by", "nine byte"];
        let all: Vec<_> = texts.iter().flat_map(|a| texts.map(|b| (*a, b))).collect();
        let mut bytes = Vec::new();
        for (index, (target, text)) in all.iter().enumerate() {
            bytes.extend(record(index as u64, target, text));
        }
        let found: Vec<_> = records(&bytes).collect();
        assert_eq!(found.len(), all.len());
        for (index, (record, (target, text))) in found.iter().zip(&all).enumerate() {
            assert_eq!(record.head.sequence, index as u64);
            assert_eq!(
                (record.target, record.text),
                (target.as_bytes(), text.as_bytes())
            );
        }
        // Cut anywhere, the whole ones before are there, and nothing else.
        for len in 0..bytes.len() {
            assert!(
                records(&bytes[..len])
                    .eq(found.iter().copied().take(records(&bytes[..len]).count()))
            );
        }
    }

    #[test]
    fn what_is_no_record_is_none() {
        assert_eq!(records(&[0xff; 400]).count(), 0);
        assert_eq!(records(&[0; 400]).count(), 0);
        for number in [0, 6, 255] {
            assert_eq!(Level::from_number(number), None);
        }
        for number in Level::FIRST..Level::FIRST + Level::COUNT {
            assert_eq!(
                Level::from_number(number).map(|level| level as u64),
                Some(number)
            );
        }
    }
}
