//! How the small parts of a record's header share one word of its slot.

use crate::record::{Completeness, Level};

/// The small parts of a header in one word: processor in bits 0 to 31, text length 32 to 47,
/// target length 48 to 55, level 56 to 58, whether it was cut 63.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) cpu: u32,
    pub(crate) level: Level,
    pub(crate) completeness: Completeness,
    pub(crate) target_len: usize,
    pub(crate) text_len: usize,
}

impl Meta {
    pub(crate) fn pack(self) -> u64 {
        let level: u64 = match self.level {
            Level::Error => 1,
            Level::Warn => 2,
            Level::Info => 3,
            Level::Debug => 4,
            Level::Trace => 5,
        };
        let cut = u64::from(self.completeness == Completeness::Truncated);
        u64::from(self.cpu)
            | (self.text_len as u64 & 0xffff) << 32
            | (self.target_len as u64 & 0xff) << 48
            | level << 56
            | cut << 63
    }

    pub(crate) fn unpack(word: u64) -> Self {
        Self {
            cpu: word as u32,
            level: match word >> 56 & 7 {
                1 => Level::Error,
                2 => Level::Warn,
                3 => Level::Info,
                4 => Level::Debug,
                _ => Level::Trace,
            },
            completeness: if word >> 63 == 0 {
                Completeness::Whole
            } else {
                Completeness::Truncated
            },
            target_len: usize::from((word >> 48) as u8),
            text_len: usize::from((word >> 32) as u16),
        }
    }
}
