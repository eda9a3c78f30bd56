//! Why a request was not answered as it should be.

use core::fmt;

use abi::Error;
use protocols::{Fault, WireError};

/// Why a client did not get what it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The kernel could not bring the message, or the server is gone.
    Kernel(Error),
    /// The server did not do it.
    Fault(Fault),
    /// The request does not fit in a message, or the answer was none.
    Wire(WireError),
}

impl Failure {
    /// Whether the server is gone: it may come back, and then has to be looked up again.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Kernel(Error::PeerClosed | Error::Ended))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Kernel(error)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<WireError> for Failure {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kernel(error) => write!(f, "{error}"),
            Self::Fault(fault) => write!(f, "{fault}"),
            Self::Wire(WireError::TooLong) => f.write_str("the request is too long"),
            Self::Wire(WireError::Malformed) => f.write_str("the answer could not be understood"),
        }
    }
}

impl core::error::Error for Failure {}
