//! How many pages a fault provides: more than one where faults follow each other.
//!
//! Whoever goes through memory page by page faults where the last fault's pages end. Each such fault provides twice as many
//! pages as the one before, up to [`AHEAD_MAX`]; any other fault provides its own page only. So what is provided without
//! need is less than what the run has touched, and fewer than [`AHEAD_MAX`] pages for each run.
//!
//! [`Ahead`] decides how many pages that would be, [`Area::provide_ahead`] provides them as far as they can be had.

use kaddr::Frame;

use super::{Area, Location, OwnedFrame, Page, Provided, Supply};

/// The most pages that one fault provides.
pub const AHEAD_MAX: u64 = 16;

/// Where a run of faults has got to.
#[derive(Clone, Copy, Debug)]
pub struct Ahead {
    /// The page on which the next fault of the run would be.
    next: u64,
    /// How many pages the last fault should have provided.
    window: u64,
}

impl Ahead {
    /// No fault has been yet.
    pub const fn new() -> Self {
        Self {
            // No area has so many pages.
            next: u64::MAX,
            window: 1,
        }
    }

    /// Notes a fault on a page; says whether it follows the last one.
    #[inline]
    pub fn fault(&mut self, page: u64) -> bool {
        let follows = page == self.next;
        self.next = page.saturating_add(1);
        if !follows {
            self.window = 1;
            return false;
        }
        self.window = (self.window * 2).min(AHEAD_MAX);
        true
    }

    /// How many pages the last fault should provide, itself included, when `room` could be shown from it on.
    pub fn window(&self, room: u64) -> u64 {
        self.window.min(room).max(1)
    }

    /// Notes that so many pages behind the last fault's were provided with it.
    pub fn provided(&mut self, more: u64) {
        self.next = self.next.saturating_add(more);
    }
}

impl Default for Ahead {
    fn default() -> Self {
        Self::new()
    }
}

/// The frames of pages that lie in a row.
#[derive(Clone, Copy, Debug)]
pub struct FrameRun {
    /// What lies from `len` on means nothing.
    frames: [Frame; AHEAD_MAX as usize],
    len: usize,
}

impl FrameRun {
    /// None; `any` fills the unused places.
    const fn new(any: Frame) -> Self {
        Self {
            frames: [any; AHEAD_MAX as usize],
            len: 0,
        }
    }

    fn push(&mut self, frame: Frame) {
        if let Some(place) = self.frames.get_mut(self.len) {
            *place = frame;
            self.len += 1;
        }
    }

    /// The frames, in the order of the pages.
    pub fn as_slice(&self) -> &[Frame] {
        self.frames.get(..self.len).unwrap_or_default()
    }
}

impl<S: Supply> Area<S> {
    /// Provides up to `pages` pages from `page` on, the one behind a small page that was provided at this moment, and returns the
    /// frames of as many as there are then: they may be mapped exactly as that one.
    ///
    /// Nobody has asked for these pages. So they are all there already, or all fresh, [`AHEAD_MAX`] at most; none follows a
    /// guard page, nothing is copied, and no memory is taken but their frames. None at all is no error.
    pub fn provide_ahead(
        &mut self,
        page: u64,
        pages: u64,
        before: &Provided<S::Small>,
        supply: &mut S,
    ) -> FrameRun {
        let mut run = FrameRun::new(before.frame);
        let Location::Page(key) = self.locate(page) else {
            return run;
        };
        if self.large_at(key).is_some() {
            return run;
        }
        let in_row = self.kind.in_row(page, self.pages);
        let pages = pages.min(in_row).min(AHEAD_MAX);
        match self.small.gap(key, pages) {
            0 => self.find_ahead(key, pages, before.is_writable, &mut run),
            gap if before.is_writable => self.add_ahead(key, gap, supply, &mut run),
            // Fresh pages may be written to.
            _ => {}
        }
        run
    }

