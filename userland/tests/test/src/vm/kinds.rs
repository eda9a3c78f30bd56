//! The kinds of areas.

use sys::abi::{Error, process};
use sys::call;

use crate::area::{Area, PAGE, R, RW, load, store};
use crate::child::{CODE, Child, Code, End};
use crate::harness::{Env, Must, Outcome};
use crate::same;

const THERE: u64 = CODE + 64 * PAGE;

/// Sections are separated by pages that cannot be touched, and all pages come back.
pub fn guarded_areas(env: &Env<'_>) -> Outcome {
    let area = Area::guarded(3, 2).must(env, "create")?;
    same!(env, area.info().size, 9 * PAGE, "size");
    let view = area.map(env.own, 0, 9, RW).must(env, "map")?;
    for page in [1, 2, 4, 5, 7, 8] {
        view.write(page, page);
    }
    same!(env, area.info().committed, 6 * PAGE, "committed");
    for page in [0, 3, 6] {
        let child = Child::new(env).must(env, "child")?;
        area.map_at(child.handle(), THERE, 0, 9, RW)
            .must(env, "map there")?
            .keep();
        let report = child
            .fault_and_end(Code::Write, THERE + page * PAGE + 8)
            .must(env, "fault")?;
        same!(env, report.reason, process::GUARD, "reason at page {page}");
        same!(env, report.address, THERE + page * PAGE + 8, "address");
    }
    same!(
        env,
        call::vm_area_resize(area.handle(), PAGE),
        Err(Error::NotSupported),
        "resize of a guarded area"
    );
    Ok(())
}

/// The second half of a ring is the first, from its first byte on.
pub fn ring_aliases(env: &Env<'_>) -> Outcome {
    for pages in [1u64, 2, 3, 16] {
        let area = Area::ring(pages).must(env, "create")?;
        same!(env, area.info().size, 2 * pages * PAGE, "size");
        let view = area.map(env.own, 0, 2 * pages, RW).must(env, "map")?;
        for page in 0..pages {
            store(view.at(page, 0), 100 + page);
            same!(
                env,
                load(view.at(page + pages, 0)),
                100 + page,
                "page {page} of {pages}"
            );
            store(view.at(page + pages, 3), 200 + page);
            same!(
                env,
                load(view.at(page, 3)),
                200 + page,
                "page {page} of {pages}, from behind"
            );
        }
        // A word over the border between the two.
        let border = view.address + pages * PAGE - 4;
        // SAFETY: inside the mapping.
        unsafe { (border as *mut u64).write_unaligned(0x1122_3344_5566_7788) };
        same!(
            env,
            load(view.at(0, 0)) as u32,
            0x1122_3344,
            "what went round"
        );
        same!(env, area.info().committed, pages * PAGE, "committed");
        same!(
            env,
            call::vm_area_resize(area.handle(), PAGE),
            Err(Error::NotSupported),
            "resize of a ring"
        );
        // Taking away one view of a page takes away both.
        call::vm_area_decommit(area.handle(), pages * PAGE, PAGE).must(env, "decommit")?;
        same!(env, load(view.at(0, 3)), 0, "a page that was taken away");
    }
    Ok(())
}

/// A larger area has more pages; a smaller one frees them, and they cannot be touched any more.
pub fn resize(env: &Env<'_>) -> Outcome {
    let area = Area::open(10).must(env, "create")?;
    let child = Child::new(env).must(env, "child")?;
    area.map_at(child.handle(), THERE, 0, 10, RW)
        .must(env, "map there")?
        .keep();
    let view = area.map(env.own, 0, 10, RW).must(env, "map")?;
    for page in 0..10 {
        view.write(page, page + 50);
    }
    let before = env.statistics().user;
    call::vm_area_resize(area.handle(), 4 * PAGE).must(env, "shrink")?;
    same!(
        env,
        before - env.statistics().user,
        6,
        "frames that came back"
    );
    same!(env, area.info().committed, 4 * PAGE, "committed");
    same!(env, view.read(3), Some(53), "the last page that stays");
    let report = child
        .fault_and_end(Code::Read, THERE + 4 * PAGE)
        .must(env, "fault")?;
    same!(
        env,
        report.reason,
        process::BEYOND_AREA,
        "reason beyond the end"
    );
    call::vm_area_resize(area.handle(), 20 * PAGE).must(env, "grow")?;
    for page in 4..10 {
        same!(
            env,
            load(view.at(page, 0)),
            0,
            "page {page} after it came back"
        );
    }
    same!(
        env,
        area.map(env.own, 15, 6, R).err(),
        Some(Error::InvalidArgument),
        "a mapping over the end"
    );
    let end = area.map(env.own, 15, 5, RW).must(env, "map the end")?;
    end.write(4, 1);
    for size in [0, 1, PAGE + 1, u64::MAX, 1 << 63] {
        same!(
            env,
            call::vm_area_resize(area.handle(), size),
            Err(Error::InvalidArgument),
            "resize to {size:#x}"
        );
    }
    Ok(())
}

