//! What the table says of each call, as values: for tests, documents and traces.

use crate::{Error, ObjectType, Rights};

/// Description of one system call.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Its number.
    pub number: Sysno,
    /// Its name.
    pub name: &'static str,
    /// The name of its group in the table.
    pub group: &'static str,
    /// What it takes, in the order of the registers.
    pub arguments: &'static [Argument],
    /// What it returns.
    pub output: Output,
    /// Whether it always succeeds.
    pub is_infallible: bool,
    /// The errors that it returns besides those that the kinds of its arguments imply.
    pub own_errors: &'static [Error],
    /// What it does.
    pub documentation: &'static str,
}

/// An argument of a call.
#[derive(Clone, Copy, Debug)]
pub struct Argument {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
}

/// What an argument is. The kernel checks all of this before the code of the call runs, in the order of the arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `handle`: a handle of an object of this type with these rights.
    Handle {
        /// The type.
        object: ObjectType,
        /// The rights that it needs.
        rights: Rights,
    },
    /// `optional_handle`: the same, or 0 for none.
    OptionalHandle {
        /// The type.
        object: ObjectType,
        /// The rights that it needs.
        rights: Rights,
    },
    /// `handle_and_rights`: a handle of an object of this type; the call looks at its rights.
    HandleAndRights {
        /// The type.
        object: ObjectType,
    },
    /// `any_handle`: a handle of an object of any type with these rights.
    AnyHandle {
        /// The rights that it needs.
        rights: Rights,
    },
    /// `consumed`: a handle of any object, which names nothing after the call.
    Consumed,
    /// `bytes`: readable memory; two registers, the address and the length.
    Bytes {
        /// The greatest length, in bytes.
        max: u64,
    },
    /// `text`: the same, of which the content must be UTF-8.
    Text {
        /// The greatest length, in bytes.
        max: u64,
    },
    /// `room`: memory that the call writes to; two registers, the address and the length.
    Room {
        /// The greatest length, in bytes.
        max: u64,
    },
    /// `page`: an address in user space, a multiple of the page size.
    Page,
    /// `address`: an address in user space.
    Address,
    /// `size`: a number of bytes, a multiple of the page size.
    Size,
    /// `bits`: a set of these bits and no others.
    Bits {
        /// Names and values.
        bits: &'static [(&'static str, u64)],
    },
    /// `below`: a number below this one.
    Below(
        /// The first number that is none.
        u64,
    ),
    /// `choice`: one of the numbers of an enumeration.
    Choice {
        /// The first of them.
        first: u64,
        /// The first number after them.
        end: u64,
    },
    /// `tag`: what a message is and how long ([`crate::message::Tag`]); its words are in the registers that [`crate::message`] names.
    Tag,
    /// `rights`: a set of rights. Other bits mean nothing.
    Rights,
    /// `value`: any number.
    Value,
}

impl Kind {
    /// How many registers it takes.
    pub const fn registers(self) -> usize {
        match self {
            Self::Bytes { .. } | Self::Text { .. } | Self::Room { .. } => 2,
            _ => 1,
        }
    }

    /// The errors of an argument that is not of this kind.
    pub const fn errors(self) -> &'static [Error] {
        match self {
            Self::Handle { .. } | Self::OptionalHandle { .. } => {
                &[Error::BadHandle, Error::WrongType, Error::AccessDenied]
            }
            Self::HandleAndRights { .. } => &[Error::BadHandle, Error::WrongType],
            Self::AnyHandle { .. } => &[Error::BadHandle, Error::AccessDenied],
            Self::Consumed => &[Error::BadHandle],
            Self::Bytes { .. } | Self::Text { .. } | Self::Room { .. } => {
                &[Error::BadAddress, Error::InvalidArgument]
            }
            Self::Page
            | Self::Address
            | Self::Size
            | Self::Bits { .. }
            | Self::Below(_)
            | Self::Choice { .. }
            | Self::Tag => &[Error::InvalidArgument],
            Self::Rights | Self::Value => &[],
        }
    }
}

/// What a call returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// `nothing`: RDX is 0.
    Nothing,
    /// `value`: a number.
    Value,
    /// `handle`: a handle of the caller, or of the process that it was given to.
    Handle,
    /// `structure`: words that are written to the address, a multiple of 8, in the register after the arguments.
    Structure(&'static Structure),
    /// `message`: a message, in the registers that [`crate::message`] names; for one that was received, RDI has the badge of the handle
    /// that it was sent by.
    Message,
    /// `never`: it does not return.
    Never,
}

impl Output {
    /// How many registers it takes on the way in.
    pub const fn registers(self) -> usize {
        matches!(self, Self::Structure(_)) as usize
    }

    /// The errors that its place can have.
    pub const fn errors(self) -> &'static [Error] {
        match self {
            Self::Structure(_) => &[Error::BadAddress],
            _ => &[],
        }
    }
}

