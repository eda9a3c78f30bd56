//! How characters look: "select graphic rendition".

use vte::Params;

use super::Screen;
use crate::cell::{Attributes, Colour, Style};

impl Screen {
    /// Changes how characters look from now on.
    pub(super) fn select(&mut self, params: &Params) {
        if params.is_empty() {
            self.style = Style::default();
        }
        let mut params = params.iter();
        while let Some(param) = params.next() {
            let Some((&code, rest)) = param.split_first() else {
                continue;
            };
            let Style {
                foreground,
                background,
                attributes,
            } = &mut self.style;
            let mut on = |wanted| *attributes = attributes.with(wanted);
            match code {
                0 => self.style = Style::default(),
                1 => on(Attributes::BOLD),
                2 => on(Attributes::DIM),
                3 => on(Attributes::ITALIC),
                4 if rest.first() == Some(&0) => {
                    *attributes = attributes.without(Attributes::UNDERLINE);
                }
                4 | 21 => on(Attributes::UNDERLINE),
                7 => on(Attributes::INVERSE),
                8 => on(Attributes::HIDDEN),
                9 => on(Attributes::STRUCK),
                22 => {
                    *attributes = attributes.without(Attributes::BOLD.with(Attributes::DIM));
                }
                23 => *attributes = attributes.without(Attributes::ITALIC),
                24 => *attributes = attributes.without(Attributes::UNDERLINE),
                27 => *attributes = attributes.without(Attributes::INVERSE),
                28 => *attributes = attributes.without(Attributes::HIDDEN),
                29 => *attributes = attributes.without(Attributes::STRUCK),
                30..=37 => *foreground = indexed(code - 30),
                39 => *foreground = Colour::Default,
                40..=47 => *background = indexed(code - 40),
                49 => *background = Colour::Default,
                90..=97 => *foreground = indexed(code - 90 + 8),
                100..=107 => *background = indexed(code - 100 + 8),
                38 | 48 => {
                    let colour = if rest.is_empty() {
                        let mut next = || params.next().and_then(|param| param.first().copied());
                        plain(&mut next)
                    } else {
                        sub(rest)
                    };
                    if let Some(colour) = colour {
                        *(if code == 38 { foreground } else { background }) = colour;
                    }
                }
                _ => {}
            }
        }
    }
}

/// One of the 256, by a number below that.
fn indexed(index: u16) -> Colour {
    u8::try_from(index).map_or(Colour::Default, Colour::Indexed)
}

/// A colour as parameters of its own: `5;INDEX` or `2;RED;GREEN;BLUE`.
fn plain(next: &mut impl FnMut() -> Option<u16>) -> Option<Colour> {
    match next()? {
        2 => {
            let parts = [next()?, next()?, next()?];
            rgb(&parts)
        }
        5 => u8::try_from(next()?).ok().map(Colour::Indexed),
        _ => None,
    }
}

/// A colour as parts of one parameter: `5:INDEX`, `2:RED:GREEN:BLUE` or `2:SPACE:RED:GREEN:BLUE`.
fn sub(parts: &[u16]) -> Option<Colour> {
    match parts {
        [5, index, ..] => u8::try_from(*index).ok().map(Colour::Indexed),
        [2, _, parts @ ..] if parts.len() >= 3 => rgb(parts),
        [2, parts @ ..] => rgb(parts),
        _ => None,
    }
}

fn rgb(parts: &[u16]) -> Option<Colour> {
    let part = |index: usize| u8::try_from(*parts.get(index)?).ok();
    Some(Colour::Rgb(part(0)?, part(1)?, part(2)?))
}
