//! The hands of the `acpi` crate's AML interpreter: memory, ports and PCI configuration space.
//!
//! Only used where a search of the tables is not enough. AML comes from the firmware, which is trusted: it may touch
//! any register it names.

use alloc::sync::Arc;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use acpi::aml::{AmlError, Interpreter};
use acpi::registers::FixedRegisters;
use acpi::sdt::fadt::Fadt;
use acpi::{Handle, PciAddress, PhysicalMapping};
use kaddr::{PAGE_SIZE, PhysAddr, VirtAddr};
use kboot::acpi::Tables;
use kboot::sdt::Signature;
use kmem::sorted::SortedMap;
use x86_64::instructions::interrupts;
use x86_64::instructions::port::Port;

use crate::arch::current::{IrqLock, time};
use crate::sched::alarm;
use crate::{locks, mm};

const PCI_ADDRESS: u16 = 0xcf8;
const PCI_DATA: u16 = 0xcfc;

/// The handler; it has no state.
#[derive(Clone, Copy)]
pub struct Handler;

impl Handler {
    /// An interpreter with an empty namespace, or `None` when the FADT does not describe the registers that it needs.
    pub fn interpreter(tables: &Tables) -> Option<Interpreter<Self>> {
        let table = tables.find(Signature::FADT)?;
        let mut fadt = MaybeUninit::<Fadt>::zeroed();
        let bytes = table.bytes();
        let len = bytes.len().min(size_of::<Fadt>());
        // SAFETY: the structure is a packed picture of the table, valid for any bytes; what the table is too short for
        // stays zero, which means absent.
        let fadt = unsafe {
            fadt.as_mut_ptr()
                .cast::<u8>()
                .copy_from_nonoverlapping(bytes.as_ptr(), len);
            fadt.assume_init()
        };
        #[expect(
            clippy::arc_with_non_send_sync,
            reason = "the interpreter's interface demands it; it runs on one CPU"
        )]
        let registers = Arc::new(FixedRegisters::new(&fadt, Self).ok()?);
        let dsdt_revision = tables.find(Signature::DSDT)?.bytes().get(8).copied()?;
        Some(Interpreter::new(Self, dsdt_revision, registers, None))
    }

    fn with_memory<T: Copy + From<u8>>(address: usize, act: impl FnOnce(*mut T) -> T) -> T {
        let address = PhysAddr::new(address as u64);
        if mm::direct::covers(address) {
            return act(mm::phys_to_virt(address).as_u64() as *mut T);
        }
        match map(address, size_of::<T>() as u64) {
            Some(at) => act(at.as_u64() as *mut T),
            // What a bus says where nobody answers; the interpreter has no way to be told of an error.
            None => T::from(0),
        }
    }
}

/// Pages of devices that AML has touched, by number, and where they are mapped. They are no devices of the kernel's: AML touches those of
/// drivers, too, now and then.
static PAGES: IrqLock<SortedMap<u64, VirtAddr>, locks::FirmwarePages> =
    IrqLock::new(SortedMap::new());

/// Maps bytes of a device's memory, for ever.
fn map(address: PhysAddr, len: u64) -> Option<VirtAddr> {
    let (page, within) = (address.as_u64() / PAGE_SIZE, address.as_u64() % PAGE_SIZE);
    if within + len > PAGE_SIZE {
        return mm::map_registers(address, len).ok();
    }
    let known = PAGES.lock().get(page).copied();
    let start = match known {
        Some(start) => start,
        None => {
            let start = mm::map_registers(PhysAddr::new(page * PAGE_SIZE), PAGE_SIZE).ok()?;
            // Without memory to know it by, the next access maps it again.
            let _ = PAGES.lock().insert(page, start);
            start
        }
    };
    start.checked_add(within)
}

fn pci_select(address: PciAddress, offset: u16) {
    let selector = 1 << 31
        | u32::from(address.bus()) << 16
        | u32::from(address.device()) << 11
        | u32::from(address.function()) << 8
        | u32::from(offset & 0xfc);
    // SAFETY: the address register of PCI configuration mechanism 1; AML runs on one CPU at a time.
    unsafe { Port::new(PCI_ADDRESS).write(selector) }
}