/// Pages can be given before the first touch, and taken away in between.
pub fn commit_and_decommit(env: &Env<'_>) -> Outcome {
    let area = Area::open(20).must(env, "create")?;
    let view = area.map(env.own, 0, 20, RW).must(env, "map")?;
    call::vm_area_commit(area.handle(), 2 * PAGE, 6 * PAGE).must(env, "commit")?;
    same!(env, area.info().committed, 6 * PAGE, "committed");
    for page in 0..20 {
        view.write(page, page + 1);
    }
    call::vm_area_decommit(area.handle(), 5 * PAGE, 10 * PAGE).must(env, "decommit")?;
    same!(
        env,
        area.info().committed,
        10 * PAGE,
        "committed after the decommit"
    );
    for page in 0..20 {
        let wanted = if (5..15).contains(&page) { 0 } else { page + 1 };
        same!(env, view.read(page), Some(wanted), "page {page}");
    }
    for (offset, len) in [
        (0, 0),
        (PAGE, 20 * PAGE),
        (1, PAGE),
        (u64::MAX - PAGE + 1, PAGE),
        (0, 1 << 63),
    ] {
        same!(
            env,
            call::vm_area_commit(area.handle(), offset, len),
            Err(Error::InvalidArgument),
            "commit at {offset:#x}"
        );
        same!(
            env,
            call::vm_area_decommit(area.handle(), offset, len),
            Err(Error::InvalidArgument),
            "decommit at {offset:#x}"
        );
    }
    Ok(())
}

/// Pages of an area in one large piece keep their content when they are split.
pub fn large_pages(env: &Env<'_>) -> Outcome {
    const LARGE: u64 = 512;
    let area = Area::open(4 * LARGE).must(env, "create")?;
    let view = area.map(env.own, 0, 4 * LARGE, RW).must(env, "map")?;
    same!(env, view.address % (LARGE * PAGE), 0, "alignment");
    for page in (0..4 * LARGE).step_by(64) {
        view.write(page, page + 1);
    }
    let info = area.info();
    let now = env.statistics();
    if now.free > now.total / 4 {
        same!(env, info.large, 4 * LARGE * PAGE, "bytes in large pages");
    }
    // One is split by a change of rights, one by a decommit, one by a snapshot of the whole.
    view.protect(64, 64, R).must(env, "protect")?;
    let child = Child::new(env).must(env, "child")?;
    call::vm_area_decommit(area.handle(), (LARGE + 64) * PAGE, 64 * PAGE).must(env, "decommit")?;
    let copy = area.snapshot().must(env, "snapshot")?;
    view.write(0, 99);
    same!(env, view.read(0), Some(99), "the page that was written");
    let seen = copy
        .map(env.own, 0, 4 * LARGE, R)
        .must(env, "map the copy")?;
    for page in (0..4 * LARGE).step_by(64) {
        let wanted = if page == LARGE + 64 { 0 } else { page + 1 };
        same!(
            env,
            seen.read(page),
            Some(wanted),
            "page {page} of the copy"
        );
        let wanted = if page == 0 { 99 } else { wanted };
        same!(env, view.read(page), Some(wanted), "page {page}");
    }
    area.map_at(child.handle(), 1 << 32, 0, LARGE, RW)
        .must(env, "map there")?
        .keep();
    same!(
        env,
        child
            .run(Code::Read, (1 << 32) + 128 * PAGE)
            .must(env, "run")?,
        End::Status(129),
        "what another process reads"
    );
    Ok(())
}
