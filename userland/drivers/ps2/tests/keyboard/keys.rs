//! What keys send: through the model of the controller, in both sets of scan codes.

use crate::model::{Faults, Model};
use proptest::collection::vec;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use proptest::sample::select;
use ps2::{Bus, Driver, Layout, start};

const A: &[u8] = &[0x1c];
const C: &[u8] = &[0x21];
const Y: &[u8] = &[0x35];
const Q: &[u8] = &[0x15];
const E: &[u8] = &[0x24];
const TWO: &[u8] = &[0x1e];
const BRACKET: &[u8] = &[0x54];
const SPACE: &[u8] = &[0x29];
const ENTER: &[u8] = &[0x5a];
const BACKSPACE: &[u8] = &[0x66];
const TAB: &[u8] = &[0x0d];
const ESCAPE: &[u8] = &[0x76];
const F1: &[u8] = &[0x05];
const F5: &[u8] = &[0x03];
const UP: &[u8] = &[0xe0, 0x75];
const LEFT: &[u8] = &[0xe0, 0x6b];
const HOME: &[u8] = &[0xe0, 0x6c];
const DELETE: &[u8] = &[0xe0, 0x71];
const PAGE_UP: &[u8] = &[0xe0, 0x7d];
const KEYPAD_8: &[u8] = &[0x75];
const KEYPAD_PERIOD: &[u8] = &[0x71];
const SHIFT: &[u8] = &[0x12];
const CONTROL: &[u8] = &[0x14];
const RIGHT_CONTROL: &[u8] = &[0xe0, 0x14];
const ALT: &[u8] = &[0x11];
const ALT_GR: &[u8] = &[0xe0, 0x11];
const CAPS: &[u8] = &[0x58];
const NUM: &[u8] = &[0x77];

struct Desk {
    model: Model,
    driver: Driver,
    out: Vec<u8>,
}

impl Desk {
    fn new(layout: Layout, faults: Faults) -> Self {
        let mut model = Model::new(faults);
        let started = start(&mut model).unwrap();
        let mut desk = Self {
            model,
            driver: Driver::new(started.set, layout),
            out: Vec::new(),
        };
        desk.settle();
        desk
    }

    /// Serves the line until it is low.
    fn settle(&mut self) {
        self.driver.serve(&mut self.model, &mut self.out);
        for _ in 0..1000 {
            if !self.model.fires() {
                return;
            }
            self.model.pause();
            self.driver.serve(&mut self.model, &mut self.out);
        }
        panic!("the line stays high");
    }

    fn press(&mut self, key: &[u8]) {
        self.model.press(key);
        self.settle();
    }

    fn release(&mut self, key: &[u8]) {
        self.model.release(key);
        self.settle();
    }

    /// Types a key while others are held; returns what was sent.
    fn types(&mut self, held: &[&[u8]], key: &[u8]) -> String {
        for other in held {
            self.press(other);
        }
        self.press(key);
        self.release(key);
        for other in held {
            self.release(other);
        }
        String::from_utf8(std::mem::take(&mut self.out)).unwrap()
    }
}

/// In both sets.
fn typed(layout: Layout, held: &[&[u8]], key: &[u8]) -> String {
    let translated = Desk::new(layout, Faults::default()).types(held, key);
    let faults = Faults {
        never_translates: true,
        ..Faults::default()
    };
    assert_eq!(Desk::new(layout, faults).types(held, key), translated);
    translated
}

fn us(held: &[&[u8]], key: &[u8]) -> String {
    typed(Layout::Us, held, key)
}

#[test]
fn characters() {
    assert_eq!(us(&[], A), "a");
    assert_eq!(us(&[SHIFT], A), "A");
    assert_eq!(us(&[ALT], A), "\x1ba");
    assert_eq!(us(&[ALT_GR], A), "\x1ba");
    assert_eq!(us(&[], SPACE), " ");
    assert_eq!(us(&[], ENTER), "\r");
    assert_eq!(us(&[], TAB), "\t");
    assert_eq!(us(&[SHIFT], TAB), "\x1b[Z");
    assert_eq!(us(&[], ESCAPE), "\x1b");
    assert_eq!(us(&[], BACKSPACE), "\x7f");
    assert_eq!(us(&[CONTROL], BACKSPACE), "\x08");
    assert_eq!(us(&[ALT], BACKSPACE), "\x1b\x7f");
}

#[test]
fn control_characters() {
    assert_eq!(us(&[CONTROL], C), "\x03");
    assert_eq!(us(&[RIGHT_CONTROL], C), "\x03");
    assert_eq!(us(&[CONTROL, SHIFT], C), "\x03");
    assert_eq!(us(&[CONTROL, ALT], C), "\x1b\x03");
    assert_eq!(us(&[CONTROL], SPACE), "\0");
    assert_eq!(us(&[CONTROL], TWO), "\0");
    assert_eq!(us(&[CONTROL], BRACKET), "\x1b");
    // Where the letter is, not the key.
    assert_eq!(typed(Layout::De, &[CONTROL], Y), "\x1a");
    assert_eq!(typed(Layout::Fr, &[CONTROL], Q), "\x01");
}

