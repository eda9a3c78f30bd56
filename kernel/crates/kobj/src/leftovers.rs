//! Tables that are cleared one after the other, although clearing one makes the next superfluous.

use ksync::{Arc, SpinLock};

use crate::table::Table;

/// Handles that are closed before others get their turn, for the length of lists that are found unlocked.
const STEP: u32 = 64;

struct List<T> {
    first: Option<Arc<Table<T>>>,
    is_busy: bool,
}

/// A list of tables to be cleared, linked through the tables themselves, so that adding one cannot fail.
pub struct Leftovers<T> {
    list: SpinLock<List<T>>,
}

impl<T> Leftovers<T> {
    /// An empty list.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        let (first, is_busy) = (None, false);
        Self {
            list: SpinLock::new(List { first, is_busy }),
        }
    }

    /// Seals a table and closes its handles; now, or, if somebody clears one of this list already, by that one. A table may be
    /// given again, when it is not on a list.
    pub fn clear(&self, table: &Arc<Table<T>>) {
        table.seal();
        {
            let mut list = self.list.lock();
            *table.next_leftover.lock() = list.first.take();
            list.first = Some(table.clone());
            if list.is_busy {
                return;
            }
            list.is_busy = true;
        }
        while let Some(table) = self.next() {
            let mut from = 0;
            while !table.clear(&mut from, STEP) {}
        }
    }

    /// Takes the first one off; without one, nobody clears any more.
    fn next(&self) -> Option<Arc<Table<T>>> {
        let mut list = self.list.lock();
        let first = list.first.take();
        match &first {
            Some(table) => list.first = table.next_leftover.lock().take(),
            None => list.is_busy = false,
        }
        first
    }
}

#[cfg(not(loom))]
impl<T> Default for Leftovers<T> {
    fn default() -> Self {
        Self::new()
    }
}
