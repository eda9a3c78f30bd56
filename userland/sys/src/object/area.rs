//! Memory: areas, and views of them in this process.

use abi::area::{self, Info};
use abi::{Error, PAGE_SIZE};

use super::{Resource, object};
use crate::{call, start};

object! {
    /// Memory that can be mapped, shared and handed over.
    VmArea
}

impl VmArea {
    /// Memory that is allocated when it is touched; a multiple of the page size.
    ///
    /// # Errors
    /// As `vm_area_create`.
    pub fn open(size: u64) -> Result<Self, Error> {
        call::vm_area_create(area::OPEN, size, 0).map(Self::from_raw)
    }

    /// The same in equal sections, each above a page that can never be touched.
    ///
    /// # Errors
    /// As `vm_area_create`.
    pub fn guarded(section: u64, sections: u64) -> Result<Self, Error> {
        call::vm_area_create(area::GUARDED, section, sections).map(Self::from_raw)
    }

    /// A buffer that mappings show twice, back to back: they are twice as long as `size`.
    ///
    /// # Errors
    /// As `vm_area_create`.
    pub fn ring(size: u64) -> Result<Self, Error> {
        call::vm_area_create(area::RING, size, 0).map(Self::from_raw)
    }

    /// Memory of a device; cached as [`area::UNCACHED`] or [`area::WRITE_COMBINING`] say.
    ///
    /// # Errors
    /// As `vm_area_create_fixed`.
    pub fn fixed(resource: &Resource, offset: u64, len: u64, caching: u64) -> Result<Self, Error> {
        call::vm_area_create_fixed(resource.handle(), offset, len, caching).map(Self::from_raw)
    }

    /// Kind, size, and what is in it.
    ///
    /// # Errors
    /// Those of the handle, which needs INSPECT.
    pub fn info(&self) -> Result<Info, Error> {
        call::vm_area_info(self.handle())
    }

    /// Its size in bytes, as a mapping sees it.
    ///
    /// # Errors
    /// As [`info`](Self::info).
    pub fn size(&self) -> Result<u64, Error> {
        self.info().map(|info| info.size)
    }

    /// Changes the size of an open area.
    ///
    /// # Errors
    /// As `vm_area_resize`.
    pub fn resize(&self, size: u64) -> Result<(), Error> {
        call::vm_area_resize(self.handle(), size)
    }

    /// Gives pages to a range now.
    ///
    /// # Errors
    /// As `vm_area_commit`.
    pub fn commit(&self, offset: u64, len: u64) -> Result<(), Error> {
        call::vm_area_commit(self.handle(), offset, len)
    }

    /// Takes the pages of a range away: it reads as zeros.
    ///
    /// # Errors
    /// As `vm_area_decommit`.
    pub fn decommit(&self, offset: u64, len: u64) -> Result<(), Error> {
        call::vm_area_decommit(self.handle(), offset, len)
    }

    /// A new area with the same content, which shares pages until one of the two is written to.
    ///
    /// # Errors
    /// As `vm_area_snapshot`.
    pub fn snapshot(&self) -> Result<Self, Error> {
        call::vm_area_snapshot(self.handle()).map(Self::from_raw)
    }

    /// Maps all of it in this process; `access` of [`area::READ`], [`area::WRITE`].
    ///
    /// # Errors
    /// As `process_map`, and `vm_area_info`.
    pub fn map(&self, access: u64) -> Result<Mapping, Error> {
        self.map_part(0, self.size()?, access)
    }

    /// Maps a part of it in this process.
    ///
    /// # Errors
    /// As `process_map`.
    pub fn map_part(&self, offset: u64, len: u64, access: u64) -> Result<Mapping, Error> {
        let address = call::process_map(start::own(), self.handle(), 0, offset, len, access)?;
        Ok(Mapping { address, len })
    }
}

/// Memory of an area that this process sees, until this is dropped.
///
/// Others may see it, too, and change it at any time. So its bytes are copied in and out, never referred to. Copies are checked
/// against the length of the mapping, not against what it allows: to write where it is for reading only is an exception.
#[derive(Debug, PartialEq, Eq)]
pub struct Mapping {
    address: u64,
    len: u64,
}

/// Numbers that are read and written as a whole.
macro_rules! whole {
    ($($read:ident $write:ident $type:ty;)+) => {$(
        #[doc = concat!("Reads a ", stringify!($type), " in one access, from a place that is aligned for it; `None` elsewhere and outside.")]
        #[inline]
        pub fn $read(&self, offset: u64) -> Option<$type> {
            let place = self.aligned(offset, size_of::<$type>() as u64)?;
            // SAFETY: inside of the mapping, and aligned; any value is right.
            Some(unsafe { (place as *const $type).read_volatile() })
        }

        #[doc = concat!("Writes a ", stringify!($type), " in one access; whether the place is inside and aligned for it.")]
        #[inline]
        pub fn $write(&self, offset: u64, value: $type) -> bool {
            let Some(place) = self.aligned(offset, size_of::<$type>() as u64) else {
                return false;
            };
            // SAFETY: inside of the mapping, and aligned; no reference to it exists.
            unsafe { (place as *mut $type).write_volatile(value) };
            true
        }
    )+};
}

impl Mapping {
    /// Where it begins.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has no bytes, which no mapping has.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// It stays mapped for good; returns where.
    pub fn leak(self) -> u64 {
        let address = self.address;
        core::mem::forget(self);
        address
    }

    /// Copies bytes from an offset on; returns how many: fewer at the end.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let count = self.inside(offset, buffer.len());
        // SAFETY: `count` bytes from there on are in the mapping, and in the buffer.
        unsafe {
            let from = (self.address + offset.min(self.len)) as *const u8;
            crate::bytes::copy(buffer.as_mut_ptr(), from, count);
        }
        count
    }

    /// Copies bytes to an offset; returns how many: fewer at the end.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> usize {
        let count = self.inside(offset, bytes.len());
        // SAFETY: `count` bytes from there on are in the mapping, and in `bytes`; no reference to the former exists.
        unsafe {
            let to = (self.address + offset.min(self.len)) as *mut u8;
            crate::bytes::copy(to, bytes.as_ptr(), count);
        }
        count
    }

    whole! {
        read_u8 write_u8 u8;
        read_u16 write_u16 u16;
        read_u32 write_u32 u32;
        read_u64 write_u64 u64;
    }

    /// Changes what it may be used for, never beyond what the handle of the area allowed.
    ///
    /// # Errors
    /// As `process_protect`.
    pub fn protect(&self, access: u64) -> Result<(), Error> {
        call::process_protect(start::own(), self.address, self.len, access)
    }

    /// How many of so many bytes from an offset on are inside.
    fn inside(&self, offset: u64, len: usize) -> usize {
        (self.len.saturating_sub(offset)).min(len as u64) as usize
    }

    fn aligned(&self, offset: u64, size: u64) -> Option<u64> {
        let is_inside =
            offset.is_multiple_of(size) && offset < self.len && self.len - offset >= size;
        is_inside.then_some(self.address + offset)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // A whole mapping: this takes no memory.
        let len = self.len.next_multiple_of(PAGE_SIZE);
        let _ = call::process_unmap(start::own(), self.address, len);
    }
}
