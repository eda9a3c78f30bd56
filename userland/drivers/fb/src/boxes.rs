//! Characters that have to meet those in the cells around them: lines, blocks, and the dots of Braille. They are made for each size of a cell.

use core::ops::Range;

/// Draws into the coverage of a cell: 0 is background, 255 a stroke.
struct Canvas<'a> {
    pixels: &'a mut [u8],
    width: usize,
    height: usize,
}

/// Strokes: none, light, heavy, double.
type Arm = u16;
const NONE: Arm = 0;
const HEAVY: Arm = 2;
const DOUBLE: Arm = 3;

/// The arms of U+2500 and those after it: left, right, up, down.
const ARMS: [u16; 128] = [
    0x1100, 0x2200, 0x0011, 0x0022, 0, 0, 0, 0, 0, 0, 0, 0, 0x0101, 0x0201, 0x0102, 0x0202, //
    0x1001, 0x2001, 0x1002, 0x2002, 0x0110, 0x0210, 0x0120, 0x0220, //
    0x1010, 0x2010, 0x1020, 0x2020, 0x0111, 0x0211, 0x0121, 0x0112, //
    0x0122, 0x0221, 0x0212, 0x0222, 0x1011, 0x2011, 0x1021, 0x1012, //
    0x1022, 0x2021, 0x2012, 0x2022, 0x1101, 0x2101, 0x1201, 0x2201, //
    0x1102, 0x2102, 0x1202, 0x2202, 0x1110, 0x2110, 0x1210, 0x2210, //
    0x1120, 0x2120, 0x1220, 0x2220, 0x1111, 0x2111, 0x1211, 0x2211, //
    0x1121, 0x1112, 0x1122, 0x2121, 0x1221, 0x2112, 0x1212, 0x2221, //
    0x2212, 0x2122, 0x1222, 0x2222, 0, 0, 0, 0, //
    0x3300, 0x0033, 0x0301, 0x0103, 0x0303, 0x3001, 0x1003, 0x3003, //
    0x0310, 0x0130, 0x0330, 0x3010, 0x1030, 0x3030, 0x0311, 0x0133, //
    0x0333, 0x3011, 0x1033, 0x3033, 0x3301, 0x1103, 0x3303, 0x3310, //
    0x1130, 0x3330, 0x3311, 0x1133, 0x3333, 0, 0, 0, //
    0, 0, 0, 0, 0x1000, 0x0010, 0x0100, 0x0001, //
    0x2000, 0x0020, 0x0200, 0x0002, 0x1200, 0x0012, 0x2100, 0x0021, //
];

/// Points of a pixel in each direction that are looked at for slanted lines.
const SAMPLES: i32 = 4;

/// Draws a character into the blank coverage of a cell; returns whether it is one of these.
pub fn draw(character: char, pixels: &mut [u8], width: usize, height: usize) -> bool {
    let mut canvas = Canvas {
        pixels,
        width,
        height,
    };
    let code = u32::from(character);
    match code {
        0x2500..=0x257f => canvas.lines((code - 0x2500) as usize),
        0x2580..=0x259f => canvas.block(code - 0x2580),
        0x2800..=0x28ff => canvas.braille(code - 0x2800),
        _ => return false,
    }
    true
}

