//! From the first instruction of a process to its `main`: reads the System V initial stack.

use alloc::vec::Vec;
use core::fmt::{Arguments, Write};
use core::sync::atomic::{AtomicU64, Ordering};

use abi::{Handle, auxv};

use crate::Line;
use crate::object::Owned;

#[cfg(target_os = "none")]
mod entry;
mod given;

use given::Given;

/// The handle of the machine, for the panic handler; 0 (which names nothing) before the start.
static SYSTEM: AtomicU64 = AtomicU64::new(0);
/// The handle of this process.
static OWN: AtomicU64 = AtomicU64::new(0);

/// What the creator of the process gave it: arguments, environment, and handles by name.
///
/// Whatever is not given is absent; there is no other way to it. A handle is taken from here once, and belongs to who took it.
pub struct Context {
    given: Given,
    own: Handle,
    memory: Option<Handle>,
    ports: Option<Handle>,
    lines: Option<Handle>,
    system: Option<Handle>,
    abi_version: u64,
}

impl Context {
    /// The argument at `index`; number 0 is the program's name.
    pub fn argument(&self, index: usize) -> Option<&str> {
        core::str::from_utf8(self.given.argument(index)?).ok()
    }

    /// All arguments, the program's name first. One that is no UTF-8 is empty here.
    pub fn arguments(&self) -> impl Iterator<Item = &str> {
        (0..)
            .map_while(|index| self.given.argument(index))
            .map(|bytes| core::str::from_utf8(bytes).unwrap_or_default())
    }

    /// The value of a variable of the environment.
    pub fn env(&self, name: &str) -> Option<&str> {
        let mut all = self.environment();
        all.find_map(|(key, value)| (key == name).then_some(value))
    }

    /// All variables of the environment, in order.
    pub fn environment(&self) -> impl Iterator<Item = (&str, &str)> {
        (0..)
            .map_while(|index| self.given.variable(index))
            .filter_map(|bytes| core::str::from_utf8(bytes).ok()?.split_once('='))
    }

    /// Takes the first handle of a name that was not taken yet.
    pub fn handle(&self, name: &str) -> Option<Owned> {
        self.given.take(name)
    }

    /// Takes all handles of a name, in order: an end of a channel is four.
    pub fn bundle(&self, name: &str) -> Vec<Owned> {
        let mut all = Vec::new();
        while let Some(handle) = self.handle(name) {
            all.push(handle);
        }
        all
    }

    /// The names of the handles that are still here, one for each handle.
    pub fn handle_names(&self) -> impl Iterator<Item = &str> {
        self.given.names()
    }

    /// The handle of this process. It stays open as long as the process lives.
    pub fn own(&self) -> Handle {
        self.own
    }

    /// The resource of the machine's physical memory, if this program was given it: by the kernel, or as `"memory"`.
    pub fn memory(&self) -> Option<Handle> {
        self.memory
    }

    /// The resource of the machine's I/O ports, if this program was given it: by the kernel, or as `"ports"`.
    pub fn ports(&self) -> Option<Handle> {
        self.ports
    }

    /// The resource of the machine's interrupt lines, if this program was given it: by the kernel, or as `"lines"`.
    pub fn lines(&self) -> Option<Handle> {
        self.lines
    }

    /// The machine, if this program was given it: by the kernel, or as `"system"`, whose handle stays to be taken.
    pub fn system(&self) -> Option<Handle> {
        self.system
    }

    /// The ABI version that the creator named.
    pub fn abi_version(&self) -> u64 {
        self.abi_version
    }

    /// The initial stack as the creator laid it out: argc, argv, environment, auxiliary vector.
    #[cfg(target_os = "none")]
    pub fn initial_stack(&self) -> *const u64 {
        self.given.stack()
    }

    /// Nothing: on the host there is none.
    #[cfg(not(target_os = "none"))]
    pub fn initial_stack(&self) -> *const u64 {
        core::ptr::null()
    }

    /// Writes one line to the standard output; to the log if none was given, as by the kernel. [`log_line!`](crate::log_line) does it.
    pub fn print(&self, text: Arguments<'_>) {
        let mut line = Line::new();
        // A line that is too long is cut; there is nobody to tell.
        let _ = line.write_fmt(text);
        let mut output = crate::io::stdout();
        if output.is_given() {
            use crate::io::Write;
            // Nobody is left to tell if nobody reads it.
            let _ = output.write_all(line.as_bytes());
            let _ = output.write_all(b"\n");
            return;
        }
        if let Some(system) = self.system {
            let _ = crate::log_write(system, abi::log::Level::Info, line.as_bytes());
        }
    }

    /// Reads an entry of the auxiliary vector.
    #[cfg_attr(
        not(target_os = "none"),
        expect(dead_code, reason = "there is no initial stack on the host")
    )]
    fn note(&mut self, tag: u64, value: u64) {
        match tag {
            auxv::SELF_HANDLE => self.own = Handle(value),
            auxv::MEMORY_HANDLE => self.memory = Some(Handle(value)),
            auxv::PORTS_HANDLE => self.ports = Some(Handle(value)),
            auxv::LINES_HANDLE => self.lines = Some(Handle(value)),
            auxv::SYSTEM_HANDLE => self.system = Some(Handle(value)),
            auxv::ABI_VERSION => self.abi_version = value,
            _ => {}
        }
    }
}

/// What a program in a test on the host is given.
#[cfg(not(target_os = "none"))]
impl Context {
    /// Arguments, environment and handles by name, as a creator would give them to the calling (fake) process.
    pub fn for_test(
        arguments: &[&str],
        environment: &[(&str, &str)],
        handles: Vec<(&str, Owned)>,
    ) -> Self {
        Self {
            given: Given::new(arguments, environment, handles),
            own: own(),
            memory: None,
            ports: None,
            lines: None,
            system: None,
            abi_version: abi::VERSION,
        }
    }
}

/// What the program was given, for those parts of this crate that take something by name.
#[cfg(target_os = "none")]
static GIVEN: crate::sync::OnceLock<Given> = crate::sync::OnceLock::new();

/// Takes the first handle of a name that was not taken yet.
pub(crate) fn take(name: &str) -> Option<Owned> {
    #[cfg(target_os = "none")]
    return GIVEN.get()?.take(name);
    #[cfg(not(target_os = "none"))]
    {
        let _ = name;
        None
    }
}

/// The handle of this process; it stays open.
#[inline]
pub fn own() -> Handle {
    #[cfg(not(target_os = "none"))]
    return crate::host::own();
    #[cfg(target_os = "none")]
    Handle(OWN.load(Ordering::Relaxed))
}

/// Says which handle names this process: for a [`twin`](crate::twin), which begins without the entry point.
pub fn set_own(own: Handle) {
    OWN.store(own.0, Ordering::Relaxed);
}

/// The handle of the machine by which this process writes to the log.
pub fn system() -> Option<Handle> {
    match SYSTEM.load(Ordering::Relaxed) {
        0 => None,
        handle => Some(Handle(handle)),
    }
}

/// Says by which handle of the machine this process writes to the log.
pub(crate) fn set_system(system: Option<Handle>) {
    SYSTEM.store(system.map_or(0, |handle| handle.0), Ordering::Relaxed);
}
