//! The machine, its spaces and what they should show.

use kaddr::{Frame, PhysAddr, VirtAddr, VirtRange};
use kmem::pt::{Flags, Levels, PageTable, Protection};
use kmem::tlb::{Slots, SpaceId};
use ksync::{Request, Residency};
use ktestkit::{Access, CpuId, Machine, Mode, PagingLevels};
use proptest::prelude::prop_assert;
use proptest::test_runner::TestCaseError;

use crate::fault::Fault;
use crate::jobs::Job;
use crate::memory::{Pool, RAM};
use crate::ops::{self, CPUS, Edit};
use crate::window::Window;

/// What a page shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub frame: u64,
    pub flags: Flags,
    /// How often the frame had been given back when it was mapped.
    pub epoch: u64,
}

/// What one half of the address space shows, at the pages that are watched.
pub struct Half {
    pub now: Vec<Option<Seen>>,
    /// What pages showed before the change that is not complete yet.
    pub old: Vec<(usize, Seen)>,
    /// Where anything was mapped ever.
    pub ever: Vec<bool>,
    /// Somebody changes it; who comes then would wait for the lock.
    pub is_locked: bool,
}

impl Half {
    fn new(pages: usize) -> Self {
        Self {
            now: vec![None; pages],
            old: Vec::new(),
            ever: vec![false; pages],
            is_locked: false,
        }
    }
}

/// An address space.
pub struct Space {
    pub id: SpaceId,
    /// `None` when it is destroyed.
    pub table: Option<PageTable>,
    pub residency: Residency,
    /// Changes that got a number, but were not counted ([`Fault::NotCounted`]).
    pub uncounted: u64,
    pub half: Half,
    /// It is about to be destroyed: none of its threads will run.
    pub is_closed: bool,
}

/// A processor: what the kernel knows of it, and what it is at.
pub struct Cpu {
    pub slots: Slots,
    /// The space that the kernel thinks is loaded.
    pub loaded: Option<usize>,
    /// The space whose tables the processor walks; none: the kernel's own.
    pub walks: Option<usize>,
    pub job: Job,
    /// What it asks of others, and who has not answered.
    pub asks: Request,
    pub waits_for: Vec<usize>,
    /// Who asks something of it.
    pub asked_by: Vec<usize>,
    /// What it should have done before it answered ([`Fault::AnsweredBeforeDone`]).
    pub late: Vec<Request>,
    /// Which space each PCID was loaded for last.
    pub pcid_owner: Vec<Option<SpaceId>>,
}

/// Everything.
pub struct System {
    pub machine: Machine,
    pub pool: Pool,
    pub watched: Vec<VirtAddr>,
    /// All spaces that ever were.
    pub spaces: Vec<Space>,
    /// Those that are not destroyed, nor about to be.
    pub live: Vec<usize>,
    pub kernel: PageTable,
    pub kernel_half: Half,
    pub cpus: Vec<Cpu>,
    pub fault: Option<Fault>,
}

impl System {
    /// Processors with this many PCIDs, a number of spaces, and a kernel with this mistake.
    pub fn new(with_pcid: usize, spaces: usize, fault: Option<Fault>) -> Self {
        let mut machine = Machine::new(CPUS, PagingLevels::Four, [RAM]);
        let mut pool = Pool::new(&mut machine.memory);
        let memory = &mut Window(&mut machine.memory);
        let mut kernel = PageTable::new(Levels::Four, memory, &mut pool).expect("there is memory");
        kernel
            .edit(memory, &mut pool)
            .ensure_top_level(ops::KERNEL)
            .expect("there is memory");
        let cpus = machine.cpus().map(|cpu| {
            machine.load_root(cpu, kernel.root());
            Cpu {
                slots: Slots::new(with_pcid),
                loaded: None,
                walks: None,
                job: Job::Idle,
                asks: [0; 3],
                waits_for: Vec::new(),
                asked_by: Vec::new(),
                late: Vec::new(),
                pcid_owner: vec![None; with_pcid + 1],
            }
        });
        let cpus = cpus.collect();
        let watched = ops::watched();
        let mut system = Self {
            machine,
            pool,
            kernel_half: Half::new(watched.len()),
            watched,
            spaces: Vec::new(),
            live: Vec::new(),
            kernel,
            cpus,
            fault,
        };
        let map = |protection| Edit::Map {
            protection,
            is_shared: false,
        };
        let kernel = map(Protection::KERNEL_DATA);
        system.change_at_once(None, ops::KERNEL, kernel);
        for _ in 0..spaces {
            let space = system.new_space();
            system.live.push(space);
            for range in ops::at_first() {
                let user = map(Protection::USER_DATA);
                system.change_at_once(Some(space), range, user);
            }
        }
        system
    }

