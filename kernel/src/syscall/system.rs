//! Calls on the machine.

use abi::device::Device;
use abi::framebuffer::Framebuffer;
use abi::log::Level;
use abi::power::Action;
use abi::{Error, LOG_WRITE_MAX, TRACE_KINDS_MAX, statistics::Statistics};
use ktrace::Kinds;

use super::decode::{Place, Room, UserBytes, Written, objects};
use super::dispatch::{Caller, System};
use super::process::binding;
use crate::acpi::devices;
use crate::arch::current::{percpu, shootdown};
use crate::boot;
use crate::console;
use crate::mm::{self, Purpose};
use crate::{power, trace};

impl System for Caller<'_> {
    fn system_statistics(
        self,
        _: objects::System,
        place: Place<Statistics>,
    ) -> Result<Written, Error> {
        let online = percpu::all().filter(|area| area.queue.is_online()).count();
        let memory = mm::statistics();
        let statistics = Statistics {
            processors: online as u64,
            total: memory.total,
            free: memory.free,
            cached: memory.cached,
            user: memory.used_for(Purpose::User),
            tables: memory.used_for(Purpose::Table),
            heap: memory.used_for(Purpose::Heap),
            stacks: memory.used_for(Purpose::Stack),
            other: memory.used_for(Purpose::Device)
                + memory.used_for(Purpose::KernelTable)
                + memory.used_for(Purpose::Other),
            heap_used: mm::heap_in_use(),
            shootdowns: shootdown::sent(),
        };
        place.write(statistics)
    }

    fn system_framebuffer(
        self,
        _: objects::System,
        place: Place<Framebuffer>,
    ) -> Result<Written, Error> {
        let screen = boot::info().framebuffer.as_ref();
        let screen = screen.ok_or(Error::NotSupported)?;
        place.write(Framebuffer {
            address: screen.address.as_u64(),
            width: screen.width as u64,
            height: screen.height as u64,
            pitch: screen.pitch as u64,
            bytes_per_pixel: screen.bytes_per_pixel as u64,
            red_shift: u64::from(screen.red.shift),
            green_shift: u64::from(screen.green.shift),
            blue_shift: u64::from(screen.blue.shift),
        })
    }

    fn system_log_read(self, _: objects::System, from: u64, buffer: Room) -> Result<u64, Error> {
        let read = console::read(self.0, from, buffer.len(), |at, bytes| {
            buffer.write(at, bytes)
        })?;
        Ok(read as u64)
    }

    fn system_log_on_record(
        self,
        _: objects::System,
        event: Option<objects::Event>,
        bits: u64,
    ) -> Result<(), Error> {
        console::on_record(self.0, binding(event, bits)?);
        Ok(())
    }

    fn system_set_console(self, _: objects::System, consoles: u64) -> Result<(), Error> {
        console::set_own(consoles);
        Ok(())
    }

    fn system_power(self, _: objects::System, action: Action, status: u64) -> Result<(), Error> {
        match action {
            Action::Off => {
                let error = power::try_off(status);
                log::error!("the machine does not switch itself off: {error}");
                Err(Error::NotSupported)
            }
            Action::Restart => power::restart(),
        }
    }

    fn system_device(
        self,
        _: objects::System,
        index: u64,
        place: Place<Device>,
    ) -> Result<Written, Error> {
        place.write(devices::device(index)?)
    }

    fn system_trace(
        self,
        _: objects::System,
        action: abi::trace::Action,
        kinds: UserBytes,
        events: u64,
    ) -> Result<(), Error> {
        let mut buffer = [0; TRACE_KINDS_MAX];
        let kinds = kinds.read(&mut buffer)?;
        match action {
            abi::trace::Action::Start => {
                let kinds = core::str::from_utf8(kinds).map_err(|_| Error::InvalidArgument)?;
                let kinds = Kinds::parse(kinds).map_err(|_| Error::InvalidArgument)?;
                trace::begin(kinds, events)
            }
            abi::trace::Action::Stop => trace::end(),
        }
    }

    fn system_trace_read(self, _: objects::System, from: u64, buffer: Room) -> Result<u64, Error> {
        let read = trace::read(from, buffer.len(), |at, bytes| buffer.write(at, bytes))?;
        Ok(read as u64)
    }

    fn system_log_write(
        self,
        _: objects::System,
        level: Level,
        text: UserBytes,
    ) -> Result<(), Error> {
        let mut buffer = [0u8; LOG_WRITE_MAX];
        let bytes = text.read(&mut buffer)?;
        let level = match level {
            Level::Error => log::Level::Error,
            Level::Warn => log::Level::Warn,
            Level::Info => log::Level::Info,
            Level::Debug => log::Level::Debug,
            Level::Trace => log::Level::Trace,
        };
        for line in bytes
            .split(|&byte| byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            console::write(level, self.0, format_args!("{}", Lossy(line)));
        }
        Ok(())
    }
}

/// Shows bytes as text: what is not UTF-8 becomes U+FFFD, control characters a question mark.
struct Lossy<'a>(&'a [u8]);

impl core::fmt::Display for Lossy<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        use core::fmt::Write;
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                f.write_char(if character.is_control() {
                    '?'
                } else {
                    character
                })?;
            }
            if !chunk.invalid().is_empty() {
                f.write_char(char::REPLACEMENT_CHARACTER)?;
            }
        }
        Ok(())
    }
}
