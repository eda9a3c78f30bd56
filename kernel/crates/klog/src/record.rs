//! What a log record is made of, and the buffer in which its text is made.

use core::fmt;
pub use log::Level;

/// What goes with a text into the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Time since the kernel began, in nanoseconds.
    pub time_ns: u64,
    /// The number of the process that writes; 0 for the kernel.
    pub process: u64,
    /// The processor that writes.
    pub cpu: u32,
    /// How important it is.
    pub level: Level,
    /// The part of the kernel that writes, usually a module path; cut after [`MAX_TARGET`] bytes.
    pub target: &'a str,
}

/// The most bytes of a target that are kept.
pub const MAX_TARGET: usize = 48;

/// Stands at the end of a text that did not fit.
const MARK: &str = "…";

/// Whether a text is all that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// It is.
    Whole,
    /// Its end did not fit; the text ends with `…`.
    Truncated,
}

/// A record read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its number: the first record ever written has 0, each later one has one more.
    pub sequence: u64,
    /// What goes with the text.
    pub header: Header<'a>,
    /// The text.
    pub text: &'a str,
    /// Whether that is all of it.
    pub completeness: Completeness,
}

/// Makes a text in a given buffer; what does not fit is cut at a character and marked.
pub(crate) struct TextBuffer<'a> {
    bytes: &'a mut [u8],
    used: usize,
    completeness: Completeness,
}

impl<'a> TextBuffer<'a> {
    pub(crate) fn new(bytes: &'a mut [u8]) -> Self {
        Self {
            bytes,
            used: 0,
            completeness: Completeness::Whole,
        }
    }

    /// The length of the text, after marking it if it was cut, and whether it was.
    pub(crate) fn finish(mut self) -> (usize, Completeness) {
        if self.completeness == Completeness::Truncated {
            let room = self.bytes.len().saturating_sub(MARK.len());
            let text = self.bytes.get(..self.used).unwrap_or(&[]);
            let text = core::str::from_utf8(text).unwrap_or("");
            self.used = text.floor_char_boundary(room.min(text.len()));
            self.append(MARK);
        }
        (self.used, self.completeness)
    }

    /// Copies `text` if all of it fits.
    fn append(&mut self, text: &str) -> bool {
        let end = self.used.saturating_add(text.len());
        let Some(place) = self.bytes.get_mut(self.used..end) else {
            return false;
        };
        place.copy_from_slice(text.as_bytes());
        self.used = end;
        true
    }
}

impl fmt::Write for TextBuffer<'_> {
    /// Never fails, so that the formatting goes on and its side effects are the same.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.completeness == Completeness::Whole && !self.append(text) {
            self.completeness = Completeness::Truncated;
            let room = self.bytes.len().saturating_sub(self.used);
            let (fits, _) = text.split_at(text.floor_char_boundary(room));
            self.append(fits);
        }
        Ok(())
    }
}
