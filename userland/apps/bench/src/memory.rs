//! Areas and mappings as values that clean up after themselves.

use sys::abi::{Error, Handle, area};
use sys::call;

/// Bytes of a page.
pub const PAGE: u64 = 4096;
/// Readable.
pub const R: u64 = area::READ;
/// Readable and writable.
pub const RW: u64 = area::READ | area::WRITE;

/// A handle that is closed when dropped.
pub struct Owned(pub Handle);

impl Drop for Owned {
    fn drop(&mut self) {
        // Nobody else closes it, so that it cannot fail.
        let _ = call::handle_close(self.0);
    }
}

/// A new demand-allocated area.
pub fn open_area(pages: u64) -> Result<Owned, Error> {
    call::vm_area_create(area::OPEN, pages * PAGE, 0).map(Owned)
}

/// A mapping of an area in this process, undone when dropped.
pub struct Mapping {
    process: Handle,
    pub address: u64,
    pages: u64,
}

impl Mapping {
    /// Maps the first pages of an area, readable and writable.
    pub fn new(process: Handle, area: &Owned, pages: u64) -> Result<Self, Error> {
        let address = call::process_map(process, area.0, 0, 0, pages * PAGE, RW)?;
        Ok(Self {
            process,
            address,
            pages,
        })
    }

    /// Writes to a page.
    pub fn touch(&self, page: u64) {
        // SAFETY: mapped by `new`, and no Rust object.
        unsafe { ((self.address + page * PAGE) as *mut u64).write_volatile(1) };
    }

    pub fn protect(&self, access: u64) -> Result<(), Error> {
        call::process_protect(self.process, self.address, self.pages * PAGE, access)
    }

    /// Unmaps and says whether that worked.
    pub fn unmap(self) -> Result<(), Error> {
        let this = core::mem::ManuallyDrop::new(self);
        call::process_unmap(this.process, this.address, this.pages * PAGE)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let _ = call::process_unmap(self.process, self.address, self.pages * PAGE);
    }
}
