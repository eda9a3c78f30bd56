//! Reads the text on a screenshot: what somebody who looks at the screen sees, without asking the driver.
//!
//! Cells have one of four sizes, as the letters of Noto Sans Mono do. What a cell shows is the letter whose strokes cover it most alike, whatever its
//! colours are.

use std::collections::HashMap;

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

use crate::screenshot::Picture;

const HEIGHTS: [RasterHeight; 4] = [
    RasterHeight::Size16,
    RasterHeight::Size20,
    RasterHeight::Size24,
    RasterHeight::Size32,
];
/// What is shown for a cell that is no letter.
const UNKNOWN: char = '\u{fffd}';
/// A pixel may differ from that of the letter by so much on average, of 255.
const TOLERANCE: u32 = 12;

/// The lines of a picture, without the blanks at their ends: read in the size in which most of it can be read.
fn read(picture: &Picture) -> Vec<String> {
    let readings = HEIGHTS
        .iter()
        .map(|&height| Reader::new(height).lines(picture));
    let unknown = |lines: &Vec<String>| {
        let all = lines.iter().flat_map(|line| line.chars());
        let (mut bad, mut good) = (0, 0);
        for character in all {
            match character {
                UNKNOWN => bad += 1,
                ' ' => {}
                _ => good += 1,
            }
        }
        (bad * 1000_usize).checked_div(bad + good).unwrap_or(1000)
    };
    readings.min_by_key(unknown).unwrap_or_default()
}

/// The text, without the empty lines at its end.
pub fn joined(picture: &Picture) -> String {
    let lines = read(picture).join("\n");
    let mut text = lines.trim_end().to_owned();
    text.push('\n');
    text
}

/// The letters of one size.
struct Reader {
    width: usize,
    height: usize,
    letters: Vec<(char, Vec<u8>)>,
}

impl Reader {
    fn new(height: RasterHeight) -> Self {
        let letters = ('!'..='~').chain('\u{a1}'..='\u{ff}').flat_map(|letter| {
            [FontWeight::Regular, FontWeight::Bold]
                .into_iter()
                .filter_map(move |weight| {
                    let raster = get_raster(letter, weight, height)?;
                    Some((letter, raster.rows().flatten().copied().collect()))
                })
        });
        Self {
            width: get_raster_width(FontWeight::Regular, height),
            height: height.val(),
            letters: letters.collect(),
        }
    }

    fn lines(&self, picture: &Picture) -> Vec<String> {
        let (columns, rows) = (
            picture.width as usize / self.width,
            picture.height as usize / self.height,
        );
        let mut known = HashMap::new();
        let line = |row: usize, known: &mut HashMap<Vec<u8>, char>| {
            let cells = (0..columns).map(|column| self.cell(picture, column, row));
            let letters = cells.map(|cell| {
                *known
                    .entry(cell)
                    .or_insert_with_key(|cell| self.letter(cell))
            });
            let line: String = letters.collect();
            line.trim_end().to_owned()
        };
        (0..rows).map(|row| line(row, &mut known)).collect()
    }

    /// How much each pixel of a cell differs from the background, of 255 for the one that differs most.
    fn cell(&self, picture: &Picture, column: usize, row: usize) -> Vec<u8> {
        let pixel = |x: usize, y: usize| {
            let at = (y * picture.width as usize + x) * 3;
            let bytes = picture.pixels.get(at..at + 3).unwrap_or(&[0; 3]);
            [bytes[0], bytes[1], bytes[2]]
        };
        let (left, top) = (column * self.width, row * self.height);
        let pixels =
            (0..self.height).flat_map(|y| (0..self.width).map(move |x| pixel(left + x, top + y)));
        let pixels: Vec<[u8; 3]> = pixels.collect();
        let mut counts: HashMap<[u8; 3], usize> = HashMap::new();
        for pixel in &pixels {
            *counts.entry(*pixel).or_default() += 1;
        }
        let background = counts
            .into_iter()
            .max_by_key(|&(pixel, count)| (count, pixel));
        let background = background.map_or([0; 3], |(pixel, _)| pixel);
        let distance = |pixel: &[u8; 3]| {
            let parts = pixel.iter().zip(background);
            parts
                .map(|(&part, other)| u32::from(part.abs_diff(other)))
                .sum::<u32>()
        };
        let distances: Vec<u32> = pixels.iter().map(distance).collect();
        let most = distances.iter().copied().max().unwrap_or(0).max(1);
        distances
            .iter()
            .map(|distance| (distance * 255 / most) as u8)
            .collect()
    }

