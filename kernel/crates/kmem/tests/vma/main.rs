//! Areas against a model of their contents, and the rules of who owns pages, by name.

mod rules;
mod world;

use std::collections::BTreeMap;

use kaddr::PageSize;
use kmem::vma::{AHEAD_MAX, Access, Area, Change, Kind, Location, ProvideError};
use proptest::prelude::*;
use world::World;

/// Contents by the number that pages are kept under; what is not there reads as zero.
#[derive(Clone, Default)]
struct Model {
    content: BTreeMap<u64, u64>,
}

#[derive(Clone, Debug)]
enum Step {
    Open(u64),
    Ring(u64),
    Guarded(u64, u64),
    Write {
        area: usize,
        page: u64,
        value: u64,
        large: bool,
    },
    Read {
        area: usize,
        page: u64,
        large: bool,
    },
    /// A fault that provides what follows, too.
    Ahead {
        area: usize,
        page: u64,
        pages: u64,
        write: Option<u64>,
    },
    Commit(usize, u64, u64),
    Decommit(usize, u64, u64),
    Resize(usize, u64),
    Snapshot(usize),
    /// Memory is short: so many large pages are looked into.
    Pressure(usize, u64),
    Drop(usize),
    Limit(u64),
    Patience(u64),
    Relax,
}

fn step() -> impl Strategy<Value = Step> {
    let area = 0usize..6;
    // Around borders of large pages, and small.
    let page = || prop_oneof![0u64..40, 500u64..530, 1020u64..1100];
    let len = || prop_oneof![1u64..20, 500u64..520, Just(1024u64)];
    prop_oneof![
        2 => len().prop_map(Step::Open),
        1 => (1u64..20).prop_map(Step::Ring),
        1 => (1u64..6, 1u64..6).prop_map(|(sections, pages)| Step::Guarded(sections, pages)),
        8 => (area.clone(), page(), 1u64..1000, any::<bool>()).prop_map(|(area, page, value, large)| Step::Write { area, page, value, large }),
        4 => (area.clone(), page(), any::<bool>()).prop_map(|(area, page, large)| Step::Read { area, page, large }),
        6 => (area.clone(), page(), 1u64..20, prop::option::of(1u64..1000))
            .prop_map(|(area, page, pages, write)| Step::Ahead { area, page, pages, write }),
        2 => (area.clone(), page(), len()).prop_map(|(area, page, len)| Step::Commit(area, page, len)),
        2 => (area.clone(), page(), len()).prop_map(|(area, page, len)| Step::Decommit(area, page, len)),
        2 => (area.clone(), len()).prop_map(|(area, len)| Step::Resize(area, len)),
        3 => area.clone().prop_map(Step::Snapshot),
        4 => (area.clone(), 1u64..4).prop_map(|(area, pages)| Step::Pressure(area, pages)),
        2 => area.prop_map(Step::Drop),
        1 => (0u64..1500).prop_map(Step::Limit),
        1 => (0u64..30).prop_map(Step::Patience),
        2 => Just(Step::Relax),
    ]
}

fn size(large: bool) -> PageSize {
    if large {
        PageSize::Large
    } else {
        PageSize::Small
    }
}

struct Bench {
    world: World,
    areas: Vec<(Area<World>, Model)>,
}

