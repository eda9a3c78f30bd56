//! Drawing: what is on the screen is kept as cells, and those that differ are drawn.
//!
//! A run of cells that differ is drawn into a band of memory, as high as a cell, and goes from there to the framebuffer, a row of pixels at a time:
//! the screen never shows half a character, and the framebuffer is written in long pieces and never read.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use crate::cell::{Attributes, Cell};
use crate::font::{Font, Key, Size};
use crate::palette::{self, BACKGROUND, FOREGROUND, Rgb};
use crate::pixels::{Mode, ModeError};
use crate::terminal::{Cursor, Shape, Terminal};

/// The memory of a screen.
pub trait Surface {
    /// Writes bytes from an offset on. They lie inside of the mode's [`bytes`](Mode::bytes).
    fn write(&mut self, offset: usize, bytes: &[u8]);
}

impl Surface for Vec<u8> {
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        if let Some(place) = self.get_mut(offset..offset + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }
}

/// Why there can be no renderer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenderError {
    /// The screen is none.
    Mode(ModeError),
    /// Not even two characters fit on it.
    TooSmall,
    /// Memory is short.
    OutOfMemory,
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mode(error) => error.fmt(f),
            Self::TooSmall => f.write_str("the screen is too small for text"),
            Self::OutOfMemory => f.write_str("memory is too short for drawing"),
        }
    }
}

/// What was drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drawn {
    /// Cells that differed.
    pub cells: usize,
    /// Bytes that went to the surface.
    pub bytes: usize,
}

/// Runs with fewer cells between them that do not differ are drawn as one.
const GAP: usize = 3;
/// How many pairs of colours have their mixtures kept.
const MIXTURES: usize = 32;

/// The mixtures of two colours, as pixels: one for each strength.
struct Mixtures {
    colours: (Rgb, Rgb),
    pixels: [u32; 256],
}

/// Draws a terminal.
pub struct Renderer {
    mode: Mode,
    font: Font,
    columns: usize,
    rows: usize,
    /// What the surface shows; `None` where that is not known.
    shown: Vec<Option<Cell>>,
    /// A line as it shall be.
    line: Vec<Cell>,
    /// The whole screen's colours change places.
    is_reverse: bool,
    band: Vec<u8>,
    mixtures: Vec<Option<Mixtures>>,
}

impl Renderer {
    /// For a screen, in a size of letters.
    ///
    /// # Errors
    /// If nothing can be drawn there.
    pub fn new(mode: Mode, size: Size) -> Result<Self, RenderError> {
        mode.check().map_err(RenderError::Mode)?;
        let (width, height) = size.cell();
        let (columns, rows) = (mode.width / width, mode.height / height);
        if columns < 2 || rows < 1 {
            return Err(RenderError::TooSmall);
        }
        fn filled<T>(len: usize, make: impl FnMut() -> T) -> Result<Vec<T>, RenderError> {
            let mut values = Vec::new();
            let reserved = values.try_reserve_exact(len);
            reserved.map_err(|_| RenderError::OutOfMemory)?;
            values.resize_with(len, make);
            Ok(values)
        }
        Ok(Self {
            mode,
            font: Font::new(size).ok_or(RenderError::OutOfMemory)?,
            columns,
            rows,
            shown: filled(columns * rows, || None)?,
            line: filled(columns, || Cell::BLANK)?,
            is_reverse: false,
            band: filled(mode.width * height * mode.format.bytes, || 0)?,
            mixtures: filled(MIXTURES, || None)?,
        })
    }

    /// Columns and rows that fit.
    pub fn size(&self) -> (usize, usize) {
        (self.columns, self.rows)
    }

