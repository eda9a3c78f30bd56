//! Text on the framebuffer: the log until a driver in user space takes the screen over.
//!
//! [`Painter`] draws one character cell straight into the framebuffer and holds no state that could be locked, so
//! that a panic can use it too. [`Console`] keeps what is on the screen as characters: scrolling then redraws only
//! the cells that differ, and never reads the framebuffer, which is slow. It scrolls a quarter of the screen at once.

use alloc::vec::Vec;
use core::fmt;

use kaddr::VirtAddr;
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

use crate::boot::{Channel, FramebufferInfo};

const WEIGHT: FontWeight = FontWeight::Regular;
const HEIGHT: RasterHeight = RasterHeight::Size16;
const CELL_HEIGHT: usize = HEIGHT.val();
const CELL_WIDTH: usize = get_raster_width(WEIGHT, HEIGHT);

/// Red, green, blue, 0 to 255 each.
pub type Colour = [u8; 3];
/// Text on a quiet background.
pub const FOREGROUND: Colour = [0xd8, 0xd8, 0xd0];
/// The background of the log.
pub const BACKGROUND: Colour = [0x12, 0x16, 0x1c];
/// The background of a panic.
pub const ALARM: Colour = [0x80, 0x10, 0x10];

/// Draws character cells into a mapped framebuffer.
#[derive(Clone, Copy)]
pub struct Painter {
    base: VirtAddr,
    info: FramebufferInfo,
}

impl Painter {
    /// A painter for the framebuffer that is mapped at `base` for its whole length.
    ///
    /// # Safety
    /// `base` maps `info.pitch * info.height` writable bytes for as long as the painter or a copy of it is used
    /// (invariant 8).
    pub const unsafe fn new(base: VirtAddr, info: FramebufferInfo) -> Self {
        Self { base, info }
    }

    /// Columns and rows of cells that fit.
    pub fn size(&self) -> (usize, usize) {
        (self.info.width / CELL_WIDTH, self.info.height / CELL_HEIGHT)
    }

    fn pixel(&self, [red, green, blue]: Colour) -> u32 {
        let part = |value: u8, channel: Channel| {
            let scaled = if channel.size >= 8 {
                u32::from(value) << (channel.size - 8).min(24)
            } else {
                u32::from(value) >> (8 - channel.size)
            };
            scaled.checked_shl(u32::from(channel.shift)).unwrap_or(0)
        };
        part(red, self.info.red) | part(green, self.info.green) | part(blue, self.info.blue)
    }

    /// Writes a pixel; the caller has checked that x and y lie on the screen.
    fn put(&self, x: usize, y: usize, pixel: u32) {
        let at = self.base.as_u64() as usize + y * self.info.pitch + x * self.info.bytes_per_pixel;
        // SAFETY: (x, y) lies inside the mapped framebuffer (invariant 8 and the checks of the callers).
        unsafe {
            if self.info.bytes_per_pixel == 4 {
                (at as *mut u32).write_volatile(pixel);
            } else {
                for byte in 0..3 {
                    ((at + byte) as *mut u8).write_volatile((pixel >> (8 * byte)) as u8);
                }
            }
        }
    }

    /// Fills a row of four-byte pixels, two at a time.
    fn fill_row(&self, y: usize, pixel: u32) {
        let at = self.base.as_u64() as usize + y * self.info.pitch;
        let pair = u64::from(pixel) << 32 | u64::from(pixel);
        // SAFETY: the pairs lie in row `y` of the mapped framebuffer (invariant 8); an odd last pixel is written by `put`.
        unsafe {
            core::arch::asm!(
                "rep stosq",
                inout("rdi") at => _,
                inout("rcx") self.info.width / 2 => _,
                in("rax") pair,
                options(nostack, preserves_flags),
            );
        }
        if !self.info.width.is_multiple_of(2) {
            self.put(self.info.width - 1, y, pixel);
        }
    }

