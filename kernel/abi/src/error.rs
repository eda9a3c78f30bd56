//! The closed set of errors that system calls return.

macro_rules! errors {
    ($($name:ident = $value:literal: $text:literal,)*) => {
        /// Why a system call had no effect.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        // As wide as what calls return, so that a `Result` of a call is two registers.
        #[repr(u64)]
        pub enum Error {
            $(#[doc = $text] $name = $value,)*
        }

        impl Error {
            /// All errors, in the order of their numbers.
            pub const ALL: &'static [Error] = &[$(Error::$name),*];

            /// The number in RAX; never 0.
            pub const fn number(self) -> u64 {
                self as u64
            }

            /// The error with this number.
            pub const fn from_number(number: u64) -> Option<Self> {
                match number { $($value => Some(Self::$name),)* _ => None }
            }

            /// What it means, in words.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }

        impl core::fmt::Display for Error {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.text())
            }
        }
    };
}

errors! {
    UnknownCall = 1: "there is no system call of this number",
    BadHandle = 2: "the handle names nothing",
    WrongType = 3: "the handle names an object of another type",
    AccessDenied = 4: "the handle lacks the right for this",
    BadAddress = 5: "a part of the memory range is not accessible user memory",
    InvalidArgument = 6: "an argument is outside of what the call takes",
    OutOfMemory = 7: "memory is short",
    Occupied = 8: "somebody has it: something is mapped in the range, the line is taken",
    NotMapped = 9: "a part of the range is not mapped",
    NoRoom = 10: "the address space has no gap of this size",
    OverLimit = 11: "the process has reached its memory limit",
    TooMany = 12: "the process has as many of these as it may",
    NotReady = 13: "there is nothing to report yet, or nothing that could be changed",
    Ended = 14: "the process or thread has ended",
    NotSupported = 15: "objects of this kind cannot do this",
    TimedOut = 16: "it did not happen in time",
    PeerClosed = 17: "the other side is gone",
    NotTaken = 18: "the other side has no room for the message",
    Changed = 19: "the word has another value",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_round_trip() {
        for (index, error) in Error::ALL.iter().enumerate() {
            assert_eq!(error.number(), index as u64 + 1);
            assert_eq!(Error::from_number(error.number()), Some(*error));
        }
        assert_eq!(Error::from_number(0), None);
        assert_eq!(Error::from_number(Error::ALL.len() as u64 + 1), None);
    }
}
