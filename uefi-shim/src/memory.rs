//! Memory that is taken from the firmware for the kernel, with a record of what it is for.

use alloc::vec::Vec;

use shim_core::Error;
use shim_core::memory_map::{Claim, Kind};
use uefi::boot::{self, AllocateType, MemoryType};

/// The size of a page.
pub const PAGE: usize = 4096;

/// Where memory may be.
#[derive(Clone, Copy)]
pub enum Where {
    /// Below 1 MiB, where a processor starts.
    Low,
    /// Below 4 GiB, where 32-bit code reaches.
    Below4GiB,
    /// Anywhere.
    Anywhere,
}

/// Pages that belong to the caller until the kernel gets them.
pub struct Pages {
    /// The physical address, which is also the address under the firmware.
    pub base: u64,
    bytes: &'static mut [u8],
}

impl Pages {
    /// The bytes, zero at first.
    pub fn bytes(&mut self) -> &mut [u8] {
        self.bytes
    }

    /// The bytes, for good.
    pub fn into_bytes(self) -> &'static mut [u8] {
        self.bytes
    }
}

/// Takes memory and remembers it.
#[derive(Default)]
pub struct Memory {
    claims: Vec<Claim>,
}

impl Memory {
    /// What was taken so far.
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// Adds memory that was not allocated, such as a framebuffer.
    pub fn claim(&mut self, base: u64, length: u64, kind: Kind) {
        self.claims.push(Claim { base, length, kind });
    }

    /// Takes zeroed pages.
    pub fn take(
        &mut self,
        what: &str,
        bytes: u64,
        place: Where,
        kind: Kind,
    ) -> Result<Pages, Error> {
        self.take_aligned(what, bytes, PAGE as u64, 0, place, kind)
    }

    /// Takes zeroed pages at a physical address that is `offset` modulo `align`, a power of two.
    pub fn take_aligned(
        &mut self,
        what: &str,
        bytes: u64,
        align: u64,
        offset: u64,
        place: Where,
        kind: Kind,
    ) -> Result<Pages, Error> {
        let fail = || Error::OutOfMemory {
            what: what.into(),
            bytes,
        };
        let page = PAGE as u64;
        let size = bytes
            .max(1)
            .checked_next_multiple_of(page)
            .ok_or_else(fail)?;
        let spare = align.saturating_sub(page);
        let total = size.checked_add(spare).ok_or_else(fail)?;
        let pages = |bytes: u64| usize::try_from(bytes >> 12).map_err(|_| fail());
        let kind_of_allocation = match place {
            Where::Low => AllocateType::MaxAddress(0x9_ffff),
            Where::Below4GiB => AllocateType::MaxAddress(0xffff_ffff),
            Where::Anywhere => AllocateType::AnyPages,
        };
        let start =
            boot::allocate_pages(kind_of_allocation, MemoryType::LOADER_DATA, pages(total)?)
                .map_err(|_| fail())?;
        let start_address = start.as_ptr() as u64;
        let skip = offset.wrapping_sub(start_address) & align.saturating_sub(1);
        let base = start_address.checked_add(skip).ok_or_else(fail)?;
        // What the alignment left over goes back.
        let end = base.saturating_add(size);
        for (from, to) in [
            (start_address, base),
            (end, start_address.saturating_add(total)),
        ] {
            if let (Some(unused), true) = (core::ptr::NonNull::new(from as *mut u8), to > from) {
                // SAFETY: this part of the allocation above is outside of `base..end`, so nobody
                // has or gets a reference to it. A firmware that cannot split keeps it.
                let _kept = unsafe { boot::free_pages(unused, pages(to.saturating_sub(from))?) };
            }
        }
        let length = usize::try_from(size).map_err(|_| fail())?;
        // SAFETY: the firmware gave these pages to us alone, they are mapped one to one, and are
        // never freed; zeros are valid bytes and are written before the slice is made.
        let memory = unsafe {
            let pointer = base as *mut u8;
            pointer.write_bytes(0, length);
            core::slice::from_raw_parts_mut(pointer, length)
        };
        self.claims.push(Claim {
            base,
            length: size,
            kind,
        });
        Ok(Pages {
            base,
            bytes: memory,
        })
    }
}
