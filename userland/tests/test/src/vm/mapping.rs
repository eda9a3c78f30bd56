//! Mappings: where, how many, what they allow.

use sys::abi::{Error, Handle, Rights, USER_END, area as kinds, process};
use sys::call;

use crate::area::{Area, Owned, PAGE, R, RW, RX, load, store};
use crate::child::{CODE, Child, Code, End};
use crate::harness::{Env, Must, Outcome};
use crate::{check, same};

const THERE: u64 = CODE + 64 * PAGE;

/// One area at several places of one process and of another, whole and in parts.
pub fn several_mappings(env: &Env<'_>) -> Outcome {
    let area = Area::open(10).must(env, "create")?;
    let whole = area.map(env.own, 0, 10, RW).must(env, "map")?;
    let part = area.map(env.own, 4, 3, RW).must(env, "map a part")?;
    let child = Child::new(env).must(env, "child")?;
    area.map_at(child.handle(), THERE, 5, 1, R)
        .must(env, "map there")?
        .keep();
    same!(env, area.info().mappings, 3, "mappings");
    whole.write(5, 55);
    same!(env, part.read(1), Some(55), "the same page elsewhere");
    part.write(2, 66);
    same!(env, whole.read(6), Some(66), "and back");
    same!(
        env,
        child.run(Code::Read, THERE).must(env, "run")?,
        End::Status(55),
        "in another process"
    );
    drop(part);
    same!(env, whole.read(6), Some(66), "after one of them has gone");
    call::vm_area_decommit(area.handle(), 5 * PAGE, PAGE).must(env, "decommit")?;
    same!(
        env,
        whole.read(5),
        Some(0),
        "a page that was taken away everywhere"
    );
    Ok(())
}

/// A hole in the middle of a mapping.
pub fn partial_unmap(env: &Env<'_>) -> Outcome {
    let area = Area::open(9).must(env, "create")?;
    let child = Child::new(env).must(env, "child")?;
    area.map_at(child.handle(), THERE, 0, 9, RW)
        .must(env, "map there")?
        .keep();
    let view = area.map(env.own, 0, 9, RW).must(env, "map")?;
    for page in 0..9 {
        view.write(page, page + 1);
    }
    call::process_unmap(child.handle(), THERE + 3 * PAGE, 3 * PAGE)
        .must(env, "unmap the middle")?;
    same!(env, area.info().mappings, 3, "mappings");
    let report = child
        .fault(Code::Read, THERE + 4 * PAGE)
        .must(env, "fault")?;
    same!(
        env,
        report.reason,
        process::NOT_MAPPED,
        "reason in the hole"
    );
    // The handler puts another page of the area there.
    area.map_at(child.handle(), THERE + 4 * PAGE, 8, 1, R)
        .must(env, "map into the hole")?
        .keep();
    call::exception_resume(child.handle(), report.thread, process::Action::Retry)
        .must(env, "resume")?;
    same!(
        env,
        child.end().must(env, "end")?,
        End::Status(9),
        "what is in the hole now"
    );
    same!(
        env,
        view.read(4),
        Some(5),
        "the page that was seen in the hole before"
    );
    // A range over several mappings and holes.
    let base = view.keep();
    let second = area
        .map_at(env.own, base + 12 * PAGE, 0, 4, R)
        .must(env, "map behind")?
        .keep();
    call::process_unmap(env.own, base + 2 * PAGE, 12 * PAGE).must(env, "unmap over both")?;
    same!(env, load(base + PAGE), 2, "before the range");
    same!(env, load(second + 2 * PAGE), 3, "behind the range");
    call::process_unmap(env.own, base, 16 * PAGE).must(env, "unmap the rest")?;
    call::process_unmap(env.own, base, 16 * PAGE).must(env, "unmap nothing")?;
    Ok(())
}

