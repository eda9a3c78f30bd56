//! Where an area's pages come from.

use kaddr::Frame;

use crate::account::OverLimit;

/// A frame with an owner. Dropping it gives the frame back.
pub trait OwnedFrame {
    /// The frame.
    fn frame(&self) -> Frame;
}

/// An aligned run of 512 frames with one owner. Dropping it gives them back.
pub trait OwnedLarge {
    /// A single frame of it.
    type Small: OwnedFrame;

    /// The first frame.
    fn frame(&self) -> Frame;

    /// The single frames, in order.
    fn into_small(self) -> impl Iterator<Item = Self::Small>;
}

/// Gives out frames, and accounts for them.
pub trait Supply {
    /// A frame.
    type Small: OwnedFrame;
    /// A run of 512 frames.
    type Large: OwnedLarge<Small = Self::Small>;

    /// A frame filled with zeros.
    fn zeroed(&mut self) -> Option<Self::Small>;

    /// 512 frames in a row, filled with zeros; none also when memory is too short to be generous.
    fn zeroed_large(&mut self) -> Option<Self::Large>;

    /// A frame with the content of another.
    fn copy_of(&mut self, frame: Frame) -> Option<Self::Small>;

    /// Whether a frame holds nothing but zeros. The answer may be wrong while a mapping can write to it.
    fn is_zero(&self, frame: Frame) -> bool;

    /// Charges pages to the account that pays for the area.
    ///
    /// # Errors
    /// When it has no room for them.
    fn charge(&mut self, pages: u64) -> Result<(), OverLimit>;

    /// Charges frames filled with zeros, for pages that nobody has asked for yet, and puts them into the first places; all are
    /// empty before. Fewer, or none, when the account or memory comes near its end: these pages are not to be missing
    /// where they are needed.
    fn zeroed_ahead(&mut self, places: &mut [Option<Self::Small>]);

    /// Takes a charge back.
    fn uncharge(&mut self, pages: u64);
}
