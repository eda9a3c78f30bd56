//! Scan codes become keys, and keys what a terminal sends for them.

use alloc::vec::Vec;

use pc_keyboard::{
    DecodedKey, KeyCode, KeyState, Modifiers, ScancodeSet, ScancodeSet1, ScancodeSet2,
};

use crate::encode::{self, Held};
use crate::layout::Layout;

/// In which way the keyboard's bytes arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// The controller translates them to those of the first PC.
    One,
    /// As the keyboard sends them.
    Two,
}

enum Decoder {
    One(ScancodeSet1),
    Two(ScancodeSet2),
}

impl Decoder {
    fn new(set: Set) -> Self {
        match set {
            Set::One => Self::One(ScancodeSet1::new()),
            Set::Two => Self::Two(ScancodeSet2::new()),
        }
    }
}

/// Lights, as the keyboard wants to be told of them.
pub mod leds {
    /// Scroll Lock.
    pub const SCROLL: u8 = 1;
    /// Num Lock.
    pub const NUM: u8 = 1 << 1;
    /// Caps Lock.
    pub const CAPS: u8 = 1 << 2;
}

/// What is held and locked, and what the keys mean.
pub struct Keys {
    set: Set,
    decoder: Decoder,
    layout: Layout,
    /// Without Control and the left Alt: the layout is not to look at those.
    modifiers: Modifiers,
    is_left_control: bool,
    is_right_control: bool,
    is_left_alt: bool,
    is_right_alt: bool,
    /// The first half of Pause.
    is_pause: bool,
    is_scroll_lock: bool,
    /// Locks that are held: they repeat, but change once.
    held_locks: Vec<KeyCode>,
}

impl Keys {
    pub fn new(set: Set, layout: Layout) -> Self {
        Self {
            set,
            decoder: Decoder::new(set),
            layout,
            modifiers: Modifiers {
                numlock: true,
                ..Modifiers::default()
            },
            is_left_control: false,
            is_right_control: false,
            is_left_alt: false,
            is_right_alt: false,
            is_pause: false,
            is_scroll_lock: false,
            held_locks: Vec::new(),
        }
    }

    pub fn layout(&self) -> Layout {
        self.layout
    }

    pub fn set_layout(&mut self, layout: Layout) {
        self.layout = layout;
    }

    /// Which lights are on.
    pub fn leds(&self) -> u8 {
        let light = |is_on, led| if is_on { led } else { 0 };
        light(self.is_scroll_lock, leds::SCROLL)
            | light(self.modifiers.numlock, leds::NUM)
            | light(self.modifiers.capslock, leds::CAPS)
    }

    /// Bytes were lost: no key is held any more, as its release may be among them.
    pub fn forget(&mut self) {
        let locks = Modifiers {
            numlock: self.modifiers.numlock,
            capslock: self.modifiers.capslock,
            ..Modifiers::default()
        };
        *self = Self {
            modifiers: locks,
            is_scroll_lock: self.is_scroll_lock,
            ..Self::new(self.set, self.layout)
        };
    }

    /// Takes a byte of the keyboard's; what a terminal sends is added to `out`.
    pub fn byte(&mut self, byte: u8, out: &mut Vec<u8>) {
        // Too many keys at once, or an error of the keyboard's own.
        if byte == 0x00 || byte == 0xff {
            self.forget();
            return;
        }
        let event = match &mut self.decoder {
            Decoder::One(decoder) => decoder.advance_state(byte),
            Decoder::Two(decoder) => decoder.advance_state(byte),
        };
        match event {
            Ok(None) => {}
            Ok(Some(event)) => self.event(event.code, event.state != KeyState::Up, out),
            // A key that nobody knows. The decoder may stand within a sequence.
            Err(_) => self.decoder = Decoder::new(self.set),
        }
    }

    fn event(&mut self, key: KeyCode, is_down: bool, out: &mut Vec<u8>) {
        match key {
            KeyCode::LShift => self.modifiers.lshift = is_down,
            KeyCode::RShift => self.modifiers.rshift = is_down,
            KeyCode::LControl => self.is_left_control = is_down,
            KeyCode::RControl => self.is_right_control = is_down,
            KeyCode::LAlt => self.is_left_alt = is_down,
            KeyCode::RAltGr => self.is_right_alt = is_down,
            KeyCode::RControl2 => self.is_pause = is_down,
            // Keyboards send it around keys whose meaning Num Lock would change.
            KeyCode::RAlt2 => {}
            KeyCode::CapsLock | KeyCode::NumpadLock | KeyCode::ScrollLock => {
                self.lock(key, is_down)
            }
            key if is_down => self.press(key, out),
            _ => {}
        }
    }

    fn lock(&mut self, key: KeyCode, is_down: bool) {
        if !is_down {
            self.held_locks.retain(|&held| held != key);
            return;
        }
        let is_pause = key == KeyCode::NumpadLock && self.is_pause;
        if is_pause || self.held_locks.contains(&key) {
            return;
        }
        self.held_locks.push(key);
        let lock = match key {
            KeyCode::CapsLock => &mut self.modifiers.capslock,
            KeyCode::NumpadLock => &mut self.modifiers.numlock,
            _ => &mut self.is_scroll_lock,
        };
        *lock = !*lock;
    }

    fn press(&mut self, key: KeyCode, out: &mut Vec<u8>) {
        let has_alt_gr = self.layout.has_alt_gr();
        self.modifiers.ralt = has_alt_gr && self.is_right_alt;
        let held = Held {
            is_shift: self.modifiers.lshift || self.modifiers.rshift,
            is_alt: self.is_left_alt || self.is_right_alt && !has_alt_gr,
            is_control: self.is_left_control || self.is_right_control,
        };
        // Layouts take it for a character.
        if key == KeyCode::Delete {
            encode::key(key, held, out);
            return;
        }
        match self.layout.map(key, &self.modifiers) {
            DecodedKey::Unicode('\x7f') => encode::key(KeyCode::Delete, held, out),
            DecodedKey::Unicode(character) => encode::character(character, held, out),
            DecodedKey::RawKey(key) => encode::key(key, held, out),
        }
    }
}
