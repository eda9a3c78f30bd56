//! Memory that was lent to clients: what files were when they asked for it.

use alloc::vec::Vec;

use crate::{Content, Number};
use abi::{PAGE_SIZE, Rights, area};
use protocols::Fault;
use sys::object::VmArea;

/// How long a client may take from getting an area to mapping it, in nanoseconds, before it may be taken back.
const GRACE_NS: u64 = 1_000_000_000;

struct Area {
    file: Number,
    version: u64,
    area: VmArea,
    size: u64,
    lent_at: u64,
}

impl Area {
    /// Whether nobody has mapped it, or will soon.
    fn is_unused(&self) -> bool {
        let is_mapped = self.area.info().is_ok_and(|info| info.mappings > 0);
        !is_mapped && sys::time::now().saturating_sub(self.lent_at) > GRACE_NS
    }
}

/// What was lent, the oldest first. All of it is this process's memory, so it is counted, and taken back when nobody uses it.
pub struct Lent {
    areas: Vec<Area>,
    bytes: u64,
    limit: u64,
}

impl Lent {
    /// Nothing; at most so many bytes.
    pub fn new(limit: u64) -> Self {
        Self {
            areas: Vec::new(),
            bytes: 0,
            limit,
        }
    }

    /// Takes back what nobody uses.
    pub fn forget_unused(&mut self) {
        let bytes = &mut self.bytes;
        self.areas.retain(|area| {
            let is_used = !area.is_unused();
            if !is_used {
                *bytes -= area.size;
                // Handles that clients still have name nothing from now on.
                let _ = area.area.revoke();
            }
            is_used
        });
    }

    /// A handle of an area with the bytes of a file as it is now. Those who ask for the same get the same.
    pub fn lend(&mut self, file: Number, content: &Content) -> Result<VmArea, Fault> {
        let rights = Rights::MAP_READ
            .union(Rights::INSPECT)
            .union(Rights::TRANSFER)
            .union(Rights::DUPLICATE);
        let version = content.version();
        let same = |area: &&mut Area| area.file == file && area.version == version;
        if let Some(area) = self.areas.iter_mut().find(same) {
            area.lent_at = sys::time::now();
            return area.area.duplicate(rights).map_err(|_| Fault::OutOfMemory);
        }
        let size = content.size().next_multiple_of(PAGE_SIZE);
        if self.bytes + size > self.limit {
            self.forget_unused();
            if self.bytes + size > self.limit {
                return Err(Fault::NoRoom);
            }
        }
        let area = copy_of(content, size).map_err(|_| Fault::OutOfMemory)?;
        let handle = area.duplicate(rights).map_err(|_| Fault::OutOfMemory)?;
        self.bytes += size;
        self.areas.push(Area {
            file,
            version,
            area,
            size,
            lent_at: sys::time::now(),
        });
        Ok(handle)
    }
}

fn copy_of(content: &Content, size: u64) -> Result<VmArea, abi::Error> {
    let copy = VmArea::open(size)?;
    let mapping = copy.map(area::READ | area::WRITE)?;
    for (offset, page) in content.iter() {
        // All pages before the touch, so that there is memory for it or an error.
        copy.commit(offset, PAGE_SIZE)?;
        mapping.write(offset, page);
    }
    Ok(copy)
}
