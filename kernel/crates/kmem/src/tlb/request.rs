//! What one processor asks others to forget, and its form as the words of a [`ksync::Request`].

use kaddr::{PAGE_SIZE, PageSize, VirtAddr};

use super::SpaceId;
use crate::pt::Flush;

/// More pages than this are forgotten all at once, with everything else that is not global: about what refilling the
/// whole costs.
pub const PAGES_ONE_BY_ONE: u64 = 32;

/// Pages in a row, to be forgotten one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pages {
    start: VirtAddr,
    /// The size of the smallest page that changed. To forget a larger one, any address in it does.
    step: PageSize,
    /// At most [`PAGES_ONE_BY_ONE`].
    count: u64,
}

impl Pages {
    /// One address in each page.
    #[inline]
    pub fn addresses(self) -> impl Iterator<Item = VirtAddr> {
        let step = self.step.bytes();
        (0..self.count).filter_map(move |index| self.start.checked_add(index * step))
    }
}

/// How much is to be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// These pages.
    Pages(Pages),
    /// Everything.
    All,
}

impl Extent {
    /// What an edit has changed, or everything where that is less work.
    pub fn of(flush: &Flush) -> Self {
        let count = flush.address_count();
        if !(1..=PAGES_ONE_BY_ONE).contains(&count) {
            return Self::All;
        }
        Self::Pages(Pages {
            start: flush.range().start,
            step: flush.smallest_page(),
            count,
        })
    }
}

/// What a processor is asked to forget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "processors go on using the old translations until they are told"]
pub enum Request {
    /// Part of a space's half.
    Space {
        /// The space.
        space: SpaceId,
        /// The number of the change.
        generation: u64,
        /// What has changed.
        extent: Extent,
    },
    /// Part of the kernel's half, which all spaces share.
    Kernel {
        /// What has changed.
        extent: Extent,
        /// Whether tables are given back.
        frees_tables: bool,
    },
    /// All of a space, for good: its tables are about to be freed.
    Retire {
        /// The space.
        space: SpaceId,
    },
}

/// In the place of a count: everything.
const ALL: u64 = 0x3f;
const COUNT_BITS: u32 = 6;
const STEP_BITS: u32 = 2;
const RETIRE: u64 = 1 << (COUNT_BITS + STEP_BITS);
const FREES_TABLES: u64 = RETIRE << 1;

impl Request {
    /// For a change of a space's half, with its number.
    pub fn space(space: SpaceId, generation: u64, flush: &Flush) -> Self {
        Self::Space {
            space,
            generation,
            extent: Extent::of(flush),
        }
    }

    /// For a change of the kernel's half.
    pub fn kernel(flush: &Flush) -> Self {
        Self::Kernel {
            extent: Extent::of(flush),
            frees_tables: flush.frees_tables(),
        }
    }

    /// The words of the request: the space or 0; an address with the rest in the bits of its offset; the generation.
    #[inline]
    pub fn encode(self) -> ksync::Request {
        match self {
            Self::Space {
                space,
                generation,
                extent,
            } => [space.get(), encode(extent), generation],
            Self::Kernel {
                extent,
                frees_tables,
            } => {
                let flag = if frees_tables { FREES_TABLES } else { 0 };
                [0, encode(extent) | flag, 0]
            }
            Self::Retire { space } => [space.get(), RETIRE, 0],
        }
    }

    /// The request with these words.
    #[inline]
    pub fn decode([space, what, generation]: ksync::Request) -> Self {
        match SpaceId::new(space) {
            None => Self::Kernel {
                extent: decode(what),
                frees_tables: what & FREES_TABLES != 0,
            },
            Some(space) if what & RETIRE != 0 => Self::Retire { space },
            Some(space) => Self::Space {
                space,
                generation,
                extent: decode(what),
            },
        }
    }
}

#[inline]
fn encode(extent: Extent) -> u64 {
    match extent {
        Extent::All => ALL,
        Extent::Pages(Pages { start, step, count }) => {
            let step = match step {
                PageSize::Small => 0,
                PageSize::Large => 1,
                PageSize::Huge => 2,
            };
            start.align_down(PAGE_SIZE).as_u64() | step << COUNT_BITS | count
        }
    }
}

#[inline]
fn decode(what: u64) -> Extent {
    let count = what & ALL;
    let step = match what >> COUNT_BITS & ((1 << STEP_BITS) - 1) {
        0 => PageSize::Small,
        1 => PageSize::Large,
        _ => PageSize::Huge,
    };
    if count > PAGES_ONE_BY_ONE {
        return Extent::All;
    }
    Extent::Pages(Pages {
        start: VirtAddr::new(what).align_down(PAGE_SIZE),
        step,
        count,
    })
}

#[cfg(test)]
mod tests {
    use super::{Extent, PAGES_ONE_BY_ONE, Pages, Request};
    use crate::tlb::SpaceId;
    use kaddr::{PAGE_SIZE, PageSize, VirtAddr};
    use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};

    fn extent() -> impl Strategy<Value = Extent> {
        let step = prop_oneof![
            Just(PageSize::Small),
            Just(PageSize::Large),
            Just(PageSize::Huge)
        ];
        let pages = (any::<u64>(), step, 0..=PAGES_ONE_BY_ONE).prop_map(|(start, step, count)| {
            let start = VirtAddr::new(start).align_down(PAGE_SIZE);
            Extent::Pages(Pages { start, step, count })
        });
        prop_oneof![4 => pages, 1 => Just(Extent::All)]
    }

    fn request() -> impl Strategy<Value = Request> {
        let space = || (1..=u64::MAX).prop_map(|number| SpaceId::new(number).expect("not zero"));
        prop_oneof![
            (space(), any::<u64>(), extent()).prop_map(|(space, generation, extent)| {
                Request::Space {
                    space,
                    generation,
                    extent,
                }
            }),
            (extent(), any::<bool>()).prop_map(|(extent, frees_tables)| Request::Kernel {
                extent,
                frees_tables
            }),
            space().prop_map(|space| Request::Retire { space }),
        ]
    }

    proptest! {
        #[test]
        fn words_mean_what_was_asked(request in request()) {
            prop_assert_eq!(Request::decode(request.encode()), request);
        }

        #[test]
        fn any_words_mean_something(words in any::<[u64; 3]>()) {
            let request = Request::decode(words);
            prop_assert_eq!(Request::decode(request.encode()), request);
        }
    }
}
