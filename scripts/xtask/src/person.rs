//! Somebody who sits at the machine: types on its keyboard and on the serial line, looks at the screen, and waits for what is to be read.
//!
//! Nothing here waits for a time: what was typed is waited for where it shows, and the keyboard gets no more keys than it can hold.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bench::Tools;
use crate::bootconf::KernelLine;
use crate::console;
use crate::error::{Error, Result};
use crate::prepare::{Image, Programs, Recipe};
use crate::qemu::args::{DEBUG_EXIT_PORT, Spec};
use crate::qemu::machine::{Event, Machine};
use crate::qemu::outcome::{Verdict, Watch, verdict};
use crate::screen_text::Eyes;
use crate::screenshot::{Picture, parse_ppm};

/// How long anything may take: other boots share the processors.
const PATIENCE: Duration = Duration::from_secs(180);
/// Between two looks at the screen.
const GLANCE: Duration = Duration::from_millis(50);
/// The queue of QEMU's keyboard has 16 bytes; a key with Shift takes at most 6 of them.
const KEYS_AT_ONCE: usize = 2;
/// How long a key is held, in milliseconds of the machine's.
const HOLD_MS: u32 = 1;
/// What the shell's prompt ends with.
pub const PROMPT: &str = "jsix:/tmp>";

/// The person, and the machine.
pub struct Person {
    /// Where what the serial line said is written in the end.
    log: Option<PathBuf>,
    image: Image,
    machine: Machine,
    eyes: Eyes,
    watch: Watch,
    /// How many bytes of the serial text, without escape sequences, were waited for.
    heard: usize,
    /// Commands of the control channel that were answered; the last error.
    answers: usize,
    refused: Option<String>,
    /// What was on the screen at the last look.
    seen: Vec<String>,
    picture: Option<Picture>,
}

impl Person {
    /// Switches a machine on that runs the system without a command. What the serial line says is written to `log`, if that is wanted.
    pub fn sit_down(tools: Tools<'_>, spec: &Spec, log: Option<PathBuf>) -> Result<Self> {
        let mut recipe = Recipe::jsix(KernelLine::default());
        recipe.programs = Programs::System(Vec::new());
        recipe
            .line
            .raw(&format!("qemu-exit={DEBUG_EXIT_PORT:#x}"))?;
        let image = Image::write(tools.workspace, &recipe)?;
        let machine = Machine::start(tools.qemu, spec, tools.firmware, image.disk())?;
        let mut person = Self {
            log,
            image,
            machine,
            eyes: Eyes::new(),
            watch: Watch::default(),
            heard: 0,
            answers: 0,
            refused: None,
            seen: Vec::new(),
            picture: None,
        };
        // The one to what `Machine::start` said.
        person.wait_for_answer(0)?;
        Ok(person)
    }

    /// Takes what has happened, or waits for it a little.
    fn listen(&mut self, how_long: Duration) {
        match self.machine.events.recv_timeout(how_long) {
            Ok(Event::Serial(bytes)) => self.watch.serial.extend_from_slice(&bytes),
            Ok(Event::Control(message)) => {
                self.watch.control(&message);
                if let Some(error) = message.get("error") {
                    self.refused = Some(error.to_string());
                }
                if message.get("return").is_some() || message.get("error").is_some() {
                    self.answers += 1;
                }
            }
            Ok(Event::SerialClosed) | Err(_) => {}
        }
    }

