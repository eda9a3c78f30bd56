//! Page tables against a model, with processors that remember what they have seen.

#[path = "../common/mod.rs"]
mod common;
mod model;
mod ops;

use common::{Window, World};
use kaddr::{PAGE_SIZE, Page, PageSize, PhysAddr, PhysRange, VirtAddr, VirtRange};
use kmem::pt::{CacheMode, Flags, Levels, MapError, Protection, Unmapped};
use ktestkit::{Access, CpuId, Mode};
use model::{Entry, Model};
use ops::{Op, op};
use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};
use proptest::test_runner::TestCaseError;

/// Whether a protection may be used in the half of this address; the range is checked before.
fn allowed(at: u64, protection: Protection) -> Result<(), MapError> {
    let flags = protection.flags;
    if flags.contains(Flags::WRITE) && flags.contains(Flags::EXECUTE) {
        Err(MapError::WriteExecute)
    } else if flags.contains(if at >> 63 == 0 {
        Flags::GLOBAL
    } else {
        Flags::USER
    }) {
        Err(MapError::WrongHalf)
    } else {
        Ok(())
    }
}

/// Whether a range has an end and lies in one half; its start is canonical with 48 bits.
fn canonical(levels: Levels, at: u64, len: u64) -> bool {
    let sign = levels.address_bits() - 1;
    at.checked_add(len - 1)
        .is_some_and(|last| at >> sign == last >> sign)
}

struct Run {
    world: World,
    model: Model,
    levels: Levels,
}

impl Run {
    fn step(&mut self, op: Op) -> Result<(), TestCaseError> {
        match op {
            Op::Map {
                at,
                phys,
                len,
                protection,
                largest,
            } => {
                self.map(at, phys, len, protection, largest)?;
            }
            Op::Unmap { at } => self.unmap(at)?,
            Op::UnmapNth { nth } => {
                if let Some(at) = self.nth(nth) {
                    self.unmap(at)?;
                }
            }
            Op::UnmapRange { at, len } => self.unmap_range(at, len)?,
            Op::Protect {
                at,
                len,
                protection,
            } => self.protect(at, len, protection)?,
            Op::CutNth {
                nth,
                page,
                pages,
                protection,
            } => {
                if let Some(at) = self.nth(nth) {
                    let inside = page % self.model.entries[&at].size.frames();
                    let (at, len) = (at + inside * PAGE_SIZE, pages * PAGE_SIZE);
                    match protection {
                        Some(protection) => self.protect(at, len, protection)?,
                        None => self.unmap_range(at, len)?,
                    }
                }
            }
            Op::Touch {
                cpu,
                at,
                access,
                mode,
            } => self.touch(CpuId(cpu), at, access, mode)?,
            Op::TouchNth {
                cpu,
                nth,
                access,
                mode,
            } => {
                if let Some(at) = self.nth(nth) {
                    self.touch(CpuId(cpu), at, access, mode)?;
                }
            }
            Op::Frames { left } => self.world.pool.left = left,
        }
        prop_assert_eq!(self.world.machine.stale(), vec![]);
        prop_assert_eq!(self.world.pool.out.len(), self.model.tables(self.levels));
        Ok(())
    }

    fn nth(&self, nth: usize) -> Option<u64> {
        let nth = nth.checked_rem(self.model.entries.len())?;
        self.model.entries.keys().nth(nth).copied()
    }

