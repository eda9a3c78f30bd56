//! A keyboard in use.

use alloc::vec::Vec;

use crate::commands::{Answer, Commands};
use crate::controller::{Bus, SET_LEDS, status};
use crate::keys::{Keys, Set};
use crate::layout::Layout;

/// The controller holds one byte; more than so many at a time are not those of a keyboard.
const BYTES_MAX: usize = 256;
/// How often the controller is looked at before it has room for a byte to the keyboard, which it has at once as a rule.
const LOOKS: usize = 1000;

/// A keyboard in use: keys in, bytes out.
pub struct Driver {
    keys: Keys,
    commands: Commands,
    leds: u8,
}

impl Driver {
    /// For a keyboard that was started.
    pub fn new(set: Set, layout: Layout) -> Self {
        let mut driver = Self {
            keys: Keys::new(set, layout),
            commands: Commands::default(),
            leds: 0,
        };
        driver.show_locks();
        driver
    }

    /// The layout.
    pub fn layout(&self) -> Layout {
        self.keys.layout()
    }

    /// Changes the layout.
    pub fn set_layout(&mut self, layout: Layout) {
        self.keys.set_layout(layout);
    }

    /// The line has fired, or may have: takes all bytes that the controller has, and tells the keyboard what it has to know. What a terminal
    /// sends for the keys is added to `out`.
    pub fn serve(&mut self, bus: &mut impl Bus, out: &mut Vec<u8>) {
        for _ in 0..BYTES_MAX {
            let state = bus.status();
            if state & status::OUTPUT == 0 || state == status::NOBODY {
                break;
            }
            let byte = bus.read();
            if state & status::FROM_MOUSE != 0 {
                continue;
            }
            if state & (status::TIMEOUT | status::PARITY) != 0 {
                self.keys.forget();
                continue;
            }
            match self.commands.answer(byte) {
                Answer::None => self.keys.byte(byte, out),
                Answer::Taken => {}
                Answer::Again(byte) => send(bus, byte),
            }
        }
        self.show_locks();
        if let Some(byte) = self.commands.next() {
            send(bus, byte);
        }
    }

    /// The keyboard was told something and has not answered yet: if it does not within half a second, [`give_up`](Self::give_up).
    pub fn is_waiting(&self) -> bool {
        self.commands.is_waiting()
    }

    /// The keyboard does not answer.
    pub fn give_up(&mut self) {
        self.commands.give_up();
    }

    fn show_locks(&mut self) {
        let leds = self.keys.leds();
        if leds != self.leds {
            self.leds = leds;
            self.commands.add(&[SET_LEDS, leds]);
        }
    }
}

/// Sends a byte to the keyboard; a controller without room loses it, and the keyboard then does not answer.
fn send(bus: &mut impl Bus, byte: u8) {
    for _ in 0..LOOKS {
        if bus.status() & status::INPUT == 0 {
            bus.write(byte);
            return;
        }
    }
}
