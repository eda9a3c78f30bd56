//! The one error type of xtask: every variant prints as a sentence that says what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a command of xtask could not do its work.
#[derive(Debug)]
pub enum Error {
    /// A file operation failed.
    Io {
        /// What was being done, as a verb phrase: `read`, `write`, `create`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The reason as the system gave it.
        source: io::Error,
    },
    /// Something that this machine needs was not found.
    Missing {
        /// The thing that is missing.
        what: String,
        /// What the reader can do about it.
        remedy: String,
    },
    /// Another program failed.
    Tool {
        /// The program, as a reader would call it.
        program: String,
        /// What it did.
        reason: String,
    },
    /// The command line or an input file asks for something impossible.
    Input(String),
}

impl Error {
    /// An [`Error::Io`] about `path`, for use with `map_err`.
    pub fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }

    /// An [`Error::Missing`].
    pub fn missing(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Missing {
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    /// An [`Error::Tool`].
    pub fn tool(program: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Tool {
            program: program.into(),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io {
                action,
                path,
                source,
            } => write!(f, "could not {action} {}: {source}", path.display()),
            Self::Missing { what, remedy } => write!(f, "{what} not found: {remedy}"),
            Self::Tool { program, reason } => write!(f, "{program} {reason}"),
            Self::Input(sentence) => f.write_str(sentence),
        }
    }
}

impl std::error::Error for Error {}