/// Rights of single pages change, content and neighbours do not.
pub fn protect_splits(env: &Env<'_>) -> Outcome {
    let area = Area::open(6).must(env, "create")?;
    let child = Child::new(env).must(env, "child")?;
    let view = area.map(env.own, 0, 6, RW).must(env, "map")?;
    for page in 0..6 {
        view.write(page, page + 1);
    }
    area.map_at(child.handle(), THERE, 0, 6, RW)
        .must(env, "map there")?
        .keep();
    call::process_protect(child.handle(), THERE + 2 * PAGE, 2 * PAGE, R).must(env, "protect")?;
    let report = child
        .fault(Code::Write, THERE + 3 * PAGE)
        .must(env, "fault")?;
    same!(
        env,
        (report.reason, report.access),
        (process::PROTECTION, process::WRITE),
        "report"
    );
    // Writable again: the child goes on.
    call::process_protect(child.handle(), THERE, 6 * PAGE, RW).must(env, "protect all")?;
    call::exception_resume(child.handle(), report.thread, process::Action::Retry)
        .must(env, "resume")?;
    same!(env, child.end().must(env, "end")?, End::Status(0), "end");
    same!(
        env,
        load(view.at(3, 0)),
        THERE + 3 * PAGE,
        "what the child wrote"
    );
    same!(env, view.read(2), Some(3), "the page beside it");
    // A range with a hole is refused as a whole.
    let base = view.address;
    call::process_unmap(env.own, base + 4 * PAGE, PAGE).must(env, "make a hole")?;
    same!(
        env,
        view.protect(3, 3, R),
        Err(Error::NotMapped),
        "protect over a hole"
    );
    store(view.at(3, 0), 1);
    // No access at all, and back.
    view.protect(0, 2, 0).must(env, "protect to nothing")?;
    view.protect(0, 2, RW).must(env, "protect back")?;
    same!(
        env,
        view.read(1),
        Some(2),
        "a page that was closed for a while"
    );
    Ok(())
}

/// A mapping allows what it asks for, never more than its handle does, and never writing and executing.
pub fn rights_are_per_mapping(env: &Env<'_>) -> Outcome {
    let area = Area::open(1).must(env, "create")?;
    let weak = call::handle_duplicate(area.handle(), Rights::MAP_READ).must(env, "duplicate")?;
    let weak = Owned(weak);
    let map = |handle: Handle, access: u64| call::process_map(env.own, handle, 0, 0, PAGE, access);
    same!(
        env,
        map(weak.0, RW),
        Err(Error::AccessDenied),
        "writing by a handle that reads"
    );
    same!(
        env,
        map(weak.0, RX),
        Err(Error::AccessDenied),
        "executing by a handle that reads"
    );
    same!(
        env,
        map(area.handle(), RW | kinds::EXECUTE),
        Err(Error::InvalidArgument),
        "write and execute"
    );
    same!(
        env,
        map(area.handle(), kinds::WRITE | kinds::EXECUTE),
        Err(Error::InvalidArgument),
        "write and execute"
    );
    let read = map(weak.0, R).must(env, "map")?;
    same!(
        env,
        call::process_protect(env.own, read, PAGE, RW),
        Err(Error::AccessDenied),
        "protect beyond the handle"
    );
    let write = map(area.handle(), RW).must(env, "map")?;
    same!(
        env,
        call::process_protect(env.own, write, PAGE, RW | kinds::EXECUTE),
        Err(Error::InvalidArgument),
        "protect to write and execute"
    );
    call::process_protect(env.own, write, PAGE, RX).must(env, "protect to execute")?;
    store_is_refused(env, &area)?;
    for address in [read, write] {
        call::process_unmap(env.own, address, PAGE).must(env, "unmap")?;
    }
    same!(
        env,
        call::vm_area_commit(weak.0, 0, PAGE),
        Err(Error::AccessDenied),
        "commit"
    );
    same!(
        env,
        call::vm_area_resize(weak.0, PAGE),
        Err(Error::AccessDenied),
        "resize"
    );
    same!(
        env,
        call::vm_area_info(weak.0).err(),
        Some(Error::AccessDenied),
        "info"
    );
    same!(
        env,
        call::handle_duplicate(weak.0, Rights::ALL).err(),
        Some(Error::AccessDenied),
        "duplicate"
    );
    same!(
        env,
        call::handle_give(env.own, weak.0).err(),
        Some(Error::AccessDenied),
        "give"
    );
    Ok(())
}

fn store_is_refused(env: &Env<'_>, area: &Area) -> Outcome {
    for (access, code, wanted) in [
        (R, Code::Write, process::WRITE),
        (RX, Code::Write, process::WRITE),
        (RW, Code::Jump, process::EXECUTE),
        (R, Code::Jump, process::EXECUTE),
        (0, Code::Read, process::READ),
    ] {
        let child = Child::new(env).must(env, "child")?;
        area.map_at(child.handle(), THERE, 0, 1, access)
            .must(env, "map there")?
            .keep();
        let report = child.fault_and_end(code, THERE).must(env, "fault")?;
        same!(
            env,
            (report.reason, report.access, report.address),
            (process::PROTECTION, wanted, THERE),
            "report"
        );
    }
    Ok(())
}

