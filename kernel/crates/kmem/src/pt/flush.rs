//! What processors must forget after an edit.

use kaddr::{PageSize, VirtAddr, VirtRange};

use super::reserve::Chain;
use super::table::{FrameSource, TableMemory};

/// What every processor that uses the address space must forget before the edit is complete.
///
/// Use it in this order: see to it that each such processor executes `INVLPG` for all
/// [`addresses`](Self::addresses), or drops all its translations when that are too many (also the
/// global ones if [`has_global`](Self::has_global)); then call [`finish`](Self::finish), which
/// gives the frames of emptied tables back; only then reuse the frames that were unmapped.
///
/// One `INVLPG` drops all that a processor knows about tables of the current address space (Intel
/// SDM Vol. 3A section 4.10.4.1), so the tables need no flush of their own.
#[derive(Debug, Default)]
#[must_use = "processors go on using the old translations until the flush is carried out"]
pub struct Flush {
    /// The lowest and the highest changed page, and the smallest page size among them.
    changed: Option<(VirtAddr, VirtAddr, PageSize)>,
    global: bool,
    tables: Chain,
}

impl Flush {
    /// Whether nothing has to be forgotten; [`Self::finish`] is due all the same.
    pub fn is_empty(&self) -> bool {
        self.changed.is_none() && self.tables.is_empty()
    }

    /// The smallest range around all that has changed; the last page of the address space, whose
    /// end has no address, is not in it but in [`Self::addresses`].
    pub fn range(&self) -> VirtRange {
        self.changed
            .map_or(VirtRange::default(), |(low, high, size)| {
                let end = high.checked_add(size.bytes()).unwrap_or(VirtAddr::MAX);
                VirtRange::new(low, end)
            })
    }

    /// One address in each page that may have changed.
    pub fn addresses(&self) -> impl Iterator<Item = VirtAddr> {
        let step = self.smallest_page().bytes();
        let mut next = self.changed.map(|(low, _, _)| low);
        let last = self.changed.map(|(_, high, _)| high);
        core::iter::from_fn(move || {
            let address = next?;
            next = address
                .checked_add(step)
                .filter(|&after| Some(after) <= last);
            Some(address)
        })
    }

    /// How many [`Self::addresses`] there are.
    pub fn address_count(&self) -> u64 {
        self.changed.map_or(0, |(low, high, size)| {
            high.offset_from(low).unwrap_or(0) / size.bytes() + 1
        })
    }

    /// The size of the smallest page that has changed, which [`Self::addresses`] takes as its step.
    pub fn smallest_page(&self) -> PageSize {
        self.changed.map_or(PageSize::Small, |(_, _, size)| size)
    }

    /// Whether tables became empty, which [`Self::finish`] gives back.
    pub fn frees_tables(&self) -> bool {
        !self.tables.is_empty()
    }

    /// Whether a changed mapping was or is global, so that loading `CR3` is not enough.
    pub fn has_global(&self) -> bool {
        self.global
    }

    /// Joins two flushes of the same address space, to carry them out at once.
    pub fn merge(&mut self, other: Self, memory: &mut impl TableMemory) {
        let Self {
            changed,
            global,
            tables,
        } = other;
        if let Some((low, high, size)) = changed {
            self.note(low, size, global);
            self.note(high, size, global);
        }
        self.tables.append(tables, memory);
    }

    /// Gives the frames of emptied tables back. Call it when every processor has flushed, or when
    /// none uses the address space.
    pub fn finish<M: TableMemory, S: FrameSource>(self, memory: &mut M, source: &mut S) {
        self.tables.release(memory, source);
    }

    /// Notes that the page at `address` has changed.
    pub(super) fn note(&mut self, address: VirtAddr, size: PageSize, global: bool) {
        self.global |= global;
        self.changed = Some(match self.changed {
            None => (address, address, size),
            Some((low, high, smallest)) => {
                // With a smaller step, the last step must still reach the last page's start,
                // and it does: page starts are multiples of all smaller sizes.
                (low.min(address), high.max(address), smallest.min(size))
            }
        });
    }

    /// Notes that a table, now clear, is no longer in use.
    pub(super) fn retire(&mut self, table: kaddr::Frame, memory: &mut impl TableMemory) {
        self.tables.push(table, memory);
    }
}
