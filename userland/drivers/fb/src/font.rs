//! Glyphs: how strongly each pixel of a cell is covered by a character.
//!
//! Latin letters are those of Noto Sans Mono, in four sizes and two weights; lines and blocks are made here, so that they meet; whatever else the
//! world writes comes from GNU Unifont, which is one bit a pixel and 16 pixels high, brought to the size of the cell.

use alloc::vec::Vec;

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};
use unifont::{Glyph, get_glyph};

use crate::boxes;

/// How many glyphs are kept; a power of two.
const KEPT: usize = 1024;
/// Pixels of a glyph of Unifont from top to bottom.
const UNIFONT: usize = 16;

/// How high a cell is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// 7 x 16 pixels.
    Pixels16,
    /// 9 x 20 pixels.
    Pixels20,
    /// 11 x 24 pixels.
    Pixels24,
    /// 14 x 32 pixels.
    Pixels32,
}

impl Size {
    /// All of them, largest first.
    pub const ALL: [Self; 4] = [
        Self::Pixels32,
        Self::Pixels24,
        Self::Pixels20,
        Self::Pixels16,
    ];

    /// By its height.
    pub fn of_height(height: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|size| size.cell().1 == height)
    }

    /// The largest with which a screen has lines of a good length, and enough of them.
    pub fn for_screen(width: usize, height: usize) -> Self {
        let fits = |size: &Self| {
            let cell = size.cell();
            width / cell.0 >= 120 && height / cell.1 >= 40
        };
        Self::ALL.into_iter().find(fits).unwrap_or(Self::Pixels16)
    }

    /// Width and height of a cell.
    pub const fn cell(self) -> (usize, usize) {
        let raster = self.raster();
        (get_raster_width(FontWeight::Regular, raster), raster.val())
    }

    const fn raster(self) -> RasterHeight {
        match self {
            Self::Pixels16 => RasterHeight::Size16,
            Self::Pixels20 => RasterHeight::Size20,
            Self::Pixels24 => RasterHeight::Size24,
            Self::Pixels32 => RasterHeight::Size32,
        }
    }
}

/// Which glyph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    pub character: char,
    pub is_wide: bool,
    pub is_bold: bool,
    pub is_italic: bool,
}

impl Key {
    fn place(self) -> usize {
        let bits = [self.is_wide, self.is_bold, self.is_italic];
        let bits = bits.iter().fold(0, |bits, &bit| bits << 1 | u32::from(bit));
        // Letters of one script lie next to each other.
        (u32::from(self.character) ^ bits << 7) as usize % KEPT
    }
}

struct Kept {
    key: Key,
    coverage: Vec<u8>,
}

/// Glyphs of one size; those that were used last are kept.
pub struct Font {
    size: Size,
    kept: Vec<Option<Kept>>,
}

impl Font {
    /// Glyphs of a size; `None` when memory is short.
    pub fn new(size: Size) -> Option<Self> {
        let mut kept = Vec::new();
        kept.try_reserve_exact(KEPT).ok()?;
        kept.resize_with(KEPT, || None);
        Some(Self { size, kept })
    }

    /// The size.
    pub fn size(&self) -> Size {
        self.size
    }

    /// The coverage of a glyph, row by row, as wide as one or two cells; empty when memory is short.
    pub(crate) fn glyph(&mut self, key: Key) -> &[u8] {
        let size = self.size;
        let Some(place) = self.kept.get_mut(key.place()) else {
            return &[];
        };
        if place.as_ref().is_none_or(|kept| kept.key != key) {
            let mut coverage = place.take().map(|kept| kept.coverage).unwrap_or_default();
            if !render(key, size, &mut coverage) {
                return &[];
            }
            *place = Some(Kept { key, coverage });
        }
        place.as_ref().map_or(&[], |kept| &kept.coverage)
    }
}

