//! Processes and threads.

use abi::process::{Action, Exception, Info, Usage};
use abi::thread::Registers;
use abi::{Error, Handle, Wire, thread};

use super::{Borrowed, Event, Kept, Owned, VmArea, bound, object};
use crate::{call, start};

object! {
    /// A process: its life, its address space, its exceptions.
    Process
}

impl Process {
    /// A process with an empty address space, no handles and no threads.
    ///
    /// # Errors
    /// As `process_create`.
    pub fn new(name: &str) -> Result<Self, Error> {
        call::process_create(name).map(Self::from_raw)
    }

    /// The calling process.
    pub fn own() -> Borrowed<Self> {
        Borrowed::new(start::own())
    }

    /// Ends it and all its threads.
    ///
    /// # Errors
    /// Those of the handle, which needs KILL.
    pub fn kill(&self, status: u64) -> Result<(), Error> {
        call::process_kill(self.handle(), status)
    }

    /// Whether and how it ended, its memory and limit.
    ///
    /// # Errors
    /// Those of the handle, which needs INSPECT.
    pub fn info(&self) -> Result<Info, Error> {
        call::process_info(self.handle())
    }

    /// What it is and has used.
    ///
    /// # Errors
    /// Those of the handle, which needs INSPECT.
    pub fn usage(&self) -> Result<Usage, Error> {
        call::process_usage(self.handle())
    }

    /// Maps a part of an area where the kernel chooses; returns the address. For memory of the calling process see [`VmArea::map`].
    ///
    /// # Errors
    /// As `process_map`.
    pub fn map(&self, area: &VmArea, offset: u64, len: u64, access: u64) -> Result<u64, Error> {
        call::process_map(self.handle(), area.handle(), 0, offset, len, access)
    }

    /// Maps a part of an area at an address, or not at all.
    ///
    /// # Errors
    /// As `process_map`.
    pub fn map_at(
        &self,
        area: &VmArea,
        address: u64,
        offset: u64,
        len: u64,
        access: u64,
    ) -> Result<(), Error> {
        let access = access | abi::area::AT_ADDRESS;
        call::process_map(self.handle(), area.handle(), address, offset, len, access).map(drop)
    }

    /// Unmaps whatever is mapped in a range of another process.
    ///
    /// # Errors
    /// As `process_unmap`; `InvalidArgument` for the calling process, whose memory belongs to its [`Mapping`](super::Mapping)s.
    pub fn unmap(&self, address: u64, len: u64) -> Result<(), Error> {
        self.is_other()?;
        call::process_unmap(self.handle(), address, len)
    }

    /// Changes what a mapped range of another process may be used for.
    ///
    /// # Errors
    /// As `process_protect`; `InvalidArgument` for the calling process.
    pub fn protect(&self, address: u64, len: u64, access: u64) -> Result<(), Error> {
        self.is_other()?;
        call::process_protect(self.handle(), address, len, access)
    }

    fn is_other(&self) -> Result<(), Error> {
        if self.handle() == start::own() {
            return Err(Error::InvalidArgument);
        }
        Ok(())
    }

    /// Sets how many bytes of memory it may use.
    ///
    /// # Errors
    /// As `process_set_limit`.
    pub fn set_limit(&self, bytes: u64) -> Result<(), Error> {
        call::process_set_limit(self.handle(), bytes)
    }

    /// Sets bits of an event when it has ended; at once if it has. `None`, with 0, unbinds.
    ///
    /// # Errors
    /// As `process_on_exit`.
    pub fn on_exit(&self, event: Option<&Event>, bits: u64) -> Result<(), Error> {
        call::process_on_exit(self.handle(), bound(event), bits)
    }

    /// Sets bits of an event when a thread of it faults, which then waits. `None`, with 0, unbinds.
    ///
    /// # Errors
    /// As `process_on_exception`.
    pub fn on_exception(&self, event: Option<&Event>, bits: u64) -> Result<(), Error> {
        call::process_on_exception(self.handle(), bound(event), bits)
    }

    /// Why the first thread waits whose exception was not read yet.
    ///
    /// # Errors
    /// As `exception_read`.
    pub fn read_exception(&self) -> Result<Exception, Error> {
        call::exception_read(self.handle())
    }

    /// Lets a thread that waits with an exception go on, or ends the process with it.
    ///
    /// # Errors
    /// As `exception_resume`.
    pub fn resume_exception(&self, thread: u64, action: Action) -> Result<(), Error> {
        call::exception_resume(self.handle(), thread, action)
    }

    /// Moves a handle to it; returns what it is called there.
    ///
    /// # Errors
    /// As `handle_give`, with the handle.
    pub fn give(&self, handle: impl Into<Owned>) -> Result<Handle, Kept> {
        let handle = handle.into();
        match call::handle_give(self.handle(), handle.handle()) {
            Ok(there) => {
                handle.into_raw();
                Ok(there)
            }
            Err(error) => Err(Kept { error, handle }),
        }
    }

