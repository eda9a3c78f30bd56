//! The framebuffer's memory.

use core::fmt;

use fb::{Format, Mode, RenderError, Surface};
use ipc::Failure;
use sys::abi::{PAGE_SIZE, area};
use sys::object::{Mapping, Resource, System, VmArea};
use sys::{Context, Error};

/// Why the driver cannot work.
#[derive(Debug)]
pub enum Problem {
    /// A handle is missing among those that were given.
    NotGiven(&'static str),
    /// The machine has no screen that the firmware has set up.
    NoScreen,
    /// The screen's memory is not in the resource that was given.
    Elsewhere,
    /// Nothing can be drawn on it.
    Render(RenderError),
    /// The kernel has refused.
    Kernel(Error),
    /// Another service has.
    Service(Failure),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotGiven(name) => write!(f, "no handle `{name}` was given"),
            Self::NoScreen => f.write_str("this machine has no screen"),
            Self::Elsewhere => f.write_str("the screen lies outside of the memory that was given"),
            Self::Render(error) => error.fmt(f),
            Self::Kernel(error) => write!(f, "the kernel has refused: {error:?}"),
            Self::Service(failure) => failure.fmt(f),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Kernel(error)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::Service(failure)
    }
}

/// The framebuffer, mapped.
pub struct Device {
    mapping: Mapping,
    /// Where the first pixel is.
    offset: u64,
}

impl Surface for Device {
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        self.mapping.write(self.offset + offset as u64, bytes);
    }
}

/// Maps the framebuffer; how its pixels lie.
pub fn open(context: &Context) -> Result<(Mode, Device), Problem> {
    let given = |name| context.handle(name).ok_or(Problem::NotGiven(name));
    let system = System::from(given("system")?);
    let memory = Resource::from(given("framebuffer")?);
    let screen = match system.framebuffer() {
        Err(Error::NotSupported) => return Err(Problem::NoScreen),
        screen => screen?,
    };
    // Numbers that do not fit are out of the question later.
    let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    let shift = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    let mode = Mode {
        width: size(screen.width),
        height: size(screen.height),
        pitch: size(screen.pitch),
        format: Format {
            bytes: size(screen.bytes_per_pixel),
            shifts: [screen.red_shift, screen.green_shift, screen.blue_shift].map(shift),
        },
    };
    let checked = mode.check();
    checked.map_err(|error| Problem::Render(RenderError::Mode(error)))?;
    let info = memory.info()?;
    let start = screen.address.checked_sub(info.start);
    let start = start.ok_or(Problem::Elsewhere)?;
    let offset = start % PAGE_SIZE;
    let len = (offset + mode.bytes() as u64).next_multiple_of(PAGE_SIZE);
    if info.len < len || start - offset > info.len - len {
        return Err(Problem::Elsewhere);
    }
    let make = || VmArea::fixed(&memory, start - offset, len, area::WRITE_COMBINING);
    let area = match make() {
        // The kernel shows its log there, and gives that up if this driver may say so.
        Err(Error::AccessDenied) => {
            sys::call::system_set_console(system.handle(), 0)?;
            make()?
        }
        area => area?,
    };
    let mapping = area.map(area::READ | area::WRITE)?;
    Ok((mode, Device { mapping, offset }))
}