/// Makes a glyph; returns whether there was memory for it.
fn render(key: Key, size: Size, coverage: &mut Vec<u8>) -> bool {
    let (cell, height) = size.cell();
    let width = if key.is_wide { 2 * cell } else { cell };
    coverage.clear();
    if coverage.try_reserve_exact(width * height).is_err() {
        return false;
    }
    coverage.resize(width * height, 0);
    if boxes::draw(key.character, coverage, width, height) {
        return true;
    }
    let weight = if key.is_bold {
        FontWeight::Bold
    } else {
        FontWeight::Regular
    };
    if let Some(raster) = get_raster(key.character, weight, size.raster()).filter(|_| !key.is_wide)
    {
        for (line, row) in coverage.chunks_exact_mut(width).zip(raster.rows()) {
            line.copy_from_slice(row);
        }
    } else if let Some(glyph) = get_glyph(key.character) {
        scale(glyph, key.is_bold, coverage, width, height);
    } else {
        missing(coverage, width, height);
    }
    if key.is_italic {
        slant(coverage, width, height);
    }
    true
}

/// Brings a glyph of Unifont to the size of a cell: as large as fits without distortion, in the middle. A pixel is covered as much as the part of the glyph
/// that lies in it.
fn scale(glyph: &Glyph, is_bold: bool, coverage: &mut [u8], width: usize, height: usize) {
    let source = glyph.get_width();
    // New width and height; the narrower of both ways.
    let (to_width, to_height) = if width * UNIFONT <= height * source {
        (width, UNIFONT * width / source)
    } else {
        (source * height / UNIFONT, height)
    };
    // A half-width glyph is 8 x 16: in a cell of 7 pixels it is made narrower rather than lower, which does less harm.
    let (to_width, to_height) = if to_height + 2 >= height || to_height + height / 8 >= height {
        (to_width, height)
    } else {
        (to_width, to_height)
    };
    let (left, top) = ((width - to_width) / 2, (height - to_height) / 2);
    for y in 0..to_height {
        for x in 0..to_width {
            // In units in which both grids have whole numbers.
            let columns = (x * source, (x + 1) * source, to_width);
            let rows = (y * UNIFONT, (y + 1) * UNIFONT, to_height);
            let mut covered = 0;
            for (row, row_share) in overlaps(rows) {
                for (column, column_share) in overlaps(columns) {
                    let is_set = glyph.get_pixel(column, row)
                        || is_bold && column > 0 && glyph.get_pixel(column - 1, row);
                    if is_set {
                        covered += row_share * column_share;
                    }
                }
            }
            let place = (top + y) * width + left + x;
            if let Some(pixel) = coverage.get_mut(place) {
                *pixel = (covered * 255 / (source * UNIFONT)) as u8;
            }
        }
    }
}

/// The units of `size` that lie between two places, and how much of each.
fn overlaps((begin, end, size): (usize, usize, usize)) -> impl Iterator<Item = (usize, usize)> {
    (begin / size..end.div_ceil(size)).map(move |unit| {
        let (from, to) = (begin.max(unit * size), end.min((unit + 1) * size));
        (unit, to - from)
    })
}

/// What is drawn for a character without a glyph: a box.
fn missing(coverage: &mut [u8], width: usize, height: usize) {
    let (top, bottom) = (height / 5, height - height / 5);
    for (index, pixel) in coverage.iter_mut().enumerate() {
        let (x, y) = (index % width, index / width);
        let is_inside = (1..width - 1).contains(&x) && (top..bottom).contains(&y);
        let is_edge = x == 1 || x + 2 == width || y == top || y + 1 == bottom;
        *pixel = if is_inside && is_edge { 200 } else { 0 };
    }
}

/// Moves the upper rows to the right and the lower ones to the left.
fn slant(coverage: &mut [u8], width: usize, height: usize) {
    for (y, row) in coverage.chunks_exact_mut(width).enumerate() {
        let shift = (height as isize / 2 - y as isize) / 4;
        let by = shift.unsigned_abs().min(width);
        if shift > 0 {
            row.copy_within(..width - by, by);
            row[..by].fill(0);
        } else if shift < 0 {
            row.copy_within(by.., 0);
            row[width - by..].fill(0);
        }
    }
}