#[test]
fn keys_without_a_character() {
    assert_eq!(us(&[], UP), "\x1b[A");
    assert_eq!(us(&[SHIFT], LEFT), "\x1b[1;2D");
    assert_eq!(us(&[CONTROL], LEFT), "\x1b[1;5D");
    assert_eq!(us(&[CONTROL, SHIFT, ALT], LEFT), "\x1b[1;8D");
    assert_eq!(us(&[], HOME), "\x1b[H");
    assert_eq!(us(&[], DELETE), "\x1b[3~");
    assert_eq!(us(&[], PAGE_UP), "\x1b[5~");
    assert_eq!(us(&[SHIFT], PAGE_UP), "\x1b[5;2~");
    assert_eq!(us(&[], F1), "\x1bOP");
    assert_eq!(us(&[ALT], F1), "\x1b[1;3P");
    assert_eq!(us(&[], F5), "\x1b[15~");
    assert_eq!(us(&[CONTROL], F5), "\x1b[15;5~");
}

#[test]
fn layouts() {
    assert_eq!(typed(Layout::De, &[], Y), "z");
    assert_eq!(typed(Layout::De, &[], BRACKET), "ü");
    assert_eq!(typed(Layout::De, &[ALT_GR], Q), "@");
    assert_eq!(typed(Layout::De, &[ALT_GR], E), "€");
    assert_eq!(typed(Layout::Fr, &[], Q), "a");
    assert_eq!(typed(Layout::Uk, &[SHIFT], TWO), "\"");
    assert_eq!(typed(Layout::Dvorak, &[], Q), "'");
    for layout in Layout::ALL {
        assert_eq!(Layout::of_name(layout.name()), Some(layout));
        assert_ne!(typed(layout, &[], A), "");
    }
    assert_eq!(Layout::of_name("klingon"), None);
    let mut desk = Desk::new(Layout::Us, Faults::default());
    desk.driver.set_layout(Layout::De);
    assert_eq!(desk.types(&[], Y), "z");
}

#[test]
fn locks_light_up_and_change_once_however_long_they_are_held() {
    let mut desk = Desk::new(
        Layout::Us,
        Faults {
            resends: 1,
            ..Faults::default()
        },
    );
    assert_eq!(desk.model.leds, 0b010);
    for _ in 0..5 {
        desk.press(CAPS);
    }
    desk.release(CAPS);
    assert_eq!(desk.model.leds, 0b110);
    assert_eq!(desk.types(&[], A), "A");
    assert_eq!(desk.types(&[SHIFT], A), "a");
    desk.types(&[], CAPS);
    assert_eq!(desk.model.leds, 0b010);
    assert_eq!(desk.types(&[], KEYPAD_8), "8");
    assert_eq!(desk.types(&[], NUM), "");
    assert_eq!(desk.model.leds, 0);
    assert_eq!(desk.types(&[], KEYPAD_8), "\x1b[A");
    assert_eq!(desk.types(&[], KEYPAD_PERIOD), "\x1b[3~");
}

#[test]
fn a_held_key_repeats() {
    let mut desk = Desk::new(Layout::Us, Faults::default());
    for _ in 0..3 {
        desk.press(A);
    }
    desk.release(A);
    assert_eq!(desk.out, b"aaa");
}

#[test]
fn a_keyboard_that_does_not_answer_is_not_waited_for() {
    let mut desk = Desk::new(Layout::Us, Faults::default());
    desk.model.faults.has_no_keyboard = true;
    desk.press(CAPS);
    assert!(desk.driver.is_waiting());
    desk.driver.give_up();
    assert!(!desk.driver.is_waiting());
    assert_eq!(desk.types(&[], A), "A");
}

/// A controller that has given up: it says that there are bytes for ever.
struct Endless;

impl Bus for Endless {
    fn status(&mut self) -> u8 {
        0x03
    }
    fn read(&mut self) -> u8 {
        0x1e
    }
    fn command(&mut self, _: u8) {}
    fn write(&mut self, _: u8) {}
    fn pause(&mut self) {}
}

#[test]
fn a_controller_that_never_becomes_empty_is_left_alone_after_a_while() {
    let mut out = Vec::new();
    Driver::new(ps2::Set::One, Layout::Us).serve(&mut Endless, &mut out);
    assert!(out.len() < 1000);
}

/// Bytes as a broken keyboard sends them.
struct Noise(Vec<u8>);

impl Bus for Noise {
    fn status(&mut self) -> u8 {
        u8::from(!self.0.is_empty())
    }
    fn read(&mut self) -> u8 {
        self.0.pop().unwrap_or(0)
    }
    fn command(&mut self, _: u8) {}
    fn write(&mut self, _: u8) {}
    fn pause(&mut self) {}
}

proptest! {
    #[test]
    fn any_bytes_are_taken(bytes in vec(any::<u8>(), 0..200), layout in select(Layout::ALL.to_vec()), is_translated in any::<bool>()) {
        let set = if is_translated { ps2::Set::One } else { ps2::Set::Two };
        let mut driver = Driver::new(set, layout);
        let mut out = Vec::new();
        driver.serve(&mut Noise(bytes), &mut out);
        prop_assert!(std::str::from_utf8(&out).is_ok());
        // After an error of the keyboard nothing is held.
        driver.give_up();
        out.clear();
        let key = if is_translated { 0x1e } else { 0x1c };
        driver.serve(&mut Noise(vec![key, if is_translated { 0xff } else { 0 }]), &mut out);
        let mut fresh = Driver::new(set, layout);
        let mut expected = Vec::new();
        fresh.serve(&mut Noise(vec![key]), &mut expected);
        // But for Caps Lock, which stays.
        let [out, expected] = [out, expected].map(|bytes| String::from_utf8(bytes).unwrap().to_lowercase());
        prop_assert_eq!(out, expected);
    }
}