macro_rules! accessors {
    ($($read:ident $write:ident $read_io:ident $write_io:ident $read_pci:ident $write_pci:ident $type:ty;)*) => { $(
        fn $read(&self, address: usize) -> $type {
            // SAFETY: mapped just now; the firmware names the register.
            Self::with_memory::<$type>(address, |at| unsafe { at.read_volatile() })
        }

        fn $write(&self, address: usize, value: $type) {
            Self::with_memory::<$type>(address, |at| {
                // SAFETY: as above.
                unsafe { at.write_volatile(value) };
                value
            });
        }
        accessors!(@io $read_io $write_io $read_pci $write_pci $type);
    )* };
    (@io none none none none $type:ty) => {};
    (@io $read_io:ident $write_io:ident $read_pci:ident $write_pci:ident $type:ty) => {
        fn $read_io(&self, port: u16) -> $type {
            // SAFETY: a port that the firmware names.
            unsafe { Port::new(port).read() }
        }

        fn $write_io(&self, port: u16, value: $type) {
            // SAFETY: a port that the firmware names.
            unsafe { Port::new(port).write(value) }
        }

        fn $read_pci(&self, address: PciAddress, offset: u16) -> $type {
            pci_select(address, offset);
            // SAFETY: the data register of PCI configuration mechanism 1.
            unsafe { Port::new(PCI_DATA + (offset & 3)).read() }
        }

        fn $write_pci(&self, address: PciAddress, offset: u16, value: $type) {
            pci_select(address, offset);
            // SAFETY: the data register of PCI configuration mechanism 1.
            unsafe { Port::new(PCI_DATA + (offset & 3)).write(value) }
        }
    };
}

impl acpi::Handler for Handler {
    unsafe fn map_physical_region<T>(
        &self,
        physical_address: usize,
        size: usize,
    ) -> PhysicalMapping<Self, T> {
        let mapped = mm::map_device(PhysAddr::new(physical_address as u64), size as u64);
        PhysicalMapping {
            physical_start: physical_address,
            // The crate has no error here; a dangling pointer faults where it is used, and is reported then.
            virtual_start: mapped
                .ok()
                .and_then(|at| NonNull::new(at.as_u64() as *mut T))
                .unwrap_or(NonNull::dangling()),
            region_length: size,
            mapped_length: size,
            handler: *self,
        }
    }

    fn unmap_physical_region<T>(_: &PhysicalMapping<Self, T>) {
        // Device mappings are kept: they are few.
    }

    accessors! {
        read_u8 write_u8 read_io_u8 write_io_u8 read_pci_u8 write_pci_u8 u8;
        read_u16 write_u16 read_io_u16 write_io_u16 read_pci_u16 write_pci_u16 u16;
        read_u32 write_u32 read_io_u32 write_io_u32 read_pci_u32 write_pci_u32 u32;
        read_u64 write_u64 none none none none u64;
    }

    fn nanos_since_boot(&self) -> u64 {
        time::now_ns()
    }

    fn stall(&self, microseconds: u64) {
        time::spin_ns(microseconds.saturating_mul(1000));
    }

    fn sleep(&self, milliseconds: u64) {
        let until = time::now_ns().saturating_add(milliseconds.saturating_mul(1_000_000));
        while time::now_ns() < until {
            // At a power-off nothing else may run any more.
            if !interrupts::are_enabled() || alarm::block_until(until).is_err() {
                core::hint::spin_loop();
            }
        }
    }

    // One thread runs AML: nobody competes for a mutex.
    fn create_mutex(&self) -> Handle {
        Handle(0)
    }

    fn acquire(&self, _: Handle, _: u16) -> Result<(), AmlError> {
        Ok(())
    }

    fn release(&self, _: Handle) {}

    fn handle_fatal_error(&self, fatal_type: u8, fatal_code: u32, fatal_arg: u64) {
        log::error!(
            "the firmware's AML reports a fatal error: {fatal_type} {fatal_code:#x} {fatal_arg:#x}"
        );
    }
}