    fn map(
        &mut self,
        at: u64,
        phys: u64,
        len: u64,
        protection: Protection,
        largest: PageSize,
    ) -> Result<(), TestCaseError> {
        let World {
            machine,
            pool,
            table,
        } = &mut self.world;
        let left = pool.left;
        let got = table
            .edit(&mut Window(&mut machine.memory), pool)
            .map_range(
                VirtAddr::new(at),
                PhysRange::new(PhysAddr::new(phys), PhysAddr::new(phys + len)),
                protection,
                largest,
            );
        if !canonical(self.levels, at, len) {
            prop_assert_eq!(got, Err(MapError::NotCanonical));
        } else if let Err(error) = allowed(at, protection) {
            prop_assert_eq!(got, Err(error));
        } else if let Some(&first) = self.model.overlapping(at, len).first() {
            let taken = VirtAddr::new(first.max(at));
            prop_assert_eq!(got, Err(MapError::AlreadyMapped { at: taken }));
        } else {
            let before = self.model.tables(self.levels);
            let mut after = self.model.clone();
            after.map(at, phys, len, protection, largest);
            if after.tables(self.levels) - before > left {
                prop_assert_eq!(got, Err(MapError::OutOfFrames));
            } else {
                prop_assert_eq!(got, Ok(()));
                self.model = after;
            }
        }
        Ok(())
    }

    fn unmap(&mut self, at: u64) -> Result<(), TestCaseError> {
        let World {
            machine,
            pool,
            table,
        } = &mut self.world;
        let page = Page::starting_at(VirtAddr::new(at)).expect("aligned");
        let got = table
            .edit(&mut Window(&mut machine.memory), pool)
            .unmap(page);
        match (self.model.entries.get(&at).copied(), got) {
            (Some(entry), Ok((frame, size, flush))) => {
                prop_assert_eq!((frame.start().as_u64(), size), (entry.phys, entry.size));
                self.model.entries.remove(&at);
                self.world.carry_out(flush);
            }
            (None, Err(MapError::NotMapped { at: told })) => {
                prop_assert_eq!(told.as_u64(), at);
                prop_assert_eq!(self.model.overlapping(at, 1), vec![]);
            }
            (None, Err(MapError::Misaligned)) => {
                prop_assert!(!self.model.overlapping(at, 1).is_empty());
            }
            (expected, got) => prop_assert!(false, "{expected:?} but {got:?}"),
        }
        Ok(())
    }

    fn unmap_range(&mut self, at: u64, len: u64) -> Result<(), TestCaseError> {
        let Some(end) = at.checked_add(len) else {
            return Ok(());
        };
        let World {
            machine,
            pool,
            table,
        } = &mut self.world;
        let range = VirtRange::new(VirtAddr::new(at), VirtAddr::new(end));
        let mut gone = Vec::new();
        let mut visit = |unmapped: Unmapped| {
            let at = unmapped.page.start().as_u64();
            gone.push((at, unmapped.frame.start().as_u64(), unmapped.size));
        };
        let left = pool.left;
        let got = table
            .edit(&mut Window(&mut machine.memory), pool)
            .unmap_range(range, &mut visit);
        match got {
            Err(MapError::NotCanonical) => prop_assert!(!canonical(self.levels, at, len)),
            Err(error) => {
                prop_assert_eq!(error, MapError::OutOfFrames);
                prop_assert!(gone.is_empty());
                prop_assert!(left < 4, "at most four pages are split");
            }
            Ok(flush) => {
                prop_assert!(canonical(self.levels, at, len));
                let cut = self.model.cut(at, len, None);
                let expected: Vec<_> = cut
                    .iter()
                    .map(|(at, entry)| (*at, entry.phys, entry.size))
                    .collect();
                prop_assert_eq!(gone, expected);
                self.world.carry_out(flush);
            }
        }
        Ok(())
    }

    fn protect(&mut self, at: u64, len: u64, protection: Protection) -> Result<(), TestCaseError> {
        let Some(end) = at.checked_add(len) else {
            return Ok(());
        };
        let World {
            machine,
            pool,
            table,
        } = &mut self.world;
        let range = VirtRange::new(VirtAddr::new(at), VirtAddr::new(end));
        let left = pool.left;
        let got = table
            .edit(&mut Window(&mut machine.memory), pool)
            .protect_range(range, protection);
        match got {
            Err(MapError::NotCanonical) => prop_assert!(!canonical(self.levels, at, len)),
            Err(MapError::OutOfFrames) => prop_assert!(left < 4, "at most four pages are split"),
            Err(error) => prop_assert_eq!(allowed(at, protection), Err(error)),
            Ok(flush) => {
                prop_assert!(canonical(self.levels, at, len));
                prop_assert_eq!(allowed(at, protection), Ok(()));
                for (at, entry) in self.model.cut(at, len, Some(protection)) {
                    self.model.entries.insert(
                        at,
                        Entry {
                            protection,
                            ..entry
                        },
                    );
                }
                self.world.carry_out(flush);
            }
        }
        Ok(())
    }

