//! From the bytes of a terminal to keys: UTF-8, and the escape sequences of xterm.

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A character that is shown.
    Character(char),
    /// Ctrl and a letter, but for those that are other keys.
    Control(char),
    /// Enter.
    Enter,
    /// Tab.
    Tab,
    /// Erases the character before the cursor.
    Backspace,
    /// Erases the character at the cursor.
    Delete,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Arrow left.
    Left,
    /// Arrow right.
    Right,
    /// To the begin.
    Home,
    /// To the end.
    End,
    /// Ctrl or Alt and the arrow left, Alt-b.
    WordLeft,
    /// Ctrl or Alt and the arrow right, Alt-f.
    WordRight,
    /// Alt-Backspace.
    EraseWordLeft,
    /// Alt-d.
    EraseWordRight,
}

/// The most parameters of an escape sequence that count; more are read and forgotten.
const PARAMETERS_MAX: usize = 4;

#[derive(Clone, Copy, Default)]
enum State {
    #[default]
    Plain,
    /// Behind ESC.
    Escape,
    /// Behind `ESC [`.
    Sequence,
    /// Behind `ESC O`.
    Single,
    /// Within a character: its bits so far, how many bytes are missing, the least character of such a length.
    Character(u32, u8, u32),
}

/// Reads keys.
#[derive(Default)]
pub struct Keys {
    state: State,
    parameters: [u16; PARAMETERS_MAX],
    /// Which parameter is being read.
    index: usize,
    is_after_return: bool,
    /// Within a paste: ends of lines are blanks, so that nothing runs before it was looked at.
    is_paste: bool,
}

impl Keys {
    /// Takes a byte.
    pub fn take(&mut self, byte: u8) -> Option<Key> {
        let is_after_return = core::mem::take(&mut self.is_after_return);
        match core::mem::take(&mut self.state) {
            State::Plain => self.plain(byte, is_after_return),
            State::Escape => self.escape(byte),
            State::Single => letter(byte, false),
            State::Sequence => self.sequence(byte),
            State::Character(bits, missing, least) if byte & 0xc0 == 0x80 => {
                let bits = bits << 6 | u32::from(byte & 0x3f);
                if missing > 1 {
                    self.state = State::Character(bits, missing - 1, least);
                    return None;
                }
                let character = char::from_u32(bits).filter(|_| bits >= least);
                Some(shown(character.unwrap_or(char::REPLACEMENT_CHARACTER)))
            }
            // The character is not whole; the byte begins something else.
            State::Character(..) => self.plain(byte, false),
        }
    }

    fn plain(&mut self, byte: u8, is_after_return: bool) -> Option<Key> {
        Some(match byte {
            b'\n' if is_after_return => return None,
            b'\r' | b'\n' if self.is_paste => {
                self.is_after_return = byte == b'\r';
                Key::Character(' ')
            }
            b'\r' | b'\n' => {
                self.is_after_return = byte == b'\r';
                Key::Enter
            }
            b'\t' if self.is_paste => Key::Character(' '),
            b'\t' => Key::Tab,
            0x08 | 0x7f => Key::Backspace,
            0x1b => {
                self.state = State::Escape;
                return None;
            }
            0x01..=0x1a => Key::Control(char::from(b'a' + byte - 1)),
            0x00 | 0x1c..=0x1f => return None,
            0x20..=0x7e => Key::Character(char::from(byte)),
            0xc2..=0xdf => return self.begin(u32::from(byte & 0x1f), 1, 0x80),
            0xe0..=0xef => return self.begin(u32::from(byte & 0x0f), 2, 0x800),
            0xf0..=0xf4 => return self.begin(u32::from(byte & 0x07), 3, 0x1_0000),
            0x80.. => Key::Character(char::REPLACEMENT_CHARACTER),
        })
    }

    fn begin(&mut self, bits: u32, missing: u8, least: u32) -> Option<Key> {
        self.state = State::Character(bits, missing, least);
        None
    }

    fn escape(&mut self, byte: u8) -> Option<Key> {
        match byte {
            b'[' => {
                self.state = State::Sequence;
                self.parameters = [0; PARAMETERS_MAX];
                self.index = 0;
                None
            }
            b'O' => {
                self.state = State::Single;
                None
            }
            0x1b => {
                self.state = State::Escape;
                None
            }
            b'b' => Some(Key::WordLeft),
            b'f' => Some(Key::WordRight),
            b'd' => Some(Key::EraseWordRight),
            0x08 | 0x7f => Some(Key::EraseWordLeft),
            b'\r' | b'\n' | 0x03 => self.plain(byte, false),
            _ => None,
        }
    }

    /// A control sequence (ECMA-48, 5.4): parameters, then bytes between, then the final one.
    fn sequence(&mut self, byte: u8) -> Option<Key> {
        match byte {
            b'0'..=b'9' => {
                if let Some(parameter) = self.parameters.get_mut(self.index) {
                    *parameter = parameter
                        .saturating_mul(10)
                        .saturating_add(u16::from(byte - b'0'));
                }
            }
            b';' => self.index = self.index.saturating_add(1),
            0x20..=0x3f => {}
            0x40..=0x7e => return self.sequence_end(byte),
            // A control character ends it.
            _ => return self.plain(byte, false),
        }
        self.state = State::Sequence;
        None
    }

    fn sequence_end(&mut self, last: u8) -> Option<Key> {
        let [first, modifier, ..] = self.parameters;
        // xterm: 1 and the sum of Shift 1, Alt 2, Ctrl 4.
        let is_word = modifier > 1 && (modifier - 1) & 6 != 0;
        match (last, first) {
            (b'~', 1 | 7) => Some(Key::Home),
            (b'~', 3) => Some(Key::Delete),
            (b'~', 4 | 8) => Some(Key::End),
            (b'~', 200) => {
                self.is_paste = true;
                None
            }
            (b'~', 201) => {
                self.is_paste = false;
                None
            }
            _ => letter(last, is_word),
        }
    }
}

fn letter(byte: u8, is_word: bool) -> Option<Key> {
    Some(match byte {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' if is_word => Key::WordRight,
        b'D' if is_word => Key::WordLeft,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'H' => Key::Home,
        b'F' => Key::End,
        _ => return None,
    })
}

/// The key of a character; control characters beyond ASCII are not shown.
fn shown(character: char) -> Key {
    Key::Character(match character.is_control() {
        true => char::REPLACEMENT_CHARACTER,
        false => character,
    })
}
