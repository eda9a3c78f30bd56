//! Layouts: what is printed on the keys.

use pc_keyboard::layouts::{
    AnyLayout, Azerty, Colemak, DVP104Key, De105Key, Dvorak104Key, FiSe105Key, Jis109Key, No105Key,
    Uk105Key, Us104Key,
};
use pc_keyboard::{DecodedKey, HandleControl, KeyCode, KeyboardLayout, Modifiers};

/// A layout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// United States.
    #[default]
    Us,
    /// United Kingdom.
    Uk,
    /// German.
    De,
    /// French.
    Fr,
    /// Norwegian.
    No,
    /// Swedish and Finnish.
    Se,
    /// Japanese, Latin letters only.
    Jp,
    /// Dvorak.
    Dvorak,
    /// Dvorak for programmers.
    Dvp,
    /// Colemak.
    Colemak,
}

impl Layout {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Us,
        Self::Uk,
        Self::De,
        Self::Fr,
        Self::No,
        Self::Se,
        Self::Jp,
        Self::Dvorak,
        Self::Dvp,
        Self::Colemak,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::Uk => "uk",
            Self::De => "de",
            Self::Fr => "fr",
            Self::No => "no",
            Self::Se => "se",
            Self::Jp => "jp",
            Self::Dvorak => "dvorak",
            Self::Dvp => "dvp",
            Self::Colemak => "colemak",
        }
    }

    /// By its name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|layout| layout.name() == name)
    }

    /// The right Alt key selects third characters of keys.
    pub(crate) const fn has_alt_gr(self) -> bool {
        matches!(self, Self::Uk | Self::De | Self::Fr | Self::No | Self::Se)
    }

    /// What a key means with some modifiers.
    pub(crate) fn map(self, key: KeyCode, modifiers: &Modifiers) -> DecodedKey {
        let layout = match self {
            Self::Us => AnyLayout::Us104Key(Us104Key),
            Self::Uk => AnyLayout::Uk105Key(Uk105Key),
            Self::De => AnyLayout::De105Key(De105Key),
            Self::Fr => AnyLayout::Azerty(Azerty),
            Self::No => AnyLayout::No105Key(No105Key),
            Self::Se => AnyLayout::FiSe105Key(FiSe105Key),
            Self::Jp => AnyLayout::Jis109Key(Jis109Key),
            Self::Dvorak => AnyLayout::Dvorak104Key(Dvorak104Key),
            Self::Dvp => AnyLayout::DVP104Key(DVP104Key),
            Self::Colemak => AnyLayout::Colemak(Colemak),
        };
        layout.map_keycode(key, modifiers, HandleControl::Ignore)
    }
}