    /// Makes the whole surface blank, with what is left of it at the right and below.
    pub fn clear(&mut self, surface: &mut impl Surface) {
        let back = if self.is_reverse {
            FOREGROUND
        } else {
            BACKGROUND
        };
        let pixel = self.mode.format.pixel(back).to_le_bytes();
        let len = self.mode.width * self.mode.format.bytes;
        let Some(row) = self.band.get_mut(..len) else {
            return;
        };
        for bytes in row.chunks_exact_mut(self.mode.format.bytes) {
            bytes.copy_from_slice(&pixel[..bytes.len()]);
        }
        for y in 0..self.mode.height {
            surface.write(y * self.mode.pitch, row);
        }
        self.shown.fill(Some(Cell::BLANK));
    }

    /// Draws what differs from what the surface shows.
    pub fn draw(&mut self, terminal: &Terminal, surface: &mut impl Surface) -> Drawn {
        if self.is_reverse != terminal.is_reverse() {
            self.is_reverse = terminal.is_reverse();
            self.clear(surface);
            // The colours of all others have changed too, but for blanks.
        }
        let cursor = terminal.cursor();
        let mut drawn = Drawn::default();
        for row in 0..self.rows {
            let source = terminal.line(row);
            let (filled, rest) = self.line.split_at_mut(source.len().min(self.columns));
            filled.copy_from_slice(source.get(..filled.len()).unwrap_or_default());
            rest.fill(Cell::BLANK);
            if let Some(cursor) = cursor.filter(|cursor| cursor.row == row) {
                mark(&mut self.line, cursor);
            }
            let mut from = 0;
            while let Some(run) = self.next_run(row, from) {
                from = run.end;
                self.draw_run(row, run, surface, &mut drawn);
            }
        }
        drawn
    }

    /// The next cells of a line that differ, with whole characters at both ends.
    fn next_run(&self, row: usize, from: usize) -> Option<Range<usize>> {
        let shown = self
            .shown
            .get(row * self.columns..(row + 1) * self.columns)?;
        let differs = |column: usize| {
            let cell = self.line.get(column).copied();
            shown.get(column).copied().flatten() != cell
        };
        let is_spacer = |column: usize| self.line.get(column).is_some_and(Cell::is_spacer);
        let mut start = (from..self.columns).find(|&column| differs(column))?;
        let mut end = start + 1;
        let mut column = end;
        while column < self.columns && column <= end + GAP {
            if differs(column) {
                end = column + 1;
            }
            column += 1;
        }
        if is_spacer(start) {
            start -= 1;
        }
        if is_spacer(end) {
            end += 1;
        }
        Some(start..end)
    }

    fn draw_run(
        &mut self,
        row: usize,
        run: Range<usize>,
        surface: &mut impl Surface,
        drawn: &mut Drawn,
    ) {
        let (width, height) = self.font.size().cell();
        let bytes = self.mode.format.bytes;
        let pitch = run.len() * width * bytes;
        for column in run.clone() {
            let Some(&cell) = self.line.get(column) else {
                return;
            };
            if let Some(shown) = self.shown.get_mut(row * self.columns + column) {
                drawn.cells += usize::from(*shown != Some(cell));
                *shown = Some(cell);
            }
            if !cell.is_spacer() {
                self.draw_cell(cell, (column - run.start) * width * bytes, pitch);
            }
        }
        let offset = row * height * self.mode.pitch + run.start * width * bytes;
        for (y, row) in self.band.chunks_exact(pitch).take(height).enumerate() {
            surface.write(offset + y * self.mode.pitch, row);
            drawn.bytes += row.len();
        }
    }

