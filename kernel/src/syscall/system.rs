//! Calls on the machine.

use abi::{Error, statistics::Statistics};

use super::write_words;
use crate::arch::current::{percpu, shootdown, time};
use crate::mm::{self, Purpose};

/// `abi_version`.
pub fn abi_version() -> Result<u64, Error> {
    Ok(abi::VERSION)
}

/// `clock_read`.
pub fn clock_read() -> Result<u64, Error> {
    Ok(time::now_ns())
}

/// `system_statistics`.
pub fn statistics(place: u64) -> Result<u64, Error> {
    let online = percpu::all().filter(|area| area.queue.is_online()).count();
    let memory = mm::statistics();
    let words = Statistics {
        processors: online as u64,
        total: memory.total,
        free: memory.free,
        cached: memory.cached,
        user: memory.used_for(Purpose::User),
        tables: memory.used_for(Purpose::Table),
        heap: memory.used_for(Purpose::Heap),
        stacks: memory.used_for(Purpose::Stack),
        other: memory.used_for(Purpose::Device)
            + memory.used_for(Purpose::KernelTable)
            + memory.used_for(Purpose::Other),
        heap_used: mm::heap::usage().used,
        shootdowns: shootdown::sent(),
    };
    write_words(place, words.to_words())
}
