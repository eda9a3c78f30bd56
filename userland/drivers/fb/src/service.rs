//! The service `terminal.screen`: who is attached to the screen, what is shown on it, and the keyboard, which is a service of its own.

mod keyboard;
mod server;
mod session;

pub use keyboard::listen;
pub use server::serve;
pub use session::Screen;

/// The name in the directory.
pub const NAME: &str = "terminal.screen";