    fn wait_for_answer(&mut self, before: usize) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while self.answers == before {
            if Instant::now() > end {
                return Err(self.failed("QEMU does not answer"));
            }
            self.listen(GLANCE);
        }
        match self.refused.take() {
            Some(error) => Err(self.failed(&format!("QEMU refuses: {error}"))),
            None => Ok(()),
        }
    }

    /// A command on the control channel, and its answer.
    fn command(&mut self, name: &str, arguments: &Value) -> Result<()> {
        let before = self.answers;
        self.machine.command(name, arguments);
        self.wait_for_answer(before)
    }

    /// Presses keys together and releases them, by QEMU's names: `["ctrl", "c"]`.
    pub fn press(&mut self, keys: &[&str]) -> Result<()> {
        let keys: Vec<Value> = keys.iter().map(|key| code(key)).collect();
        self.command("send-key", &json!({"keys": keys, "hold-time": HOLD_MS}))
    }

    /// Presses a key so long that it comes so many times, as a keyboard repeats it.
    pub fn hold(&mut self, key: &str, times: usize) -> Result<()> {
        for is_down in [true].repeat(times).into_iter().chain([false]) {
            let event = json!({"type": "key", "data": {"down": is_down, "key": code(key)}});
            self.command("input-send-event", &json!({"events": [event]}))?;
        }
        Ok(())
    }

    /// Types a text at the shell's prompt, as on a keyboard of the United States, and sees each piece of it on the screen before the next one.
    pub fn type_text(&mut self, text: &str) -> Result<()> {
        let typed: Vec<char> = text.chars().collect();
        for (index, piece) in typed.chunks(KEYS_AT_ONCE).enumerate() {
            for &letter in piece {
                let keys = keys_of(letter)
                    .ok_or_else(|| Error::Input(format!("no key types {letter:?}")))?;
                self.press(&keys)?;
            }
            let end = (index * KEYS_AT_ONCE + piece.len()).min(typed.len());
            let so_far: String = typed.get(..end).unwrap_or_default().iter().collect();
            self.until_line(&format!("{PROMPT} {so_far}"))?;
        }
        Ok(())
    }

    /// Types a command and Enter.
    pub fn run(&mut self, text: &str) -> Result<()> {
        self.type_text(text)?;
        self.press(&["ret"])
    }

    /// Waits until the last line of the screen that is not empty is this one.
    pub fn until_line(&mut self, wanted: &str) -> Result<()> {
        let wanted = wanted.trim_end();
        self.until(&format!("the last line to be {wanted:?}"), |lines| {
            let last = lines.iter().rev().find(|line| !line.is_empty());
            last.is_some_and(|line| line == wanted)
        })
    }

    /// Waits until the screen ends with these lines.
    pub fn until_end(&mut self, wanted: &[&str]) -> Result<()> {
        self.until(&format!("{wanted:?} at the end"), |lines| {
            let count = lines.iter().rposition(|line| !line.is_empty());
            let lines = lines.get(..count.map_or(0, |last| last + 1));
            let lines: Vec<&str> = lines
                .unwrap_or_default()
                .iter()
                .map(String::as_str)
                .collect();
            lines.ends_with(wanted)
        })
    }

    /// Waits until what is on the screen is what is wanted.
    pub fn until(&mut self, what: &str, is_so: impl Fn(&[String]) -> bool) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            self.look()?;
            if is_so(&self.seen) {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(self.failed(&format!("waited in vain for {what}")));
            }
            self.listen(GLANCE);
        }
    }

    /// Looks at the screen.
    fn look(&mut self) -> Result<()> {
        let raw = self.image.folder().join("screen.ppm");
        self.command(
            "screendump",
            &json!({"filename": raw.display().to_string()}),
        )?;
        let data = fs::read(&raw).map_err(Error::io("read", &raw))?;
        let picture = parse_ppm(&data)
            .ok_or_else(|| Error::tool("QEMU", "wrote a screen dump that is no PPM file"))?;
        self.seen = self.eyes.lines(&picture);
        self.picture = Some(picture);
        Ok(())
    }

    /// What the screen showed when it was waited for last.
    pub fn into_picture(self) -> Option<Picture> {
        self.picture
    }

    /// The lines that it showed.
    pub fn lines(&self) -> &[String] {
        &self.seen
    }

    /// Types on the serial line.
    pub fn write(&mut self, text: &str) -> Result<()> {
        let mut serial = self.machine.serial_input()?;
        serial
            .write_all(text.as_bytes())
            .map_err(Error::io("write to", "the serial port"))
    }

    /// Waits until the serial line has said something new; returns all that it said before that, without escape sequences.
    pub fn until_serial(&mut self, wanted: &str) -> Result<String> {
        let end = Instant::now() + PATIENCE;
        loop {
            let text = console::plain(&self.watch.serial);
            let new = text.get(self.heard..).unwrap_or_default();
            if let Some((before, _)) = new.split_once(wanted) {
                self.heard += before.len() + wanted.len();
                return Ok(before.to_owned());
            }
            if Instant::now() > end {
                return Err(self.failed(&format!("the serial line did not say {wanted:?}")));
            }
            self.listen(GLANCE);
        }
    }

    /// Waits for the machine's end.
    pub fn until_end_of_machine(&mut self) -> Result<Verdict> {
        let end = Instant::now() + PATIENCE;
        loop {
            self.listen(GLANCE);
            if let Some(status) = self.machine.try_wait() {
                while let Ok(event) = self.machine.events.try_recv() {
                    match event {
                        Event::Serial(bytes) => self.watch.serial.extend_from_slice(&bytes),
                        Event::Control(message) => self.watch.control(&message),
                        Event::SerialClosed => {}
                    }
                }
                self.keep_log();
                return Ok(verdict(
                    status.code(),
                    &self.watch,
                    &self.machine.messages(),
                ));
            }
            if Instant::now() > end {
                return Err(self.failed("the machine does not end"));
            }
        }
    }

    /// Writes down what the serial line said.
    fn keep_log(&self) {
        if let Some(path) = &self.log {
            // What is found out does not depend on it.
            let _ = fs::write(path, console::plain(&self.watch.serial));
        }
    }

    fn failed(&self, why: &str) -> Error {
        self.keep_log();
        let serial = console::plain(&self.watch.serial);
        let tail: Vec<&str> = serial.lines().rev().take(15).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        Error::Input(format!(
            "{why}\nthe screen:\n{}\nthe end of the serial line:\n{}",
            self.seen.join("\n").trim_end(),
            tail.join("\n")
        ))
    }
}

