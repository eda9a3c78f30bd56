//! The line editor: bytes of a terminal in, bytes to a terminal and finished lines out.
//!
//! | keys | |
//! |---|---|
//! | arrows left and right, Ctrl-B, Ctrl-F | by a character; with Ctrl or Alt, and Alt-b, Alt-f: by a word |
//! | Home, End, Ctrl-A, Ctrl-E | to the begin, to the end |
//! | Backspace, Delete | erase a character |
//! | Ctrl-W, Alt-Backspace, Alt-d | erase a word |
//! | Ctrl-U, Ctrl-K | erase up to the cursor, from the cursor on |
//! | Ctrl-Y | puts back what was erased last |
//! | arrows up and down, Ctrl-P, Ctrl-N | the history |
//! | Ctrl-R | searches the history; again for an older line, Ctrl-G to leave |
//! | Tab | completes; twice shows what there is |
//! | Ctrl-L | clears the screen |
//! | Ctrl-T | swaps two characters |
//! | Ctrl-C | forgets the line |
//! | Ctrl-D | deletes; ends the session on an empty line |

mod complete;
mod history;
mod keys;
mod line;
mod screen;
#[cfg(test)]
mod tests;

use alloc::string::String;
use alloc::vec::Vec;

pub use complete::{Completion, context_of};
pub use history::History;
pub use keys::{Key, Keys};

use line::Line;
use screen::Screen;

/// What the editor has for its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A line is finished.
    Line(String),
    /// Ctrl-D on an empty line.
    End,
    /// Ctrl-C: the line is forgotten; the next one begins with a new prompt.
    Interrupt,
    /// Completions are wanted for what is before the cursor: answered by [`Editor::complete`].
    Complete(String),
}

/// A search in the history.
struct Search {
    text: String,
    /// The line that was found, counted from the newest one.
    found: Option<usize>,
    /// What was being edited before.
    saved: Line,
}

/// The editor of one terminal.
pub struct Editor {
    keys: Keys,
    line: Line,
    screen: Screen,
    history: History,
    /// Which line of the history is shown, counted from the newest one.
    recalled: Option<usize>,
    /// What was typed before the history was looked at.
    draft: String,
    /// The line goes on what the one before it has begun.
    is_continued: bool,
    search: Option<Search>,
    /// What was erased last.
    killed: String,
    /// The key before was Tab, and nothing could be added.
    was_tab: bool,
    output: Vec<u8>,
}

impl Editor {
    /// An editor for a terminal of so many columns; 0: not known, taken as 80.
    pub fn new(columns: usize) -> Self {
        Self {
            keys: Keys::default(),
            line: Line::default(),
            screen: Screen::new(columns),
            history: History::default(),
            recalled: None,
            draft: String::new(),
            is_continued: false,
            search: None,
            killed: String::new(),
            was_tab: false,
            output: Vec::new(),
        }
    }

    /// The lines that were finished.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Says how wide the terminal is now.
    pub fn set_columns(&mut self, columns: usize) {
        self.screen.set_columns(columns);
    }

    /// Says whether lines go on what the one before has begun: then the history has them as one.
    pub fn set_continued(&mut self, is_continued: bool) {
        self.is_continued = is_continued;
    }

    /// Begins a line with a prompt.
    pub fn begin(&mut self, prompt: &str) {
        self.line = Line::default();
        self.recalled = None;
        self.search = None;
        self.was_tab = false;
        self.screen.begin(prompt);
        self.redraw();
    }

    /// Draws prompt and line anew below what is on the screen, as after output of others.
    pub fn draw_again(&mut self) {
        self.screen.forget();
        self.redraw();
    }

    /// Takes prompt and line off the screen, for output of others; [`Self::draw_again`] brings them back.
    pub fn hide(&mut self) {
        self.screen.erase(&mut self.output);
    }

