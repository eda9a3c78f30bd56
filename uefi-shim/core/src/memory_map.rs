//! Turns the firmware's memory map into the one that the protocol promises.
//!
//! Invariants of the result, whatever the firmware says: sorted by base, no entry overlaps another
//! one, every base and length is a multiple of the page size and no length is zero, neighbours of
//! the same kind are one entry, nothing below 4 KiB is usable. Where descriptors contradict each
//! other, the one that allows less counts; what the loader itself took ([`Claim`]s) overrides all.
//!
//! Nothing here allocates once [`Workspace::new`] has run: the final map is made between the last
//! `GetMemoryMap` and `ExitBootServices`, when an allocation would change the map again.

use alloc::vec::Vec;

use crate::error::Error;
use crate::image::PAGE;

/// What a region of memory is, with the numbers of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind(pub u64);

impl Kind {
    /// Free memory.
    pub const USABLE: Self = Self(0);
    /// Not to be touched.
    pub const RESERVED: Self = Self(1);
    /// ACPI tables: free once they have been read.
    pub const ACPI_RECLAIMABLE: Self = Self(2);
    /// ACPI non-volatile storage.
    pub const ACPI_NVS: Self = Self(3);
    /// Memory with errors.
    pub const BAD: Self = Self(4);
    /// What the loader made for the kernel: free once the kernel no longer needs it.
    pub const BOOTLOADER_RECLAIMABLE: Self = Self(5);
    /// The kernel and its modules.
    pub const EXECUTABLE_AND_MODULES: Self = Self(6);
    /// A framebuffer.
    pub const FRAMEBUFFER: Self = Self(7);

    /// The kind of an EFI memory descriptor after the boot services are gone.
    ///
    /// Types: UEFI specification 2.10, section 7.2. What the loader and other EFI programs hold
    /// (`EfiLoaderCode`, `EfiLoaderData`) may still be in use until the kernel is on its own.
    pub fn from_efi(efi_type: u32) -> Self {
        match efi_type {
            1 | 2 => Self::BOOTLOADER_RECLAIMABLE,
            3 | 4 | 7 => Self::USABLE,
            8 => Self::BAD,
            9 => Self::ACPI_RECLAIMABLE,
            10 => Self::ACPI_NVS,
            _ => Self::RESERVED,
        }
    }

    /// Who wins where descriptors overlap: the higher one.
    fn precedence(self) -> u8 {
        match self {
            Self::USABLE => 1,
            Self::BOOTLOADER_RECLAIMABLE => 2,
            Self::EXECUTABLE_AND_MODULES => 3,
            Self::FRAMEBUFFER => 4,
            Self::ACPI_RECLAIMABLE => 5,
            Self::ACPI_NVS => 6,
            Self::BAD => 8,
            _ => 7,
        }
    }
}

/// A piece of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// Its first byte.
    pub base: u64,
    /// How many bytes it has.
    pub length: u64,
    /// What it is.
    pub kind: Kind,
}

impl Region {
    /// The address behind its last byte.
    pub fn end(&self) -> u64 {
        self.base.saturating_add(self.length)
    }

    /// The region with its bounds moved to pages: outwards, unless it is free memory.
    fn paged(self) -> Option<Self> {
        if self.length == 0 {
            return None;
        }
        let (base, end) = if self.kind == Kind::USABLE {
            (
                self.base.checked_next_multiple_of(PAGE)?,
                self.end() & !(PAGE - 1),
            )
        } else {
            let end = self
                .end()
                .checked_next_multiple_of(PAGE)
                .unwrap_or(!(PAGE - 1));
            (self.base & !(PAGE - 1), end)
        };
        let length = end.checked_sub(base).filter(|length| *length > 0)?;
        Some(Self {
            base,
            length,
            kind: self.kind,
        })
    }
}

/// Memory that the loader took; it overrides what the firmware says.
pub type Claim = Region;

/// Room for making a map without allocating.
#[derive(Debug)]
pub struct Workspace {
    sources: Vec<(Region, u8)>,
    bounds: Vec<u64>,
    map: Vec<Region>,
    capacity: usize,
}

