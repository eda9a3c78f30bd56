//! The I/O ports that a process may use: a bitmap in the task-state segment of each processor (Intel SDM vol. 1, 19.5.2), filled
//! when a process runs there that has ports, and out of sight while others run.
//!
//! Each change of a process's ports gets a number that no other has, its *version*, and each processor notes which version it lets
//! programs use. A switch to another process compares the two. A thread that runs while its process is given ports has an old version in its
//! processor: it faults when it uses one, and goes on when the processor has caught up ([`Ports::catch_up`]). Ports are never
//! taken away from a process, so that no processor can let it use too many.

use core::sync::atomic::{AtomicU64, Ordering};

use kirq::{IrqError, PortRange, PortSet};

use crate::arch::current::IrqLock;
use crate::arch::current::percpu::{self, PerCpu};
use crate::locks;

/// The most ranges of a process's ports; those that touch are one. docs and the table of calls name it.
const RANGES_MAX: usize = 16;
/// The version of processes without ports.
const NONE: u64 = 0;

static NEXT: AtomicU64 = AtomicU64::new(NONE + 1);

/// The ports of a process.
pub struct Ports {
    /// Changed with the lock of the set held.
    version: AtomicU64,
    set: IrqLock<PortSet<RANGES_MAX>, locks::Ports>,
}

impl Ports {
    /// None.
    pub fn none() -> Self {
        Self {
            version: AtomicU64::new(NONE),
            set: IrqLock::new(PortSet::new()),
        }
    }

    /// Adds ports.
    ///
    /// # Errors
    /// When there would be too many ranges.
    pub fn add(&self, range: PortRange) -> Result<(), IrqError> {
        let mut set = self.set.lock();
        if !set.contains(&range) {
            set.add(range)?;
            let version = NEXT.fetch_add(1, Ordering::Relaxed);
            self.version.store(version, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Makes this processor, which goes on with a thread of the process, let it use its ports and no others. With interrupts off.
    #[inline]
    pub fn follow(&self, area: &PerCpu) {
        if self.version.load(Ordering::Relaxed) != area.ports.get() {
            self.load(area);
        }
    }

    /// As [`Self::follow`], when a thread of the process has faulted; whether there was something to do. With interrupts off.
    pub fn catch_up(&self) -> bool {
        let area = percpu::current();
        let is_behind = self.version.load(Ordering::Relaxed) != area.ports.get();
        if is_behind {
            self.load(area);
        }
        is_behind
    }

    #[cold]
    fn load(&self, area: &PerCpu) {
        let set = self.set.lock();
        let version = self.version.load(Ordering::Relaxed);
        // SAFETY: the tables are this CPU's own, interrupts are off, and nobody else uses them meanwhile (invariant 5).
        let tables = unsafe { &mut *area.tables.get() };
        if version == NONE {
            tables.deny_ports();
        } else {
            tables.allow_ports(&set, version);
        }
        area.ports.set(version);
    }
}
