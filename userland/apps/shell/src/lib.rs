//! What the shell `6s` is made of, but for what it asks of the system: its language, the expansion of words, the line editor, what
//! is typed to programs, and what programs are given. All of it is plain data in, plain data out, and is tested on the host.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod arithmetic;
pub mod condition;
pub mod cooked;
pub mod editor;
pub mod expand;
pub mod grants;
pub mod interpret;
pub mod pattern;
pub mod read;
pub mod syntax;
pub mod variables;
pub mod watch;

/// How many columns a character takes.
pub fn width(character: char) -> usize {
    unicode_width::UnicodeWidthChar::width(character).unwrap_or(0)
}
