//! What the machine has: resources, interrupts, its log and statistics.

use abi::device::Device;
use abi::framebuffer::Framebuffer;
use abi::log::Level;
use abi::process::Usage;
use abi::statistics::{Processor, Statistics};
use abi::{Error, interrupt, power, resource, trace};

use super::{Event, Process, bound, object};
use crate::call;

object! {
    /// A range of memory of devices, of ports or of interrupt lines.
    Resource
}

impl Resource {
    /// A part of it: `len` from `offset` on.
    ///
    /// # Errors
    /// As `resource_narrow`.
    pub fn narrow(&self, offset: u64, len: u64) -> Result<Self, Error> {
        call::resource_narrow(self.handle(), offset, len).map(Self::from_raw)
    }

    /// Kind and range.
    ///
    /// # Errors
    /// Those of the handle, which needs INSPECT.
    pub fn info(&self) -> Result<resource::Info, Error> {
        call::resource_info(self.handle())
    }

    /// Lets a process use all of its ports: see [`crate::port`].
    ///
    /// # Errors
    /// As `resource_grant_ports`.
    pub fn grant_ports(&self, process: &Process) -> Result<(), Error> {
        call::resource_grant_ports(self.handle(), process.handle())
    }

    /// Which line an interrupt of the ISA bus is wired to: its offset here.
    ///
    /// # Errors
    /// As `resource_isa_line`.
    pub fn isa_line(&self, isa: u64) -> Result<u64, Error> {
        call::resource_isa_line(self.handle(), isa)
    }

    /// Takes a line in one of the ways of [`abi::interrupt`].
    ///
    /// # Errors
    /// As `interrupt_create`.
    pub fn interrupt(&self, line: u64, mode: u64) -> Result<Interrupt, Error> {
        call::interrupt_create(self.handle(), line, mode).map(Interrupt::from_raw)
    }
}

object! {
    /// The use of an interrupt line.
    Interrupt
}

impl Interrupt {
    /// Sets bits of an event when the line fires; it fires again when that was acknowledged. `None`, with 0, unbinds.
    ///
    /// # Errors
    /// As `interrupt_on_fire`.
    pub fn on_fire(&self, event: Option<&Event>, bits: u64) -> Result<(), Error> {
        call::interrupt_on_fire(self.handle(), bound(event), bits)
    }

    /// Lets it fire again; returns how often it had.
    ///
    /// # Errors
    /// `NotReady` when it had not.
    pub fn acknowledge(&self) -> Result<u64, Error> {
        call::interrupt_acknowledge(self.handle())
    }

    /// Tells about the line.
    ///
    /// # Errors
    /// Those of the handle, which needs INSPECT.
    pub fn info(&self) -> Result<interrupt::Info, Error> {
        call::interrupt_info(self.handle())
    }
}

object! {
    /// The machine: each of its calls needs a right of its own.
    System
}

impl System {
    /// Memory and processors.
    ///
    /// # Errors
    /// Those of the handle, which needs STATISTICS.
    pub fn statistics(&self) -> Result<Statistics, Error> {
        call::system_statistics(self.handle())
    }

    /// What a processor has done.
    ///
    /// # Errors
    /// As `processor_usage`.
    pub fn processor(&self, number: u64) -> Result<Processor, Error> {
        call::processor_usage(self.handle(), number)
    }

    /// What the first process whose number is `from` or more is and has used.
    ///
    /// # Errors
    /// `NotReady` when there is none; those of the handle, which needs STATISTICS.
    pub fn next_process(&self, from: u64) -> Result<Usage, Error> {
        call::process_next(self.handle(), from)
    }

    /// The screen that the boot loader has set up.
    ///
    /// # Errors
    /// `NotSupported` without one; those of the handle, which needs STATISTICS.
    pub fn framebuffer(&self) -> Result<Framebuffer, Error> {
        call::system_framebuffer(self.handle())
    }

    /// Writes a text to the log, a record for each line.
    ///
    /// # Errors
    /// `InvalidArgument` beyond [`abi::LOG_WRITE_MAX`] bytes; those of the handle, which needs LOG_WRITE.
    pub fn log_write(&self, level: Level, text: &[u8]) -> Result<(), Error> {
        call::system_log_write(self.handle(), level, text)
    }

    /// Copies records of the log with the number `from` or more: [`abi::log::records`] takes them apart. Returns how many bytes.
    ///
    /// # Errors
    /// As `system_log_read`; the handle needs LOG_READ.
    pub fn log_read(&self, from: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        let buffer = limited(buffer);
        call::system_log_read(self.handle(), from, buffer).map(|count| count as usize)
    }

    /// Sets bits of an event when there is a record that was not read, until the next reading. `None`, with 0, unbinds.
    ///
    /// # Errors
    /// As `system_log_on_record`; the handle needs LOG_READ.
    pub fn on_record(&self, event: Option<&Event>, bits: u64) -> Result<(), Error> {
        call::system_log_on_record(self.handle(), bound(event), bits)
    }

    /// Says on which of its consoles the kernel shows the log: [`abi::console`].
    ///
    /// # Errors
    /// Those of the handle, which needs CONSOLE.
    pub fn set_console(&self, consoles: u64) -> Result<(), Error> {
        call::system_set_console(self.handle(), consoles)
    }

    /// Switches the machine off, or restarts it; returns only when that is not possible.
    ///
    /// # Errors
    /// `NotSupported`; those of the handle, which needs POWER.
    pub fn power(&self, action: power::Action, status: u64) -> Result<(), Error> {
        call::system_power(self.handle(), action, status)
    }

    /// A device that the firmware names, by its place among them.
    ///
    /// # Errors
    /// `NotReady` beyond the last one; those of the handle, which needs DEVICES.
    pub fn device(&self, index: u64) -> Result<Device, Error> {
        call::system_device(self.handle(), index)
    }

    /// A handle of the process with a number.
    ///
    /// # Errors
    /// As `process_open`; the handle needs PROCESSES.
    pub fn open_process(&self, number: u64) -> Result<Process, Error> {
        call::process_open(self.handle(), number).map(Process::from_raw)
    }

    /// Begins or ends to record what the processors do.
    ///
    /// # Errors
    /// As `system_trace`; the handle needs TRACE.
    pub fn trace(&self, action: trace::Action, kinds: &str, events: u64) -> Result<(), Error> {
        call::system_trace(self.handle(), action, kinds, events)
    }

    /// Copies what was recorded, from [`abi::trace::BEGIN`] or a place that an earlier reading gave: its first word. Returns how many bytes.
    ///
    /// # Errors
    /// As `system_trace_read`; the handle needs TRACE.
    pub fn trace_read(&self, from: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        let buffer = limited(buffer);
        call::system_trace_read(self.handle(), from, buffer).map(|count| count as usize)
    }
}

/// What a call takes of a buffer at most.
fn limited(buffer: &mut [u8]) -> &mut [u8] {
    let len = buffer.len().min(abi::LOG_READ_MAX);
    buffer.get_mut(..len).unwrap_or_default()
}