    fn letter(&self, cell: &[u8]) -> char {
        if cell.iter().all(|&strength| strength == 0) {
            return ' ';
        }
        let difference = |strokes: &Vec<u8>| {
            let most = u32::from(strokes.iter().copied().max().unwrap_or(1).max(1));
            let pairs = cell.iter().zip(strokes);
            pairs
                .map(|(&seen, &stroke)| u32::from(seen).abs_diff(u32::from(stroke) * 255 / most))
                .sum::<u32>()
        };
        let best = self
            .letters
            .iter()
            .map(|(letter, strokes)| (difference(strokes), *letter))
            .min();
        let limit = TOLERANCE * cell.len() as u32;
        best.filter(|&(difference, _)| difference <= limit)
            .map_or(UNKNOWN, |(_, letter)| letter)
    }
}

#[cfg(test)]
mod tests {
    use noto_sans_mono_bitmap::{FontWeight, get_raster, get_raster_width};
    use proptest::prelude::{Just, Strategy, prop, prop_assert_eq, prop_oneof, proptest};
    use proptest::sample::select;

    use super::{HEIGHTS, UNKNOWN, read};
    use crate::screenshot::Picture;

    /// Colours that can be told apart.
    fn colours() -> impl Strategy<Value = ([u8; 3], [u8; 3])> {
        prop_oneof![
            Just(([0xd8, 0xd8, 0xd0], [0x12, 0x16, 0x1c])),
            Just(([0xd5, 0x4e, 0x53], [0x12, 0x16, 0x1c])),
            Just(([0x12, 0x16, 0x1c], [0xd8, 0xd8, 0xd0])),
            Just(([0xff, 0xff, 0xff], [0x00, 0x00, 0xff])),
        ]
    }

    proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(8))]

        #[test]
        fn letters_are_read_whatever_their_size_and_colour(
            height in select(HEIGHTS.to_vec()), lines in prop::collection::vec("[ -~]{3,12}[a-zA-Z0-9]", 1..4),
            (front, back) in colours(), is_bold in prop::bool::ANY
        ) {
            let weight = if is_bold { FontWeight::Bold } else { FontWeight::Regular };
            let (cell, rows) = (get_raster_width(weight, height), height.val());
            let (width, total) = (14 * cell + 3, 4 * rows + 5);
            let mut pixels: Vec<u8> = back.iter().copied().cycle().take(width * total * 3).collect();
            for (row, line) in lines.iter().enumerate() {
                for (column, letter) in line.chars().enumerate() {
                    for (y, strengths) in get_raster(letter, weight, height).unwrap().rows().enumerate() {
                        for (x, &strength) in strengths.iter().enumerate() {
                            let at = ((row * rows + y) * width + column * cell + x) * 3;
                            for part in 0..3 {
                                let (front, back, strength) = (u32::from(front[part]), u32::from(back[part]), u32::from(strength));
                                pixels[at + part] = ((front * strength + back * (255 - strength)) / 255) as u8;
                            }
                        }
                    }
                }
            }
            let picture = Picture { width: width as u32, height: total as u32, pixels };
            let seen = read(&picture);
            let wanted: Vec<&str> = lines.iter().map(String::as_str).collect();
            prop_assert_eq!(&seen[..lines.len()], &wanted[..]);
        }
    }

    #[test]
    fn what_is_no_letter_is_said_to_be_unknown() {
        let noise = (0..140 * 64 * 3).map(|index: usize| (index * index / 7 % 251) as u8);
        let picture = Picture {
            width: 140,
            height: 64,
            pixels: noise.collect(),
        };
        assert!(
            read(&picture)
                .concat()
                .chars()
                .all(|letter| letter == UNKNOWN)
        );
    }
}
