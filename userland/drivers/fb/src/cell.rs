//! A cell of the grid: a character and how it looks.

/// A colour: the terminal's own, one of the 256, or any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// The terminal's own.
    #[default]
    Default,
    /// One of the 256 of xterm.
    Indexed(u8),
    /// Red, green, blue.
    Rgb(u8, u8, u8),
}

/// A set of attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes(u16);

impl Attributes {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// Stronger strokes.
    pub const BOLD: Self = Self(1);
    /// Half of the strength.
    pub const DIM: Self = Self(1 << 1);
    /// Slanted.
    pub const ITALIC: Self = Self(1 << 2);
    /// With a line below.
    pub const UNDERLINE: Self = Self(1 << 3);
    /// Foreground and background change places.
    pub const INVERSE: Self = Self(1 << 4);
    /// Not to be seen.
    pub const HIDDEN: Self = Self(1 << 5);
    /// With a line across.
    pub const STRUCK: Self = Self(1 << 6);
    /// The left half of a wide character.
    pub const WIDE: Self = Self(1 << 7);
    /// The right half of a wide character.
    pub const SPACER: Self = Self(1 << 8);
    /// The cursor stands here, as a block. Only what is drawn has it.
    pub(crate) const BLOCK: Self = Self(1 << 9);
    /// The cursor stands here, as a line below.
    pub(crate) const LINE: Self = Self(1 << 10);
    /// The cursor stands here, as a bar on the left.
    pub(crate) const BAR: Self = Self(1 << 11);

    /// All of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Without those of the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Those that are in both.
    #[must_use]
    pub const fn of(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether any of the other's is here.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// How a character looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Colour of the strokes.
    pub foreground: Colour,
    /// Colour behind them.
    pub background: Colour,
    /// The rest.
    pub attributes: Attributes,
}

impl Style {
    /// What erased cells look like: the background stays.
    #[must_use]
    pub const fn erased(self) -> Self {
        Self {
            foreground: Colour::Default,
            background: self.background,
            attributes: Attributes::NONE,
        }
    }
}

/// A cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The character; a space in the right half of a wide one.
    pub character: char,
    /// How it looks.
    pub style: Style,
}

impl Cell {
    /// Nothing, in the terminal's own colours.
    pub const BLANK: Self = Self::blank(Style {
        foreground: Colour::Default,
        background: Colour::Default,
        attributes: Attributes::NONE,
    });

    /// Nothing, in a style.
    pub const fn blank(style: Style) -> Self {
        Self {
            character: ' ',
            style,
        }
    }

    /// It is the left half of a wide character.
    pub const fn is_wide(&self) -> bool {
        self.style.attributes.has(Attributes::WIDE)
    }

    /// It is the right half of a wide character.
    pub const fn is_spacer(&self) -> bool {
        self.style.attributes.has(Attributes::SPACER)
    }
}
