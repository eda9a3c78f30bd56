//! Resources: ranges of what the machine has. A handle of one is the authority to use it; a part of a range can be given on, never more.

use abi::Error;
use kaddr::{PAGE_SIZE, PhysAddr, PhysRange};
use kirq::{PORTS, PortRange};
use ksync::{AllocError, Arc};

use super::interrupt;
use crate::arch::current::cpuid;

/// What a range is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Physical memory: bytes.
    Memory,
    /// I/O ports.
    Ports,
    /// Interrupt lines, by their global system interrupts.
    Lines,
}

impl Kind {
    /// Its number in structures.
    pub fn number(self) -> u64 {
        match self {
            Self::Memory => abi::resource::MEMORY,
            Self::Ports => abi::resource::PORTS,
            Self::Lines => abi::resource::LINES,
        }
    }
}

/// A range. None is empty, but for that of all lines of a machine without any.
pub struct Resource {
    kind: Kind,
    start: u64,
    len: u64,
}

impl Resource {
    /// All that there is of a kind: the memory that the processor can address, all ports, all lines.
    ///
    /// # Errors
    /// When memory is short.
    pub fn whole(kind: Kind) -> Result<Arc<Self>, AllocError> {
        let len = match kind {
            Kind::Memory => 1 << cpuid::features().physical_bits.min(52),
            Kind::Ports => PORTS,
            Kind::Lines => interrupt::end(),
        };
        let start = 0;
        Arc::try_new(Self { kind, start, len })
    }

    /// What it is a range of.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The first one that belongs to it, and how many do.
    pub fn range(&self) -> (u64, u64) {
        (self.start, self.len)
    }

    /// Where `len` of it from `offset` on start; none if it has not got as many, or for none at all.
    fn start_of(&self, offset: u64, len: u64) -> Option<u64> {
        let is_inside = len != 0 && offset.checked_add(len)? <= self.len;
        is_inside.then(|| self.start.checked_add(offset))?
    }

    /// A resource of a part: `len` of it from `offset` on.
    ///
    /// # Errors
    /// `InvalidArgument` if it has not got as many, or for none at all; `OutOfMemory`.
    pub fn part(&self, offset: u64, len: u64) -> Result<Arc<Self>, Error> {
        let start = self.start_of(offset, len).ok_or(Error::InvalidArgument)?;
        let kind = self.kind;
        Arc::try_new(Self { kind, start, len }).map_err(|_| Error::OutOfMemory)
    }

    /// `len` bytes of a resource of memory from `offset` on; none if it has not got as many, or for no bytes at all.
    ///
    /// # Errors
    /// `NotSupported` if it is one of something else.
    pub fn memory(&self, offset: u64, len: u64) -> Result<Option<PhysRange>, Error> {
        self.expect(Kind::Memory)?;
        let start = self.start_of(offset, len).map(PhysAddr::new);
        Ok(start.and_then(|start| PhysRange::from_len(start, len)))
    }

    /// All ports of a resource of ports.
    ///
    /// # Errors
    /// `NotSupported` if it is one of something else.
    pub fn ports(&self) -> Result<PortRange, Error> {
        self.expect(Kind::Ports)?;
        let Some(range) = PortRange::new(self.start, self.len) else {
            unreachable!("a part of all ports");
        };
        Ok(range)
    }

    /// A line of a resource of lines.
    ///
    /// # Errors
    /// `NotSupported` if it is one of something else; `InvalidArgument` if it has not got as many.
    pub fn line(&self, offset: u64) -> Result<u32, Error> {
        self.expect(Kind::Lines)?;
        let line = self
            .start_of(offset, 1)
            .and_then(|line| line.try_into().ok());
        line.ok_or(Error::InvalidArgument)
    }

    /// Which of its lines an ISA interrupt is.
    ///
    /// # Errors
    /// As [`Self::line`].
    pub fn isa_line(&self, isa: u64) -> Result<u64, Error> {
        self.expect(Kind::Lines)?;
        let line = isa.try_into().ok().and_then(interrupt::isa).map(u64::from);
        let offset = line.and_then(|line| line.checked_sub(self.start));
        let offset = offset.filter(|offset| *offset < self.len);
        offset.ok_or(Error::InvalidArgument)
    }

    fn expect(&self, kind: Kind) -> Result<(), Error> {
        let is_so = self.kind == kind;
        is_so.then_some(()).ok_or(Error::NotSupported)
    }
}

/// Whether programs may have this range of pages: the kernel neither keeps anything there nor drives a device by it.
pub fn is_for_programs(range: PhysRange) -> bool {
    range.is_aligned(PAGE_SIZE) && !crate::mm::is_kernels(range)
}
