//! A controller with a keyboard, as a model: what it answers, how it translates, and how it can be broken.

use std::collections::VecDeque;

use ps2::{Bus, status};

/// What is broken, or odd.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    pub has_no_controller: bool,
    pub has_no_keyboard: bool,
    /// It never has room.
    pub is_stuck: bool,
    /// It never becomes empty.
    pub overflows: bool,
    pub controller_test: Option<u8>,
    pub port_test: Option<u8>,
    pub keyboard_test: Option<u8>,
    /// It does not say how its test ended.
    pub is_silent_after_reset: bool,
    /// So many bytes are asked for once more.
    pub resends: u8,
    /// It cannot translate.
    pub never_translates: bool,
    /// What lies in the controller at first.
    pub left_over: u8,
    /// Milliseconds that each answer takes.
    pub delay: u64,
    /// Bytes that the mouse sends at each of its moves.
    pub has_mouse: bool,
}

/// What the keyboard waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaits {
    Command,
    Leds,
    Set,
    Repeat,
}

pub struct Model {
    pub faults: Faults,
    pub now: u64,
    pub configuration: u8,
    /// Bytes, when they are there, and whether they are the mouse's.
    output: VecDeque<(u64, u8, bool)>,
    /// The command to which the next byte of port 0x60 belongs.
    pending: Option<u8>,
    awaits: Awaits,
    pub leds: u8,
    pub repeat: u8,
    pub is_enabled: bool,
    pub set: u8,
    resent: u8,
}

/// The translation of the controller, for the codes that the tests use.
const TRANSLATION: &[(u8, u8)] = &[
    (0x1c, 0x1e),
    (0x32, 0x30),
    (0x21, 0x2e),
    (0x5a, 0x1c),
    (0x12, 0x2a),
    (0x14, 0x1d),
    (0x11, 0x38),
    (0x58, 0x3a),
    (0x77, 0x45),
    (0x75, 0x48),
    (0x72, 0x50),
    (0x6b, 0x4b),
    (0x74, 0x4d),
    (0x7d, 0x49),
    (0x7a, 0x51),
    (0x0e, 0x29),
    (0x16, 0x02),
    (0x71, 0x53),
    (0x29, 0x39),
    (0x66, 0x0e),
    (0x1a, 0x2c),
    (0x35, 0x15),
    (0x15, 0x10),
    (0x05, 0x3b),
    (0x03, 0x3f),
    (0x0d, 0x0f),
    (0x76, 0x01),
    (0x6c, 0x47),
    (0x69, 0x4f),
    (0x70, 0x52),
    (0x7e, 0x46),
    (0x54, 0x1a),
    (0x1e, 0x03),
    (0x4c, 0x27),
    (0x61, 0x56),
    (0x24, 0x12),
];

impl Model {
    pub fn new(faults: Faults) -> Self {
        let mut model = Self {
            faults,
            now: 0,
            configuration: 0x43,
            output: VecDeque::new(),
            pending: None,
            awaits: Awaits::Command,
            leds: 0,
            repeat: 0,
            is_enabled: true,
            set: 2,
            resent: 0,
        };
        for byte in 0..faults.left_over {
            model
                .output
                .push_back((0, byte, byte % 3 == 2 && faults.has_mouse));
        }
        model
    }

    fn answer(&mut self, byte: u8) {
        self.output
            .push_back((self.now + self.faults.delay, byte, false));
        if self.faults.has_mouse {
            self.output.push_back((self.now, 0x08, true));
        }
    }

    /// Whether the line is high.
    pub fn fires(&self) -> bool {
        self.configuration & 1 != 0 && self.output.iter().any(|&(_, _, is_mouse)| !is_mouse)
    }

    /// A key goes down, by its code in set 2.
    pub fn press(&mut self, code: &[u8]) {
        self.keys(code, false);
    }

    pub fn release(&mut self, code: &[u8]) {
        self.keys(code, true);
    }

    fn keys(&mut self, code: &[u8], is_release: bool) {
        if !self.is_enabled {
            return;
        }
        let Some((&last, prefix)) = code.split_last() else {
            return;
        };
        let is_translated = self.configuration & 0x40 != 0;
        for &byte in prefix {
            self.output.push_back((self.now, byte, false));
        }
        if is_translated {
            let found = TRANSLATION.iter().find(|(from, _)| *from == last);
            let code = found.expect("a code of the table").1;
            self.output
                .push_back((self.now, code | if is_release { 0x80 } else { 0 }, false));
        } else {
            if is_release {
                self.output.push_back((self.now, 0xf0, false));
            }
            self.output.push_back((self.now, last, false));
        }
    }

    fn keyboard(&mut self, byte: u8) {
        if self.faults.has_no_keyboard || self.configuration & 0x10 != 0 {
            return;
        }
        if self.resent < self.faults.resends {
            self.resent += 1;
            self.answer(0xfe);
            return;
        }
        self.resent = 0;
        let awaits = std::mem::replace(&mut self.awaits, Awaits::Command);
        match (awaits, byte) {
            (Awaits::Leds, leds) => self.leds = leds,
            (Awaits::Set, set) => self.set = set,
            (Awaits::Repeat, repeat) => self.repeat = repeat,
            (Awaits::Command, 0xed) => self.awaits = Awaits::Leds,
            (Awaits::Command, 0xf0) => self.awaits = Awaits::Set,
            (Awaits::Command, 0xf3) => self.awaits = Awaits::Repeat,
            (Awaits::Command, 0xf4) => self.is_enabled = true,
            (Awaits::Command, 0xff) => {
                self.is_enabled = true;
                self.answer(0xfa);
                if !self.faults.is_silent_after_reset {
                    self.answer(self.faults.keyboard_test.unwrap_or(0xaa));
                }
                return;
            }
            (Awaits::Command, _) => {
                self.answer(0xfe);
                return;
            }
        }
        self.answer(0xfa);
    }
}

impl Bus for Model {
    fn status(&mut self) -> u8 {
        if self.faults.has_no_controller {
            return status::NOBODY;
        }
        let mut state = 0x14;
        if self.faults.is_stuck {
            state |= status::INPUT;
        }
        if let Some(&(when, _, is_mouse)) = self.output.front() {
            if when <= self.now {
                state |= status::OUTPUT;
                if is_mouse {
                    state |= status::FROM_MOUSE;
                }
            }
        } else if self.faults.overflows {
            state |= status::OUTPUT;
        }
        state
    }

    fn read(&mut self) -> u8 {
        match self.output.front() {
            Some(&(when, byte, _)) if when <= self.now => {
                self.output.pop_front();
                byte
            }
            _ => 0,
        }
    }

    fn command(&mut self, command: u8) {
        assert!(!self.faults.is_stuck, "a command without room");
        self.pending = None;
        match command {
            0x20 => self.answer(self.configuration),
            0x60 => self.pending = Some(command),
            0xa7 => self.configuration |= 0x20,
            0xaa => {
                // Some set all back.
                self.configuration = 0x30;
                self.answer(self.faults.controller_test.unwrap_or(0x55));
            }
            0xab => self.answer(self.faults.port_test.unwrap_or(0)),
            0xad => self.configuration |= 0x10,
            0xae => self.configuration &= !0x10,
            _ => {}
        }
    }

    fn write(&mut self, byte: u8) {
        match self.pending.take() {
            Some(_) => {
                self.configuration = byte;
                if self.faults.never_translates {
                    self.configuration &= !0x40;
                }
            }
            None => self.keyboard(byte),
        }
    }

    fn pause(&mut self) {
        self.now += 1;
    }
}
