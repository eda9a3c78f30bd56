//! The terminal on the screen: what bytes do to it, and how it is drawn.
//!
//! [`Terminal`] is the state machine: bytes in, a grid of cells and answers out; it knows nothing of pixels. [`Renderer`] keeps what the
//! screen shows, cell by cell, and draws what differs: into a buffer of its own, from where it goes to the [`Surface`] in whole
//! pieces, so that nothing is ever read from the framebuffer, which is slow. [`Pace`] says when the next picture is due,
//! and [`Keys`] takes those keys out of what is typed that are meant for the screen itself. [`service`] puts them together.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod boxes;
mod cell;
mod font;
mod grid;
mod history;
mod joiner;
mod keys;
mod pace;
mod palette;
mod pixels;
mod render;
mod screen;
pub mod service;
mod terminal;

pub use cell::{Attributes, Cell, Colour, Style};
pub use font::{Font, Size};
pub use keys::{Keys, Scroll};
pub use pace::Pace;
pub use palette::{BACKGROUND, FOREGROUND};
pub use pixels::{Format, Mode, ModeError};
pub use render::{Drawn, RenderError, Renderer, Surface};
pub use terminal::{Cursor, Shape, Terminal};
