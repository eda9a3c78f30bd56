//! Starts the controller and the keyboard (IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device Controller").

use core::fmt;

use crate::commands::{ACKNOWLEDGED, RESEND};
use crate::keys::Set;

/// Ports and time.
pub trait Bus {
    /// Reads the status, port 0x64.
    fn status(&mut self) -> u8;
    /// Reads a byte, port 0x60.
    fn read(&mut self) -> u8;
    /// Writes a command to the controller, port 0x64.
    fn command(&mut self, command: u8);
    /// Writes a byte, port 0x60.
    fn write(&mut self, byte: u8);
    /// Lets a millisecond pass, at least.
    fn pause(&mut self);
}

/// Bits of the status.
pub mod status {
    /// There is a byte to read.
    pub const OUTPUT: u8 = 1;
    /// There is no room to write.
    pub const INPUT: u8 = 1 << 1;
    /// The byte to read is the mouse's.
    pub const FROM_MOUSE: u8 = 1 << 5;
    /// The keyboard did not finish a byte.
    pub const TIMEOUT: u8 = 1 << 6;
    /// A byte has arrived damaged.
    pub const PARITY: u8 = 1 << 7;
    /// What is read where there is no controller.
    pub const NOBODY: u8 = 0xff;
}

// Commands of the controller.
const READ_CONFIGURATION: u8 = 0x20;
const WRITE_CONFIGURATION: u8 = 0x60;
const DISABLE_MOUSE: u8 = 0xa7;
const TEST_CONTROLLER: u8 = 0xaa;
const TEST_PORT: u8 = 0xab;
const DISABLE_KEYBOARD: u8 = 0xad;
const ENABLE_KEYBOARD: u8 = 0xae;

// Bits of its configuration.
const KEYBOARD_FIRES: u8 = 1;
const MOUSE_FIRES: u8 = 1 << 1;
const KEYBOARD_STOPPED: u8 = 1 << 4;
const MOUSE_STOPPED: u8 = 1 << 5;
const TRANSLATES: u8 = 1 << 6;

/// What the controller says of itself when it is well.
const CONTROLLER_WELL: u8 = 0x55;
/// What it says of the keyboard's wires when they are well.
const PORT_WELL: u8 = 0;
/// What the keyboard says of itself when it is well.
const KEYBOARD_WELL: u8 = 0xaa;

// Commands of the keyboard.
/// Sets the lights; the next byte says which.
pub const SET_LEDS: u8 = 0xed;
const SET_SCAN_CODES: u8 = 0xf0;
const SET_REPEAT: u8 = 0xf3;
const ENABLE: u8 = 0xf4;
const RESET: u8 = 0xff;

/// Keys repeat after half a second, 24 times a second.
const REPEAT: u8 = 0x22;

// How long to wait, in milliseconds.
const ROOM_MS: u32 = 100;
const ANSWER_MS: u32 = 300;
const TEST_MS: u32 = 1000;
/// A keyboard tests itself for up to 750 ms.
const RESET_MS: u32 = 1500;
/// How many bytes a controller may have that were not asked for.
const LEFT_OVER: usize = 64;
const TRIES: usize = 3;

/// Why there is no keyboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartError {
    /// This machine has no such controller.
    NoController,
    /// The controller has stopped answering.
    Silent,
    /// The controller finds the keyboard's wires broken.
    Port(u8),
    /// No keyboard is connected.
    NoKeyboard,
    /// The keyboard says that it is broken.
    Keyboard(u8),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoController => f.write_str("this machine has no PS/2 controller"),
            Self::Silent => f.write_str("the PS/2 controller does not answer"),
            Self::Port(code) => write!(
                f,
                "the PS/2 controller finds its keyboard port broken (code {code:#04x})"
            ),
            Self::NoKeyboard => f.write_str("no PS/2 keyboard is connected"),
            Self::Keyboard(code) => write!(
                f,
                "the PS/2 keyboard has failed its self test (code {code:#04x})"
            ),
        }
    }
}

/// A keyboard that was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    /// How its bytes arrive.
    pub set: Set,
    /// What the controller said of itself, if that was not good. Some controllers say so and work.
    pub controller_test: Option<u8>,
}

