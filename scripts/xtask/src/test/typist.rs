//! Somebody who sits at a terminal: a pseudo-terminal with `scripts/run` at its other end, keys, and what its screen shows.
//!
//! Nothing here waits for a time to pass: each step waits until the screen shows what a typist would wait for.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, open};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use vt100::{Parser, Screen};

use crate::error::{Error, Result};

/// The screen has so many rows that nothing scrolls, and columns as the shell takes them for a terminal that tells no size.
const ROWS: u16 = 2000;
const COLUMNS: u16 = 80;
/// How long a step may take on a busy host.
const PATIENCE: Duration = Duration::from_secs(60);
/// Rows of the screen that a failure shows.
const SHOWN: usize = 30;

/// Keys as terminals send them.
pub mod keys {
    pub const ENTER: &str = "\r";
    pub const BACKSPACE: &str = "\x7f";
    pub const TAB: &str = "\t";
    pub const UP: &str = "\x1b[A";
    pub const DOWN: &str = "\x1b[B";
    pub const LEFT: &str = "\x1b[D";
    /// Ctrl-A, twice: the first one is for `scripts/run`.
    pub const CTRL_A: &str = "\x01\x01";
    pub const CTRL_C: &str = "\x03";
    pub const CTRL_E: &str = "\x05";
    pub const CTRL_K: &str = "\x0b";
    pub const CTRL_W: &str = "\x17";
}

/// The typist.
pub struct Typist {
    child: Child,
    keyboard: File,
    bytes: Receiver<Vec<u8>>,
    parser: Parser,
    prompt: String,
}

impl Typist {
    /// Sits down and types a command on the host; `prompt` is what the system says when it waits.
    pub fn new(command: &mut Command, prompt: &str) -> Result<Self> {
        let failed = |error: rustix::io::Errno| {
            Error::tool("the pseudo-terminal", format!("cannot be had: {error}"))
        };
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).map_err(failed)?;
        // Not every host takes this as a flag of the call above.
        fcntl_setfd(&master, FdFlags::CLOEXEC).map_err(failed)?;
        grantpt(&master).map_err(failed)?;
        unlockpt(&master).map_err(failed)?;
        let name = ptsname(&master, Vec::new()).map_err(failed)?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = open(&name, flags, Mode::empty()).map_err(failed)?;
        let copy = |file: &std::os::fd::OwnedFd| {
            file.try_clone()
                .map_err(Error::io("duplicate", "a pseudo-terminal"))
        };
        command
            .stdin(Stdio::from(copy(&slave)?))
            .stdout(Stdio::from(copy(&slave)?))
            .stderr(Stdio::from(slave));
        let child = command
            .spawn()
            .map_err(Error::io("start", command.get_program()))?;
        // Our copies of the other end, so that its end is seen.
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(Stdio::null());
        let mut screen = File::from(copy(&master)?);
        let (sender, bytes) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut buffer) {
                let piece = buffer.get(..count).unwrap_or_default();
                if sender.send(piece.to_vec()).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            child,
            keyboard: master.into(),
            bytes,
            parser: parser(),
            prompt: prompt.into(),
        })
    }

    /// Presses keys, one after the other.
    pub fn press(&mut self, keys: &str) -> Result<()> {
        for byte in keys.bytes() {
            self.keyboard
                .write_all(&[byte])
                .map_err(Error::io("write to", "the pseudo-terminal"))?;
        }
        Ok(())
    }

    /// Waits until the screen shows something.
    pub fn wait<T>(&mut self, what: &str, mut look: impl FnMut(&Screen) -> Option<T>) -> Result<T> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look(self.parser.screen()) {
                return Ok(found);
            }
            let left = until.saturating_duration_since(Instant::now());
            let reason = match self.bytes.recv_timeout(left) {
                Ok(bytes) => {
                    self.parser.process(&bytes);
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => "in time",
                Err(RecvTimeoutError::Disconnected) => "before its end",
            };
            let reason = format!("did not show {what} {reason}:\n{}", self.text(SHOWN));
            return Err(Error::tool("the terminal", reason));
        }
    }

    /// Waits until these are the last rows of the screen, without blanks at their ends.
    pub fn wait_for_rows(&mut self, wanted: &[&str]) -> Result<()> {
        let wanted = wanted.join("\n");
        let count = wanted.lines().count();
        self.wait(&format!("'{wanted}'"), |screen| {
            (last(screen, count) == wanted).then_some(())
        })
    }

    /// The last rows of the screen that are not empty.
    pub fn text(&self, most: usize) -> String {
        last(self.parser.screen(), most)
    }

    /// Waits for a prompt below a row, with nothing behind it; its row.
    fn wait_for_prompt_below(&mut self, row: Option<u16>) -> Result<u16> {
        let prompt = self.prompt.clone();
        self.wait("a prompt", move |screen| {
            let at = screen.cursor_position().0;
            let is_new = row.is_none_or(|row| at > row);
            let is_prompt = || current(screen) == (prompt.clone(), String::new());
            (is_new && is_prompt()).then_some(at)
        })
    }

    /// Waits for the first prompt.
    pub fn wait_for_prompt(&mut self) -> Result<()> {
        self.wait_for_prompt_below(None).map(drop)
    }

    /// Waits for a prompt below the row of the cursor.
    pub fn wait_for_next_prompt(&mut self) -> Result<()> {
        let row = self.parser.screen().cursor_position().0;
        self.wait_for_prompt_below(Some(row)).map(drop)
    }

    /// Presses keys, and waits until the line that is edited is `before` the cursor and `behind`.
    pub fn edit(&mut self, keys: &str, before: &str, behind: &str) -> Result<()> {
        self.press(keys)?;
        let wanted = (format!("{}{before}", self.prompt), behind.to_owned());
        let what = format!("'{}', the cursor, '{behind}'", wanted.0);
        self.wait(&what, |screen| (current(screen) == wanted).then_some(()))
    }

    /// Presses Enter, and waits for the next prompt; the rows in between.
    pub fn enter(&mut self) -> Result<Vec<String>> {
        let row = self.parser.screen().cursor_position().0;
        self.press(keys::ENTER)?;
        let end = self.wait_for_prompt_below(Some(row))?;
        if end + 2 >= ROWS {
            return Err(Error::Input("the test's screen is full".into()));
        }
        let rows = rows(self.parser.screen());
        let between = rows.get(usize::from(row) + 1..usize::from(end));
        let between = between.unwrap_or_default().iter();
        Ok(between.map(|row| row.trim_end().to_owned()).collect())
    }

    /// Types a line and presses Enter; what comes before the next prompt.
    pub fn run(&mut self, line: &str) -> Result<Vec<String>> {
        self.edit(line, line, "")?;
        self.enter()
    }

    /// The same; and that must be these rows.
    pub fn expect(&mut self, line: &str, rows: &[&str]) -> Result<()> {
        let shown = self.run(line)?;
        self.compare(line, &shown, rows)
    }

    /// What was shown must be these rows.
    pub fn compare(&self, line: &str, shown: &[String], rows: &[&str]) -> Result<()> {
        if shown == rows {
            return Ok(());
        }
        let reason = format!("answered {shown:?} to '{line}', not {rows:?}");
        Err(Error::tool("the shell", reason))
    }

    /// Types a line that ends the system, and waits for the end of the command on the host.
    pub fn leave(mut self, line: &str) -> Result<ExitStatus> {
        self.edit(line, line, "")?;
        self.press(keys::ENTER)?;
        let until = Instant::now() + PATIENCE;
        loop {
            // What is shown meanwhile is taken, so that nobody waits for room.
            match self.bytes.recv_timeout(Duration::from_millis(20)) {
                Ok(bytes) => self.parser.process(&bytes),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => thread::yield_now(),
            }
            let ended = self.child.try_wait();
            match ended.map_err(Error::io("wait for", "scripts/run"))? {
                Some(status) => return Ok(status),
                None if Instant::now() > until => {
                    let reason = format!("did not end:\n{}", self.text(SHOWN));
                    return Err(Error::tool("scripts/run", reason));
                }
                None => {}
            }
        }
    }

    /// Writes all that the screen shows to a file.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = self.text(ROWS.into());
        std::fs::write(path, text).map_err(Error::io("write", path))
    }
}

