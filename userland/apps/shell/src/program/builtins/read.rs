//! `read`: a line of the input into variables.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use shell::cooked::{Cooked, Typed};
use shell::expand::BYTES_MAX;
use shell::read::{Backslash, fields, goes_on};
use shell::syntax::is_name;

use super::Output;
use crate::program::console::Input;
use crate::program::job::INTERRUPTED;
use crate::program::shell::Shell;
use crate::program::streams::Origin;

/// A line that was read.
#[derive(Default)]
struct Line {
    bytes: Vec<u8>,
    /// The input has ended before the line did.
    is_cut: bool,
}

pub fn read(shell: &mut Shell, arguments: &[String], output: &mut Output) -> u64 {
    let (backslash, names) = match arguments.split_first() {
        Some((first, names)) if first == "-r" => (Backslash::Itself, names),
        _ => (Backslash::Quotes, arguments),
    };
    if names.is_empty() {
        return output.fail("read: a name is missing");
    }
    if let Some(wrong) = names.iter().find(|name| !is_name(name)) {
        return output.fail(&format!("read: '{wrong}' is no name"));
    }
    let mut text = String::new();
    let is_cut = loop {
        let Some(line) = shell.read_line() else {
            return INTERRUPTED;
        };
        text.push_str(&String::from_utf8_lossy(&line.bytes));
        if text.len() > BYTES_MAX {
            return output.fail("read: the line is too long");
        }
        if line.is_cut || !goes_on(&text, backslash) {
            break line.is_cut;
        }
        text.pop();
    };
    for (name, value) in names.iter().zip(fields(&text, names.len(), backslash)) {
        if !shell.variables.set(name, &value) {
            return output.fail("read: the variables have no room");
        }
    }
    u64::from(is_cut)
}

impl Shell {
    /// Reads a line, without its end; none when that was interrupted.
    fn read_line(&mut self) -> Option<Line> {
        match self.streams.input.clone() {
            Origin::Supply(supply) => {
                let mut line = Line::default();
                let mut buffer = [0; 512];
                while !line.is_cut && line.bytes.len() <= BYTES_MAX {
                    let result = supply.borrow_mut().read(&mut buffer);
                    let count = match result {
                        Ok(count) => count,
                        Err(error) => {
                            self.complain(&format!("{error}"));
                            0
                        }
                    };
                    let read = buffer.get(..count).unwrap_or_default();
                    line.is_cut = read.is_empty();
                    match read.iter().position(|byte| *byte == b'\n') {
                        Some(end) => {
                            let (begin, rest) = read.split_at(end);
                            line.bytes.extend(begin);
                            supply
                                .borrow_mut()
                                .put_back(rest.get(1..).unwrap_or_default());
                            break;
                        }
                        None => line.bytes.extend(read),
                    }
                }
                Some(line)
            }
            Origin::Console if self.console.is_terminal() => self.read_typed(),
            Origin::Console => Some(self.read_standard()),
        }
    }

    /// Reads a line of the standard input.
    fn read_standard(&mut self) -> Line {
        let mut line = Line::default();
        loop {
            let end = self.ahead.iter().position(|byte| *byte == b'\n');
            let count = end.map_or(self.ahead.len(), |end| end + 1);
            line.bytes.extend(self.ahead.drain(..count));
            if end.is_some() {
                line.bytes.pop();
                return line;
            }
            if self.is_input_ended || line.bytes.len() > BYTES_MAX {
                line.is_cut = true;
                return line;
            }
            let mut buffer = [0; 512];
            match self.console.read(&self.event, &mut buffer) {
                Input::Bytes(count) => self.ahead.extend(buffer.get(..count).unwrap_or_default()),
                Input::End => self.is_input_ended = true,
                Input::Nothing => {
                    if !self.turn() {
                        self.wait();
                    }
                }
            }
        }
    }

    /// Reads a line that is typed; none after Ctrl-C.
    fn read_typed(&mut self) -> Option<Line> {
        let mut cooked = Cooked::default();
        let mut line = Line::default();
        self.is_reading = true;
        loop {
            let mut typed = None;
            let mut echo = Vec::new();
            while typed.is_none()
                && let Some(byte) = self.ahead.pop_front()
            {
                typed = cooked.take(byte, &mut echo);
            }
            self.console.show(&echo);
            match typed {
                Some(Typed::Bytes(bytes)) => line.bytes.extend(bytes),
                Some(Typed::End) => line.is_cut = true,
                Some(Typed::Interrupt) => self.is_interrupted = true,
                Some(Typed::Stop) => {}
                None => {
                    if !self.turn() {
                        self.wait();
                    }
                }
            }
            let is_whole = line.bytes.last() == Some(&b'\n');
            if is_whole {
                line.bytes.pop();
            }
            if is_whole || line.is_cut || self.is_interrupted {
                self.is_reading = false;
                return (!self.is_interrupted).then_some(line);
            }
        }
    }
}
