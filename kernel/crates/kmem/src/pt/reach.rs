//! Finding the table that an edit is about, and keeping the counts above it.
//!
//! Most edits concern a few pages, which one table maps. They begin there, instead of taking the whole way down for the
//! check and again for the change; only when the number of entries in use changes, tables above are touched.

use kaddr::{Frame, PhysAddr};

use super::edit::{Edit, Run};
use super::entry::{self, Kind};
use super::flush::Flush;
use super::table::{FrameSource, TableMemory, entry_address, index, span_shift};

/// The most entries on the way from the root to a table.
const LEVELS_ABOVE: usize = 4;

/// The lowest table that maps a whole run, and the way to it.
pub(super) struct Reached {
    pub(super) table: Frame,
    pub(super) level: u8,
    /// The entries that lead there, from the top: the first `top - level` of them.
    above: [PhysAddr; LEVELS_ABOVE],
    top: u8,
}

impl Reached {
    /// The entry that points to the table of `level`, if that is not the root.
    fn entry_to(&self, level: u8) -> Option<PhysAddr> {
        let place = self.top.checked_sub(level)?.checked_sub(1)?;
        self.above.get(usize::from(place)).copied()
    }
}

impl<M: TableMemory, S: FrameSource> Edit<'_, M, S> {
    /// Goes down from the root as long as one entry that points to a table has more than the run.
    pub(super) fn reach(&self, run: Run) -> Reached {
        let top = self.table.levels().count();
        let mut reached = Reached {
            table: self.table.root(),
            level: top,
            above: [PhysAddr::new(0); LEVELS_ABOVE],
            top,
        };
        for place in &mut reached.above {
            let level = reached.level;
            // The same entry at both ends, and not all of it.
            let within = (1 << span_shift(level)) - 1;
            let is_more = (run.first ^ run.last) & !within == 0 && run.last - run.first != within;
            if level == 1 || !is_more {
                break;
            }
            *place = entry_address(reached.table, index(run.first, level));
            match entry::kind(self.memory.read(*place), level) {
                Kind::Table(child) => reached.table = child,
                Kind::Absent | Kind::Leaf(_) => break,
            }
            reached.level -= 1;
        }
        reached
    }

    /// Counts entries that came into use in the table that was reached.
    pub(super) fn count_added(&mut self, reached: &Reached, run: Run, added: u64) {
        let above = reached.level + 1;
        let Some(entry) = reached.entry_to(reached.level) else {
            return;
        };
        if added != 0 && !self.is_shared(above, run.first) {
            let value = self.memory.read(entry);
            let count = entry::count(value) + added;
            self.memory.write(entry, entry::with_count(value, count));
        }
    }

    /// Counts entries that went out of use in the table that was reached; tables that are empty then go.
    pub(super) fn count_gone(&mut self, reached: &Reached, run: Run, gone: u64, flush: &mut Flush) {
        let mut gone = gone;
        for level in reached.level..reached.top {
            let Some(entry) = reached.entry_to(level) else {
                return;
            };
            if self.is_shared(level + 1, run.first) || !self.count_down(entry, gone, flush) {
                return;
            }
            gone = 1;
        }
    }

    /// Counts entries that went out of use in the table that `entry` points to. If it is empty then, it goes, and so does
    /// the entry: the answer is true.
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