    /// Finds pages that are there and may be mapped in this way.
    fn find_ahead(&mut self, key: u64, pages: u64, is_writable: bool, run: &mut FrameRun) {
        let mut next = key;
        let found = self.small.visit_mut(key, key + pages, |at, page| {
            let frame = match page.as_it_is() {
                Some((frame, may_write)) if may_write == is_writable && at == next => frame,
                Some(_) | None => return Err(Ended),
            };
            next += 1;
            run.push(frame);
            Ok(())
        });
        // Either way the run has what could be found.
        let (Ok(()) | Err(Ended)) = found;
    }

    /// Gives pages that have none frames; there are places for them in the tree.
    fn add_ahead(&mut self, key: u64, pages: u64, supply: &mut S, run: &mut FrameRun) {
        let mut fresh = [const { None }; AHEAD_MAX as usize];
        supply.zeroed_ahead(fresh.get_mut(..pages as usize).unwrap_or_default());
        let pages = fresh.into_iter().map_while(|page| {
            let page = page?;
            run.push(page.frame());
            Some(Page::Own(page))
        });
        self.small.fill(key, pages);
    }
}

/// A page is not to be had in the same way as those before it.
struct Ended;

#[cfg(test)]
mod tests {
    use super::{AHEAD_MAX, Ahead};
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    /// Touches a run from a page on; returns the windows.
    fn run(ahead: &mut Ahead, start: u64, faults: u64, room: u64) -> Vec<u64> {
        let mut page = start;
        let mut windows = Vec::new();
        for _ in 0..faults {
            let follows = ahead.fault(page);
            let window = ahead.window(room);
            assert!(follows || window == 1);
            ahead.provided(window - 1);
            page += window;
            windows.push(window);
        }
        windows
    }

    #[test]
    fn a_run_gets_more_with_each_fault() {
        let mut ahead = Ahead::new();
        assert_eq!(
            run(&mut ahead, 7, 7, u64::MAX),
            [1, 2, 4, 8, 16, 16, AHEAD_MAX]
        );
        // Elsewhere it begins again.
        assert_eq!(run(&mut ahead, 7, 3, u64::MAX), [1, 2, 4]);
    }

    #[test]
    fn a_run_goes_on_behind_a_border() {
        let mut ahead = Ahead::new();
        let _ = run(&mut ahead, 0, 5, u64::MAX);
        assert_eq!(run(&mut ahead, 31, 1, 1), [1]);
        assert_eq!(run(&mut ahead, 32, 1, u64::MAX), [AHEAD_MAX]);
    }

    proptest! {
        /// Whatever faults there are: at least the page itself, never more than there is room, nor than the most; and more than one
        /// page only where the page before was provided last.
        #[test]
        fn windows_stay_within_their_bounds(
            steps in prop::collection::vec((0u64..64, 0u64..40, any::<bool>()), 1..100),
        ) {
            let mut ahead = Ahead::new();
            let mut end = None;
            for (page, room, had) in steps {
                let follows = ahead.fault(page);
                prop_assert_eq!(follows, end == Some(page));
                let window = ahead.window(room);
                prop_assert!((1..=room.clamp(1, AHEAD_MAX)).contains(&window));
                prop_assert!(window == 1 || follows);
                let more = if had { window - 1 } else { 0 };
                ahead.provided(more);
                end = Some(page + 1 + more);
            }
        }

        /// Faults of which none follows another never provide more than their own page.
        #[test]
        fn faults_apart_get_one_page_each(start in 0u64..1000, steps in prop::collection::vec(2u64..50, 1..100), up in any::<bool>()) {
            let mut ahead = Ahead::new();
            let mut page = start + 10_000;
            for step in steps {
                prop_assert!(!ahead.fault(page));
                prop_assert_eq!(ahead.window(u64::MAX), 1);
                page = if up { page + step } else { page - step };
            }
        }

        /// Nobody gets more without need than the run has touched.
        #[test]
        fn what_is_ahead_is_less_than_what_was_touched(faults in 1u64..40) {
            let windows = run(&mut Ahead::new(), 0, faults, u64::MAX);
            let (last, before) = windows.split_last().expect("one fault at least");
            prop_assert!(last - 1 <= before.iter().sum::<u64>());
        }
    }
}
