//! What comes from the kernel: records in order of their numbers; a number that is missing is a record that is lost.

use abi::log::{Record, records};

use crate::filter::Filter;
use crate::store::{Store, with_lost};

/// Numbers of records since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that were received.
    pub received: u64,
    /// Those that were lost before they were received, and those for which there was no memory.
    pub lost: u64,
    /// Those that the filter left out.
    pub filtered: u64,
}

/// Where the reading is.
#[derive(Debug, Default)]
pub struct Intake {
    /// The number of the next record.
    next: u64,
    counts: Counts,
}

impl Intake {
    /// From which number on to read.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The numbers.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Takes what was read, and keeps it. Returns whether there was anything.
    pub fn take(&mut self, bytes: &[u8], filter: &Filter, store: &mut Store) -> bool {
        let before = self.next;
        for record in records(bytes) {
            self.take_record(&record, filter, store);
        }
        self.next != before
    }

    fn take_record(&mut self, record: &Record<'_>, filter: &Filter, store: &mut Store) {
        let sequence = record.head.sequence;
        // A number from before would be one that was taken already.
        let Some(missing) = sequence.checked_sub(self.next) else {
            return;
        };
        if missing != 0 {
            self.counts.lost = self.counts.lost.saturating_add(missing);
            let time_ns = record.head.time_ns;
            with_lost(self.next, missing, time_ns, |lost| store.push(lost));
        }
        self.next = sequence.saturating_add(1);
        self.counts.received = self.counts.received.saturating_add(1);
        if !filter.keeps(record) {
            self.counts.filtered = self.counts.filtered.saturating_add(1);
        } else if !store.push(record) {
            self.counts.lost = self.counts.lost.saturating_add(1);
        }
    }
}
