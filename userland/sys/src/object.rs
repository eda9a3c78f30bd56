//! Handles that close themselves, one type for each type of object, with the calls of that type.
//!
//! [`Owned`] is a handle of any object. The others have the calls of their type; a handle of another type's object gets `WrongType`
//! from each of them.
//!
//! ```no_run
//! use sys::abi::NEVER;
//! use sys::object::Event;
//!
//! # fn f() -> Result<(), sys::Error> {
//! let event = Event::new()?;
//! event.signal(0b100)?;
//! assert_eq!(event.wait(u64::MAX, NEVER)?, 0b100);
//! # Ok(()) }
//! ```

mod area;
mod machine;
mod process;
mod wait;

use core::fmt;
use core::mem::{ManuallyDrop, forget};
use core::ops::Deref;

use abi::handle::Info;
use abi::{Error, Handle, ObjectType, Rights};

use crate::call;

pub use area::{Mapping, VmArea};
pub use machine::{Interrupt, Resource, System};
pub use process::{Process, Thread};
pub use wait::{Event, Mailbox, Reply};

/// A handle of an object of any type. It is closed when this is dropped.
#[derive(PartialEq, Eq)]
pub struct Owned(Handle);

impl Owned {
    /// Takes over a handle, which nobody else closes.
    pub const fn from_raw(handle: Handle) -> Self {
        Self(handle)
    }

    /// The handle, which stays owned.
    #[inline]
    pub const fn handle(&self) -> Handle {
        self.0
    }

    /// The handle, which nobody closes from now on.
    pub fn into_raw(self) -> Handle {
        let handle = self.0;
        forget(self);
        handle
    }

    /// A second handle of the object with those of the rights that are named.
    ///
    /// # Errors
    /// As `handle_duplicate`.
    pub fn duplicate(&self, rights: Rights) -> Result<Self, Error> {
        call::handle_duplicate(self.0, rights).map(Self)
    }

    /// Closes all handles that were made from this one.
    ///
    /// # Errors
    /// As `handle_revoke`.
    pub fn revoke(&self) -> Result<(), Error> {
        call::handle_revoke(self.0)
    }

    /// Type of the object, rights, and a number of the object's own.
    ///
    /// # Errors
    /// As `handle_info`.
    pub fn info(&self) -> Result<Info, Error> {
        call::handle_info(self.0)
    }

    /// Whether it is a handle of an object of a type.
    pub fn is(&self, object: ObjectType) -> bool {
        self.info().is_ok_and(|info| info.kind == object.number())
    }

    /// Whether both name the same object.
    pub fn is_same_object(&self, other: &Self) -> bool {
        let number = |owned: &Self| owned.info().map(|info| info.object).ok();
        number(self).is_some_and(|one| number(other) == Some(one))
    }
}

impl Drop for Owned {
    #[inline]
    fn drop(&mut self) {
        // Nobody else closes it; and if so, it is closed.
        let _ = call::handle_close(self.0);
    }
}

impl fmt::Debug for Owned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "handle {:#x}", self.0.0)
    }
}

/// What every typed handle has.
pub trait Object: From<Owned> + Into<Owned> {
    /// The type of the objects.
    const TYPE: ObjectType;

    /// The handle, which stays owned.
    fn as_handle(&self) -> Handle;
}

/// A typed handle that somebody else owns: it is not closed.
pub struct Borrowed<T>(ManuallyDrop<T>);

impl<T: Object> Borrowed<T> {
    /// Uses a handle that stays open meanwhile.
    pub fn new(handle: Handle) -> Self {
        Self(ManuallyDrop::new(T::from(Owned(handle))))
    }
}

impl<T> Deref for Borrowed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Object> fmt::Debug for Borrowed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "borrowed handle {:#x}", self.0.as_handle().0)
    }
}

/// Defines a typed handle.
macro_rules! object {
    ($(#[doc = $documentation:literal])+ $name:ident) => {
        $(#[doc = $documentation])+
        #[derive(Debug, PartialEq, Eq)]
        #[repr(transparent)]
        pub struct $name($crate::object::Owned);

        impl $name {
            /// Takes over a handle, which nobody else closes.
            pub const fn from_raw(handle: abi::Handle) -> Self {
                Self($crate::object::Owned::from_raw(handle))
            }

            /// The handle, which stays owned.
            #[inline]
            pub const fn handle(&self) -> abi::Handle {
                self.0.handle()
            }

            /// The handle, which nobody closes from now on.
            pub fn into_raw(self) -> abi::Handle {
                self.0.into_raw()
            }

            /// The handle without its type.
            pub fn into_owned(self) -> $crate::object::Owned {
                self.0
            }

            /// A second handle of the object with those of the rights that are named.
            ///
            /// # Errors
            /// As `handle_duplicate`.
            pub fn duplicate(&self, rights: abi::Rights) -> Result<Self, abi::Error> {
                self.0.duplicate(rights).map(Self)
            }

            /// Closes all handles that were made from this one.
            ///
            /// # Errors
            /// As `handle_revoke`.
            pub fn revoke(&self) -> Result<(), abi::Error> {
                self.0.revoke()
            }

            /// Type of the object, rights, and a number of the object's own.
            ///
            /// # Errors
            /// As `handle_info`.
            pub fn handle_info(&self) -> Result<abi::handle::Info, abi::Error> {
                self.0.info()
            }
        }

        impl From<$crate::object::Owned> for $name {
            fn from(owned: $crate::object::Owned) -> Self {
                Self(owned)
            }
        }

        impl From<$name> for $crate::object::Owned {
            fn from(typed: $name) -> Self {
                typed.0
            }
        }

        impl $crate::object::Object for $name {
            const TYPE: abi::ObjectType = abi::ObjectType::$name;

            fn as_handle(&self) -> abi::Handle {
                self.handle()
            }
        }
    };
}

use object;

/// A call that would have moved a handle has failed: the handle is still here.
#[derive(Debug)]
pub struct Kept {
    /// Why.
    pub error: Error,
    /// What was not moved.
    pub handle: Owned,
}

impl From<Kept> for Error {
    fn from(kept: Kept) -> Self {
        kept.error
    }
}

/// The handle of an event for calls that bind bits of one; none unbinds.
fn bound(event: Option<&Event>) -> Option<Handle> {
    event.map(Event::handle)
}