/// Fixed places are taken or refused; chosen ones differ, and have a gap around them.
pub fn places(env: &Env<'_>) -> Outcome {
    let area = Area::open(4).must(env, "create")?;
    let first = area.map(env.own, 0, 4, R).must(env, "map")?;
    for shift in [0, 1, 3] {
        let result = area.map_at(env.own, first.address + shift * PAGE, 0, 4, R);
        same!(
            env,
            result.err(),
            Some(Error::Occupied),
            "a mapping over another"
        );
    }
    let second = area.map(env.own, 0, 4, R).must(env, "map")?;
    let distance = first.address.abs_diff(second.address);
    check!(env, distance > 4 * PAGE, "there is no gap: {distance:#x}");
    // Children of the same program get different places.
    let mut seen = [0u64; 8];
    for index in 0..seen.len() {
        let child = Child::new(env).must(env, "child")?;
        let place = area
            .map(child.handle(), 0, 1, R)
            .must(env, "map there")?
            .keep();
        check!(env, !seen.contains(&place), "{place:#x} was chosen twice");
        seen[index] = place;
    }
    // The ends of user space.
    let last = area
        .map_at(env.own, USER_END - PAGE, 0, 1, R)
        .must(env, "map the last page")?;
    let lowest = area
        .map_at(env.own, PAGE, 0, 1, R)
        .must(env, "map the first page")?;
    same!(env, load(last.address) + load(lowest.address), 0, "content");
    Ok(())
}

/// Whatever the numbers are: an error, and nothing has changed.
pub fn bad_arguments(env: &Env<'_>) -> Outcome {
    let area = Area::open(4).must(env, "create")?;
    let view = area.map(env.own, 0, 4, RW).must(env, "map")?;
    let before = call::process_info(env.own).must(env, "info")?.mappings;
    let numbers = [
        0,
        1,
        PAGE - 1,
        PAGE,
        PAGE + 1,
        USER_END - PAGE,
        USER_END,
        USER_END + PAGE,
        1 << 47,
        1 << 48,
        1 << 63,
        0xffff_8000_0000_0000,
        0xffff_ffff_8000_0000,
        u64::MAX - PAGE + 1,
        u64::MAX,
    ];
    for address in numbers {
        for len in numbers {
            let is_good = |limit: u64| {
                len != 0
                    && (address | len) % PAGE == 0
                    && address >= PAGE
                    && address.checked_add(len).is_some_and(|end| end <= limit)
            };
            if !is_good(USER_END) {
                let map = call::process_map(
                    env.own,
                    area.handle(),
                    address,
                    0,
                    len,
                    R | kinds::AT_ADDRESS,
                );
                check!(
                    env,
                    map == Err(Error::InvalidArgument),
                    "map {len:#x} at {address:#x}: {map:?}"
                );
                let unmap = call::process_unmap(env.own, address, len);
                check!(
                    env,
                    unmap == Err(Error::InvalidArgument),
                    "unmap {len:#x} at {address:#x}: {unmap:?}"
                );
                let protect = call::process_protect(env.own, address, len, R);
                check!(
                    env,
                    protect == Err(Error::InvalidArgument),
                    "protect {len:#x} at {address:#x}: {protect:?}"
                );
            }
            // `address` as an offset into the area.
            let fits = address.checked_add(len).is_some_and(|end| end <= 4 * PAGE);
            if !(fits && len != 0 && (address | len) % PAGE == 0) {
                let map = call::process_map(env.own, area.handle(), 0, address, len, R);
                check!(env, map.is_err(), "map {len:#x} from {address:#x}: {map:?}");
            }
        }
    }
    for access in [8 | 16, 16, 1 << 32, 1 << 63, u64::MAX] {
        let map = call::process_map(env.own, area.handle(), 0, 0, PAGE, access);
        same!(env, map, Err(Error::InvalidArgument), "access {access:#x}");
        let protect = call::process_protect(env.own, view.address, PAGE, access);
        same!(
            env,
            protect,
            Err(Error::InvalidArgument),
            "access {access:#x}"
        );
    }
    for (kind, size, sections) in [
        (4, PAGE, 0),
        (u64::MAX, PAGE, 0),
        (kinds::FIXED, PAGE, 0),
        (kinds::OPEN, 0, 0),
        (kinds::OPEN, 1, 0),
        (kinds::OPEN, PAGE, 1),
        (kinds::OPEN, 1 << 63, 0),
        (kinds::RING, 0, 0),
        (kinds::RING, 1 << 63, 0),
        (kinds::GUARDED, PAGE, 0),
        (kinds::GUARDED, 0, 1),
        (kinds::GUARDED, PAGE, u64::MAX),
        (kinds::GUARDED, 1 << 62, 1 << 62),
    ] {
        let made = call::vm_area_create(kind, size, sections);
        check!(
            env,
            made == Err(Error::InvalidArgument),
            "kind {kind}, size {size:#x}, {sections:#x} sections: {made:?}"
        );
    }
    same!(
        env,
        call::process_info(env.own).must(env, "info")?.mappings,
        before,
        "mappings"
    );
    view.write(0, 3);
    same!(env, view.read(0), Some(3), "the mapping");
    Ok(())
}