    fn touch(
        &mut self,
        cpu: CpuId,
        at: u64,
        access: Access,
        mode: Mode,
    ) -> Result<(), TestCaseError> {
        let got = self
            .world
            .machine
            .translate(cpu, VirtAddr::new(at), access, mode)
            .ok();
        let page = self.model.overlapping(at, 1).first().copied();
        let expected = page.and_then(|page| {
            let entry = self.model.entries.get_mut(&page)?;
            let flags = entry.protection.flags;
            let right = match access {
                Access::Read => true,
                Access::Write => flags.contains(Flags::WRITE),
                Access::Execute => flags.contains(Flags::EXECUTE),
            };
            let granted = right && (mode == Mode::Kernel || flags.contains(Flags::USER));
            entry.dirty |= granted && access == Access::Write;
            granted.then(|| PhysAddr::new(entry.phys + (at - page)))
        });
        prop_assert_eq!(got, expected);
        Ok(())
    }

    /// Compares every page of the model with what the tables say, read in both ways.
    fn check_all(&self) -> Result<(), TestCaseError> {
        let World { machine, table, .. } = &self.world;
        for (&at, entry) in &self.model.entries {
            let leaf = machine
                .walk(table.root(), VirtAddr::new(at))
                .expect("it is mapped");
            let flags = entry.protection.flags;
            prop_assert_eq!((leaf.phys.as_u64(), leaf.size), (entry.phys, entry.size));
            prop_assert_eq!(leaf.rights.write, flags.contains(Flags::WRITE));
            prop_assert_eq!(leaf.rights.user, flags.contains(Flags::USER));
            prop_assert_eq!(leaf.rights.execute, flags.contains(Flags::EXECUTE));
            prop_assert_eq!(leaf.global, flags.contains(Flags::GLOBAL));
            prop_assert_eq!(leaf.dirty, entry.dirty);
            let pat = match entry.protection.cache {
                CacheMode::WriteBack => 0,
                CacheMode::Uncached => 3,
                CacheMode::WriteCombining => 5,
            };
            prop_assert_eq!(leaf.pat, pat);
        }
        Ok(())
    }
}

fn run(levels: Levels, ops: Vec<Op>) -> Result<(), TestCaseError> {
    let mut run = Run {
        world: World::new(levels, 3),
        model: Model::default(),
        levels,
    };
    for op in ops {
        run.step(op)?;
    }
    run.check_all()?;
    for (&at, entry) in &run.model.entries {
        let memory = Window(&mut run.world.machine.memory);
        let found = run
            .world
            .table
            .translate(&memory, VirtAddr::new(at + 0x123))
            .expect("mapped");
        prop_assert_eq!(found.phys.as_u64(), entry.phys + 0x123);
        prop_assert_eq!(
            (found.size, found.protection),
            (entry.size, entry.protection)
        );
    }
    // When all is unmapped, only the root and the shared tables are left.
    run.world.pool.left = usize::MAX;
    while let Some(at) = run.nth(0) {
        run.unmap(at)?;
    }
    prop_assert_eq!(run.world.pool.out.len(), 1 + run.model.shared.len());
    prop_assert_eq!(run.world.machine.stale(), vec![]);
    Ok(())
}

proptest! {
    #![proptest_config(common::config(96))]

    #[test]
    fn four_levels_behave_as_the_model(ops in prop::collection::vec(op(), 0..60)) {
        run(Levels::Four, ops)?;
    }

    #[test]
    fn five_levels_behave_as_the_model(ops in prop::collection::vec(op(), 0..60)) {
        run(Levels::Five, ops)?;
    }
}
