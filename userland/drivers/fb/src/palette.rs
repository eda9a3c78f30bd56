//! Colours as they are drawn.

use crate::cell::{Attributes, Colour, Style};

/// Red, green, blue.
pub type Rgb = [u8; 3];

/// The colour of text.
pub const FOREGROUND: Rgb = [0xd8, 0xd8, 0xd0];
/// The colour behind it.
pub const BACKGROUND: Rgb = [0x12, 0x16, 0x1c];

/// The first sixteen: eight, and the bright ones.
const NAMED: [Rgb; 16] = [
    [0x2a, 0x2f, 0x38],
    [0xd5, 0x4e, 0x53],
    [0x8f, 0xb5, 0x4a],
    [0xd9, 0xa8, 0x3c],
    [0x5a, 0x96, 0xd0],
    [0xb5, 0x7c, 0xc4],
    [0x4f, 0xb0, 0xae],
    [0xc8, 0xc8, 0xc0],
    [0x72, 0x7a, 0x86],
    [0xf2, 0x77, 0x7a],
    [0xb5, 0xd8, 0x6a],
    [0xff, 0xcc, 0x66],
    [0x80, 0xba, 0xf0],
    [0xd8, 0xa0, 0xe8],
    [0x78, 0xd4, 0xd0],
    [0xff, 0xff, 0xff],
];

/// One of the 256 of xterm: sixteen, a cube of 6 x 6 x 6, and 24 greys.
fn indexed(index: u8) -> Rgb {
    if let Some(&named) = NAMED.get(usize::from(index)) {
        return named;
    }
    match index.checked_sub(232) {
        Some(grey) => [8 + 10 * grey; 3],
        None => {
            let index = index - 16;
            [index / 36, index / 6 % 6, index % 6].map(|step| match step {
                0 => 0,
                step => 55 + 40 * step,
            })
        }
    }
}

/// A mixture: `strength` of 255 parts of the first.
pub fn mix(front: Rgb, back: Rgb, strength: u8) -> Rgb {
    let part = |front: u8, back: u8| {
        let (front, back, strength) = (u32::from(front), u32::from(back), u32::from(strength));
        // Not above the larger of the two.
        ((front * strength + back * (255 - strength) + 127) / 255) as u8
    };
    let ([r, g, b], [x, y, z]) = (front, back);
    [part(r, x), part(g, y), part(b, z)]
}

/// The colours of strokes and of what is behind them.
pub fn colours(style: Style, is_reverse: bool) -> (Rgb, Rgb) {
    let (own_front, own_back) = if is_reverse {
        (BACKGROUND, FOREGROUND)
    } else {
        (FOREGROUND, BACKGROUND)
    };
    let resolve = |colour, own| match colour {
        Colour::Default => own,
        Colour::Indexed(index) => indexed(index),
        Colour::Rgb(red, green, blue) => [red, green, blue],
    };
    let mut front = resolve(style.foreground, own_front);
    let mut back = resolve(style.background, own_back);
    let has = |attribute| style.attributes.has(attribute);
    if has(Attributes::DIM) {
        front = mix(front, back, 150);
    }
    if has(Attributes::INVERSE) {
        (front, back) = (back, front);
    }
    if has(Attributes::HIDDEN) {
        front = back;
    }
    if has(Attributes::BLOCK) {
        (front, back) = (back, front);
        if front == back {
            // The cursor is seen everywhere.
            back = back.map(|part| !part);
        }
    }
    (front, back)
}

#[cfg(test)]
mod tests {
    use super::{BACKGROUND, FOREGROUND, colours, indexed, mix};
    use crate::cell::{Attributes, Style};
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    #[test]
    fn the_cube_and_the_greys_are_those_of_xterm() {
        assert_eq!(indexed(16), [0, 0, 0]);
        assert_eq!(indexed(21), [0, 0, 255]);
        assert_eq!(indexed(110), [135, 175, 215]);
        assert_eq!(indexed(231), [255, 255, 255]);
        assert_eq!(indexed(232), [8, 8, 8]);
        assert_eq!(indexed(255), [238, 238, 238]);
    }

    #[test]
    fn inverse_on_a_reversed_screen_is_as_usual() {
        let style = Style {
            attributes: Attributes::INVERSE,
            ..Style::default()
        };
        assert_eq!(colours(style, true), (FOREGROUND, BACKGROUND));
    }

    proptest! {
        #[test]
        fn a_mixture_lies_between(front in any::<[u8; 3]>(), back in any::<[u8; 3]>(), strength in any::<u8>()) {
            let mixed = mix(front, back, strength);
            for index in 0..3 {
                let (low, high) = (front[index].min(back[index]), front[index].max(back[index]));
                prop_assert!((low..=high).contains(&mixed[index]));
            }
            prop_assert_eq!(mix(front, back, 255), front);
            prop_assert_eq!(mix(front, back, 0), back);
        }
    }
}