impl Bench {
    /// Accesses a page; returns what it reads, or did read before the write.
    fn access(
        &mut self,
        index: usize,
        page: u64,
        write: Option<u64>,
        large: bool,
    ) -> Result<(), TestCaseError> {
        let world = self.world.clone();
        let (area, model) = &mut self.areas[index];
        let (used, charged) = (world.used(), world.0.borrow().charged);
        let committed = area.committed();
        // Who only looks finds the same, and changes nothing.
        match (area.peek(page), area.locate(page)) {
            (Ok(frame), Location::Page(key)) => {
                let wanted = model.content.get(&key).copied().unwrap_or(0);
                let found = frame.map_or(0, |frame| world.read(frame));
                prop_assert_eq!(found, wanted, "a look at page {}", page);
            }
            (Err(ProvideError::Guard), Location::Guard)
            | (Err(ProvideError::Beyond), Location::Beyond) => {}
            (result, location) => prop_assert!(false, "{result:?} for {location:?}"),
        }
        let now = world.0.borrow().charged;
        prop_assert_eq!(
            (world.used(), now, area.committed()),
            (used, charged, committed)
        );
        let access = if write.is_some() {
            Access::Write
        } else {
            Access::Read
        };
        match (
            area.provide(page, access, size(large), &mut world.clone()),
            area.locate(page),
        ) {
            (Ok(provided), Location::Page(key)) => {
                let frame = match provided.size {
                    PageSize::Small => provided.frame,
                    _ => {
                        prop_assert!(large && area.kind() == Kind::Open);
                        provided.frame.checked_add(key % 512).expect("small")
                    }
                };
                // Before the old frame of a copy is let go, as the kernel does it.
                if let Change::Copied(old) = provided.change {
                    prop_assert!(write.is_some());
                    drop(old);
                }
                let wanted = model.content.get(&key).copied().unwrap_or(0);
                prop_assert_eq!(world.read(frame), wanted, "page {}", page);
                if let Some(value) = write {
                    prop_assert!(provided.is_writable);
                    world.write(frame, value);
                    model.content.insert(key, value);
                }
            }
            (Err(ProvideError::Guard), Location::Guard)
            | (Err(ProvideError::Beyond), Location::Beyond) => {}
            (Err(ProvideError::OutOfMemory | ProvideError::OverLimit), Location::Page(_)) => {
                let now = world.0.borrow().charged;
                prop_assert_eq!(
                    (world.used(), now, area.committed()),
                    (used, charged, committed)
                );
            }
            (result, location) => prop_assert!(false, "{result:?} for {location:?}"),
        }
        Ok(())
    }

    /// Provides a page, and those behind it: they hold what they should, and may be mapped as the first one.
    fn ahead(
        &mut self,
        index: usize,
        page: u64,
        pages: u64,
        write: Option<u64>,
    ) -> Result<(), TestCaseError> {
        self.access(index, page, write, false)?;
        let world = self.world.clone();
        let (area, model) = &mut self.areas[index];
        // Once more, as it is there: with what it was when it was new, nothing could tell.
        let provided = area.provide(page, Access::Read, PageSize::Small, &mut world.clone());
        let Ok(provided) = provided else {
            return Ok(());
        };
        let (used, charged) = (world.used(), world.0.borrow().charged);
        let committed = area.committed();
        let more = area.provide_ahead(page + 1, pages, &provided, &mut world.clone());
        let more = more.as_slice();
        prop_assert!(more.len() as u64 <= pages.min(AHEAD_MAX));
        for (frame, at) in more.iter().zip(page + 1..) {
            let Location::Page(key) = area.locate(at) else {
                return Err(TestCaseError::fail(format!("page {at} cannot be had")));
            };
            let wanted = model.content.get(&key).copied().unwrap_or(0);
            prop_assert_eq!(world.read(*frame), wanted, "page {}", at);
            let after = area.provide(at, Access::Read, PageSize::Small, &mut world.clone());
            let after = after.expect("it is there");
            prop_assert_eq!(
                (after.frame, after.is_writable),
                (*frame, provided.is_writable)
            );
        }
        // All of them were there, or all are new.
        let added = area.committed() - committed;
        prop_assert!(added == 0 || added == more.len() as u64);
        prop_assert_eq!(world.used() - used, added);
        prop_assert_eq!(world.0.borrow().charged - charged, added);
        Ok(())
    }

    fn ring_or_same(area: &Area<World>, start: u64, end: u64) -> Vec<u64> {
        (start..end)
            .filter_map(|page| match area.locate(page) {
                Location::Page(key) => Some(key),
                _ => None,
            })
            .collect()
    }

    /// Splits a large page; what goes is what the model does not have.
    fn shed(&mut self, index: usize) -> Result<(), TestCaseError> {
        let world = self.world.clone();
        let (area, model) = &mut self.areas[index];
        let Some(first) = area.idle_large() else {
            return Ok(());
        };
        prop_assert_eq!(area.kind(), Kind::Open);
        let (large, committed) = (area.committed_large(), area.committed());
        let used = model.content.range(first..first + 512).count() as u64;
        let is_in_use = area.is_in_use(first, &world);
        prop_assert_eq!(is_in_use, used == 512);
        let given = area
            .shed(first, &mut world.clone())
            .expect("the host has memory");
        prop_assert_eq!(given, 512 - used);
        prop_assert_eq!(area.committed(), committed - given);
        let split = if is_in_use { 0 } else { 512 };
        prop_assert_eq!(area.committed_large(), large - split);
        prop_assert_ne!(area.idle_large(), Some(first), "it is done with");
        Ok(())
    }

