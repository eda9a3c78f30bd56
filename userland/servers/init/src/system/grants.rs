//! What services are given of the machine.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use abi::device::DeviceResource;
use abi::resource::{LINES, MEMORY, PORTS};
use abi::{Error, Handle, PAGE_SIZE, Rights, power};
use sys::Context;
use sys::object::{Borrowed, Owned, Resource, System};

use crate::manifest::{Grant, Lines, Range};

/// The rights on resources and on the machine with which they can be given away.
const PASS_ON: Rights = Rights::DUPLICATE.union(Rights::TRANSFER);
/// The rights on a resource.
const RESOURCE: Rights = Rights::USE.union(Rights::INSPECT).union(PASS_ON);

/// The machine, as the kernel gave it.
pub struct Machine {
    system: Option<Borrowed<System>>,
    memory: Option<Borrowed<Resource>>,
    ports: Option<Borrowed<Resource>>,
    lines: Option<Borrowed<Resource>>,
}

/// Handles with their names.
pub type Named = Vec<(String, Owned)>;

impl Machine {
    /// From what this process was given, by names or by the kernel. It is used to the end.
    pub fn of(context: &Context) -> Self {
        let given = |name: &str, number: Option<Handle>| {
            let by_name = context.handle(name).map(Owned::into_raw);
            by_name.or(number)
        };
        Self {
            system: given("system", context.system()).map(Borrowed::new),
            memory: given("memory", context.memory()).map(Borrowed::new),
            ports: given("ports", context.ports()).map(Borrowed::new),
            lines: given("lines", context.lines()).map(Borrowed::new),
        }
    }

    /// Switches the machine off; if that cannot be done, the kernel does it when this process ends.
    pub fn power_off(&self, status: u64) {
        if let Some(system) = &self.system
            && let Err(error) = system.power(power::Action::Off, status)
        {
            log::debug!("init cannot switch the machine off: {error}");
        }
    }

    /// Tells the kernel where it may show its log.
    pub fn set_consoles(&self, consoles: u64) {
        if let Some(system) = &self.system
            && let Err(error) = system.set_console(consoles)
        {
            log::warn!("the kernel's consoles cannot be set: {error}");
        }
    }

    /// The handles for grants. What the machine does not have is left out.
    ///
    /// # Errors
    /// Which grant could not be had, and why.
    pub fn grant(&self, grants: &[Grant]) -> Result<Named, String> {
        let mut named = Named::new();
        let mut rights = Rights::NONE;
        for grant in grants {
            let result = match grant {
                Grant::System(right) => {
                    rights = rights.union(right.0);
                    Ok(())
                }
                Grant::Ports(range) => one(&mut named, "ports", || part(self.ports()?, *range)),
                Grant::Memory(range) => one(&mut named, "memory", || part(self.memory()?, *range)),
                Grant::Lines(lines) => one(&mut named, "lines", || self.lines_of(*lines)),
                Grant::Device(hid) => self.device(hid, &mut named),
                Grant::Framebuffer => self.framebuffer(&mut named),
            };
            result.map_err(|error| format!("{grant:?} cannot be granted: {error}"))?;
        }
        self.system(rights, &mut named)
            .map_err(|error| format!("rights on the machine cannot be granted: {error}"))?;
        Ok(named)
    }

    /// A handle `log` to write to the log, and `system` for what is more than that.
    fn system(&self, rights: Rights, named: &mut Named) -> Result<(), Error> {
        if rights == Rights::NONE {
            return Ok(());
        }
        let system = self.system.as_ref().ok_or(Error::NotSupported)?;
        if rights.contains(Rights::LOG_WRITE) {
            let log = system.duplicate(Rights::LOG_WRITE.union(PASS_ON))?;
            named.push(("log".into(), log.into()));
        }
        if rights != Rights::LOG_WRITE {
            let all = system.duplicate(rights.union(PASS_ON))?;
            named.push(("system".into(), all.into()));
        }
        Ok(())
    }

    fn ports(&self) -> Result<&Resource, Error> {
        self.ports.as_deref().ok_or(Error::NotSupported)
    }

    fn memory(&self) -> Result<&Resource, Error> {
        self.memory.as_deref().ok_or(Error::NotSupported)
    }

    fn lines(&self) -> Result<&Resource, Error> {
        self.lines.as_deref().ok_or(Error::NotSupported)
    }

    fn lines_of(&self, lines: Lines) -> Result<Resource, Error> {
        let all = self.lines()?;
        match lines {
            Lines::All => part(all, None),
            Lines::Isa(isa) => {
                let line = all.isa_line(isa)?;
                all.narrow(line, 1)?.duplicate(RESOURCE)
            }
            Lines::Number(start) => part(all, Some(Range { start, len: 1 })),
        }
    }

    /// What the devices of this identifier use, one after the other.
    fn device(&self, hid: &str, named: &mut Named) -> Result<(), Error> {
        let system = self.system.as_ref().ok_or(Error::NotSupported)?;
        let name = format!("device:{hid}");
        let mut index = 0;
        loop {
            let device = match system.device(index) {
                Ok(device) => device,
                Err(Error::NotReady) => return Ok(()),
                Err(error) => return Err(error),
            };
            index += 1;
            let id = device.hid();
            let len = id.iter().position(|&byte| byte == 0).unwrap_or(id.len());
            if id.get(..len) != Some(hid.as_bytes()) {
                continue;
            }
            for resource in device.resources() {
                // One that is somebody else's, the kernel's for example, is not there for the driver.
                match self.of_device(&resource) {
                    Ok(resource) => named.push((name.clone(), resource.into())),
                    Err(error) => log::warn!("{name}: {resource:x?} cannot be granted: {error}"),
                }
            }
        }
    }

    fn of_device(&self, resource: &DeviceResource) -> Result<Resource, Error> {
        let all = match resource.kind {
            PORTS => self.ports()?,
            MEMORY => self.memory()?,
            LINES => self.lines()?,
            _ => return Err(Error::NotSupported),
        };
        let DeviceResource { start, len, .. } = *resource;
        part(all, Some(Range { start, len }))
    }

    /// The memory of the screen, by pages.
    fn framebuffer(&self, named: &mut Named) -> Result<(), Error> {
        let system = self.system.as_ref().ok_or(Error::NotSupported)?;
        let screen = match system.framebuffer() {
            Ok(screen) => screen,
            // A machine without a screen.
            Err(Error::NotSupported) => return Ok(()),
            Err(error) => return Err(error),
        };
        let start = screen.address & !(PAGE_SIZE - 1);
        let len = screen.pitch.saturating_mul(screen.height);
        let end = screen.address.saturating_add(len);
        let len = (end - start).next_multiple_of(PAGE_SIZE);
        let memory = part(self.memory()?, Some(Range { start, len }))?;
        named.push(("framebuffer".into(), memory.into()));
        Ok(())
    }
}

fn one(
    named: &mut Named,
    name: &str,
    make: impl FnOnce() -> Result<Resource, Error>,
) -> Result<(), Error> {
    named.push((name.into(), make()?.into()));
    Ok(())
}

/// A part of a resource, by numbers of the machine.
fn part(all: &Resource, range: Option<Range>) -> Result<Resource, Error> {
    match range {
        None => all.duplicate(RESOURCE),
        Some(Range { start, len }) => {
            let offset = start.checked_sub(all.info()?.start);
            let offset = offset.ok_or(Error::InvalidArgument)?;
            all.narrow(offset, len)
        }
    }
}
