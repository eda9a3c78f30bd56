//! Thin wrappers that let `kmem` work on the fake machine.

mod window;

pub use window::Window;

use std::collections::{BTreeSet, HashSet};

use kaddr::{Frame, PhysAddr, PhysRange};
use kmem::pt::{Flush, FrameSource, Levels, PageTable};
use ktestkit::{GlobalPages, Machine, PagingLevels};
use proptest::test_runner::Config;

/// Where the frames for tables lie.
const TABLES: PhysRange = PhysRange::new(PhysAddr::new(0x7000_0000), PhysAddr::new(0x7800_0000));

/// Frames for tables, with a count of what is left and a record of what is out.
pub struct Pool {
    /// How many more frames it gives.
    pub left: usize,
    pub out: HashSet<Frame>,
    free: BTreeSet<Frame>,
    next: Frame,
}

impl Pool {
    fn new() -> Self {
        let next = Frame::containing(TABLES.start).expect("a frame");
        Self {
            left: usize::MAX,
            out: HashSet::new(),
            free: BTreeSet::new(),
            next,
        }
    }
}

impl FrameSource for Pool {
    fn allocate_table(&mut self) -> Option<Frame> {
        self.left = self.left.checked_sub(1)?;
        let frame = self.free.pop_first().unwrap_or(self.next);
        if frame == self.next {
            self.next = frame.checked_add(1)?;
        }
        assert!(self.out.insert(frame), "{frame} was given out twice");
        Some(frame)
    }

    fn free_table(&mut self, table: Frame) {
        self.left = self.left.saturating_add(1);
        assert!(
            self.out.remove(&table),
            "{table} was given back without being out"
        );
        self.free.insert(table);
    }
}

/// A machine with one address space that all of its processors use.
pub struct World {
    pub machine: Machine,
    pub pool: Pool,
    pub table: PageTable,
}

impl World {
    pub fn new(levels: Levels, cpus: usize) -> Self {
        let walked = match levels {
            Levels::Four => PagingLevels::Four,
            Levels::Five => PagingLevels::Five,
        };
        let mut machine = Machine::new(cpus, walked, [TABLES]);
        let mut pool = Pool::new();
        let table = PageTable::new(levels, &mut Window(&mut machine.memory), &mut pool)
            .expect("there are frames");
        for cpu in machine.cpus() {
            machine.load_root(cpu, table.root());
        }
        Self {
            machine,
            pool,
            table,
        }
    }

    /// Does what the kernel does with a flush: on every processor, first forget, then reuse.
    pub fn carry_out(&mut self, flush: Flush) {
        for cpu in self.machine.cpus() {
            if flush.address_count() <= 64 {
                for address in flush.addresses() {
                    self.machine.invalidate(cpu, address);
                }
            } else if flush.has_global() {
                self.machine.flush(cpu, GlobalPages::Drop);
            } else {
                self.machine.flush(cpu, GlobalPages::Keep);
            }
        }
        self.finish(flush);
    }

    /// Takes the tables back, and checks that no processor knows them any more.
    pub fn finish(&mut self, flush: Flush) {
        let before = self.pool.out.clone();
        flush.finish(&mut Window(&mut self.machine.memory), &mut self.pool);
        for frame in before.difference(&self.pool.out) {
            assert!(
                !self.machine.is_cached_table(*frame),
                "{frame} is still known as a table"
            );
            self.machine.memory.forget(*frame);
        }
    }
}

/// That many random cases; failures become tests by hand, so none are written to files.
pub fn config(cases: u32) -> Config {
    Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    }
}
