//! Why something could not be done with a file.

use alloc::string::String;
use core::fmt;

use ipc::Failure;
use protocols::Fault;

use crate::path::PathError;

/// What failed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// The path, as it was named.
    pub path: String,
    /// Why.
    pub reason: Reason,
}

/// Why something could not be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The path is none.
    Path(PathError),
    /// The file service did not do it, or could not be asked.
    Service(Failure),
}

impl FileError {
    pub(crate) fn new(path: &str, reason: impl Into<Reason>) -> Self {
        Self {
            path: path.into(),
            reason: reason.into(),
        }
    }

    /// What the file service said.
    pub fn fault(&self) -> Option<Fault> {
        match self.reason {
            Reason::Service(Failure::Fault(fault)) => Some(fault),
            _ => None,
        }
    }

    /// Whether there is nothing of this name.
    pub fn is_not_found(&self) -> bool {
        self.fault() == Some(Fault::NotFound)
    }
}

impl From<PathError> for Reason {
    fn from(error: PathError) -> Self {
        Self::Path(error)
    }
}

impl From<Failure> for Reason {
    fn from(failure: Failure) -> Self {
        Self::Service(failure)
    }
}

impl From<Fault> for Reason {
    fn from(fault: Fault) -> Self {
        Self::Service(fault.into())
    }
}

impl From<abi::Error> for Reason {
    fn from(error: abi::Error) -> Self {
        Self::Service(error.into())
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.reason)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(error) => write!(f, "{error}"),
            Self::Service(failure) => write!(f, "{failure}"),
        }
    }
}

impl core::error::Error for FileError {}
