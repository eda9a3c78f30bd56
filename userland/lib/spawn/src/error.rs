//! Why a process could not be made: the step, and what went wrong in it.

use alloc::string::String;
use core::fmt;

use kboot::elf::ElfError;

/// Why a program did not become a process. Nothing of it is left behind, and the handles that it was to have are closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpawnError {
    /// The name that the process was to have.
    pub name: String,
    /// What could not be done.
    pub step: Step,
    /// Why.
    pub reason: Reason,
}

/// The steps, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Read the ELF file, and decide where its parts go.
    ReadProgram,
    /// Find the caller's handle of itself, into which parts are mapped to be filled.
    FindSelf,
    /// Make the process.
    CreateProcess,
    /// Set its memory limit.
    SetLimit,
    /// Make, fill and map the part of the program at this address.
    Load(
        /// First address of the part in the new process.
        u64,
    ),
    /// Make and map the initial stack.
    MakeStack,
    /// Give it the handle of this name.
    Give(
        /// The name.
        String,
    ),
    /// Write arguments, environment and auxiliary vector to the stack.
    FillStack,
    /// Bind an event to its exceptions or its end.
    Bind,
    /// Make its first thread.
    CreateThread,
    /// Set that thread's registers.
    SetRegisters,
    /// Let it run.
    Start,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The file is no program.
    Elf(ElfError),
    /// The program cannot be placed, or its arguments cannot be written down.
    Layout(LayoutError),
    /// The kernel refused.
    Kernel(abi::Error),
    /// The caller's own memory is short.
    OutOfMemory,
    /// The caller was given no handle of itself.
    NoSelf,
}

/// Why the parts of a process have no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayoutError {
    /// A page of it would be writable and executable.
    WriteExecute,
    /// A part of it lies outside of user space.
    OutsideUserSpace,
    /// It is larger than what can be moved about in user space.
    TooLarge,
    /// It wants an alignment that nobody gives.
    Alignment(
        /// The alignment, in bytes.
        u64,
    ),
    /// An argument, a variable or the name of a handle contains a zero byte, or a variable's name a `=`.
    BadText,
    /// Arguments, variables and names are too long.
    TextTooLong,
    /// Its thread-local storage is too large.
    TlsTooLarge,
    /// The caller's memory is short.
    OutOfMemory,
}

impl From<ElfError> for Reason {
    fn from(error: ElfError) -> Self {
        Self::Elf(error)
    }
}

impl From<LayoutError> for Reason {
    fn from(error: LayoutError) -> Self {
        match error {
            LayoutError::OutOfMemory => Self::OutOfMemory,
            error => Self::Layout(error),
        }
    }
}

impl From<abi::Error> for Reason {
    fn from(error: abi::Error) -> Self {
        Self::Kernel(error)
    }
}

impl From<alloc::collections::TryReserveError> for Reason {
    fn from(_: alloc::collections::TryReserveError) -> Self {
        Self::OutOfMemory
    }
}

impl From<alloc::collections::TryReserveError> for LayoutError {
    fn from(_: alloc::collections::TryReserveError) -> Self {
        Self::OutOfMemory
    }
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, step, reason } = self;
        write!(f, "cannot start {name}: {step}: {reason}")
    }
}

impl core::error::Error for SpawnError {}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadProgram => "reading the program",
            Self::FindSelf => "finding a place to build it in",
            Self::CreateProcess => "making the process",
            Self::SetLimit => "setting its memory limit",
            Self::Load(address) => return write!(f, "loading its part at {address:#x}"),
            Self::MakeStack => "making its stack",
            Self::Give(name) => return write!(f, "giving it the handle \"{name}\""),
            Self::FillStack => "writing its arguments",
            Self::Bind => "binding an event to it",
            Self::CreateThread => "making its first thread",
            Self::SetRegisters => "setting the registers of its first thread",
            Self::Start => "starting its first thread",
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elf(error) => write!(f, "{error}"),
            Self::Layout(error) => write!(f, "{error}"),
            Self::Kernel(error) => write!(f, "{error} ({error:?})"),
            Self::OutOfMemory => f.write_str("memory is short"),
            Self::NoSelf => f.write_str(
                "this process was given no handle of itself with MAP, so that it cannot build others",
            ),
        }
    }
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WriteExecute => {
                "a page would be writable and executable; link it with -z separate-code"
            }
            Self::OutsideUserSpace => "a part of it lies outside of user space; link it as static PIE",
            Self::TooLarge => "it is too large for the address space",
            Self::Alignment(align) => {
                return write!(f, "it wants to be aligned to {align:#x} bytes, which is too much");
            }
            Self::BadText => {
                "an argument, a variable or a handle's name contains a zero byte, or a variable's name a \"=\""
            }
            Self::TextTooLong => "its arguments and variables are too long",
            Self::TlsTooLarge => "its thread-local storage is too large",
            Self::OutOfMemory => "memory is short",
        })
    }
}