    /// What is to be shown.
    pub fn take_output(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.output)
    }

    /// Takes a byte of the terminal.
    pub fn take(&mut self, byte: u8) -> Option<Event> {
        let key = self.keys.take(byte)?;
        let was_tab = core::mem::take(&mut self.was_tab);
        if self.search.is_some() {
            return self.search_key(key);
        }
        match key {
            Key::Tab => {
                self.was_tab = was_tab;
                return Some(Event::Complete(self.line.before().into()));
            }
            Key::Enter => return Some(self.finish()),
            Key::Control('d') if self.line.text().is_empty() => return Some(Event::End),
            Key::Control('c') => {
                self.leave("^C");
                return Some(Event::Interrupt);
            }
            Key::Control('l') => {
                self.output.extend(b"\x1b[H\x1b[2J");
                self.screen.forget();
            }
            Key::Control('r') => {
                self.search = Some(Search {
                    text: String::new(),
                    found: None,
                    saved: self.line.clone(),
                });
                self.show_search();
                return None;
            }
            Key::Up | Key::Control('p') => self.recall(Older),
            Key::Down | Key::Control('n') => self.recall(Newer),
            Key::Character(character) => {
                // What is typed at the end, with room in the row, needs no redrawing.
                let is_at_end = self.line.is_at_end();
                if self.line.insert(character)
                    && is_at_end
                    && self.screen.append(character, &mut self.output)
                {
                    return None;
                }
            }
            key => self.edit(key),
        }
        self.redraw();
        None
    }

    fn edit(&mut self, key: Key) {
        let line = &mut self.line;
        let killed = match key {
            Key::Left | Key::Control('b') => return line.left(),
            Key::Right | Key::Control('f') => return line.right(),
            Key::WordLeft => return line.word_left(),
            Key::WordRight => return line.word_right(),
            Key::Home | Key::Control('a') => return line.go_to_begin(),
            Key::End | Key::Control('e') => return line.go_to_end(),
            Key::Backspace => return line.erase_before(),
            Key::Delete | Key::Control('d') => return line.erase_after(),
            Key::Control('t') => return line.swap(),
            Key::Control('y') => {
                for character in self.killed.chars() {
                    line.insert(character);
                }
                return;
            }
            Key::Control('u') => line.cut_before(),
            Key::Control('k') => line.cut_after(),
            Key::Control('w') => line.cut_blank_word(),
            Key::EraseWordLeft => line.cut_word_left(),
            Key::EraseWordRight => line.cut_word_right(),
            _ => return,
        };
        if !killed.is_empty() {
            self.killed = killed;
        }
    }

    /// Ends the line on the screen, with something behind it.
    fn leave(&mut self, mark: &str) {
        self.line.go_to_end();
        self.redraw();
        self.output.extend(mark.as_bytes());
        self.output.extend(b"\r\n");
        self.screen.forget();
    }

    fn finish(&mut self) -> Event {
        self.leave("");
        let line = core::mem::take(&mut self.line).into_text();
        match self.is_continued {
            true => self.history.go_on(&line),
            false => self.history.add(&line),
        }
        self.recalled = None;
        Event::Line(line)
    }

    fn recall(&mut self, direction: Direction) {
        let next = match (direction, self.recalled) {
            (Older, None) => Some(0),
            (Older, Some(index)) => Some(index + 1),
            (Newer, None) => return,
            (Newer, Some(index)) => index.checked_sub(1),
        };
        let text = match next {
            Some(index) => match self.history.newest(index) {
                Some(text) => String::from(text),
                None => return,
            },
            None => core::mem::take(&mut self.draft),
        };
        if self.recalled.is_none() {
            self.draft = self.line.text().into();
        }
        self.recalled = next;
        self.line = Line::new(text);
    }

    fn search_key(&mut self, key: Key) -> Option<Event> {
        let search = self.search.as_mut()?;
        match key {
            Key::Character(character) => {
                search.text.push(character);
                search.found = self.history.find(&search.text, search.found.unwrap_or(0));
            }
            Key::Backspace => {
                search.text.pop();
                search.found = self.history.find(&search.text, 0);
            }
            Key::Control('r') => {
                let from = search.found.map_or(0, |index| index + 1);
                search.found = self.history.find(&search.text, from).or(search.found);
            }
            Key::Control('g' | 'c') => {
                self.line = search.saved.clone();
                self.search = None;
                self.redraw();
                return None;
            }
            key => {
                // Every other key takes what was found, and means what it always means.
                let found = search.found.and_then(|index| self.history.newest(index));
                self.line = match found {
                    Some(text) => Line::new(text.into()),
                    None => search.saved.clone(),
                };
                self.search = None;
                if key == Key::Enter {
                    return Some(self.finish());
                }
                self.edit(key);
                self.redraw();
                return None;
            }
        }
        self.show_search();
        None
    }

    fn show_search(&mut self) {
        let Some(search) = &self.search else {
            return;
        };
        let found = search.found.and_then(|index| self.history.newest(index));
        let text = search.text.as_str();
        let line = Line::new(found.unwrap_or_default().into());
        let prompt = alloc::format!("(search '{text}'): ");
        self.screen.draw(&prompt, &line, &mut self.output);
    }

    fn redraw(&mut self) {
        let prompt = core::mem::take(&mut self.screen.prompt);
        self.screen.draw(&prompt, &self.line, &mut self.output);
        self.screen.prompt = prompt;
    }

    /// Answers [`Event::Complete`].
    pub fn complete(&mut self, completion: &Completion) {
        let before = self.line.before();
        let typed = before.get(completion.start..).unwrap_or_default();
        match completion.insertion(typed) {
            Some(insertion) => {
                let keep = completion.start;
                self.line.replace_before(keep, &insertion);
                self.redraw();
            }
            None if self.was_tab && completion.candidates.len() > 1 => {
                self.leave("");
                let columns = self.screen.columns();
                completion.show(columns, &mut self.output);
                // The cursor went to the end for the list: that is where it was, or the rest is shown behind it.
                self.redraw();
            }
            None => {
                self.was_tab = true;
                if completion.candidates.is_empty() {
                    self.output.push(0x07);
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Older,
    Newer,
}
use Direction::{Newer, Older};