/// A structure that crosses the border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Structure {
    /// Its module.
    pub module: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub documentation: &'static str,
    /// Its words in order: name and meaning.
    pub fields: &'static [(&'static str, &'static str)],
}

macro_rules! calls {
    ($($(#[doc = $about:literal])+ group $group:ident {
        $($(#[doc = $documentation:literal])+
        $number:literal $variant:ident $name:ident(
            $($argument:ident: $kind:ident $(($($parameter:tt)+))?),* $(,)?
        ) -> $output:ident $(($($result:tt)+))? $(fails $($error:ident)|+)?;)+
    })+) => {
        /// The number of a system call.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u64)]
        pub enum Sysno {
            $($($(#[doc = $documentation])+ $variant = $number,)+)+
        }

        impl TryFrom<u64> for Sysno {
            type Error = Error;

            fn try_from(number: u64) -> Result<Self, Error> {
                match number { $($($number => Ok(Self::$variant),)+)+ _ => Err(Error::UnknownCall) }
            }
        }

        impl Sysno {
            /// The call's line in the table.
            pub const fn call(self) -> &'static Call {
                match self { $($(Self::$variant => &Call {
                    number: Self::$variant,
                    name: stringify!($name),
                    group: stringify!($group),
                    arguments: &[$(Argument {
                        name: stringify!($argument),
                        kind: kind!($kind $(($($parameter)+))?),
                    }),*],
                    output: output!($output $(($($result)+))?),
                    is_infallible: infallible!($output $(($($result)+))?),
                    own_errors: &[$($(Error::$error),+)?],
                    documentation: concat!($($documentation),+),
                },)+)+ }
            }
        }

        /// Every system call, in the order of the numbers.
        pub const CALLS: &[&Call] = &[$($(Sysno::$variant.call()),+),+];

        /// The groups of the table: name and meaning.
        pub const GROUPS: &[(&str, &str)] = &[$((stringify!($group), concat!($($about),+))),+];
    };
}

/// A kind of argument as the table writes it.
macro_rules! kind {
    (handle($object:ident, $right:ident)) => {
        Kind::Handle {
            object: ObjectType::$object,
            rights: Rights::$right,
        }
    };
    (optional_handle($object:ident, $right:ident)) => {
        Kind::OptionalHandle {
            object: ObjectType::$object,
            rights: Rights::$right,
        }
    };
    (handle_and_rights($object:ident)) => {
        Kind::HandleAndRights {
            object: ObjectType::$object,
        }
    };
    (any_handle($right:ident)) => {
        Kind::AnyHandle {
            rights: Rights::$right,
        }
    };
    (consumed) => {
        Kind::Consumed
    };
    (bytes($max:ident)) => {
        Kind::Bytes {
            max: crate::$max as u64,
        }
    };
    (text($max:ident)) => {
        Kind::Text {
            max: crate::$max as u64,
        }
    };
    (room($max:ident)) => {
        Kind::Room {
            max: crate::$max as u64,
        }
    };
    (page) => {
        Kind::Page
    };
    (address) => {
        Kind::Address
    };
    (size) => {
        Kind::Size
    };
    (bits($module:ident: $($bit:ident)|+)) => {
        Kind::Bits {
            bits: &[$((stringify!($bit), crate::$module::$bit)),+],
        }
    };
    (below($($count:tt)+)) => {
        Kind::Below(crate::$($count)+)
    };
    (choice($($choice:tt)+)) => {
        Kind::Choice {
            first: crate::$($choice)+::FIRST,
            end: crate::$($choice)+::FIRST + crate::$($choice)+::COUNT,
        }
    };
    (tag) => {
        Kind::Tag
    };
    (rights) => {
        Kind::Rights
    };
    (value) => {
        Kind::Value
    };
}

/// A result as the table writes it.
macro_rules! output {
    (nothing) => {
        Output::Nothing
    };
    (value) => {
        Output::Value
    };
    (handle) => {
        Output::Handle
    };
    (structure($($structure:tt)+)) => {
        Output::Structure(&crate::$($structure)+::STRUCTURE)
    };
    (message) => {
        Output::Message
    };
    (never) => {
        Output::Never
    };
    (infallible($output:ident)) => {
        output!($output)
    };
}

macro_rules! infallible {
    (infallible($output:ident)) => {
        true
    };
    ($output:ident $(($($result:tt)+))?) => {
        false
    };
}

with_calls!(calls);

impl Call {
    /// Every error that it returns, some of them twice.
    pub fn errors(&self) -> impl Iterator<Item = Error> {
        let of_arguments = self.arguments.iter().map(|argument| argument.kind.errors());
        of_arguments
            .chain([self.output.errors(), self.own_errors])
            .flatten()
            .copied()
    }

    /// How many registers its arguments and its result's place take.
    pub fn registers(&self) -> usize {
        let of_arguments = self
            .arguments
            .iter()
            .map(|argument| argument.kind.registers());
        of_arguments.sum::<usize>() + self.output.registers()
    }
}

#[cfg(test)]
#[path = "call_tests.rs"]
mod tests;