    /// Draws `character` in the cell at (`column`, `row`); cells outside of the screen are ignored.
    pub fn draw(
        &self,
        column: usize,
        row: usize,
        character: char,
        foreground: Colour,
        background: Colour,
    ) {
        let (columns, rows) = self.size();
        if column >= columns || row >= rows {
            return;
        }
        let (left, top) = (column * CELL_WIDTH, row * CELL_HEIGHT);
        let blank = self.pixel(background);
        let glyph =
            get_raster(character, WEIGHT, HEIGHT).or_else(|| get_raster('?', WEIGHT, HEIGHT));
        let Some(glyph) = glyph.filter(|_| character != ' ') else {
            for y in 0..CELL_HEIGHT {
                for x in 0..CELL_WIDTH {
                    self.put(left + x, top + y, blank);
                }
            }
            return;
        };
        for (y, line) in glyph.rows().enumerate() {
            for (x, &intensity) in line.iter().enumerate() {
                let pixel = match intensity {
                    0 => blank,
                    strength => self.pixel(mix(foreground, background, strength)),
                };
                self.put(left + x, top + y, pixel);
            }
        }
    }

    /// Fills the whole screen.
    pub fn clear(&self, colour: Colour) {
        let pixel = self.pixel(colour);
        for y in 0..self.info.height {
            if self.info.bytes_per_pixel == 4 {
                self.fill_row(y, pixel);
                continue;
            }
            for x in 0..self.info.width {
                self.put(x, y, pixel);
            }
        }
    }
}

fn mix(foreground: Colour, background: Colour, strength: u8) -> Colour {
    let channel = |index: usize| {
        let (front, back) = (u32::from(foreground[index]), u32::from(background[index]));
        ((front * u32::from(strength) + back * (255 - u32::from(strength))) / 255) as u8
    };
    [channel(0), channel(1), channel(2)]
}

/// The log on the screen.
pub struct Console {
    painter: Painter,
    columns: usize,
    rows: usize,
    /// What the screen shows, row by row.
    cells: Vec<char>,
    column: usize,
    row: usize,
}

impl Console {
    /// A cleared console, or `None` when the screen is smaller than a few lines or memory is short.
    pub fn new(painter: Painter) -> Option<Self> {
        let (columns, rows) = painter.size();
        if columns < 20 || rows < 4 {
            return None;
        }
        let mut cells = Vec::new();
        cells.try_reserve_exact(columns.checked_mul(rows)?).ok()?;
        cells.resize(columns * rows, ' ');
        painter.clear(BACKGROUND);
        Some(Self {
            painter,
            columns,
            rows,
            cells,
            column: 0,
            row: 0,
        })
    }

    /// Clears it, whatever it shows.
    pub fn clear(&mut self) {
        self.cells.fill(' ');
        self.painter.clear(BACKGROUND);
        (self.column, self.row) = (0, 0);
    }

    fn set(&mut self, column: usize, row: usize, character: char) {
        let cell = &mut self.cells[row * self.columns + column];
        if *cell != character {
            *cell = character;
            self.painter
                .draw(column, row, character, FOREGROUND, BACKGROUND);
        }
    }

    fn new_line(&mut self) {
        self.column = 0;
        self.row += 1;
        if self.row < self.rows {
            return;
        }
        let by = (self.rows / 4).max(1);
        for row in 0..self.rows {
            for column in 0..self.columns {
                let from = (row + by) * self.columns + column;
                let character = self.cells.get(from).copied().unwrap_or(' ');
                self.set(column, row, character);
            }
        }
        self.row = self.rows - by;
    }
}

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '\n' => self.new_line(),
                '\r' => self.column = 0,
                character if character.is_control() => {}
                character => {
                    if self.column == self.columns {
                        self.new_line();
                    }
                    self.set(self.column, self.row, character);
                    self.column += 1;
                }
            }
        }
        Ok(())
    }
}
