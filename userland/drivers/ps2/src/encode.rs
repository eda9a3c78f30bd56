//! Keys as a terminal sends them: UTF-8, and the sequences of xterm.

use alloc::vec::Vec;

use pc_keyboard::KeyCode;

const ESCAPE: u8 = 0x1b;

/// Which of the keys that change others are held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub is_shift: bool,
    pub is_alt: bool,
    pub is_control: bool,
}

impl Held {
    /// As xterm counts them; 1 for none.
    fn parameter(self) -> u8 {
        1 + u8::from(self.is_shift) + 2 * u8::from(self.is_alt) + 4 * u8::from(self.is_control)
    }
}

/// A key that has no character of its own; nothing for one that programs do not know.
pub fn key(key: KeyCode, held: Held, out: &mut Vec<u8>) {
    match key {
        KeyCode::ArrowUp => letter(b'A', b'[', held, out),
        KeyCode::ArrowDown => letter(b'B', b'[', held, out),
        KeyCode::ArrowRight => letter(b'C', b'[', held, out),
        KeyCode::ArrowLeft => letter(b'D', b'[', held, out),
        KeyCode::End => letter(b'F', b'[', held, out),
        KeyCode::Home => letter(b'H', b'[', held, out),
        KeyCode::F1 => letter(b'P', b'O', held, out),
        KeyCode::F2 => letter(b'Q', b'O', held, out),
        KeyCode::F3 => letter(b'R', b'O', held, out),
        KeyCode::F4 => letter(b'S', b'O', held, out),
        KeyCode::Insert => numbered("2", held, out),
        KeyCode::Delete => numbered("3", held, out),
        KeyCode::PageUp => numbered("5", held, out),
        KeyCode::PageDown => numbered("6", held, out),
        KeyCode::F5 => numbered("15", held, out),
        KeyCode::F6 => numbered("17", held, out),
        KeyCode::F7 => numbered("18", held, out),
        KeyCode::F8 => numbered("19", held, out),
        KeyCode::F9 => numbered("20", held, out),
        KeyCode::F10 => numbered("21", held, out),
        KeyCode::F11 => numbered("23", held, out),
        KeyCode::F12 => numbered("24", held, out),
        KeyCode::Apps => numbered("29", held, out),
        _ => {}
    }
}

/// `ESC [ A`, or `ESC [ 1 ; 5 A` with other keys.
fn letter(letter: u8, plain: u8, held: Held, out: &mut Vec<u8>) {
    match held.parameter() {
        1 => out.extend([ESCAPE, plain, letter]),
        parameter => out.extend([ESCAPE, b'[', b'1', b';', b'0' + parameter, letter]),
    }
}

/// `ESC [ 5 ~`, or `ESC [ 5 ; 5 ~` with other keys.
fn numbered(number: &str, held: Held, out: &mut Vec<u8>) {
    out.extend([ESCAPE, b'[']);
    out.extend(number.as_bytes());
    if held.parameter() != 1 {
        out.extend([b';', b'0' + held.parameter()]);
    }
    out.push(b'~');
}

/// A character.
pub fn character(character: char, held: Held, out: &mut Vec<u8>) {
    if character == '\t' && held.is_shift {
        if held.is_alt {
            out.push(ESCAPE);
        }
        out.extend(b"\x1b[Z");
        return;
    }
    if held.is_alt {
        out.push(ESCAPE);
    }
    match character {
        '\r' | '\n' => out.push(b'\r'),
        '\x08' => out.push(if held.is_control { 0x08 } else { 0x7f }),
        character if held.is_control => match control(character) {
            Some(byte) => out.push(byte),
            None => utf8(character, out),
        },
        character => utf8(character, out),
    }
}

fn utf8(character: char, out: &mut Vec<u8>) {
    out.extend(character.encode_utf8(&mut [0; 4]).as_bytes());
}

/// The control character of a key, where it has one: those that can be typed on a keyboard without their sign, too.
fn control(character: char) -> Option<u8> {
    let upper = u8::try_from(character.to_ascii_uppercase()).ok()?;
    Some(match upper {
        b'@'..=b'_' => upper & 0x1f,
        b' ' | b'2' | b'`' => 0x00,
        b'3' => 0x1b,
        b'4' | b'|' => 0x1c,
        b'5' | b'}' => 0x1d,
        b'6' | b'~' => 0x1e,
        b'7' | b'-' | b'/' => 0x1f,
        b'8' | b'?' => 0x7f,
        b'{' => 0x1b,
        _ => return None,
    })
}
