//! Copy-on-write snapshots.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::area::{Area, PAGE, R, RW, load, store};
use crate::harness::{Env, Must, Outcome};
use crate::threads::Crew;
use crate::{check, same};

/// Both sides see the old content, and neither sees what the other writes.
pub fn copies_on_write(env: &Env<'_>) -> Outcome {
    let area = Area::open(8).must(env, "create")?;
    let view = area.map(env.own, 0, 8, RW).must(env, "map")?;
    // From the end to the begin, so that no page is provided ahead of a run.
    for page in (0..6).rev() {
        view.write(page, page + 10);
    }
    let frames = env.statistics().user;
    let copy = area.snapshot().must(env, "snapshot")?;
    same!(
        env,
        env.statistics().user,
        frames,
        "frames after the snapshot"
    );
    same!(env, area.info().shared, 6 * PAGE, "shared");
    let second = copy.map(env.own, 0, 8, RW).must(env, "map the copy")?;
    view.write(1, 100);
    second.write(2, 200);
    view.write(7, 700);
    for page in 0..8 {
        let (own, other) = match page {
            1 => (100, 11),
            2 => (12, 200),
            7 => (700, 0),
            6 => (0, 0),
            page => (page + 10, page + 10),
        };
        same!(env, view.read(page), Some(own), "page {page}");
        same!(
            env,
            second.read(page),
            Some(other),
            "page {page} of the copy"
        );
    }
    // Whoever is left has its pages for itself, without copies.
    drop((copy, second));
    let frames = env.statistics().user;
    for page in 0..6 {
        view.write(page, 1);
    }
    same!(
        env,
        env.statistics().user,
        frames,
        "frames after the copy has gone"
    );
    Ok(())
}

/// Copies of copies; the first goes before the others.
pub fn generations(env: &Env<'_>) -> Outcome {
    let first = Area::open(4).must(env, "create")?;
    let view = first.map(env.own, 0, 4, RW).must(env, "map")?;
    for page in 0..4 {
        view.write(page, page + 1);
    }
    drop(view);
    let second = first.snapshot().must(env, "snapshot")?;
    let third = second.snapshot().must(env, "snapshot of the snapshot")?;
    drop(first);
    let two = second.map(env.own, 0, 4, RW).must(env, "map")?;
    two.write(0, 20);
    drop(second);
    let three = third.map(env.own, 0, 4, RW).must(env, "map")?;
    three.write(1, 30);
    let fourth = third.snapshot().must(env, "snapshot")?;
    three.write(2, 31);
    let four = fourth.map(env.own, 0, 4, R).must(env, "map")?;
    for (page, wanted) in [[20, 1, 1], [2, 30, 30], [3, 31, 3], [4, 4, 4]]
        .iter()
        .enumerate()
    {
        let page = page as u64;
        let found = [two.read(page), three.read(page), four.read(page)];
        same!(
            env,
            found,
            wanted.map(Some),
            "page {page} of the generations"
        );
    }
    Ok(())
}

const WRITERS: u64 = 8;

static STOP: AtomicU64 = AtomicU64::new(0);
static LOST: AtomicU64 = AtomicU64::new(0);
static WRITTEN: AtomicU64 = AtomicU64::new(0);

fn writer(index: u64, base: u64) {
    // Each has words of its own, in every page.
    let mut value = 0;
    while STOP.load(Ordering::Acquire) == 0 {
        for page in 0..4 {
            let place = base + page * PAGE + index * 8;
            if load(place) != value {
                LOST.fetch_add(1, Ordering::AcqRel);
            }
            store(place, value + 1);
        }
        value += 1;
        WRITTEN.fetch_add(1, Ordering::Relaxed);
    }
}

/// No write gets lost while snapshots are taken, and a snapshot does not change any more.
pub fn under_writers(env: &Env<'_>) -> Outcome {
    for flag in [&STOP, &LOST, &WRITTEN] {
        flag.store(0, Ordering::Release);
    }
    let area = Area::open(4).must(env, "create")?;
    let view = area.map(env.own, 0, 4, RW).must(env, "map")?;
    let cpus = env.statistics().processors;
    let crew = Crew::start(
        env,
        (0..cpus.min(WRITERS)).map(|cpu| cpu % cpus),
        view.address,
        writer,
    )
    .must(env, "threads")?;
    let mut changed = 0;
    // Two of each kind cause all allocations.
    let rounds = if env.is_cold { 4 } else { 12 };
    for round in 0..rounds {
        let copy = area.snapshot().must(env, "snapshot")?;
        let seen = copy
            .map(env.own, 0, 4, if round % 2 == 0 { R } else { RW })
            .must(env, "map")?;
        let sum = || {
            (0..4u64)
                .flat_map(|page| (0..WRITERS).map(move |word| (page, word)))
                .fold(0u64, |sum, (page, word)| {
                    sum.wrapping_mul(31).wrapping_add(load(seen.at(page, word)))
                })
        };
        let before = sum();
        let written = WRITTEN.load(Ordering::Relaxed);
        while WRITTEN.load(Ordering::Relaxed) < written + cpus {
            sys::call::thread_yield();
        }
        changed += u64::from(sum() != before);
    }
    STOP.store(1, Ordering::Release);
    crew.join(env).must(env, "join")?;
    check!(
        env,
        LOST.load(Ordering::Acquire) == 0,
        "{} writes were lost",
        LOST.load(Ordering::Acquire)
    );
    same!(env, changed, 0, "snapshots that changed");
    Ok(())
}
