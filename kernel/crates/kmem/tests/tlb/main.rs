//! The table of PCIDs against a processor that keeps everything it is not told to forget.

use std::collections::{BTreeMap, BTreeSet};

use kmem::tlb::{Action, Extent, Load, Request, SLOTS, Slots, SpaceId};
use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof};
use proptest::proptest;
use proptest::test_runner::TestCaseError;

const SPACES: u64 = 12;

fn space(number: u64) -> SpaceId {
    SpaceId::new(number + 1).expect("not zero")
}

#[derive(Clone, Debug)]
enum Op {
    Load(u64),
    LoadKernel,
    /// Changes of a space whose requests arrive in this order; each a page, or all.
    Change(u64, Vec<(usize, bool)>),
    Kernel {
        frees_tables: bool,
        all: bool,
    },
    Retire(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let change = prop::collection::vec((any::<usize>(), any::<bool>()), 1..4);
    prop_oneof![
        8 => (0..SPACES).prop_map(Op::Load),
        1 => Just(Op::LoadKernel),
        6 => (0..SPACES, change).prop_map(|(space, order)| Op::Change(space, order)),
        1 => any::<(bool, bool)>().prop_map(|(frees_tables, all)| Op::Kernel { frees_tables, all }),
        1 => (0..SPACES).prop_map(Op::Retire),
    ]
}

/// One page, by way of the words of a request: nobody else can make up pages.
fn extent(page: u64, all: bool) -> Extent {
    let words = [0, (page * 0x1000) | if all { 0x3f } else { 1 }, 0];
    match Request::decode(words) {
        Request::Kernel { extent, .. } => extent,
        other => panic!("{other:?}"),
    }
}

/// What lies under a PCID: of each page of each space, the oldest version that may be kept.
#[derive(Clone, Debug, Default)]
struct Kept {
    pages: BTreeMap<(u64, u64), u64>,
    /// Whether tables of the kernel's half may be kept that were given back.
    has_old_tables: bool,
}

/// How often each page of a space was changed, and the space on the whole.
#[derive(Clone, Debug, Default)]
struct Space {
    pages: BTreeMap<u64, u64>,
    generation: u64,
}

struct Cpu {
    slots: Slots,
    with_pcid: usize,
    kept: BTreeMap<u16, Kept>,
    loaded: Option<u64>,
    pcid: u16,
    spaces: Vec<Space>,
    /// Names of spaces: another one after each retirement.
    names: Vec<u64>,
    next_name: u64,
    /// The spaces that were loaded, the last one at the end, and whether what is kept of them is old.
    recent: Vec<(SpaceId, bool)>,
}

const PAGES: u64 = 4;

impl Cpu {
    fn new(with_pcid: usize) -> Self {
        Self {
            slots: Slots::new(with_pcid),
            with_pcid: with_pcid.min(SLOTS),
            kept: BTreeMap::new(),
            loaded: None,
            pcid: 0,
            spaces: vec![Space::default(); SPACES as usize],
            names: (0..SPACES).collect(),
            next_name: SPACES,
            recent: Vec::new(),
        }
    }

    fn name(&self, number: u64) -> SpaceId {
        space(self.names[number as usize])
    }

    fn act(&mut self, action: Action) {
        let pcid = self.pcid;
        match action {
            Action::Nothing => {}
            Action::Pages(pages) => {
                let kept = self.kept.entry(pcid).or_default();
                for address in pages.addresses() {
                    let page = address.as_u64() / 0x1000;
                    kept.pages.retain(|(_, of), _| *of != page);
                }
                kept.has_old_tables = false;
            }
            Action::Current => {
                self.kept.remove(&pcid);
            }
            Action::Everything => self.kept.clear(),
            Action::Unload => {
                let load = self.slots.load_kernel();
                self.load(load, None);
            }
        }
    }

    fn load(&mut self, load: Load, number: Option<u64>) {
        (self.pcid, self.loaded) = (load.pcid, number);
        if load.must_flush {
            self.kept.remove(&load.pcid);
        }
    }

    /// The processor looks at everything that it may, and keeps what it has not kept yet.
    fn look(&mut self) -> Result<(), TestCaseError> {
        let kept = self.kept.entry(self.pcid).or_default();
        prop_assert!(!kept.has_old_tables, "tables that were given back are used");
        let Some(number) = self.loaded else {
            prop_assert!(kept.pages.is_empty(), "the kernel's tables have no space");
            return Ok(());
        };
        let name = self.names[number as usize];
        for page in 0..PAGES {
            let version = self.spaces[number as usize]
                .pages
                .get(&page)
                .copied()
                .unwrap_or(0);
            let found = *kept.pages.entry((name, page)).or_insert(version);
            prop_assert_eq!(found, version, "page {} of space {}", page, name);
        }
        prop_assert!(
            kept.pages.keys().all(|(of, _)| *of == name),
            "another space's pages are found"
        );
        Ok(())
    }

