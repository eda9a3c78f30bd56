//! Memory on its way into a new process: made, filled here, and handed over.

use abi::{Error, PAGE_SIZE, Rights, area};
use sys::object::{Mapping, Process, VmArea};

/// An area that is filled by its maker and mapped into another process.
#[derive(Debug)]
pub struct Parcel(VmArea);

impl Parcel {
    /// An area of so many bytes, a multiple of the page size.
    pub fn open(len: u64) -> Result<Self, Error> {
        VmArea::open(len).map(Self)
    }

    /// An area of so many bytes with a guard page below; offsets count from that page.
    pub fn guarded(len: u64) -> Result<Self, Error> {
        VmArea::guarded(len, 1).map(Self)
    }

    /// Shows `len` bytes from `offset` on, a multiple of the page size, to a function that writes to them. Fresh memory is zeros.
    pub fn fill(&self, offset: u64, len: u64, write: impl FnOnce(&Mapping)) -> Result<(), Error> {
        if len != 0 {
            let pages = len.next_multiple_of(PAGE_SIZE);
            let access = area::READ | area::WRITE;
            write(&self.0.map_part(offset, pages, access)?);
        }
        Ok(())
    }

    /// Maps `len` bytes from `offset` on into a process, at an address or where the kernel likes; the process can never get more than
    /// this access. Returns the address.
    pub fn map_into(
        &self,
        process: &Process,
        address: Option<u64>,
        offset: u64,
        len: u64,
        access: u64,
    ) -> Result<u64, Error> {
        let bits = [
            (area::READ, Rights::MAP_READ),
            (area::WRITE, Rights::MAP_WRITE),
            (area::EXECUTE, Rights::MAP_EXECUTE),
        ];
        let rights = bits
            .iter()
            .filter(|(bit, _)| access & bit != 0)
            .fold(Rights::NONE, |rights, (_, right)| rights.union(*right));
        let narrow = self.0.duplicate(rights)?;
        match address {
            Some(address) => {
                process.map_at(&narrow, address, offset, len, access)?;
                Ok(address)
            }
            None => process.map(&narrow, offset, len, access),
        }
    }
}
