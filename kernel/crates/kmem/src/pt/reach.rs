//! Finding the table that an edit is about, and keeping the counts above it.
//!
//! Most edits concern a few pages, which one table maps. They begin there, instead of taking the whole way down for the
//! check and again for the change; only when the number of entries in use changes, tables above are touched.

use kaddr::{Frame, PhysAddr};

use super::edit::{Edit, Run};
use super::entry;
use super::flush::Flush;
use super::table::{FrameSource, LEVEL_SHIFT, TableMemory, entry_address, span_shift};

/// The lowest table that maps a whole run.
pub(super) struct Reached {
    pub(super) table: Frame,
    pub(super) level: u8,
    /// The entry that points to it; the root has none.
    entry: Option<PhysAddr>,
}

impl<M: TableMemory, S: FrameSource> Edit<'_, M, S> {
    /// Goes down from the root, to the level `lowest` at most, as long as an entry that points to a table has more than the
    /// run.
    #[inline]
    pub(super) fn reach(&self, run: Run, lowest: u8) -> Reached {
        let top = self.table.levels().count();
        let mut reached = Reached {
            table: self.table.root(),
            level: top,
            entry: None,
        };
        // Less than what an entry spans if the run lies within one and is not all of it.
        let span = (run.first ^ run.last).wrapping_add(1);
        let mut shift = span_shift(top);
        while reached.level > lowest && span >> shift == 0 {
            let entry = entry_address(reached.table, run.first >> shift);
            let Some(child) = entry::child(self.memory.read(entry)) else {
                break;
            };
            reached = Reached {
                table: child,
                level: reached.level - 1,
                entry: Some(entry),
            };
            shift -= LEVEL_SHIFT;
        }
        reached
    }

    /// Counts entries that came into use in the table that was reached.
    #[inline]
    pub(super) fn count_added(&mut self, reached: &Reached, run: Run, added: u64) {
        if let Some(entry) = reached.entry
            && added != 0
            && !self.is_shared(reached.level + 1, run.first)
        {
            let value = self.memory.read(entry);
            let count = entry::count(value) + added;
            self.memory.write(entry, entry::with_count(value, count));
        }
    }

    /// Counts entries that went out of use in the table that was reached; tables that are empty then go.
    #[inline]
    pub(super) fn count_gone(&mut self, reached: &Reached, run: Run, gone: u64, flush: &mut Flush) {
        if let Some(entry) = reached.entry
            && !self.is_shared(reached.level + 1, run.first)
            && self.count_down(entry, gone, flush)
        {
            self.count_tables_gone(reached.level + 1, run, flush);
        }
    }

    /// Counts the entry for a table that went, in its table of this level; and so on upward.
    #[cold]
    fn count_tables_gone(&mut self, level: u8, run: Run, flush: &mut Flush) {
        let mut level = level;
        while let Some(entry) = self.reach(run, level).entry {
            if self.is_shared(level + 1, run.first) || !self.count_down(entry, 1, flush) {
                return;
            }
            level += 1;
        }
    }

    /// Counts entries that went out of use in the table that `entry` points to. If it is empty then, it goes, and so does
    /// the entry: the answer is true.
    #[inline]
    pub(super) fn count_down(&mut self, entry: PhysAddr, gone: u64, flush: &mut Flush) -> bool {
        if gone == 0 {
            return false;
        }
        let value = self.memory.read(entry);
        let count = entry::count(value).saturating_sub(gone);
        if count != 0 {
            self.memory.write(entry, entry::with_count(value, count));
            return false;
        }
        self.memory.write(entry, 0);
        if let Some(table) = entry::table_frame(value) {
            flush.retire(table, self.memory);
        }
        true
    }
}