    fn step(&mut self, op: Op) -> Result<(), TestCaseError> {
        match op {
            Op::Load(number) => {
                let generation = self.spaces[number as usize].generation;
                let name = self.name(number);
                let load = self.slots.load(name, generation);
                prop_assert_eq!(load.pcid == 0, self.with_pcid == 0);
                // Without PCIDs a processor cannot keep anything; bit 63 of CR3 is reserved.
                prop_assert!(load.must_flush || self.with_pcid != 0);
                prop_assert!(usize::from(load.pcid) <= self.with_pcid);
                // Nothing is forgotten without need: a space that is among the last ones and has not changed is found.
                let place = self.recent.iter().rev().position(|(of, _)| *of == name);
                let is_old = self.recent.iter().any(|(of, old)| *of == name && *old);
                if is_old || place.is_none() {
                    prop_assert!(load.must_flush);
                } else if place.is_some_and(|place| place < self.with_pcid) {
                    prop_assert!(!load.must_flush, "forgotten without need");
                }
                self.recent.retain(|(of, _)| *of != name);
                self.recent.push((name, false));
                self.load(load, Some(number));
            }
            Op::LoadKernel => {
                let load = self.slots.load_kernel();
                prop_assert_eq!(
                    load,
                    Load {
                        pcid: 0,
                        must_flush: true
                    }
                );
                self.load(load, None);
            }
            Op::Change(number, order) => self.change(number, &order),
            Op::Kernel { frees_tables, all } => {
                if frees_tables {
                    for pcid in 0..=SLOTS as u16 {
                        self.kept.entry(pcid).or_default().has_old_tables = true;
                    }
                    let loaded = self.loaded.map(|number| self.name(number));
                    for (of, old) in &mut self.recent {
                        *old |= loaded != Some(*of);
                    }
                }
                // A page that none of the spaces has.
                let extent = extent(PAGES + 1, all);
                let request = Request::Kernel {
                    extent,
                    frees_tables,
                };
                let action = self.slots.carry_out(request);
                self.act(action);
            }
            Op::Retire(number) => {
                let request = Request::Retire {
                    space: self.name(number),
                };
                let action = self.slots.carry_out(request);
                prop_assert_eq!(action == Action::Unload, self.loaded == Some(number));
                self.act(action);
                // Its place is taken by a new space, which nobody knows.
                self.names[number as usize] = self.next_name;
                self.next_name += 1;
                self.spaces[number as usize] = Space::default();
            }
        }
        self.look()
    }

    /// Several processors change pages of a space, all before the first request arrives.
    fn change(&mut self, number: u64, order: &[(usize, bool)]) {
        let mut requests = Vec::new();
        let name = self.name(number);
        let space = &mut self.spaces[number as usize];
        for (changed, (_, all)) in (0..PAGES).cycle().zip(order) {
            space.generation += 1;
            for page in (0..PAGES).filter(|page| *all || *page == changed) {
                *space.pages.entry(page).or_default() += 1;
            }
            requests.push(Request::Space {
                space: name,
                generation: space.generation,
                extent: extent(changed, *all),
            });
        }
        let mut left: BTreeSet<usize> = (0..requests.len()).collect();
        for (choice, _) in order {
            let nth = choice % left.len();
            let index = *left.iter().nth(nth).expect("counted");
            left.remove(&index);
            let action = self.slots.carry_out(requests[index]);
            self.act(action);
        }
        let is_loaded = self.loaded == Some(number);
        for (of, old) in &mut self.recent {
            *old |= *of == name && !is_loaded;
        }
    }
}

fn run(with_pcid: usize, ops: Vec<Op>) -> Result<(), TestCaseError> {
    let mut cpu = Cpu::new(with_pcid);
    for op in ops {
        cpu.step(op)?;
    }
    Ok(())
}

proptest! {
    #[test]
    fn nothing_old_is_found_and_nothing_forgotten_without_need(
        with_pcid in 0..=SLOTS + 1,
        ops in prop::collection::vec(op(), 0..80),
    ) {
        run(with_pcid, ops)?;
    }
}
