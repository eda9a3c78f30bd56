//! Tables of handles that nobody needs any more.
//!
//! The handles of a process may be the last ones of other processes, whose handles then go too, and so on. That must not be done
//! by functions that call each other, as the kernel's stack is short. So each processor has a list, and who finds
//! that its processor clears a table already only adds another.

use kobj::Leftovers;
use ksync::{Arc, MAX_CPUS};

use super::{HandleTable, Object};
use crate::arch::current::percpu;

/// By processor. The kernel is not preempted, and dropping objects does not block: whoever finds its processor's list busy was
/// called by the one who clears.
static LEFTOVERS: [Leftovers<Object>; MAX_CPUS] = [const { Leftovers::new() }; MAX_CPUS];

/// Closes all handles of a table, for good. When this returns they are closed, unless it was called while another table is
/// cleared; then they are when that is done.
pub fn clear(table: &Arc<HandleTable>) {
    table.seal();
    if table.count() == 0 {
        return;
    }
    if let Some(list) = LEFTOVERS.get(percpu::current().index as usize) {
        list.clear(table);
    }
}
