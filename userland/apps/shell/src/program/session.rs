//! Where commands come from: a line, a file, the standard input, or somebody at a terminal.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use files::Kind;
use shell::editor::{Completion, Editor, Event, context_of};
use shell::interpret::{self, Flow};
use shell::syntax::parse;

use super::MISUSE;
use super::builtins;
use super::console::Input;
use super::job::INTERRUPTED;
use super::launch::STOPPED;
use super::shell::Shell;

/// How many scripts can read scripts.
const DEPTH_MAX: usize = 16;
/// The longest command over several lines.
const TEXT_MAX: usize = 64 * 1024;

impl Shell {
    /// Runs a text; returns the status of its last command.
    pub fn run_text(&mut self, name: &str, text: &str) -> u64 {
        match parse(text) {
            Ok(script) => interpret::run(self, &script),
            Err(error) => {
                self.write_error(format!("6s: {name}: {error}\n").as_bytes());
                self.state.status = MISUSE;
            }
        }
        if self.is_interrupted && self.state.status != STOPPED {
            self.state.status = INTERRUPTED;
        }
        self.state.status
    }

    /// Runs a script.
    pub fn run_file(&mut self, path: &str) -> u64 {
        if self.depth == DEPTH_MAX {
            self.complain(&format!(
                "{path}: more than {DEPTH_MAX} scripts within each other"
            ));
            return MISUSE;
        }
        let bytes = match self.files.read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.cannot_run(&format!("{error}"));
                return 127;
            }
        };
        let Ok(text) = String::from_utf8(bytes) else {
            self.cannot_run(&format!("{path}: it is no text"));
            return 126;
        };
        self.depth += 1;
        self.name = path.into();
        let status = self.run_text(path, &text);
        self.depth -= 1;
        status
    }

    /// Tells that a script cannot be run; with the line of the one that wants it, if there is one.
    fn cannot_run(&mut self, text: &str) {
        match self.depth {
            0 => self.write_error(format!("6s: {text}\n").as_bytes()),
            _ => self.complain(text),
        }
    }

    /// Runs what is typed, or what the standard input says.
    pub fn run_session(&mut self) -> u64 {
        if !self.console.is_terminal() {
            return self.run_input();
        }
        let columns = self.console.size().columns;
        self.editor = Some(Editor::new(columns.into()));
        let mut text = String::new();
        while self.state.flow != Some(Flow::Exit) {
            self.report_jobs();
            let prompt = match text.is_empty() {
                true => format!("\x1b[1mjsix:{}>\x1b[m ", self.files.current()),
                false => String::from("> "),
            };
            if let Some(editor) = &mut self.editor {
                editor.set_continued(!text.is_empty());
            }
            match self.edit(&prompt) {
                Event::Line(line) => {
                    text.push_str(&line);
                    text.push('\n');
                    if parse(&text).is_err_and(|error| error.is_incomplete())
                        && text.len() < TEXT_MAX
                    {
                        continue;
                    }
                    let whole = core::mem::take(&mut text);
                    self.is_interrupted = false;
                    self.run_text("this line", &whole);
                    if self.state.flow != Some(Flow::Exit) {
                        self.state.flow = None;
                    }
                }
                Event::Interrupt => {
                    text.clear();
                    self.state.status = INTERRUPTED;
                }
                Event::End if text.is_empty() => self.state.flow = Some(Flow::Exit),
                Event::End | Event::Complete(_) => text.clear(),
            }
        }
        self.console.print(b"\n");
        self.state.status
    }

    /// Runs the standard input as a script. Commands in it see its end.
    fn run_input(&mut self) -> u64 {
        let mut bytes = Vec::new();
        loop {
            let mut buffer = [0; 512];
            match self.console.read(&self.event, &mut buffer) {
                Input::Bytes(count) => bytes.extend(buffer.get(..count).unwrap_or_default()),
                Input::Nothing => self.wait(),
                Input::End => break,
            }
        }
        self.is_input_ended = true;
        match String::from_utf8(bytes) {
            Ok(text) => self.run_text("the input", &text),
            Err(_) => {
                self.complain("the input is no text");
                MISUSE
            }
        }
    }

    /// Lets the user edit a line.
    fn edit(&mut self, prompt: &str) -> Event {
        if self.console.watch().is_within_line() {
            let restore = self.console.watch().restore();
            self.console.show(&restore);
        }
        if let Some(editor) = &mut self.editor {
            editor.begin(prompt);
            self.console.show(&editor.take_output());
        }
        self.is_editing = true;
        let event = loop {
            // What was typed ahead comes first.
            self.edit_ahead();
            if !self.events.is_empty() {
                break self.events.remove(0);
            }
            if !self.turn() {
                self.wait();
            }
        };
        self.is_editing = false;
        self.console.flush();
        event
    }

    /// What the word at the end of a text could be.
    pub fn completion(&self, before: &str) -> Completion {
        let (start, word, is_command) = context_of(before);
        if is_command && !word.contains('/') {
            let of_path = self.variables.get("PATH").unwrap_or_default().split(':');
            let programs = of_path.flat_map(|path| self.files.read_dir(path).unwrap_or_default());
            let programs = programs.map(|entry| entry.name);
            let own = builtins::names().map(String::from);
            let aliases = self.aliases.keys().cloned();
            let functions = self.state.functions.keys().cloned();
            let names = programs.chain(own).chain(aliases).chain(functions);
            return Completion::of_names(start, names.filter(|name| name.starts_with(&word)));
        }
        let (directory, name) = match word.rfind('/') {
            Some(slash) => word.split_at(slash + 1),
            None => ("", word.as_str()),
        };
        let home = self.variables.get("HOME").unwrap_or("/");
        let place = match (directory, directory.strip_prefix("~/")) {
            ("", _) => String::from("."),
            (_, Some(rest)) => format!("{home}/{rest}"),
            (directory, None) => directory.into(),
        };
        let entries = self.files.read_dir(&place).unwrap_or_default();
        let names = entries.into_iter().filter_map(|entry| {
            let is_hidden = entry.name.starts_with('.') && !name.starts_with('.');
            let is_meant = entry.name.starts_with(name) && !is_hidden;
            let end = if entry.info.kind == Kind::Directory {
                "/"
            } else {
                ""
            };
            is_meant.then(|| format!("{directory}{}{end}", entry.name))
        });
        Completion::of_names(start, names)
    }
}
