//! What one processor asks others to forget, and its form as the words of a [`ksync::Request`].

use kaddr::{PAGE_SIZE, VirtAddr};

use super::SpaceId;
use crate::pt::Flush;

/// More pages than this are forgotten all at once, with everything else that is not global: about what refilling the
/// whole costs.
pub const PAGES_ONE_BY_ONE: u64 = 32;

/// Pages in a row, to be forgotten one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pages {
    start: VirtAddr,
    /// The binary logarithm of the size of the smallest page that changed. To forget a larger one, any address in it does.
    shift: u32,
    /// At most [`PAGES_ONE_BY_ONE`].
    count: u64,
}

impl Pages {
    /// One address in each page.
    #[inline]
    pub fn addresses(self) -> impl Iterator<Item = VirtAddr> {
        let step = 1 << self.shift;
        let mut next = self.start.as_u64();
        (0..self.count).map(move |_| {
            let address = VirtAddr::new(next);
            // What follows the last page, which may have no address, is not used.
            next = next.wrapping_add(step);
            address
        })
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
            shift: flush.smallest_page().bytes().trailing_zeros(),
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
const SHIFT_BITS: u32 = 5;
/// Of a request for a space: it is retired. For the kernel's half: it frees tables.
const FLAG: u64 = 1 << (COUNT_BITS + SHIFT_BITS);

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
                let flag = if frees_tables { FLAG } else { 0 };
                [0, encode(extent) | flag, 0]
            }
            Self::Retire { space } => [space.get(), FLAG, 0],
        }
    }

    /// The request with these words.
    #[inline]
    pub fn decode([space, what, generation]: ksync::Request) -> Self {
        match SpaceId::new(space) {
            None => Self::Kernel {
                extent: decode(what),
                frees_tables: what & FLAG != 0,
            },
            Some(space) if what & FLAG != 0 => Self::Retire { space },
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
        Extent::Pages(Pages {
            start,
            shift,
            count,
        }) => start.align_down(PAGE_SIZE).as_u64() | u64::from(shift) << COUNT_BITS | count,
    }
}

#[inline]
fn decode(what: u64) -> Extent {
    let count = what & ALL;
    if count > PAGES_ONE_BY_ONE {
        return Extent::All;
    }
    Extent::Pages(Pages {
        start: VirtAddr::new(what).align_down(PAGE_SIZE),
        shift: (what >> COUNT_BITS & ((1 << SHIFT_BITS) - 1)) as u32,
        count,
    })
}

#[cfg(test)]
mod tests {
    use super::{Extent, PAGES_ONE_BY_ONE, Pages, Request};
    use crate::tlb::SpaceId;
    use kaddr::{PAGE_SIZE, VirtAddr};
    use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};

    fn extent() -> impl Strategy<Value = Extent> {
        let shift = prop_oneof![Just(12), Just(21), Just(30)];
        let pages =
            (any::<u64>(), shift, 0..=PAGES_ONE_BY_ONE).prop_map(|(start, shift, count)| {
                let start = VirtAddr::new(start).align_down(PAGE_SIZE);
                Extent::Pages(Pages {
                    start,
                    shift,
                    count,
                })
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
