//! The fake machine's memory, for page tables.

use kaddr::{Frame, PhysAddr};
use kmem::pt::TableMemory;
use ktestkit::Memory;

/// The machine's memory as the page tables see it.
pub struct Window<'a>(pub &'a mut Memory);

impl TableMemory for Window<'_> {
    fn read(&self, entry: PhysAddr) -> u64 {
        self.0.read(entry)
    }

    fn write(&mut self, entry: PhysAddr, value: u64) {
        self.0.write(entry, value);
    }

    fn clear(&mut self, table: Frame) {
        self.0.fill(table, 0);
    }
}
