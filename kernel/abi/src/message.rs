//! Messages of mailboxes.
//!
//! A message is a tag, up to 64 words, and up to eight handles. The tag travels in RSI, the first eight words in RDX, R10, R8, R9, R12, R13,
//! R14 and R15. Registers of words that a message does not have keep what the receiver had there. Words beyond the eighth travel
//! through the buffers that both threads have named with `mailbox_set_buffer`: word `n` lies at `8 * n` from the buffer's begin.
//!
//! Handles are words: the first ones of the message, as many as the tag says. Each must have TRANSFER. The receiver finds its own handles
//! there, and the sender's are gone; a handle that was revoked at that moment arrives as 0.

/// What a message is, and how long: words in the lowest 8 bits, handles in the next 4, and a label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Tag(pub u64);

/// The most words that travel in registers.
pub const REGISTER_WORDS: usize = 8;

/// The most words of a message.
pub const WORDS_MAX: usize = 64;

/// The most handles of a message.
pub const HANDLES_MAX: usize = 8;

impl Tag {
    const HANDLES_SHIFT: u32 = 8;
    const LABEL_SHIFT: u32 = 12;

    /// A tag for a message with this label, of which the lowest 52 bits count, and so many words.
    pub const fn new(label: u64, words: u8) -> Self {
        Self(label << Self::LABEL_SHIFT | words as u64)
    }

    /// The same for a message whose first words are so many handles; only the lowest 4 bits of the number count.
    pub const fn with_handles(self, handles: u8) -> Self {
        let others = self.0 & !(0xf << Self::HANDLES_SHIFT);
        Self(others | (handles as u64 & 0xf) << Self::HANDLES_SHIFT)
    }

    /// What the message is; its meaning is a matter between caller and server.
    pub const fn label(self) -> u64 {
        self.0 >> Self::LABEL_SHIFT
    }

    /// How many words it has, handles included.
    pub const fn words(self) -> usize {
        (self.0 & 0xff) as usize
    }

    /// How many of the words are handles.
    pub const fn handles(self) -> usize {
        (self.0 >> Self::HANDLES_SHIFT & 0xf) as usize
    }

    /// Whether it is all in registers, and without handles.
    pub const fn is_short(self) -> bool {
        self.0 & 0xfff <= REGISTER_WORDS as u64
    }

    /// Whether a message can be like this.
    pub const fn is_valid(self) -> bool {
        self.is_short()
            || self.words() <= WORDS_MAX
                && self.handles() <= HANDLES_MAX
                && self.handles() <= self.words()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_and_lengths_are_kept_apart() {
        let tag = Tag::new(0x000b_cdef_0123_4567, 8);
        assert_eq!((tag.label(), tag.words()), (0x000b_cdef_0123_4567, 8));
        assert!(tag.is_valid() && tag.is_short() && Tag::default().is_valid());
        let tag = tag.with_handles(3);
        assert_eq!(
            (tag.label(), tag.words(), tag.handles()),
            (0x000b_cdef_0123_4567, 8, 3)
        );
        assert!(tag.is_valid() && !tag.is_short());
        assert_eq!(tag.with_handles(0).handles(), 0);
    }

    #[test]
    fn messages_that_cannot_be_are_found() {
        for (words, handles, is_valid) in [
            (9, 0, true),
            (64, 0, true),
            (64, 8, true),
            (65, 0, false),
            (255, 0, false),
            (0, 1, false),
            (7, 8, false),
            (8, 8, true),
            (64, 9, false),
            (15, 15, false),
        ] {
            let tag = Tag::new(1, words).with_handles(handles);
            assert_eq!(tag.is_valid(), is_valid, "{words} words, {handles} handles");
        }
        assert!(!Tag(u64::MAX).is_valid());
    }
}
