//! Reading areas from the kernel, for who looks at the memory of another process.

use abi::Error;
use kmem::pt::CacheMode;

use super::area::VmArea;
use crate::mm::phys_to_virt;

impl VmArea {
    /// Copies bytes of a page from the byte `from` of it on. A page that is not there reads as zeros, and stays away.
    ///
    /// # Errors
    /// `NotMapped` for guard pages and beyond the end; `NotSupported` for memory of devices.
    pub(super) fn read(&self, page: u64, from: usize, into: &mut [u8]) -> Result<(), Error> {
        if self.cache != CacheMode::WriteBack {
            return Err(Error::NotSupported);
        }
        let mut inner = self.inner.lock();
        let frame = inner.area.peek(page).map_err(|_| Error::NotMapped)?;
        let Some(frame) = frame else {
            into.fill(0);
            return Ok(());
        };
        let at = phys_to_virt(frame.start()).as_u64() as usize + from;
        for (offset, byte) in into.iter_mut().enumerate() {
            // SAFETY: within a frame of the area, which is locked, in the direct map: what is cached is memory, either frames that the
            // area owns or the file of a boot module (invariants 1 and 4). Volatile, as programs may write to it meanwhile.
            *byte = unsafe { ((at + offset) as *const u8).read_volatile() };
        }
        Ok(())
    }
}
