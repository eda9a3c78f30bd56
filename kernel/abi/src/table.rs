//! The system-call table.

use crate::{Error, ObjectType, Rights};

/// Description of one system call.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Its number.
    pub number: Sysno,
    /// Its name.
    pub name: &'static str,
    /// The type of object that its first argument must name, with the rights needed; none for calls that act on the caller.
    pub object: Option<(ObjectType, Rights)>,
    /// Names of the arguments, the handle included.
    pub arguments: &'static [&'static str],
    /// The errors that it returns, besides those of a wrong handle.
    pub errors: &'static [Error],
    /// What it does.
    pub documentation: &'static str,
}

macro_rules! syscalls {
    ($(
        $(#[doc = $documentation:literal])+
        $number:literal $variant:ident $name:ident ($($argument:ident),*)
            $(on $object:ident with $right:ident)?
            $(fails $($error:ident)|+)?;
    )*) => {
        /// The number of a system call.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u64)]
        pub enum Sysno {
            $($(#[doc = $documentation])+ $variant = $number,)*
        }

        impl TryFrom<u64> for Sysno {
            type Error = Error;

            fn try_from(number: u64) -> Result<Self, Error> {
                match number { $($number => Ok(Self::$variant),)* _ => Err(Error::UnknownCall) }
            }
        }

        /// Every system call.
        pub const CALLS: &[Call] = &[$(Call {
            number: Sysno::$variant,
            name: stringify!($name),
            object: syscalls!(@object $($object $right)?),
            arguments: &[$(stringify!($argument)),*],
            errors: &[$($(Error::$error),+)?],
            documentation: concat!($($documentation),+),
        }),*];
    };
    (@object) => { None };
    (@object $object:ident $right:ident) => { Some((ObjectType::$object, Rights::$right)) };
}

syscalls! {
    /// Returns the version of the ABI that the kernel speaks.
    0 AbiVersion abi_version();
    /// Ends the calling process with a status. Does not return.
    1 ProcessExit process_exit(status);
    /// Gives the processor to another thread of the same priority that is ready.
    2 ThreadYield thread_yield();
    /// Writes a text of at most 1024 bytes (UTF-8; other bytes are replaced) to the log, one record per line.
    3 LogWrite log_write(log, text, len) on Log with WRITE fails BadAddress | InvalidArgument;
    /// Returns the nanoseconds since the kernel's start.
    4 ClockRead clock_read();
}

impl Sysno {
    /// The call's line in the table.
    pub fn call(self) -> &'static Call {
        // The table is in the order of the numbers, without holes; a test holds it to that.
        &CALLS[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers are part of the contract: a change here is a change of the ABI.
    #[test]
    fn golden_numbers() {
        let table: Vec<_> = CALLS
            .iter()
            .map(|call| (call.number as u64, call.name))
            .collect();
        assert_eq!(
            table,
            [
                (0, "abi_version"),
                (1, "process_exit"),
                (2, "thread_yield"),
                (3, "log_write"),
                (4, "clock_read")
            ]
        );
    }

    #[test]
    fn numbers_find_their_line_and_unknown_ones_are_errors() {
        for (index, call) in CALLS.iter().enumerate() {
            assert_eq!(Sysno::try_from(index as u64), Ok(call.number));
            assert_eq!(call.number.call().name, call.name);
        }
        for number in [
            CALLS.len() as u64,
            u64::from(u32::MAX),
            1 << 32,
            1 << 63,
            u64::MAX,
        ] {
            assert_eq!(Sysno::try_from(number), Err(Error::UnknownCall));
        }
    }

    #[test]
    fn a_call_on_an_object_names_its_handle_first() {
        for call in CALLS {
            if call.object.is_some() {
                assert!(
                    !call.arguments.is_empty(),
                    "{} has no handle argument",
                    call.name
                );
            }
        }
    }
}