/// Starts the controller and the keyboard. From then on it fires for each byte.
///
/// # Errors
/// Why there is no keyboard.
pub fn start(bus: &mut impl Bus) -> Result<Started, StartError> {
    if bus.status() == status::NOBODY {
        return Err(StartError::NoController);
    }
    for command in [DISABLE_KEYBOARD, DISABLE_MOUSE] {
        room(bus).map_err(|_| StartError::NoController)?;
        bus.command(command);
    }
    empty(bus).map_err(|_| StartError::NoController)?;
    let found = ask(bus, READ_CONFIGURATION, ANSWER_MS).map_err(|_| StartError::NoController)?;
    let result = ask(bus, TEST_CONTROLLER, TEST_MS)?;
    let controller_test = (result != CONTROLLER_WELL).then_some(result);
    // The test may have set all back.
    let configuration =
        found & !(KEYBOARD_FIRES | MOUSE_FIRES | KEYBOARD_STOPPED) | MOUSE_STOPPED | TRANSLATES;
    configure(bus, configuration)?;
    let configuration = ask(bus, READ_CONFIGURATION, ANSWER_MS)?;
    let set = if configuration & TRANSLATES != 0 {
        Set::One
    } else {
        Set::Two
    };
    match ask(bus, TEST_PORT, TEST_MS)? {
        PORT_WELL => {}
        code => return Err(StartError::Port(code)),
    }
    room(bus)?;
    bus.command(ENABLE_KEYBOARD);
    reset_keyboard(bus)?;
    // What a keyboard does not know it refuses; it can be used all the same.
    for setting in [&[SET_SCAN_CODES, 2][..], &[SET_REPEAT, REPEAT], &[ENABLE]] {
        for &byte in setting {
            if !tell(bus, byte)? {
                break;
            }
        }
    }
    empty(bus)?;
    configure(bus, configuration & !KEYBOARD_STOPPED | KEYBOARD_FIRES)?;
    Ok(Started {
        set,
        controller_test,
    })
}

fn reset_keyboard(bus: &mut impl Bus) -> Result<(), StartError> {
    if !tell(bus, RESET)? {
        return Err(StartError::NoKeyboard);
    }
    match answer(bus, RESET_MS) {
        Some(KEYBOARD_WELL) => Ok(()),
        Some(code) => Err(StartError::Keyboard(code)),
        // It has understood, so that it is there; some say nothing then.
        None => Ok(()),
    }
}

/// Tells the keyboard a byte; returns whether it has understood.
fn tell(bus: &mut impl Bus, byte: u8) -> Result<bool, StartError> {
    for _ in 0..TRIES {
        room(bus)?;
        bus.write(byte);
        // A key that was pressed just before may come first.
        for _ in 0..LEFT_OVER {
            match answer(bus, ANSWER_MS) {
                Some(ACKNOWLEDGED) => return Ok(true),
                Some(RESEND) => break,
                Some(_) => {}
                None => return Ok(false),
            }
        }
    }
    Ok(false)
}

fn configure(bus: &mut impl Bus, configuration: u8) -> Result<(), StartError> {
    room(bus)?;
    bus.command(WRITE_CONFIGURATION);
    room(bus)?;
    bus.write(configuration);
    Ok(())
}

/// Asks the controller.
fn ask(bus: &mut impl Bus, command: u8, limit_ms: u32) -> Result<u8, StartError> {
    room(bus)?;
    bus.command(command);
    answer(bus, limit_ms).ok_or(StartError::Silent)
}

/// Waits for room for a byte.
fn room(bus: &mut impl Bus) -> Result<(), StartError> {
    for _ in 0..ROOM_MS {
        if bus.status() & status::INPUT == 0 {
            return Ok(());
        }
        bus.pause();
    }
    Err(StartError::Silent)
}

/// Waits for a byte that is not the mouse's.
fn answer(bus: &mut impl Bus, limit_ms: u32) -> Option<u8> {
    for _ in 0..limit_ms {
        let state = bus.status();
        if state & status::OUTPUT == 0 {
            bus.pause();
            continue;
        }
        let byte = bus.read();
        if state & status::FROM_MOUSE == 0 {
            return Some(byte);
        }
    }
    None
}

/// Reads what nobody has asked for.
fn empty(bus: &mut impl Bus) -> Result<(), StartError> {
    for _ in 0..LEFT_OVER {
        if bus.status() & status::OUTPUT == 0 {
            return Ok(());
        }
        bus.read();
    }
    Err(StartError::Silent)
}