impl Drop for Typist {
    fn drop(&mut self) {
        // QEMU ends with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn parser() -> Parser {
    let size = |count| NonZero::new(count).unwrap_or(NonZero::<u16>::MIN);
    Parser::new(size(ROWS), size(COLUMNS), 0)
}

/// The last rows that are not empty, at most so many.
fn last(screen: &Screen, most: usize) -> String {
    let rows = rows(screen);
    let rows: Vec<&str> = rows.iter().map(|row| row.trim_end()).collect();
    let end = rows.iter().rposition(|row| !row.is_empty());
    let rows = rows.get(..end.map_or(0, |end| end + 1)).unwrap_or_default();
    let begin = rows.len().saturating_sub(most);
    rows.get(begin..).unwrap_or_default().join("\n")
}

fn rows(screen: &Screen) -> Vec<String> {
    screen.rows(0, COLUMNS).collect()
}

/// The row of the cursor: what is before it, and what is behind, without blanks at the end.
fn current(screen: &Screen) -> (String, String) {
    let (row, column) = screen.cursor_position();
    let text = |from: u16, to: u16| -> String {
        let cells = (from..to).filter_map(|column| screen.cell(row, column));
        let cells = cells.map(|cell| match cell.contents() {
            "" => " ",
            contents => contents,
        });
        cells.collect()
    };
    let behind = text(column, COLUMNS);
    (text(0, column), behind.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Typist, current, keys, parser};
    use std::process::Command;

    #[test]
    fn the_row_of_the_cursor_is_cut_there() {
        let mut parser = parser();
        parser.process(b"one\r\n> a b\x1b[2D");
        assert_eq!(current(parser.screen()), ("> a".into(), " b".into()));
        parser.process(b"\x1b[5C");
        assert_eq!(current(parser.screen()), ("> a b   ".into(), String::new()));
    }

    #[test]
    fn a_shell_of_the_host_can_be_talked_to() {
        let mut command = Command::new("sh");
        command
            .env_clear()
            .env("PS1", "? ")
            .env("PATH", "/usr/bin:/bin")
            .arg("-i");
        let mut typist = Typist::new(&mut command, "? ").unwrap();
        typist.wait_for_prompt().unwrap();
        typist.edit("echo onx", "echo onx", "").unwrap();
        typist.edit(keys::BACKSPACE, "echo on", "").unwrap();
        assert_eq!(typist.enter().unwrap(), ["on"]);
        typist.expect("echo a; echo b", &["a", "b"]).unwrap();
        assert!(typist.expect("echo a", &["b"]).is_err());
        let status = typist.leave("exit 3").unwrap();
        assert_eq!(status.code(), Some(3));
    }
}
