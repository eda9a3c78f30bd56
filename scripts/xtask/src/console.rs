//! The developer's terminal: what is typed goes to the machine, what the machine prints is made fit
//! to be read.

use std::io::{self, IsTerminal, Read, Write};
use std::sync::atomic::Ordering;
use std::thread;

use rustix::termios::{InputModes, LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::error::Result;
use crate::qemu::machine::Machine;
use crate::run::INTERRUPTED;

/// Whose Ctrl-C is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// The run's: it ends.
    Run,
    /// The system's, as all other keys; Ctrl-A x ends the run.
    System,
}

/// Keys come one by one and unechoed while this lives.
#[derive(Debug)]
pub struct KeyMode {
    before: Option<Termios>,
}

impl KeyMode {
    /// Switches the terminal, if standard input is one.
    pub fn enter(keys: Keys) -> Self {
        let stdin = io::stdin();
        let before = tcgetattr(&stdin).ok();
        if let Some(before) = &before {
            let mut mode = before.clone();
            mode.local_modes
                .remove(LocalModes::ICANON | LocalModes::ECHO);
            if keys == Keys::System {
                mode.local_modes
                    .remove(LocalModes::ISIG | LocalModes::IEXTEN);
                // Enter is a carriage return, as on a real terminal; Ctrl-S and Ctrl-Q are keys.
                mode.input_modes
                    .remove(InputModes::ICRNL | InputModes::IXON);
            }
            let _ = tcsetattr(&stdin, OptionalActions::Now, &mode);
        }
        Self { before }
    }

    /// Whether standard input is a terminal.
    pub fn is_active(&self) -> bool {
        self.before.is_some()
    }
}

impl Drop for KeyMode {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}

/// Sends standard input to the machine's serial port, until either ends. Keys of the system's are looked at for Ctrl-A x, if they come from a terminal.
pub fn forward_input(machine: &Machine, keys: Keys) -> Result<()> {
    let mut serial = machine.serial_input()?;
    let escapes = keys == Keys::System && io::stdin().is_terminal();
    thread::spawn(move || {
        let mut buffer = [0_u8; 256];
        let mut escape = Escape::default();
        while let Ok(count) = io::stdin().read(&mut buffer) {
            let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else {
                break;
            };
            let result = if escapes {
                let (typed, over) = escape.push(bytes);
                if over {
                    INTERRUPTED.store(true, Ordering::Relaxed);
                }
                serial.write_all(&typed)
            } else {
                serial.write_all(bytes)
            };
            if result.is_err() {
                break;
            }
        }
    });
    Ok(())
}

/// QEMU's own escape key on a serial console.
const CTRL_A: u8 = 1;

/// Finds Ctrl-A among what is typed.
#[derive(Debug, Default)]
struct Escape {
    pending: bool,
}

impl Escape {
    /// What goes to the system, and whether the run is to end.
    fn push(&mut self, bytes: &[u8]) -> (Vec<u8>, bool) {
        let mut typed = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            match (std::mem::take(&mut self.pending), byte) {
                (false, CTRL_A) => self.pending = true,
                (false, _) | (true, CTRL_A) => typed.push(byte),
                (true, b'x' | b'X') => return (typed, true),
                // No escape that is known: both keys were meant.
                (true, _) => typed.extend([CTRL_A, byte]),
            }
        }
        (typed, false)
    }
}

/// Whether standard output is a terminal.
pub fn output_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Removes escape sequences: the firmware and Limine clear the screen and move the cursor, which
/// spoils a log, and the developer's terminal too.
#[derive(Debug, Default)]
pub struct Plain {
    mode: Mode,
    state: State,
    /// The parameters of the sequence so far.
    parameters: Vec<u8>,
    /// The line so far, as much as the search for the kernel's first line needs.
    line: Vec<u8>,
}

/// When to stop removing.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Mode {
    #[default]
    Always,
    UntilKernel,
    Over,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    Escape,
    Sequence,
}

/// The kernel's first log line begins with this: its time since the start.
const KERNEL_LINE: &[u8] = b"[    0.";

