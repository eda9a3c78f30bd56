//! The names of files that a pattern means.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::World;
use crate::pattern::{self, Symbol};

/// At most so many names come from one word.
const NAMES_MAX: usize = 4096;

/// The names of files that a field means, in order; the field itself if it is no pattern, or there are none.
pub fn of(field: &[Symbol], world: &dyn World) -> Vec<String> {
    let plain = |symbols: &[Symbol]| symbols.iter().map(|symbol| symbol.character).collect();
    if !pattern::is_pattern(field) {
        return Vec::from([plain(field)]);
    }
    let mut found: Vec<String> = Vec::from([String::new()]);
    let mut components = field.split(|symbol| symbol.character == '/').peekable();
    while let Some(component) = components.next() {
        let mut next = Vec::new();
        for directory in &found {
            if next.len() >= NAMES_MAX {
                break;
            }
            if !pattern::is_pattern(component) {
                // Whether it is there, only the directory tells; the last one must be.
                let name: String = plain(component);
                let is_there = components.peek().is_some()
                    || name.is_empty()
                    || world.entries(directory).contains(&name);
                if is_there {
                    next.push(format!("{directory}{name}"));
                }
                continue;
            }
            // Names that begin with a dot are meant only by patterns that do, too.
            let shows_hidden = component
                .first()
                .is_some_and(|first| first.character == '.');
            let entries = world.entries(directory).into_iter().filter(|name| {
                shows_hidden == name.starts_with('.') && pattern::matches(component, name)
            });
            next.extend(entries.map(|name| format!("{directory}{name}")));
        }
        next.truncate(NAMES_MAX);
        if components.peek().is_some() {
            next.iter_mut().for_each(|path| path.push('/'));
        }
        found = next;
    }
    found.sort();
    match found.is_empty() {
        true => Vec::from([plain(field)]),
        false => found,
    }
}
