//! How pixels lie in memory.

use core::fmt;

use crate::palette::Rgb;

/// No screen has more pixels in a direction.
const SIDE_MAX: usize = 1 << 14;

/// What a pixel consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// 3 or 4.
    pub bytes: usize,
    /// The lowest bits of red, green and blue, of which each has eight.
    pub shifts: [u32; 3],
}

impl Format {
    /// A colour as a pixel; of its bytes, the first are written.
    pub fn pixel(self, colour: Rgb) -> u32 {
        let parts = colour.iter().zip(self.shifts);
        parts.fold(0, |pixel, (&part, shift)| {
            pixel | u32::from(part).checked_shl(shift).unwrap_or(0)
        })
    }
}

/// A screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Pixels of a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Bytes from one row to the next.
    pub pitch: usize,
    /// How a pixel is made.
    pub format: Format,
}

/// Why nothing can be drawn on a screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModeError {
    /// It has no pixels, or too many.
    Size,
    /// Pixels have neither three nor four bytes.
    PixelSize,
    /// A part of a pixel lies outside of it.
    Shift,
    /// Rows overlap.
    Pitch,
}

impl fmt::Display for ModeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Size => "the screen has no pixels, or more than can be",
            Self::PixelSize => "the screen's pixels have neither three nor four bytes",
            Self::Shift => "a colour lies outside of the screen's pixels",
            Self::Pitch => "the screen's rows are longer than the distance between them",
        })
    }
}

impl Mode {
    /// Checks that the parts go together.
    ///
    /// # Errors
    /// What does not.
    pub fn check(&self) -> Result<(), ModeError> {
        let Self {
            width,
            height,
            pitch,
            format,
        } = *self;
        if !(1..=SIDE_MAX).contains(&width) || !(1..=SIDE_MAX).contains(&height) {
            return Err(ModeError::Size);
        }
        if !(3..=4).contains(&format.bytes) {
            return Err(ModeError::PixelSize);
        }
        let bits = format.bytes as u32 * 8;
        if format.shifts.iter().any(|&shift| shift > bits - 8) {
            return Err(ModeError::Shift);
        }
        if !(width * format.bytes..=SIDE_MAX * 8).contains(&pitch) {
            return Err(ModeError::Pitch);
        }
        Ok(())
    }

    /// Bytes from the first pixel to behind the last row.
    pub fn bytes(&self) -> usize {
        self.pitch * self.height
    }
}
