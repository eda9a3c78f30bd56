//! Lines of text out of the store: all at once for who asks, and one after the other for who follows.

use alloc::string::String;
use core::fmt::{self, Write};

use protocols::logger::Select;

use crate::filter::is_selected;
use crate::format::{write_record, write_skipped};
use crate::store::{Cursor, Next, Store};

/// The answer to a query, before it is written.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    /// How many records of those that are selected come before.
    skip: u64,
    /// How many records it has.
    pub records: u64,
    /// How many bytes its text has.
    pub bytes: u64,
}

/// Counts bytes.
struct Counter(u64);

impl Write for Counter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.saturating_add(text.len() as u64);
        Ok(())
    }
}

/// Plans the answer: the last ones of those that are selected, all if `last` is 0.
pub fn plan(store: &Store, select: &Select, last: u32) -> Plan {
    let selected = || store.iter().filter(|record| is_selected(select, record));
    let all = selected().count() as u64;
    let records = if last == 0 {
        all
    } else {
        all.min(u64::from(last))
    };
    let skip = all.saturating_sub(records);
    let mut bytes = Counter(0);
    for record in selected().skip(usize::try_from(skip).unwrap_or(usize::MAX)) {
        // Counting does not fail.
        let _ = write_record(&record, &mut bytes);
    }
    Plan {
        skip,
        records,
        bytes: bytes.0,
    }
}

/// Writes what was planned; the store is as it was then.
///
/// # Errors
/// As `out`.
pub fn write(store: &Store, select: &Select, plan: &Plan, out: &mut dyn Write) -> fmt::Result {
    let selected = store.iter().filter(|record| is_selected(select, record));
    for record in selected.skip(usize::try_from(plan.skip).unwrap_or(usize::MAX)) {
        write_record(&record, out)?;
    }
    Ok(())
}

/// Somebody who gets each record as a line, from now on.
#[derive(Debug)]
pub struct Follower {
    select: Select,
    cursor: Cursor,
}

impl Follower {
    /// From now on.
    pub fn new(store: &Store, select: Select) -> Self {
        Self {
            select,
            cursor: store.end(),
        }
    }

    /// Appends lines to `text` until it is as long as `enough`, or there are no more. What was overwritten meanwhile is told of.
    pub fn lines(&mut self, store: &Store, text: &mut String, enough: usize) {
        while text.len() < enough {
            // A string takes whatever is written.
            let _ = match store.next(&mut self.cursor) {
                Next::Record(record) if is_selected(&self.select, &record) => {
                    write_record(&record, text)
                }
                Next::Record(_) => Ok(()),
                Next::Skipped(count) => write_skipped(count, text),
                Next::End => return,
            };
        }
    }
}