fn code(key: &str) -> Value {
    json!({"type": "qcode", "data": key})
}

/// Keys by QEMU's names, and what they type without and with Shift.
const KEYS: [(&str, char, char); 21] = [
    ("spc", ' ', ' '),
    ("minus", '-', '_'),
    ("equal", '=', '+'),
    ("dot", '.', '>'),
    ("comma", ',', '<'),
    ("slash", '/', '?'),
    ("backslash", '\\', '|'),
    ("semicolon", ';', ':'),
    ("apostrophe", '\'', '"'),
    ("bracket_left", '[', '{'),
    ("bracket_right", ']', '}'),
    ("1", '1', '!'),
    ("2", '2', '@'),
    ("3", '3', '#'),
    ("4", '4', '$'),
    ("5", '5', '%'),
    ("6", '6', '^'),
    ("7", '7', '&'),
    ("8", '8', '*'),
    ("9", '9', '('),
    ("0", '0', ')'),
];
/// The keys of the letters.
const LETTERS: [&str; 26] = [
    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s",
    "t", "u", "v", "w", "x", "y", "z",
];

/// The keys that type a character.
fn keys_of(character: char) -> Option<Vec<&'static str>> {
    let small = character.to_ascii_lowercase();
    let letter = LETTERS.into_iter().find(|key| key.starts_with(small));
    if let Some(letter) = letter.filter(|_| small.is_ascii_lowercase()) {
        return Some(match character.is_ascii_uppercase() {
            true => vec!["shift", letter],
            false => vec![letter],
        });
    }
    KEYS.into_iter()
        .find_map(|(key, plain, shifted)| match character {
            _ if character == plain => Some(vec![key]),
            _ if character == shifted => Some(vec!["shift", key]),
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use super::keys_of;

    #[test]
    fn every_character_of_commands_has_keys_of_its_own() {
        let all = (' '..='~').filter(|letter| !matches!(letter, '`' | '~'));
        let mut keys: Vec<_> = all.map(|letter| keys_of(letter).unwrap()).collect();
        let count = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), count);
    }
}