impl Plain {
    /// For a terminal: only until the kernel speaks, whose escape sequences are meant.
    pub fn until_the_kernel() -> Self {
        Self {
            mode: Mode::UntilKernel,
            ..Self::default()
        }
    }

    /// Takes a piece of the stream and gives back its text.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            if self.mode == Mode::Over {
                out.push(byte);
                continue;
            }
            self.state = match (self.state, byte) {
                (State::Text, 0x1b) => State::Escape,
                (State::Text, _) => {
                    out.push(byte);
                    self.watch(byte);
                    State::Text
                }
                (State::Escape, b'[') => {
                    self.parameters.clear();
                    State::Sequence
                }
                (State::Escape, _) => State::Text,
                // ECMA-48: parameters are 0x20 to 0x3f, the final byte is above.
                (State::Sequence, 0x20..=0x3f) => {
                    self.parameters.push(byte);
                    State::Sequence
                }
                // The cursor moves to the first column: Limine's line break.
                (State::Sequence, b'H') => {
                    if !self.line.is_empty() && self.is_first_column() {
                        out.extend_from_slice(b"\r\n");
                        self.line.clear();
                    }
                    State::Text
                }
                (State::Sequence, _) => State::Text,
            };
        }
        out
    }

    fn is_first_column(&self) -> bool {
        let mut parameters = self.parameters.split(|&byte| byte == b';');
        let column = parameters.nth(1).unwrap_or(b"1");
        matches!(column, b"" | b"1" | b"01" | b"001")
    }

    fn watch(&mut self, byte: u8) {
        if byte == b'\n' || byte == b'\r' {
            self.line.clear();
        } else if self.line.len() < KERNEL_LINE.len() {
            self.line.push(byte);
            if self.mode == Mode::UntilKernel && self.line == KERNEL_LINE {
                self.mode = Mode::Over;
            }
        }
    }
}

/// `text` without escape sequences and carriage returns.
pub fn plain(text: &[u8]) -> String {
    let bytes = Plain::default().push(text);
    String::from_utf8_lossy(&bytes).replace('\r', "")
}

#[cfg(test)]
mod tests {
    use super::{Plain, plain};
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    #[test]
    fn what_the_firmware_prints_becomes_text() {
        let firmware = b"\x1b[2J\x1b[01;01H\x1b[=3hBdsDxe: loading\r\n\x1b[0mnext";
        assert_eq!(plain(firmware), "BdsDxe: loading\nnext");
        let limine = b"\x1b[1;1H\x1b[1;1Ho\x1b[1;2Hn\x1b[2;1Htwo";
        assert_eq!(plain(limine), "on\ntwo");
    }

    #[test]
    fn the_kernels_own_sequences_reach_a_terminal() {
        let mut filter = Plain::until_the_kernel();
        let mut seen = filter.push(b"\x1b[2Jx [    0.\x1b[1m\n[    ");
        seen.extend(filter.push(b"0.1] \x1b[32mgreen"));
        assert_eq!(seen, b"x [    0.\n[    0.1] \x1b[32mgreen");
    }

    proptest! {
        #[test]
        fn no_escape_is_left(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(!Plain::default().push(&bytes).contains(&0x1b));
        }

        #[test]
        fn keys_arrive_unless_they_end_the_run(text in "[a-w\u{1}]{0,20}", cut in any::<prop::sample::Index>()) {
            // However it is cut, and with Ctrl-A twice for each Ctrl-A.
            let typed = text.replace('\u{1}', "\u{1}\u{1}");
            let (first, second) = typed.as_bytes().split_at(cut.index(typed.len() + 1));
            let mut escape = super::Escape::default();
            let (mut got, over) = escape.push(first);
            prop_assert!(!over);
            let (rest, over) = escape.push(second);
            prop_assert!(!over);
            got.extend(rest);
            prop_assert_eq!(got, text.into_bytes());
            prop_assert_eq!(escape.push(b"a\x01xb"), (b"a".to_vec(), true));
        }

        #[test]
        fn text_without_escapes_is_kept(text in "[ -~\n]{0,200}") {
            prop_assert_eq!(plain(text.as_bytes()), text);
        }
    }
}
