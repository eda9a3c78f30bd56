//! The controller's ports and its line.

use core::fmt;

use ipc::Failure;
use ps2::{Bus, StartError};
use sys::abi::interrupt::AS_WIRED;
use sys::object::{Interrupt, Process, Resource};
use sys::time::MILLISECOND;
use sys::{Context, Error, port, time};

/// Bytes from and to the keyboard and the controller.
const DATA: u16 = 0x60;
/// Read: the status. Written: commands to the controller.
const CONTROL: u16 = 0x64;
/// The keyboard's interrupt on the ISA bus.
const ISA: u64 = 1;

/// Why the driver cannot work.
#[derive(Debug)]
pub enum Problem {
    /// A handle is missing among those that were given.
    NotGiven(&'static str),
    /// There is no keyboard.
    Start(StartError),
    /// The kernel has refused.
    Kernel(Error),
    /// Another service has.
    Service(Failure),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotGiven(name) => {
                write!(f, "no handle `{name}` was given, or none for this device")
            }
            Self::Start(error) => error.fmt(f),
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

/// The ports, which this process may use.
pub struct Ports(());

impl Ports {
    /// Gets them from the resources that were given.
    pub fn open(context: &Context) -> Result<Self, Problem> {
        let given = context.bundle("ports");
        for wanted in [DATA, CONTROL] {
            let wanted = u64::from(wanted);
            let mut is_granted = false;
            for handle in &given {
                let resource = Resource::from(handle.duplicate(sys::abi::Rights::ALL)?);
                let info = resource.info()?;
                if let Some(offset) = wanted
                    .checked_sub(info.start)
                    .filter(|&offset| offset < info.len)
                {
                    resource.narrow(offset, 1)?.grant_ports(&Process::own())?;
                    is_granted = true;
                    break;
                }
            }
            if !is_granted {
                return Err(Problem::NotGiven("ports"));
            }
        }
        Ok(Self(()))
    }
}

impl Bus for Ports {
    fn status(&mut self) -> u8 {
        port::read8(CONTROL)
    }

    fn read(&mut self) -> u8 {
        port::read8(DATA)
    }

    fn command(&mut self, command: u8) {
        port::write8(CONTROL, command);
    }

    fn write(&mut self, byte: u8) {
        port::write8(DATA, byte);
    }

    fn pause(&mut self) {
        time::sleep(MILLISECOND);
    }
}

/// Takes the keyboard's line.
pub fn line(context: &Context) -> Result<Interrupt, Problem> {
    let lines = context.handle("lines").map(Resource::from);
    let lines = lines.ok_or(Problem::NotGiven("lines"))?;
    let offset = match lines.info()?.len {
        // Whoever gave it knows which it is.
        1 => 0,
        _ => lines.isa_line(ISA)?,
    };
    Ok(lines.interrupt(offset, AS_WIRED)?)
}
