//! The ledger of a memory account: how many pages are used, how many may be.
//!
//! Accounts form a tree: what a process uses counts for the one that made it, too. So that not every page touches the
//! ledgers of all ancestors, an account *draws* pages from its parent in batches and uses them up by itself. Invariant:
//! `used <= drawn` where there is a parent, `used <= limit` unless the limit was lowered meanwhile, and the parent's
//! `used` contains the `drawn` of all its children. The kernel locks and walks the tree; here is the arithmetic.

/// Pages that are drawn from the parent at once, and about how many are kept for later.
pub const BATCH: u64 = 64;

/// One in so many pages of a limit is not used for pages that nobody has asked for.
pub const KEPT: u64 = 8;

/// The account has reached its limit, or that of an account above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverLimit;

impl core::fmt::Display for OverLimit {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the memory limit is reached; end programs, or raise the limit of the process")
    }
}

/// Pages of one account.
#[derive(Debug)]
pub struct Ledger {
    used: u64,
    drawn: u64,
    limit: u64,
}

/// How many pages to draw from the parent before a charge can be [taken](Ledger::take).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// Enough for this charge.
    pub least: u64,
    /// Enough for some more; try this first.
    pub batch: u64,
}

impl Ledger {
    /// An empty ledger with this limit.
    pub const fn new(limit: u64) -> Self {
        Self {
            used: 0,
            drawn: 0,
            limit,
        }
    }

    /// Pages in use.
    pub const fn used(&self) -> u64 {
        self.used
    }

    /// Pages that the parent has counted for this account.
    pub const fn drawn(&self) -> u64 {
        self.drawn
    }

    /// The most pages that may be in use.
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// Sets the limit. What is in use beyond it stays; nothing can be added then.
    pub const fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// What a charge of this many pages needs from the parent.
    ///
    /// # Errors
    /// When it would go over the limit.
    #[inline]
    pub fn need(&self, pages: u64) -> Result<Draw, OverLimit> {
        let after = self.used.checked_add(pages).ok_or(OverLimit)?;
        if after > self.limit {
            return Err(OverLimit);
        }
        let least = after.saturating_sub(self.drawn);
        let batch = if least == 0 {
            0
        } else {
            least.saturating_add(BATCH)
        };
        Ok(Draw { least, batch })
    }

    /// As [`Self::need`], for pages that nobody has asked for yet: the last part of the limit, one in [`KEPT`], is left alone.
    ///
    /// # Errors
    /// When less would be left.
    pub fn need_ahead(&self, pages: u64) -> Result<Draw, OverLimit> {
        let need = self.need(pages)?;
        // The sum cannot overflow: it is what `need` compared with the limit.
        if self.used + pages > self.limit - self.limit / KEPT {
            return Err(OverLimit);
        }
        Ok(need)
    }

    /// Charges pages, of which so many were drawn now.
    #[inline]
    pub const fn take(&mut self, pages: u64, drawn: u64) {
        self.used = self.used.saturating_add(pages);
        self.drawn = self.drawn.saturating_add(drawn);
    }

    /// Keeps nothing for later; returns how many pages to give back to the parent.
    pub const fn trim(&mut self) -> u64 {
        let spare = self.drawn.saturating_sub(self.used);
        self.drawn -= spare;
        spare
    }

    /// Takes a charge back; returns how many pages to give back to the parent.
    #[inline]
    pub fn release(&mut self, pages: u64) -> u64 {
        debug_assert!(pages <= self.used, "more is given back than was charged");
        self.used = self.used.saturating_sub(pages);
        let spare = self.drawn.saturating_sub(self.used);
        if spare <= 2 * BATCH {
            return 0;
        }
        self.drawn -= spare - BATCH;
        spare - BATCH
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// A parent and two children under random charges: nobody goes over a limit, the parent counts what the children
        /// drew, and all is back in the end.
        #[test]
        fn children_stay_within_what_the_parent_has(
            limits in (0u64..2000, 0u64..2000, 0u64..2000),
            steps in prop::collection::vec((0usize..2, 0u64..300, any::<bool>(), 0u8..10), 0..200),
        ) {
            let mut parent = Ledger::new(limits.0);
            let mut children = [Ledger::new(limits.1), Ledger::new(limits.2)];
            let mut held = [0u64; 2];
            let draw = |parent: &mut Ledger, pages: u64| {
                parent.need(pages).map(|_| parent.take(pages, pages))
            };
            for (who, pages, gives, trims) in steps {
                let child = &mut children[who];
                if trims == 0 {
                    let back = child.trim();
                    let _ = parent.release(back);
                    prop_assert_eq!(child.drawn(), held[who]);
                } else if gives {
                    let pages = pages.min(held[who]);
                    held[who] -= pages;
                    let back = child.release(pages);
                    let _ = parent.release(back);
                } else if let Ok(need) = child.need(pages) {
                    prop_assert!(held[who] + pages <= child.limit());
                    let drawn = if draw(&mut parent, need.batch).is_ok() {
                        Some(need.batch)
                    } else {
                        draw(&mut parent, need.least).is_ok().then_some(need.least)
                    };
                    if let Some(drawn) = drawn {
                        child.take(pages, drawn);
                        held[who] += pages;
                    } else {
                        // A sibling may sit on up to two batches; without them there would have been too little as well.
                        let others: u64 = held.iter().sum();
                        prop_assert!(others + pages + 4 * BATCH > parent.limit());
                    }
                } else {
                    prop_assert!(held[who] + pages > child.limit());
                }
                for (child, held) in children.iter().zip(held) {
                    prop_assert_eq!(child.used(), held);
                    prop_assert!(child.used() <= child.drawn());
                    prop_assert!(child.drawn() - child.used() <= 2 * BATCH);
                }
                prop_assert_eq!(parent.used(), children.iter().map(Ledger::drawn).sum::<u64>());
                prop_assert!(parent.used() <= parent.limit());
            }
        }
    }

    #[test]
    fn the_last_part_of_a_limit_is_for_what_is_asked_for() {
        let mut ledger = Ledger::new(80);
        ledger.take(60, 60);
        assert_eq!(ledger.need_ahead(10), ledger.need(10));
        assert_eq!(ledger.need_ahead(11), Err(OverLimit));
        assert!(ledger.need(20).is_ok());
        assert_eq!(ledger.need_ahead(u64::MAX), Err(OverLimit));
        assert!(Ledger::new(u64::MAX).need_ahead(u64::MAX / 8 * 7).is_ok());
        assert_eq!(Ledger::new(0).need_ahead(1), Err(OverLimit));
    }

    #[test]
    fn a_lowered_limit_takes_nothing_away_but_adds_nothing() {
        let mut ledger = Ledger::new(10);
        ledger.take(8, 8);
        ledger.set_limit(4);
        assert_eq!(ledger.need(1), Err(OverLimit));
        assert_eq!(ledger.need(0), Err(OverLimit));
        assert_eq!(ledger.release(5), 0);
        assert!(ledger.need(1).is_ok());
        assert_eq!(ledger.need(u64::MAX), Err(OverLimit));
    }
}