impl Workspace {
    /// Sets aside room for so many descriptors and claims together.
    pub fn new(capacity: usize) -> Self {
        let bounds = capacity.saturating_mul(2).saturating_add(2);
        Self {
            sources: Vec::with_capacity(capacity),
            bounds: Vec::with_capacity(bounds),
            map: Vec::with_capacity(bounds),
            capacity,
        }
    }

    /// The most entries that a map can have.
    pub fn max_entries(&self) -> usize {
        self.capacity.saturating_mul(2).saturating_add(2)
    }

    /// Makes the map. Does not allocate.
    ///
    /// # Errors
    /// There are more descriptors and claims than there is room for.
    pub fn build(
        &mut self,
        firmware: impl Iterator<Item = Region>,
        claims: &[Claim],
    ) -> Result<&[Region], Error> {
        self.sources.clear();
        self.bounds.clear();
        self.map.clear();
        let firmware = firmware.map(|region| (region, region.kind.precedence()));
        // A claim beats every descriptor; among claims, the order of kinds holds.
        let claims = claims
            .iter()
            .map(|claim| (*claim, claim.kind.precedence().saturating_add(100)));
        for (region, precedence) in firmware.chain(claims) {
            if let Some(region) = region.paged() {
                if self.sources.len() >= self.capacity {
                    return Err(Error::MemoryMapTooLong {
                        capacity: self.capacity,
                    });
                }
                self.sources.push((region, precedence));
                self.bounds.push(region.base);
                self.bounds.push(region.end());
            }
        }
        // Page 0 is a piece of its own, so that it can be left out.
        self.bounds.push(0);
        self.bounds.push(PAGE);
        self.bounds.sort_unstable();
        self.bounds.dedup();
        self.sources.sort_unstable_by_key(|(region, _)| region.base);
        self.sweep();
        Ok(&self.map)
    }

    /// Gives each piece between two neighbouring bounds the strongest kind that covers it.
    fn sweep(&mut self) {
        // All sources that begin below the piece and may still reach it are in `first..`.
        let mut first = 0;
        for window in self.bounds.windows(2) {
            let [base, end] = *window else { continue };
            while self
                .sources
                .get(first)
                .is_some_and(|(region, _)| region.end() <= base)
            {
                first = first.saturating_add(1);
            }
            let strongest = self
                .sources
                .get(first..)
                .unwrap_or_default()
                .iter()
                .take_while(|(region, _)| region.base <= base)
                .filter(|(region, _)| region.end() > base)
                .max_by_key(|(_, precedence)| *precedence);
            let Some((Region { kind, .. }, _)) = strongest else {
                continue;
            };
            if base == 0 && *kind == Kind::USABLE {
                continue;
            }
            let length = end.saturating_sub(base);
            match self.map.last_mut() {
                Some(last) if last.end() == base && last.kind == *kind => {
                    last.length = last.length.saturating_add(length);
                }
                _ => self.map.push(Region {
                    base,
                    length,
                    kind: *kind,
                }),
            }
        }
    }

    /// The map that was made last.
    pub fn map(&self) -> &[Region] {
        &self.map
    }
}

/// Reads the descriptors of an EFI memory map; descriptors may be longer than is known today.
pub fn efi_regions(map: &[u8], descriptor_size: usize) -> impl Iterator<Item = Region> + '_ {
    // A descriptor has at least type, start, virtual start and page count.
    let size = descriptor_size.max(32);
    map.chunks_exact(size).filter_map(|bytes| {
        let word = |at: usize| {
            bytes
                .get(at..at.checked_add(8)?)?
                .try_into()
                .ok()
                .map(u64::from_le_bytes)
        };
        let efi_type = bytes.get(..4)?.try_into().ok().map(u32::from_le_bytes)?;
        let base = word(8)?;
        let length = word(24)?.checked_mul(PAGE)?;
        (length > 0).then_some(Region {
            base,
            length,
            kind: Kind::from_efi(efi_type),
        })
    })
}

#[cfg(test)]
mod tests;