    /// Tells about the first thread whose number is `from` or more.
    ///
    /// # Errors
    /// `NotReady` when there is none; those of the handle, which needs INSPECT.
    pub fn next_thread(&self, from: u64) -> Result<thread::Info, Error> {
        call::process_next_thread(self.handle(), from)
    }

    /// A handle of a thread of it.
    ///
    /// # Errors
    /// As `process_thread`; the handle needs DEBUG.
    pub fn thread(&self, number: u64) -> Result<Thread, Error> {
        call::process_thread(self.handle(), number).map(Thread::from_raw)
    }

    /// Copies memory of it; returns how many bytes: fewer where the next page cannot be read.
    ///
    /// # Errors
    /// As `process_read`; the handle needs DEBUG.
    pub fn read(&self, address: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        let len = buffer.len().min(abi::PROCESS_READ_MAX);
        let buffer = buffer.get_mut(..len).unwrap_or_default();
        call::process_read(self.handle(), address, buffer).map(|count| count as usize)
    }

    /// Tells about its first handle whose slot is `from` or more.
    ///
    /// # Errors
    /// `NotReady` when there is none; those of the handle, which needs INSPECT.
    pub fn next_handle(&self, from: u64) -> Result<abi::handle::Entry, Error> {
        call::process_next_handle(self.handle(), from)
    }

    /// Tells about its first mapping that ends behind an address.
    ///
    /// # Errors
    /// `NotReady` when there is none; those of the handle, which needs INSPECT.
    pub fn next_area(&self, from: u64) -> Result<abi::area::Entry, Error> {
        call::process_next_area(self.handle(), from)
    }

    /// Starts a thread in another process: `how` is 0 or [`thread::SUSPEND`]. For threads of one's own see [`crate::thread`].
    ///
    /// # Errors
    /// As `thread_create`; `InvalidArgument` for the calling process.
    pub fn create_thread(
        &self,
        entry: u64,
        stack: u64,
        argument: u64,
        cpu: u64,
        how: u64,
    ) -> Result<Thread, Error> {
        self.is_other()?;
        let thread = call::thread_create(self.handle(), entry, stack, argument, cpu, how)?;
        Ok(Thread::from_raw(thread))
    }
}

object! {
    /// A thread.
    Thread
}

impl Thread {
    /// Ends it.
    ///
    /// # Errors
    /// Those of the handle, which needs KILL.
    pub fn kill(&self) -> Result<(), Error> {
        call::thread_kill(self.handle())
    }

    /// Stops it until it is resumed.
    ///
    /// # Errors
    /// Those of the handle, which needs MANAGE.
    pub fn suspend(&self) -> Result<(), Error> {
        call::thread_suspend(self.handle())
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// Those of the handle, which needs MANAGE.
    pub fn resume(&self) -> Result<(), Error> {
        call::thread_resume(self.handle())
    }

    /// State, priority, processor, how long it has run.
    ///
    /// # Errors
    /// Those of the handle, which needs INSPECT.
    pub fn info(&self) -> Result<thread::Info, Error> {
        call::thread_info(self.handle())
    }

    /// Gives it a priority: 0 is the highest.
    ///
    /// # Errors
    /// `InvalidArgument` from [`thread::PRIORITIES`] on; those of the handle, which needs MANAGE.
    pub fn set_priority(&self, priority: u64) -> Result<(), Error> {
        call::thread_set_priority(self.handle(), priority)
    }

    /// Says on which processors it may run, a bit each.
    ///
    /// # Errors
    /// As `thread_set_affinity`.
    pub fn set_affinity(&self, processors: &[u8]) -> Result<(), Error> {
        call::thread_set_affinity(self.handle(), processors)
    }

    /// Sets bits of an event when it has ended; at once if it has. `None`, with 0, unbinds.
    ///
    /// # Errors
    /// As `thread_on_exit`.
    pub fn on_exit(&self, event: Option<&Event>, bits: u64) -> Result<(), Error> {
        call::thread_on_exit(self.handle(), bound(event), bits)
    }

    /// The registers, while it is stopped.
    ///
    /// # Errors
    /// As `thread_read_registers`.
    pub fn read_registers(&self) -> Result<Registers, Error> {
        call::thread_read_registers(self.handle())
    }

    /// Changes the registers, while it is stopped.
    ///
    /// # Errors
    /// As `thread_write_registers`.
    pub fn write_registers(&self, registers: &Registers) -> Result<(), Error> {
        call::thread_write_registers(self.handle(), &registers.to_bytes())
    }
}
