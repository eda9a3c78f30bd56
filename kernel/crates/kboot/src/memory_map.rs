//! The memory map of the boot loader, made sane: sorted, page-aligned, without overlaps.
//!
//! Firmware maps contradict themselves. Where two regions overlap, the more dangerous kind wins, so
//! that memory counts as usable only when nothing says otherwise; and when the caller's buffer is
//! too small, what is lost is what would have been most usable.

use core::ops::Range;

/// The size to which regions are aligned.
pub const PAGE_SIZE: u64 = 4096;

/// What a region of physical memory is, from the most usable to the most dangerous.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RegionKind {
    /// Free memory.
    Usable,
    /// The boot loader's; free once nothing of it is used any more.
    BootloaderReclaimable,
    /// The kernel and its modules.
    ExecutableAndModules,
    /// ACPI tables; free once they were read.
    AcpiReclaimable,
    /// The framebuffer.
    Framebuffer,
    /// Registers of devices.
    Mmio,
    /// Memory that ACPI firmware uses.
    AcpiNvs,
    /// Not to be touched.
    Reserved,
    /// Memory with defects.
    Bad,
}

impl RegionKind {
    /// All kinds, the one that wins over all others first.
    const BY_PRIORITY: [Self; 9] = [
        Self::Bad,
        Self::Reserved,
        Self::AcpiNvs,
        Self::Mmio,
        Self::Framebuffer,
        Self::AcpiReclaimable,
        Self::ExecutableAndModules,
        Self::BootloaderReclaimable,
        Self::Usable,
    ];
}

/// A region of physical memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// Its addresses.
    pub range: Range<u64>,
    /// What it is.
    pub kind: RegionKind,
}

impl Region {
    /// A region of no bytes, to fill buffers with.
    pub const EMPTY: Self = Self {
        range: 0..0,
        kind: RegionKind::Reserved,
    };

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.range.end.saturating_sub(self.range.start)
    }
}

/// Whether all of the map is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// It is.
    Complete,
    /// The buffer was full: some regions, the most usable ones, are missing.
    Truncated,
}

/// The outcome of [`sanitise`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Sanitised {
    /// How many regions of the buffer are the map.
    pub count: usize,
    /// Whether that is all.
    pub completeness: Completeness,
    /// Entries whose end is not after their begin; worth a warning when not 0.
    pub nonsense: usize,
}

/// Writes the map into `out`: sorted, page-aligned (usable regions shrink, all others grow), no two
/// overlapping, neighbours of one kind merged. `out` should have twice as many places as there are
/// entries, plus one, which is always enough.
pub fn sanitise(entries: impl Iterator<Item = Region> + Clone, out: &mut [Region]) -> Sanitised {
    let nonsense = entries
        .clone()
        .filter(|entry| entry.range.is_empty())
        .count();
    let mut map = Map {
        regions: out,
        count: 0,
    };
    let mut completeness = Completeness::Complete;
    for kind in RegionKind::BY_PRIORITY {
        let of_kind = entries
            .clone()
            .filter(|entry| entry.kind == kind && !entry.range.is_empty());
        for entry in of_kind {
            if map.paint(aligned(&entry.range, kind), kind) == Completeness::Truncated {
                completeness = Completeness::Truncated;
            }
        }
    }
    Sanitised {
        count: map.count,
        completeness,
        nonsense,
    }
}

/// The pages of `range`; the last page of the address space is never part of them.
fn aligned(range: &Range<u64>, kind: RegionKind) -> Range<u64> {
    let down = |address: u64| address & !(PAGE_SIZE - 1);
    let up = |address: u64| down(address.saturating_add(PAGE_SIZE - 1));
    if kind == RegionKind::Usable {
        up(range.start)..down(range.end)
    } else {
        down(range.start)..up(range.end)
    }
}

/// The map while it is made: the first `count` regions are sorted and do not overlap or touch with
/// the same kind.
struct Map<'a> {
    regions: &'a mut [Region],
    count: usize,
}

impl Map<'_> {
    fn regions(&self) -> &[Region] {
        self.regions.get(..self.count).unwrap_or(&[])
    }

    /// Gives `kind` to all of `range` that has none yet.
    fn paint(&mut self, range: Range<u64>, kind: RegionKind) -> Completeness {
        let mut at = range.start;
        while at < range.end {
            // The first region that ends after `at`: it covers `at`, or ends the gap there.
            let next = self
                .regions()
                .partition_point(|region| region.range.end <= at);
            let gap_end = match self.regions().get(next) {
                Some(region) if region.range.start <= at => {
                    at = region.range.end;
                    continue;
                }
                Some(region) => region.range.start.min(range.end),
                None => range.end,
            };
            if self.insert(next, at..gap_end, kind) == Completeness::Truncated {
                return Completeness::Truncated;
            }
            at = gap_end;
        }
        Completeness::Complete
    }

    /// Puts a gap's region before the one at `index`, or joins it with its neighbours.
    fn insert(&mut self, index: usize, range: Range<u64>, kind: RegionKind) -> Completeness {
        let previous = index.checked_sub(1);
        let joins = |region: Option<&Region>, touch: fn(&Region) -> u64, edge: u64| {
            region.is_some_and(|region| region.kind == kind && touch(region) == edge)
        };
        let before = previous.and_then(|index| self.regions().get(index));
        let joins_before = joins(before, |region| region.range.end, range.start);
        let joins_after = joins(
            self.regions().get(index),
            |region| region.range.start,
            range.end,
        );
        match (previous, joins_before, joins_after) {
            (Some(previous), true, true) => {
                let end = self
                    .regions()
                    .get(index)
                    .map_or(range.end, |region| region.range.end);
                if let Some(region) = self.regions.get_mut(previous) {
                    region.range.end = end;
                }
                if let Some(tail) = self.regions.get_mut(index..self.count) {
                    tail.rotate_left(1);
                    self.count = self.count.saturating_sub(1);
                }
            }
            (Some(previous), true, false) => {
                if let Some(region) = self.regions.get_mut(previous) {
                    region.range.end = range.end;
                }
            }
            (_, _, true) => {
                if let Some(region) = self.regions.get_mut(index) {
                    region.range.start = range.start;
                }
            }
            _ => {
                let grown = self.count.saturating_add(1);
                let Some(tail) = self.regions.get_mut(index..grown) else {
                    return Completeness::Truncated;
                };
                tail.rotate_right(1);
                if let Some(place) = tail.first_mut() {
                    *place = Region { range, kind };
                }
                self.count = grown;
            }
        }
        Completeness::Complete
    }
}
