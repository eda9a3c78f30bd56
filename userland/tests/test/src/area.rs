//! Areas and mappings as values that clean up after themselves, and single words of mapped memory.

use sys::abi::{Error, Handle, area};
use sys::call;

/// Bytes of a page.
pub const PAGE: u64 = 4096;
/// Readable.
pub const R: u64 = area::READ;
/// Readable and writable.
pub const RW: u64 = area::READ | area::WRITE;
/// Readable and executable.
pub const RX: u64 = area::READ | area::EXECUTE;

/// A handle that is closed when dropped.
pub struct Owned(pub Handle);

impl Drop for Owned {
    fn drop(&mut self) {
        // One that was given away names nothing any more.
        let _ = call::handle_close(self.0);
    }
}

/// A handle of an area.
pub struct Area(pub Owned);

impl Area {
    pub fn open(pages: u64) -> Result<Self, Error> {
        call::vm_area_create(area::OPEN, pages * PAGE, 0).map(|handle| Self(Owned(handle)))
    }

    pub fn ring(pages: u64) -> Result<Self, Error> {
        call::vm_area_create(area::RING, pages * PAGE, 0).map(|handle| Self(Owned(handle)))
    }

    pub fn guarded(sections: u64, pages: u64) -> Result<Self, Error> {
        call::vm_area_create(area::GUARDED, pages * PAGE, sections)
            .map(|handle| Self(Owned(handle)))
    }

    pub fn handle(&self) -> Handle {
        self.0.0
    }

    pub fn info(&self) -> area::Info {
        call::vm_area_info(self.handle()).unwrap_or_default()
    }

    pub fn snapshot(&self) -> Result<Self, Error> {
        call::vm_area_snapshot(self.handle()).map(|handle| Self(Owned(handle)))
    }

    /// Maps pages of the area in a process where the kernel likes.
    pub fn map(
        &self,
        process: Handle,
        first: u64,
        pages: u64,
        access: u64,
    ) -> Result<Mapping, Error> {
        let address = call::process_map(
            process,
            self.handle(),
            0,
            first * PAGE,
            pages * PAGE,
            access,
        )?;
        Ok(Mapping {
            process,
            address,
            pages,
        })
    }

    /// Maps pages of the area at an address.
    pub fn map_at(
        &self,
        process: Handle,
        address: u64,
        first: u64,
        pages: u64,
        access: u64,
    ) -> Result<Mapping, Error> {
        let access = access | area::AT_ADDRESS;
        let address = call::process_map(
            process,
            self.handle(),
            address,
            first * PAGE,
            pages * PAGE,
            access,
        )?;
        Ok(Mapping {
            process,
            address,
            pages,
        })
    }
}

/// A mapping that is undone when dropped.
pub struct Mapping {
    process: Handle,
    pub address: u64,
    pub pages: u64,
}

impl Mapping {
    /// Address of a word of a page.
    pub fn at(&self, page: u64, word: u64) -> u64 {
        self.address + page * PAGE + word * 8
    }

    pub fn write(&self, page: u64, value: u64) {
        store(self.at(page, 0), value);
        store(self.at(page, 511), !value);
    }

    /// The value that was written to a page; `None` when its two words do not fit.
    pub fn read(&self, page: u64) -> Option<u64> {
        let value = load(self.at(page, 0));
        let other = load(self.at(page, 511));
        (other == !value || (value == 0 && other == 0)).then_some(value)
    }

    pub fn protect(&self, first: u64, pages: u64, access: u64) -> Result<(), Error> {
        call::process_protect(self.process, self.at(first, 0), pages * PAGE, access)
    }

    /// Unmaps and says whether that worked.
    pub fn unmap(self) -> Result<(), Error> {
        let result = call::process_unmap(self.process, self.address, self.pages * PAGE);
        core::mem::forget(self);
        result
    }

    /// The mapping stays, for somebody else.
    pub fn keep(self) -> u64 {
        let address = self.address;
        core::mem::forget(self);
        address
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let _ = call::process_unmap(self.process, self.address, self.pages * PAGE);
    }
}

/// Reads a word of mapped memory.
pub fn load(address: u64) -> u64 {
    // SAFETY: the caller has mapped it; it is no Rust object.
    unsafe { (address as *const u64).read_volatile() }
}

/// Writes a word of mapped memory.
pub fn store(address: u64, value: u64) {
    // SAFETY: as above.
    unsafe { (address as *mut u64).write_volatile(value) }
}
