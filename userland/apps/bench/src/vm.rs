//! The group `vm`: page faults, mappings, and what it costs to make other processors forget a translation.

use sys::abi::Error;
use sys::call;

use crate::crew::with_all_cpus_busy;
use crate::measure::{Env, Figure, Samples};
use crate::memory::{Mapping, Owned, R, RW, open_area};

/// All of them.
pub const FIGURES: &[Figure] = &[
    Figure {
        name: "fault",
        what: "first touch of a page of a fresh area",
        run: fault,
    },
    Figure {
        name: "fault-sequential",
        what: "a page of a fresh area that is touched page by page",
        run: fault_sequential,
    },
    Figure {
        name: "fault-present",
        what: "touch of a page that the area has, but no mapping shows",
        run: fault_present,
    },
    Figure {
        name: "fault-copy",
        what: "first write to a page that is shared with a snapshot",
        run: fault_copy,
    },
    Figure {
        name: "map-1",
        what: "map a page of an area, touch it, unmap it",
        run: |env, samples| map(env, samples, 1, 128),
    },
    Figure {
        name: "map-256",
        what: "the same with 256 pages, all touched",
        run: |env, samples| map(env, samples, 256, 16),
    },
    Figure {
        name: "map-new-1",
        what: "map, touch and unmap 1 page of an area that has none yet",
        run: |env, samples| map_new(env, samples, 1, 128),
    },
    Figure {
        name: "map-new-256",
        what: "the same with 256 pages",
        run: |env, samples| map_new(env, samples, 256, 16),
    },
    Figure {
        name: "life-1",
        what: "make an area of 1 page, map, touch and unmap it, close it",
        run: |env, samples| life(env, samples, 1, 128),
    },
    Figure {
        name: "life-256",
        what: "the same with 256 pages, all touched",
        run: |env, samples| life(env, samples, 256, 16),
    },
    Figure {
        name: "unmap",
        what: "unmap a touched page while the process runs on all processors",
        run: unmap,
    },
    Figure {
        name: "protect",
        what: "make a touched page read-only while the process runs on all processors",
        run: protect,
    },
];

/// Pages that are touched one after the other, less than make a large page.
const RUN: u64 = 480;
/// Of these, the first that are measured: before them lie those that fill caches, and make page tables.
const FIRST: u64 = 32;
/// Pages that are measured as one: what faults provide at most repeats after so many.
const STRETCH: u64 = 64;
/// Rounds of what is repeated.
const ROUNDS: u64 = 100;
/// Rounds before those that count.
const WARM: u64 = 8;

/// Touches every second page: no fault follows another, so that each is for one page only.
fn touch_apart(samples: &mut Samples, view: &Mapping) {
    for page in (0..FIRST).step_by(2) {
        view.touch(page);
    }
    for page in (FIRST..RUN).step_by(2) {
        samples.take(|| view.touch(page));
    }
}

fn fault(env: &Env<'_>, samples: &mut Samples) -> Result<(), Error> {
    let area = open_area(RUN)?;
    touch_apart(samples, &Mapping::new(env.own, &area, RUN)?);
    Ok(())
}

/// A page of a run that is touched from its begin to its end.
fn fault_sequential(env: &Env<'_>, samples: &mut Samples) -> Result<(), Error> {
    let area = open_area(RUN)?;
    let view = Mapping::new(env.own, &area, RUN)?;
    (0..FIRST).for_each(|page| view.touch(page));
    for first in (FIRST..RUN).step_by(STRETCH as usize) {
        let stretch = first..(first + STRETCH).min(RUN);
        samples.take_each(STRETCH, || stretch.for_each(|page| view.touch(page)));
    }
    Ok(())
}

fn fault_present(env: &Env<'_>, samples: &mut Samples) -> Result<(), Error> {
    let area = open_area(RUN)?;
    let view = Mapping::new(env.own, &area, RUN)?;
    (0..RUN).for_each(|page| view.touch(page));
    touch_apart(samples, &Mapping::new(env.own, &area, RUN)?);
    Ok(())
}

fn fault_copy(env: &Env<'_>, samples: &mut Samples) -> Result<(), Error> {
    let area = open_area(RUN)?;
    let view = Mapping::new(env.own, &area, RUN)?;
    (0..RUN).for_each(|page| view.touch(page));
    let _copy = Owned(call::vm_area_snapshot(area.0)?);
    touch_apart(samples, &view);
    Ok(())
}

/// Maps, touches and unmaps.
fn use_once(env: &Env<'_>, area: &Owned, pages: u64) -> Result<(), Error> {
    let view = Mapping::new(env.own, area, pages)?;
    (0..pages).for_each(|page| view.touch(page));
    view.unmap()
}

/// A mapping of memory that there is already.
fn map(env: &Env<'_>, samples: &mut Samples, pages: u64, rounds: u64) -> Result<(), Error> {
    let area = open_area(pages)?;
    repeat(samples, rounds, || use_once(env, &area, pages))
}

/// A mapping of memory that comes with the first touch.
fn map_new(env: &Env<'_>, samples: &mut Samples, pages: u64, rounds: u64) -> Result<(), Error> {
    for _ in 0..WARM {
        use_once(env, &open_area(pages)?, pages)?;
    }
    for _ in 0..rounds {
        let area = open_area(pages)?;
        samples.take(|| use_once(env, &area, pages))?;
    }
    Ok(())
}

/// The whole life of memory that a program asks for, uses and gives back.
fn life(env: &Env<'_>, samples: &mut Samples, pages: u64, rounds: u64) -> Result<(), Error> {
    repeat(samples, rounds, || use_once(env, &open_area(pages)?, pages))
}

fn repeat(
    samples: &mut Samples,
    rounds: u64,
    act: impl Fn() -> Result<(), Error>,
) -> Result<(), Error> {
    for _ in 0..WARM {
        act()?;
    }
    for _ in 0..rounds {
        samples.take(&act)?;
    }
    Ok(())
}

fn unmap(env: &Env<'_>, samples: &mut Samples) -> Result<(), Error> {
    let area = open_area(1)?;
    with_all_cpus_busy(env, || {
        for round in 0..WARM + ROUNDS {
            let view = Mapping::new(env.own, &area, 1)?;
            view.touch(0);
            if round < WARM {
                view.unmap()?;
            } else {
                samples.take(|| view.unmap())?;
            }
        }
        Ok(())
    })
}

fn protect(env: &Env<'_>, samples: &mut Samples) -> Result<(), Error> {
    let area = open_area(1)?;
    let view = Mapping::new(env.own, &area, 1)?;
    with_all_cpus_busy(env, || {
        for round in 0..WARM + ROUNDS {
            view.touch(0);
            if round < WARM {
                view.protect(R)?;
            } else {
                samples.take(|| view.protect(R))?;
            }
            view.protect(RW)?;
        }
        Ok(())
    })
}