    fn run(&mut self, step: Step) -> Result<(), TestCaseError> {
        let world = self.world.clone();
        let count = self.areas.len();
        let mut supply = world.clone();
        match step {
            Step::Open(pages) if count < 6 => self
                .areas
                .push((Area::open(pages).expect("small"), Model::default())),
            Step::Ring(pages) if count < 6 => self
                .areas
                .push((Area::ring(pages).expect("small"), Model::default())),
            Step::Guarded(sections, pages) if count < 6 => {
                self.areas.push((
                    Area::guarded(sections, pages).expect("small"),
                    Model::default(),
                ));
            }
            Step::Write {
                area,
                page,
                value,
                large,
            } if area < count => self.access(area, page, Some(value), large)?,
            Step::Read { area, page, large } if area < count => {
                self.access(area, page, None, large)?
            }
            Step::Pressure(index, pages) if index < count => {
                for _ in 0..pages {
                    self.shed(index)?;
                }
            }
            Step::Ahead {
                area,
                page,
                pages,
                write,
            } if area < count => self.ahead(area, page, pages, write)?,
            Step::Commit(index, page, pages) if index < count => {
                let (area, _) = &mut self.areas[index];
                let missing = area.missing(page, pages);
                let before = (world.used(), world.0.borrow().charged, area.committed());
                let result = area.commit(page, pages, &mut supply);
                if result.is_ok() {
                    prop_assert!(page + pages <= area.pages());
                    let keys = Self::ring_or_same(area, page, page + pages).len() as u64;
                    let is_ring = matches!(area.kind(), Kind::Ring { .. });
                    prop_assert!(is_ring || area.committed() >= keys);
                    let added = area.committed() - before.2;
                    let guards = pages - keys;
                    prop_assert!(added <= missing, "{added} of {missing}");
                    prop_assert!(is_ring || missing <= added + guards);
                } else {
                    let after = (world.used(), world.0.borrow().charged, area.committed());
                    prop_assert_eq!(before, after, "a commit that failed changed something");
                }
            }
            Step::Decommit(index, page, pages) if index < count => {
                let (area, model) = &mut self.areas[index];
                let fits = page + pages <= area.pages();
                let result = area.decommit(page, pages, &mut supply);
                prop_assert_eq!(result.is_ok(), fits);
                if fits {
                    for key in Self::ring_or_same(area, page, page + pages) {
                        model.content.remove(&key);
                    }
                }
            }
            Step::Resize(index, pages) if index < count => {
                let (area, model) = &mut self.areas[index];
                if area.resize(pages, &mut supply).is_ok() {
                    prop_assert_eq!(area.kind(), Kind::Open);
                    prop_assert_eq!(area.pages(), pages);
                    model.content.retain(|key, _| *key < pages);
                } else {
                    prop_assert!(area.kind() != Kind::Open);
                }
            }
            Step::Snapshot(index) if index < count && count < 6 => {
                let before = (world.used(), world.0.borrow().charged);
                let (area, model) = &mut self.areas[index];
                match area.snapshot(&mut supply) {
                    Ok(copy) => {
                        prop_assert_eq!(world.used(), before.0, "a snapshot takes no frames");
                        let model = model.clone();
                        self.areas.push((copy, model));
                    }
                    Err(_) => prop_assert_eq!((world.used(), world.0.borrow().charged), before),
                }
            }
            Step::Drop(index) if index < count => {
                let (area, _) = self.areas.swap_remove(index);
                let pages = area.committed();
                drop(area);
                kmem::vma::Supply::uncharge(&mut supply, pages);
            }
            Step::Limit(limit) => world.0.borrow_mut().limit = limit,
            Step::Patience(patience) => world.0.borrow_mut().patience = patience,
            Step::Relax => {
                world.0.borrow_mut().limit = u64::MAX;
                world.0.borrow_mut().patience = u64::MAX;
            }
            _ => {}
        }
        let committed: u64 = self.areas.iter().map(|(area, _)| area.committed()).sum();
        prop_assert_eq!(
            world.0.borrow().charged,
            committed,
            "each area is charged for what it has"
        );
        prop_assert!(world.used() <= committed);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn contents_charges_and_frames_agree_with_a_model(steps in prop::collection::vec(step(), 0..120)) {
        let mut bench = Bench { world: World::new(4096), areas: Vec::new() };
        for step in steps {
            bench.run(step)?;
        }
        // All contents, at the end.
        bench.run(Step::Relax)?;
        for index in 0..bench.areas.len() {
            for page in 0..bench.areas[index].0.pages() {
                bench.access(index, page, None, false)?;
            }
        }
        let world = bench.world.clone();
        drop(bench);
        prop_assert_eq!(world.used(), 0, "frames are lost");
    }
}
