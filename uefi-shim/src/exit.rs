//! Acts out the plan of `shim_core::exit_boot` with the firmware.

use core::sync::atomic::{AtomicBool, Ordering};

use shim_core::Error;
use shim_core::exit_boot::{Action, Event, ExitMachine};
use shim_core::memory_map::Kind;
use shim_core::response::EfiMapFacts;
use uefi::mem::memory_map::MemoryMap;
use uefi::{Status, boot, table};

use crate::memory::{Memory, Pages, Where};

static ALIVE: AtomicBool = AtomicBool::new(true);

/// Tells whether the boot services may still be called.
pub fn boot_services_are_alive() -> bool {
    ALIVE.load(Ordering::Relaxed)
}

/// The buffer for the firmware's memory map, and what is in it.
pub struct EfiMap {
    /// The memory that it is in.
    pub pages: Pages,
    /// What the firmware said about it.
    pub facts: EfiMapFacts,
    key: usize,
}

impl EfiMap {
    /// Takes a buffer for a map of about the size that it has now.
    pub fn new(memory: &mut Memory) -> Result<Self, Error> {
        let size = match get_map(&mut []) {
            Err((_, needed)) => needed,
            Ok(_) => 0,
        };
        // Room for the descriptors that our own allocations add, and then some.
        let pages = take(memory, size.saturating_add(64 * 64))?;
        Ok(Self {
            pages,
            facts: EfiMapFacts {
                size: 0,
                descriptor_size: 48,
                descriptor_version: 1,
            },
            key: 0,
        })
    }

    /// The map that was read last.
    pub fn bytes(&mut self) -> &[u8] {
        let size = self.facts.size;
        self.pages.bytes().get(..size).unwrap_or_default()
    }

    /// Reads the map now, while allocating is still allowed.
    pub fn refresh(&mut self, memory: &mut Memory) -> Result<(), Error> {
        for _ in 0..16 {
            match self.read() {
                Event::Map { .. } => return Ok(()),
                Event::TooSmall { needed } => {
                    self.pages = take(memory, needed.saturating_add(64 * 64))?
                }
                _ => break,
            }
        }
        Err(Error::Firmware {
            action: "telling its memory map",
            status: "no map".into(),
        })
    }

    fn read(&mut self) -> Event {
        match get_map(self.pages.bytes()) {
            Ok((facts, key)) => {
                self.facts = facts;
                self.key = key;
                Event::Map { key }
            }
            Err((Status::BUFFER_TOO_SMALL, needed)) => Event::TooSmall { needed },
            Err((status, _)) => Event::Status(status.0),
        }
    }
}

/// How much free memory there is below 4 GiB, as far as the firmware tells.
pub fn free_memory_below_4_gib() -> u64 {
    let Ok(map) = boot::memory_map(boot::MemoryType::LOADER_DATA) else {
        return u64::MAX;
    };
    map.entries()
        .filter(|entry| entry.ty == boot::MemoryType::CONVENTIONAL && entry.phys_start < 1 << 32)
        .map(|entry| entry.page_count.saturating_mul(4096))
        .fold(0, u64::saturating_add)
}

fn take(memory: &mut Memory, size: usize) -> Result<Pages, Error> {
    let bytes = u64::try_from(size).unwrap_or(u64::MAX);
    memory.take(
        "the firmware's memory map",
        bytes,
        Where::Below4GiB,
        Kind::BOOTLOADER_RECLAIMABLE,
    )
}

/// Calls `GetMemoryMap`; on failure, gives the status and the size that the firmware wants.
fn get_map(buffer: &mut [u8]) -> Result<(EfiMapFacts, usize), (Status, usize)> {
    let mut size = buffer.len();
    let (mut key, mut descriptor_size, mut version) = (0, 0, 0);
    let Some(system) = table::system_table_raw() else {
        return Err((Status::UNSUPPORTED, 0));
    };
    // SAFETY: the table is that of the firmware, whose boot services are alive when this is called;
    // the buffer is as long as `size` says, and pages are aligned well enough for a descriptor.
    let status = unsafe {
        let services = &*(*system.as_ptr()).boot_services;
        (services.get_memory_map)(
            &mut size,
            buffer.as_mut_ptr().cast(),
            &mut key,
            &mut descriptor_size,
            &mut version,
        )
    };
    if status == Status::SUCCESS && size <= buffer.len() && descriptor_size > 0 {
        Ok((
            EfiMapFacts {
                size,
                descriptor_size,
                descriptor_version: version,
            },
            key,
        ))
    } else {
        Err((status, size))
    }
}

/// Leaves the boot services. `plan` makes all that depends on the memory map; it is called once for
/// every attempt and must not call the firmware.
///
/// # Errors
/// It is not possible, and no exit was tried. After a try there is no way back to the firmware: the
/// error goes to the serial port and the machine restarts.
///
/// # Safety
/// After success, nothing may use the boot services: no protocol, no allocation, no console.
pub unsafe fn leave(
    memory: &mut Memory,
    map: &mut EfiMap,
    mut plan: impl FnMut(&Memory, &mut EfiMap) -> Result<(), Error>,
) -> Result<(), Error> {
    let (mut machine, mut action) = ExitMachine::new();
    loop {
        let event = match action {
            Action::GetMap => map.read(),
            Action::Grow(bytes) => {
                map.pages = take(memory, bytes)?;
                Event::Grown
            }
            Action::Plan => match plan(memory, map) {
                Ok(()) => Event::Planned,
                Err(error) => Event::PlanFailed(error),
            },
            Action::Exit(key) => {
                // From here on even a failure may have stopped the console.
                ALIVE.store(false, Ordering::Relaxed);
                exit(key)
            }
            Action::Enter => return Ok(()),
            Action::Fail(error) if machine.has_tried() => give_up(&error),
            Action::Fail(error) => return Err(error),
        };
        action = machine.step(event);
    }
}

/// Reports an error that leaves nobody to return to.
fn give_up(error: &Error) -> ! {
    struct Com1;
    impl core::fmt::Write for Com1 {
        fn write_str(&mut self, text: &str) -> core::fmt::Result {
            crate::console::com1(text.as_bytes());
            Ok(())
        }
    }
    let _unseen = core::fmt::write(&mut Com1, format_args!("uefi-shim: error: {error}.\r\n"));
    uefi::runtime::reset(uefi::runtime::ResetType::COLD, Status::ABORTED, None)
}

fn exit(key: usize) -> Event {
    let Some(system) = table::system_table_raw() else {
        return Event::Status(0);
    };
    // SAFETY: the table is that of the firmware, whose boot services are alive until this succeeds.
    let status = unsafe {
        let services = &*(*system.as_ptr()).boot_services;
        (services.exit_boot_services)(boot::image_handle().as_ptr(), key)
    };
    match status {
        Status::SUCCESS => Event::Exited,
        Status::INVALID_PARAMETER => Event::StaleKey,
        status => Event::Status(status.0),
    }
}
