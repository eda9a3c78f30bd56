//! The life of an area and its pages.

use sys::call;

use crate::area::{Area, PAGE, R, RW, load, store};
use crate::child::{CODE, Child, Code, End};
use crate::harness::{Env, Must, Outcome};
use crate::{check, same};

const PAGES: u64 = 5;

/// Unmapping frees nothing: mapped again, elsewhere, the content is there.
pub fn vma_owns_its_pages(env: &Env<'_>) -> Outcome {
    let area = Area::open(PAGES).must(env, "create")?;
    let first = area.map(env.own, 0, PAGES, RW).must(env, "map")?;
    for page in 0..PAGES {
        first.write(page, 1000 + page);
    }
    same!(env, area.info().committed, PAGES * PAGE, "committed");
    let old = first.address;
    first.unmap().must(env, "unmap")?;
    same!(
        env,
        area.info().committed,
        PAGES * PAGE,
        "committed after the unmap"
    );
    same!(env, area.info().mappings, 0, "mappings after the unmap");
    let second = area
        .map_at(env.own, old + 64 * PAGE, 0, PAGES, R)
        .must(env, "map again")?;
    for page in 0..PAGES {
        same!(env, second.read(page), Some(1000 + page), "page {page}");
    }
    Ok(())
}

/// Map, fill, unmap, hand to another process, read there: first the mapping, then the handle is handed over.
pub fn hand_over(env: &Env<'_>) -> Outcome {
    let area = Area::open(1).must(env, "create")?;
    let view = area.map(env.own, 0, 1, RW).must(env, "map")?;
    store(view.address, 0x1234_5678);
    view.unmap().must(env, "unmap")?;
    let child = Child::new(env).must(env, "child")?;
    let there = CODE + 64 * PAGE;
    area.map_at(child.handle(), there, 0, 1, R)
        .must(env, "map there")?
        .keep();
    let given = call::handle_give(child.handle(), area.handle()).must(env, "give")?;
    check!(env, given.0 != 0, "the handle there is 0");
    check!(
        env,
        call::vm_area_info(area.handle()).is_err(),
        "the handle that was given away is still good"
    );
    drop(area);
    same!(
        env,
        child.run(Code::Read, there).must(env, "run")?,
        End::Status(0x1234_5678),
        "what the child has read"
    );
    Ok(())
}

fn user_frames(env: &Env<'_>) -> u64 {
    env.statistics().user
}

/// An area goes when its last handle and its last mapping are gone, whichever goes first.
pub fn deleted_when_unused(env: &Env<'_>) -> Outcome {
    for handle_first in [true, false] {
        let before = user_frames(env);
        let area = Area::open(16).must(env, "create")?;
        let view = area.map(env.own, 0, 16, RW).must(env, "map")?;
        for page in 0..16 {
            view.write(page, page + 1);
        }
        same!(env, user_frames(env) - before, 16, "frames in use");
        if handle_first {
            drop(area);
            same!(
                env,
                user_frames(env) - before,
                16,
                "frames without the handle"
            );
            same!(env, view.read(15), Some(16), "content without the handle");
            drop(view);
        } else {
            drop(view);
            same!(
                env,
                user_frames(env) - before,
                16,
                "frames without the mapping"
            );
            drop(area);
        }
        same!(env, user_frames(env), before, "frames in the end");
    }
    Ok(())
}

/// The last mapping of an area may be that of a process that ends.
pub fn last_mapping_dies_with_its_process(env: &Env<'_>) -> Outcome {
    for kill in [true, false] {
        let before = env.held();
        let child = Child::new(env).must(env, "child")?;
        let area = Area::open(32).must(env, "create")?;
        call::vm_area_commit(area.handle(), 0, 32 * PAGE).must(env, "commit")?;
        area.map_at(child.handle(), CODE + 64 * PAGE, 0, 32, RW)
            .must(env, "map there")?
            .keep();
        drop(area);
        check!(
            env,
            env.held().frames + 32 <= before.frames,
            "the pages are gone too early"
        );
        if kill {
            child.start(Code::Spin, 0).must(env, "start")?;
            call::process_kill(child.handle(), 9).must(env, "kill")?;
            same!(
                env,
                child.end().must(env, "end")?,
                End::Status(9),
                "status of the killed"
            );
        } else {
            same!(
                env,
                child.run(Code::Write, CODE + 64 * PAGE).must(env, "run")?,
                End::Status(0),
                "status"
            );
        }
        drop(child);
        env.check_back(&before)?;
    }
    Ok(())
}

/// A page is zeroed when it comes to its area, and never again.
pub fn zeroed_once(env: &Env<'_>) -> Outcome {
    // Dirt for the frames that come next.
    let dirty = Area::open(64).must(env, "create")?;
    let view = dirty.map(env.own, 0, 64, RW).must(env, "map")?;
    for page in 0..64 {
        for word in 0..512 {
            store(view.at(page, word), u64::MAX);
        }
    }
    drop((view, dirty));
    let area = Area::open(64).must(env, "create")?;
    let view = area.map(env.own, 0, 64, RW).must(env, "map")?;
    for page in 0..64 {
        for word in 0..512 {
            same!(
                env,
                load(view.at(page, word)),
                0,
                "word {word} of page {page}"
            );
        }
        view.write(page, 7);
    }
    drop(view);
    let view = area.map(env.own, 0, 64, RW).must(env, "map again")?;
    for page in 0..64 {
        same!(
            env,
            view.read(page),
            Some(7),
            "page {page} after it was mapped again"
        );
    }
    Ok(())
}

/// Areas, mappings and children in a loop: nothing stays.
pub fn everything_comes_back(env: &Env<'_>) -> Outcome {
    let before = env.held();
    for round in 0..10 {
        let area = Area::open(100 + round).must(env, "create")?;
        let view = area.map(env.own, 0, 100, RW).must(env, "map")?;
        for page in (0..100).step_by(7) {
            view.write(page, page);
        }
        let copy = area.snapshot().must(env, "snapshot")?;
        view.write(0, 5);
        view.protect(10, 20, R).must(env, "protect")?;
        drop(area);
        if round % 2 == 0 {
            drop(copy);
        }
    }
    env.check_back(&before)?;
    Ok(())
}
