//! Pages that are provided ahead of a run: few enough, zeroed, and never instead of those that are touched.

use sys::call;

use crate::area::{Area, PAGE, R, RW, load};
use crate::harness::{Env, Must, Outcome};
use crate::{check, same};

/// The most pages that are provided with the one that is touched.
const MORE: u64 = 15;
/// Pages of an area: less than make a large page, and more than it takes to be given the most at once.
const PAGES: u64 = 100;

/// Whoever goes from page to page finds zeros, and is given a few pages more than were touched.
pub fn of_a_run(env: &Env<'_>) -> Outcome {
    // Dirt for the frames that come next.
    let dirty = Area::open(PAGES).must(env, "create")?;
    let view = dirty.map(env.own, 0, PAGES, RW).must(env, "map")?;
    (0..PAGES).for_each(|page| view.write(page, u64::MAX));
    drop((view, dirty));
    let area = Area::open(PAGES).must(env, "create")?;
    let view = area.map(env.own, 0, PAGES, RW).must(env, "map")?;
    let mut most = 0;
    for page in 0..PAGES {
        same!(env, view.read(page), Some(0), "page {page}");
        view.write(page, page + 1);
        let committed = area.info().committed / PAGE;
        let more = committed.saturating_sub(page + 1);
        check!(
            env,
            committed > page && committed <= PAGES && more <= MORE,
            "{committed} pages after page {page}"
        );
        most = most.max(more);
    }
    same!(env, most, MORE, "pages ahead at most");
    // What a snapshot shares is shown ahead of a reader, and still copied for a writer.
    let copy = area.snapshot().must(env, "snapshot")?;
    let old = copy.map(env.own, 0, PAGES, R).must(env, "map the copy")?;
    for page in 0..PAGES {
        same!(env, view.read(page), Some(page + 1), "page {page}");
        view.write(page, 0);
        same!(
            env,
            old.read(page),
            Some(page + 1),
            "page {page} of the copy"
        );
    }
    Ok(())
}

/// Pages that do not follow each other are given one by one; nor does anything come from behind a guard page.
pub fn not_of_others(env: &Env<'_>) -> Outcome {
    for step in [2, 7, PAGES - 1, PAGES - 2] {
        let area = Area::open(PAGES).must(env, "create")?;
        let view = area.map(env.own, 0, PAGES, RW).must(env, "map")?;
        for count in 1..PAGES / 2 {
            let page = count * step % PAGES;
            let before = area.info().committed;
            let _ = load(view.at(page, 0));
            let added = area.info().committed - before;
            check!(
                env,
                added <= PAGE,
                "{added} bytes for page {page}, with steps of {step}"
            );
        }
    }
    let area = Area::guarded(20, 5).must(env, "create")?;
    let view = area.map(env.own, 0, 20 * 6, RW).must(env, "map")?;
    for section in 0..20 {
        for page in 1..=5 {
            view.write(section * 6 + page, page);
            let committed = area.info().committed / PAGE;
            let most = (section + 1) * 5;
            check!(env, committed <= most, "{committed} pages in {section}");
        }
    }
    Ok(())
}

/// When the limit leaves room for just the pages that are touched, all of them can be.
pub fn within_the_limit(env: &Env<'_>) -> Outcome {
    let area = Area::open(PAGES).must(env, "create")?;
    let view = area.map(env.own, 0, PAGES, RW).must(env, "map")?;
    // The page tables, which count as well: one, or two.
    view.write(0, 1);
    view.write(PAGES - 1, PAGES);
    let rest = area.info().committed / PAGE;
    let rest = PAGES - rest;
    let info = call::process_info(env.own).must(env, "info")?;
    let room = (info.limit - info.memory) / PAGE;
    check!(env, room > rest, "there is room for {room} pages only");
    let filler = Area::open(room).must(env, "create")?;
    call::vm_area_commit(filler.handle(), 0, (room - rest) * PAGE).must(env, "commit")?;
    for page in 1..PAGES - 1 {
        view.write(page, page + 1);
    }
    same!(env, area.info().committed, PAGES * PAGE, "committed");
    let info = call::process_info(env.own).must(env, "info")?;
    same!(env, info.memory / PAGE, info.limit / PAGE, "pages in use");
    Ok(())
}
