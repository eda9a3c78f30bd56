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

/// Of the cells that are not blank so many in a thousand may be no letters for a size to be kept.
const UNREADABLE: usize = 50;

/// Somebody who looks at a screen again and again, and knows again what was seen before.
pub struct Eyes {
    readers: Vec<Reader>,
    /// The size in which the last picture could be read.
    best: usize,
}

impl Eyes {
    /// Knows all letters of all sizes.
    pub fn new() -> Self {
        Self {
            readers: HEIGHTS.into_iter().map(Reader::new).collect(),
            best: 0,
        }
    }

    /// The lines of a picture, without the blanks at their ends: read in the size in which most of it can be read.
    pub fn lines(&mut self, picture: &Picture) -> Vec<String> {
        if let Some(reader) = self.readers.get_mut(self.best) {
            let lines = reader.lines(picture);
            if unknown(&lines) < UNREADABLE {
                return lines;
            }
        }
        let readings = self.readers.iter_mut().enumerate();
        let readings = readings.map(|(index, reader)| (index, reader.lines(picture)));
        let best = readings.min_by_key(|(_, lines)| unknown(lines));
        let (index, lines) = best.unwrap_or_default();
        self.best = index;
        lines
    }
}

/// How many of a thousand cells that are not blank are no letters.
fn unknown(lines: &[String]) -> usize {
    let (mut bad, mut good) = (0, 0);
    for character in lines.iter().flat_map(|line| line.chars()) {
        match character {
            UNKNOWN => bad += 1,
            ' ' => {}
            _ => good += 1,
        }
    }
    (bad * 1000_usize).checked_div(bad + good).unwrap_or(1000)
}

/// The text, without the empty lines at its end.
pub fn joined(picture: &Picture) -> String {
    let lines = Eyes::new().lines(picture).join("\n");
    let mut text = lines.trim_end().to_owned();
    text.push('\n');
    text
}

/// The letters of one size.
struct Reader {
    width: usize,
    height: usize,
    letters: Vec<(char, Vec<u8>)>,
    /// The bytes of cells that were seen before, and what they show.
    known: HashMap<Vec<u8>, char>,
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
            known: HashMap::new(),
        }
    }

    fn lines(&mut self, picture: &Picture) -> Vec<String> {
        let (columns, rows) = (
            picture.width as usize / self.width,
            picture.height as usize / self.height,
        );
        let mut lines = Vec::with_capacity(rows);
        for row in 0..rows {
            let letters = (0..columns).map(|column| {
                let cell = self.cell(picture, column, row);
                if let Some(&letter) = self.known.get(&cell) {
                    return letter;
                }
                let letter = self.letter(&strengths(&cell));
                self.known.insert(cell, letter);
                letter
            });
            let line: String = letters.collect();
            lines.push(line.trim_end().to_owned());
        }
        lines
    }

    /// The bytes of a cell, three a pixel.
    fn cell(&self, picture: &Picture, column: usize, row: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.width * self.height * 3);
        for y in row * self.height..(row + 1) * self.height {
            let at = (y * picture.width as usize + column * self.width) * 3;
            let part = picture.pixels.get(at..at + self.width * 3);
            bytes.extend_from_slice(part.unwrap_or_default());
        }
        bytes
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

/// How much each pixel of a cell differs from the background, of 255 for the one that differs most.
fn strengths(cell: &[u8]) -> Vec<u8> {
    let (pixels, _) = cell.as_chunks::<3>();
    let mut counts: HashMap<[u8; 3], usize> = HashMap::new();
    for pixel in pixels {
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

#[cfg(test)]
mod tests {
    use noto_sans_mono_bitmap::{FontWeight, get_raster, get_raster_width};
    use proptest::prelude::{Just, Strategy, prop, prop_assert_eq, prop_oneof, proptest};
    use proptest::sample::select;

    use super::{Eyes, HEIGHTS, UNKNOWN};
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
            let seen = Eyes::new().lines(&picture);
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
            Eyes::new()
                .lines(&picture)
                .concat()
                .chars()
                .all(|letter| letter == UNKNOWN)
        );
    }
}