    /// Maps what nobody can know yet.
    fn change_at_once(&mut self, space: Option<usize>, range: VirtRange, edit: Edit) {
        let change = self.change(space, range, edit);
        self.complete(space, change);
    }

    /// Makes a space without mappings.
    pub fn new_space(&mut self) -> usize {
        let memory = &mut Window(&mut self.machine.memory);
        let table = PageTable::new_sharing(&self.kernel, memory, &mut self.pool);
        self.spaces.push(Space {
            id: SpaceId::new(self.spaces.len() as u64 + 1).expect("not zero"),
            table: Some(table.expect("there is memory")),
            residency: Residency::new(),
            uncounted: 0,
            half: Half::new(self.watched.len()),
            is_closed: false,
        });
        self.spaces.len() - 1
    }

    pub fn half(&mut self, space: Option<usize>) -> &mut Half {
        match space {
            Some(space) => &mut self.spaces[space].half,
            None => &mut self.kernel_half,
        }
    }

    pub fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// A processor uses a page. It must see what is there now, or, while a change is not complete, what was there before;
    /// and nothing in a frame that was given back since. What is allowed must succeed, unless it is being changed.
    pub fn touch(&mut self, cpu: usize, page: usize, access: Access) -> Result<(), TestCaseError> {
        let address = self.watched[page];
        let (mode, half) = match (address.is_upper_half(), self.cpus[cpu].walks) {
            (true, _) => (Mode::Kernel, Some(&self.kernel_half)),
            (false, Some(space)) => (Mode::User, Some(&self.spaces[space].half)),
            (false, None) => (Mode::User, None),
        };
        let got = self.machine.translate(CpuId(cpu), address, access, mode);
        let now = half.and_then(|half| half.now[page]);
        let mut old = half
            .iter()
            .flat_map(|half| &half.old)
            .filter(|(of, _)| *of == page)
            .map(|(_, seen)| *seen);
        let pool = &self.pool;
        let allowed = |seen: &Seen| ops::allows(seen.flags, access);
        match got.map(PhysAddr::as_u64) {
            Ok(phys) => {
                let is_it = |seen: &Seen| {
                    seen.frame == phys && allowed(seen) && seen.epoch == pool.epoch(phys)
                };
                let fits = now.iter().any(is_it) || old.any(|seen| is_it(&seen));
                prop_assert!(
                    fits,
                    "a processor, {cpu}, reaches {phys:#x} at {address}, which shows {now:?}"
                );
            }
            Err(fault) => {
                let must_succeed = now.iter().any(allowed) && old.next().is_none();
                prop_assert!(
                    !must_succeed,
                    "a processor, {cpu}, gets {fault:?} at {address}, which shows {now:?}"
                );
            }
        }
        Ok(())
    }

    /// Uses all pages that ever showed something in what a processor has loaded.
    pub fn touch_all(&mut self, cpu: usize) -> Result<(), TestCaseError> {
        self.touch_ever(cpu, &[Access::Read, Access::Write])
    }

    /// What a processor does at any time, on the way to instructions that it may never carry out.
    pub fn speculate(&mut self, cpu: usize) -> Result<(), TestCaseError> {
        self.touch_ever(cpu, &[Access::Read])
    }

    fn touch_ever(&mut self, cpu: usize, accesses: &[Access]) -> Result<(), TestCaseError> {
        for page in 0..self.watched.len() {
            let in_space = self.cpus[cpu]
                .walks
                .is_some_and(|space| self.spaces[space].half.ever[page]);
            if in_space || self.kernel_half.ever[page] {
                for access in accesses {
                    self.touch(cpu, page, *access)?;
                }
            }
        }
        Ok(())
    }

    /// The root of a space, or of the kernel's own tables.
    pub fn root(&self, space: Option<usize>) -> Frame {
        match space.and_then(|space| self.spaces[space].table.as_ref()) {
            Some(table) => table.root(),
            None => self.kernel.root(),
        }
    }
}