impl Canvas<'_> {
    fn fill(&mut self, columns: Range<usize>, rows: Range<usize>, strength: u8) {
        let columns = columns.start..columns.end.min(self.width);
        for row in rows.start..rows.end.min(self.height) {
            let line = row * self.width;
            if let Some(pixels) = self
                .pixels
                .get_mut(line + columns.start..line + columns.end)
            {
                pixels.fill(strength);
            }
        }
    }

    /// How thick a light line is, and a heavy one.
    fn thickness(&self) -> (usize, usize) {
        let light = (self.height + 8) / 16;
        (light.max(1), 2 * light.max(1) + 1)
    }

    fn lines(&mut self, index: usize) {
        match index {
            0x04..=0x0b | 0x4c..=0x4f => self.dashes(index),
            0x6d..=0x70 => self.arc(index - 0x6d),
            0x71 => self.diagonal(true),
            0x72 => self.diagonal(false),
            0x73 => {
                self.diagonal(true);
                self.diagonal(false);
            }
            _ => {
                let arms = ARMS.get(index).copied().unwrap_or(0);
                let [left, right, up, down] = [12, 8, 4, 0].map(|shift| arms >> shift & 3);
                self.arm(left, right, (up, down), false, false);
                self.arm(right, left, (up, down), false, true);
                self.arm(up, down, (left, right), true, false);
                self.arm(down, up, (left, right), true, true);
            }
        }
    }

    /// Draws an arm from an edge to the middle. Seen as if it came from the left: `across` are the arms above and below; then it is turned.
    fn arm(
        &mut self,
        arm: Arm,
        opposite: Arm,
        across: (Arm, Arm),
        is_vertical: bool,
        is_far: bool,
    ) {
        if arm == NONE {
            return;
        }
        let (light, heavy) = self.thickness();
        let (len, breadth) = if is_vertical {
            (self.height, self.width)
        } else {
            (self.width, self.height)
        };
        let gap = light + 1;
        // The light stroke in the middle begins here, in each direction.
        let middle = (breadth - light) / 2;
        let centre = match (len - light) / 2 {
            centre if is_far => len - light - centre,
            centre => centre,
        };
        let (near, far) = (centre.saturating_sub(gap) + light, centre + gap + light);
        let centre = centre + light;
        let mut stroke = |end: usize, from: usize, thickness: usize| {
            let along = if is_far {
                len - end.min(len)..len
            } else {
                0..end
            };
            if is_vertical {
                self.fill(from..from + thickness, along, 255);
            } else {
                self.fill(along, from..from + thickness, 255);
            }
        };
        if arm == DOUBLE {
            // Each of its strokes ends where it meets one: on its own side, or that on the other side.
            let end = |own: Arm, other: Arm| match (own, other) {
                (DOUBLE, _) => near,
                (NONE, DOUBLE) => far,
                _ => centre,
            };
            stroke(end(across.0, across.1), middle.saturating_sub(gap), light);
            stroke(end(across.1, across.0), middle + gap, light);
            return;
        }
        let end = match across {
            (DOUBLE, DOUBLE) if opposite == NONE => near,
            (DOUBLE, NONE) | (NONE, DOUBLE) if opposite == NONE => far,
            _ => centre,
        };
        if arm == HEAVY {
            stroke(end, middle.saturating_sub((heavy - light) / 2), heavy);
        } else {
            stroke(end, middle, light);
        }
    }

    fn dashes(&mut self, index: usize) {
        let (light, heavy) = self.thickness();
        let (count, bits) = match index {
            0x04..=0x07 => (3, index),
            0x08..=0x0b => (4, index),
            _ => (2, index),
        };
        let thickness = if bits & 1 == 0 { light } else { heavy };
        let is_vertical = bits & 2 != 0;
        let (len, breadth) = if is_vertical {
            (self.height, self.width)
        } else {
            (self.width, self.height)
        };
        let from = (breadth - light) / 2 - (thickness - light) / 2;
        for dash in 0..count {
            let (begin, end) = (dash * len / count, (dash + 1) * len / count);
            let along = begin..end - ((end - begin) / 3).max(1);
            if is_vertical {
                self.fill(from..from + thickness, along, 255);
            } else {
                self.fill(along, from..from + thickness, 255);
            }
        }
    }

    /// Rounded corners: right and down, left and down, left and up, right and up.
    fn arc(&mut self, corner: usize) {
        let (light, _) = self.thickness();
        let (to_left, to_up) = (matches!(corner, 1 | 2), matches!(corner, 2 | 3));
        let (x, y) = ((self.width - light) / 2, (self.height - light) / 2);
        // From the middle of the strokes to the edge at the side, and as far down.
        let radius = if to_left { x } else { self.width - x - light };
        if to_up {
            self.fill(x..x + light, 0..y.saturating_sub(radius), 255);
        } else {
            self.fill(x..x + light, y + light + radius..self.height, 255);
        }
        // In samples, doubled, so that the middle of a stroke is a whole number.
        let scale = 2 * SAMPLES;
        let at = |from: usize, is_low: bool| {
            let from = from as i32;
            let radius = radius as i32;
            let light = light as i32;
            scale
                * if is_low {
                    from - radius
                } else {
                    from + light + radius
                }
        };
        let (centre_x, centre_y) = (at(x, to_left), at(y, to_up));
        let inner = scale * radius as i32;
        let outer = inner + scale * light as i32;
        self.sample(|px, py| {
            let (dx, dy) = (px - centre_x, py - centre_y);
            let is_quarter = (dx <= 0) != to_left && (dy <= 0) != to_up;
            let distance = dx * dx + dy * dy;
            is_quarter && (inner * inner..=outer * outer).contains(&distance)
        });
    }

    fn diagonal(&mut self, is_rising: bool) {
        let (light, _) = self.thickness();
        let scale = 2 * SAMPLES;
        let (width, height) = (self.width as i32 * scale, self.height as i32 * scale);
        let length = ((width * width + height * height) as u32).isqrt() as i32;
        let reach = light as i32 * scale * length / 2;
        self.sample(|x, y| {
            let y = if is_rising { height - y } else { y };
            (x * height - y * width).abs() <= reach
        });
    }

    /// Sets each pixel to the share of its samples that are inside.
    fn sample(&mut self, is_inside: impl Fn(i32, i32) -> bool) {
        for (index, pixel) in self.pixels.iter_mut().enumerate() {
            let (x, y) = ((index % self.width) as i32, (index / self.width) as i32);
            let mut inside = 0;
            for sample in 0..SAMPLES * SAMPLES {
                let (sx, sy) = (sample % SAMPLES, sample / SAMPLES);
                let at = |pixel: i32, sample: i32| 2 * (pixel * SAMPLES + sample) + 1;
                inside += i32::from(is_inside(at(x, sx), at(y, sy)));
            }
            let strength = (inside * 255 / (SAMPLES * SAMPLES)) as u8;
            *pixel = (*pixel).max(strength);
        }
    }

    fn block(&mut self, index: u32) {
        let (width, height) = (self.width, self.height);
        let eighth = |of: usize, count: u32| of * count as usize / 8;
        match index {
            0x00 => self.fill(0..width, 0..height / 2, 255),
            0x01..=0x08 => self.fill(0..width, height - eighth(height, index).max(1)..height, 255),
            0x09..=0x0f => self.fill(0..eighth(width, 0x10 - index).max(1), 0..height, 255),
            0x10 => self.fill(width / 2..width, 0..height, 255),
            0x11..=0x13 => self.fill(0..width, 0..height, 64 * (index - 0x10) as u8),
            0x14 => self.fill(0..width, 0..eighth(height, 1).max(1), 255),
            0x15 => self.fill(width - eighth(width, 1).max(1)..width, 0..height, 255),
            _ => {
                // Which quarters: upper left, upper right, lower left, lower right.
                const QUARTERS: [u8; 10] = [
                    0b0010, 0b0001, 0b1000, 0b1011, 0b1001, 0b1110, 0b1101, 0b0100, 0b0110, 0b0111,
                ];
                let quarters = QUARTERS.get(index as usize - 0x16).copied().unwrap_or(0);
                for (bit, (columns, rows)) in [
                    (0..width / 2, 0..height / 2),
                    (width / 2..width, 0..height / 2),
                    (0..width / 2, height / 2..height),
                    (width / 2..width, height / 2..height),
                ]
                .into_iter()
                .enumerate()
                {
                    if quarters & 8 >> bit != 0 {
                        self.fill(columns, rows, 255);
                    }
                }
            }
        }
    }

    fn braille(&mut self, dots: u32) {
        let size = (self.height / 8).max(2);
        for dot in 0..8 {
            if dots & 1 << dot == 0 {
                continue;
            }
            let (column, row) = match dot {
                0..=2 => (0, dot),
                3..=5 => (1, dot - 3),
                _ => (dot - 6, 3),
            };
            let x = (2 * column + 1) * self.width / 4;
            let y = (2 * row + 1) * self.height / 8;
            let (x, y) = (x.saturating_sub(size / 2), y.saturating_sub(size / 2));
            self.fill(x..x + size, y..y + size, 255);
        }
    }
}