    /// Draws a character into the band, whose rows are so many bytes apart.
    fn draw_cell(&mut self, cell: Cell, offset: usize, pitch: usize) {
        let has = |attribute| cell.style.attributes.has(attribute);
        let (width, height) = self.font.size().cell();
        let width = if cell.is_wide() { 2 * width } else { width };
        let bytes = self.mode.format.bytes;
        let colours = palette::colours(cell.style, self.is_reverse);
        let Some(mixtures) = mixtures(&mut self.mixtures, colours, self.mode) else {
            return;
        };
        let coverage = self.font.glyph(Key {
            character: cell.character,
            is_wide: cell.is_wide(),
            is_bold: has(Attributes::BOLD),
            is_italic: has(Attributes::ITALIC),
        });
        let rows = self.band.chunks_exact_mut(pitch).take(height);
        for (y, row) in rows.enumerate() {
            let Some(row) = row.get_mut(offset..offset + width * bytes) else {
                return;
            };
            let line = stroke(cell.style.attributes, y, height);
            let strengths = coverage.get(y * width..(y + 1) * width).unwrap_or_default();
            if let (true, Some(pixels)) = (
                bytes == 4 && !line,
                (!strengths.is_empty()).then_some(strengths),
            ) {
                for (pixel, &strength) in row.as_chunks_mut::<4>().0.iter_mut().zip(pixels) {
                    *pixel = mixtures.pixels[usize::from(strength)].to_le_bytes();
                }
                continue;
            }
            for (x, pixel) in row.chunks_exact_mut(bytes).enumerate() {
                let strength = if line {
                    255
                } else {
                    strengths.get(x).copied().unwrap_or(0)
                };
                let value = mixtures.pixels[usize::from(strength)].to_le_bytes();
                pixel.copy_from_slice(&value[..bytes]);
            }
        }
        if has(Attributes::BAR) {
            let value = mixtures.pixels[255].to_le_bytes();
            for row in self.band.chunks_exact_mut(pitch).take(height) {
                let bar = row.get_mut(offset..offset + height.div_ceil(16) * bytes);
                for pixel in bar.into_iter().flat_map(|bar| bar.chunks_exact_mut(bytes)) {
                    pixel.copy_from_slice(&value[..bytes]);
                }
            }
        }
    }
}

/// Whether a line below or across covers a row of a cell's pixels.
fn stroke(attributes: Attributes, y: usize, height: usize) -> bool {
    let thick = (height + 8) / 16;
    let below = height - height / 8 - thick / 2;
    let middle = height * 9 / 16;
    attributes.has(Attributes::UNDERLINE) && (below..below + thick).contains(&y)
        || attributes.has(Attributes::STRUCK) && (middle..middle + thick).contains(&y)
        || attributes.has(Attributes::LINE) && y + 2 * thick >= height
}

/// Marks the cell on which the cursor stands: the whole of a wide character.
fn mark(line: &mut [Cell], cursor: Cursor) {
    let attribute = match cursor.shape {
        Shape::Block => Attributes::BLOCK,
        Shape::Line => Attributes::LINE,
        Shape::Bar => Attributes::BAR,
    };
    let is_spacer = line.get(cursor.column).is_some_and(Cell::is_spacer);
    let column = cursor.column - usize::from(is_spacer);
    let is_wide = line.get(column).is_some_and(Cell::is_wide);
    for cell in line.iter_mut().skip(column).take(1 + usize::from(is_wide)) {
        cell.style.attributes = cell.style.attributes.with(attribute);
    }
}

/// The mixtures of two colours, made if they are not those that were used last.
fn mixtures(kept: &mut [Option<Mixtures>], colours: (Rgb, Rgb), mode: Mode) -> Option<&Mixtures> {
    let parts = colours.0.iter().chain(&colours.1);
    let place = parts.fold(0, |sum: usize, &part| {
        sum.wrapping_mul(31).wrapping_add(usize::from(part))
    });
    let place = kept.get_mut(place % MIXTURES)?;
    if place
        .as_ref()
        .is_none_or(|mixtures| mixtures.colours != colours)
    {
        let mut pixels = [0; 256];
        for (strength, pixel) in (0..=255).zip(&mut pixels) {
            *pixel = mode
                .format
                .pixel(palette::mix(colours.0, colours.1, strength));
        }
        *place = Some(Mixtures { colours, pixels });
    }
    place.as_ref()
}
