//! The page of positions, which both sides see.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use abi::{Error, Handle, PAGE_SIZE, area};

use crate::call;
use crate::object::Owned;

/// What both sides know of one of them.
#[repr(C, align(64))]
pub struct Side {
    /// How many bytes it has written, or read, ever.
    pub position: AtomicU64,
    /// It waits for the other side.
    pub is_waiting: AtomicU32,
    pub is_closed: AtomicU32,
    /// Bits of its event for which it waits: the other side has moved.
    moved: AtomicU64,
    /// Bits of its event: the other side is gone.
    closed: AtomicU64,
}

impl Side {
    pub fn wait_for(&self, moved: u64, closed: u64) {
        self.moved.store(moved, Ordering::Relaxed);
        self.closed.store(closed, Ordering::Relaxed);
    }

    /// The bits for which it waits: those of movement, and those of the end.
    pub fn bits(&self) -> (u64, u64) {
        let [moved, closed] = [&self.moved, &self.closed].map(|bits| bits.load(Ordering::Relaxed));
        (moved, closed)
    }

    pub fn close(&self) {
        self.is_closed.store(1, Ordering::SeqCst);
    }
}

/// The page's content.
#[repr(C)]
pub struct Positions {
    pub writer: Side,
    pub reader: Side,
}

/// Memory that is mapped as long as this is there.
pub struct Mapping {
    process: Handle,
    pub address: u64,
    len: u64,
}

impl Mapping {
    pub fn new(process: Handle, area: &Owned, len: u64, access: u64) -> Result<Self, Error> {
        let address = call::process_map(process, area.handle(), 0, 0, len, access)?;
        Ok(Self {
            process,
            address,
            len,
        })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // A whole mapping: this takes no memory.
        let _ = call::process_unmap(self.process, self.address, self.len);
    }
}

/// The page, mapped.
pub struct Page(Mapping);

impl Page {
    pub fn new(process: Handle, area: &Owned) -> Result<Self, Error> {
        Mapping::new(process, area, PAGE_SIZE, area::READ | area::WRITE).map(Self)
    }

    pub fn positions(&self) -> &Positions {
        // SAFETY: a page that is mapped as long as this is there, at its begin; all of it is atomic, and any bytes are right.
        unsafe { &*(self.0.address as *const Positions) }
    }

    pub fn writer(&self) -> &Side {
        &self.positions().writer
    }

    pub fn reader(&self) -> &Side {
        &self.positions().reader
    }
}
