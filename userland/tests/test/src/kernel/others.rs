//! Other processes, seen from outside: their handles, mappings and memory.

use sys::abi::process::ANY_CPU;
use sys::abi::{Error, NEVER, ObjectType, Rights, area};
use sys::call;

use crate::area::{Area, Owned, PAGE, R, RW, store};
use crate::child::{CODE, Child, Code, End};
use crate::harness::{Env, Failed, Must, Outcome};
use crate::{check, same};

/// Where tests map something in a child.
const PLACE: u64 = 0x1000_0000;

fn number(env: &Env<'_>, child: &Child) -> Result<u64, Failed> {
    let usage = call::process_usage(child.handle()).must(env, "usage")?;
    Ok(usage.number)
}

/// A process is opened by its number as long as it has threads, with the rights that the table of calls names.
pub fn open(env: &Env<'_>) -> Outcome {
    let child = Child::new(env).must(env, "child")?;
    let number = number(env, &child)?;
    let none = call::process_open(env.system, number);
    same!(env, none, Err(Error::NotReady), "one without threads");
    child.start(Code::Spin, 0).must(env, "start")?;
    let opened = call::process_open(env.system, number).map(Owned);
    let opened = opened.must(env, "open")?;
    let [first, second] =
        [child.handle(), opened.0].map(|handle| call::handle_info(handle).unwrap_or_default());
    same!(env, second.object, first.object, "the object");
    let rights = Rights::INSPECT
        .union(Rights::KILL)
        .union(Rights::DEBUG)
        .union(Rights::DUPLICATE)
        .union(Rights::TRANSFER);
    same!(env, second.rights, u64::from(rights.0), "rights");
    for other in [0, number + 1000, NEVER] {
        let none = call::process_open(env.system, other);
        same!(env, none, Err(Error::NotReady), "number {other}");
    }
    call::process_kill(opened.0, 7).must(env, "kill")?;
    same!(
        env,
        child.end().must(env, "end")?,
        End::Status(7),
        "its end"
    );
    let none = call::process_open(env.system, number);
    same!(env, none, Err(Error::NotReady), "one that has ended");
    Ok(())
}

/// A thread is had by its number, with all rights, from its own process only.
pub fn threads(env: &Env<'_>) -> Outcome {
    let child = Child::new(env).must(env, "child")?;
    let thread = child.spawn_suspended(Code::Spin, 5, ANY_CPU);
    let thread = thread.must(env, "thread")?;
    let info = call::thread_info(thread.0).must(env, "info")?;
    let found = call::process_thread(child.handle(), info.number).map(Owned);
    let found = found.must(env, "thread by number")?;
    let registers = call::thread_read_registers(found.0).must(env, "registers")?;
    same!(env, registers.rdi, 5, "its argument");
    let [first, second] =
        [thread.0, found.0].map(|handle| call::handle_info(handle).unwrap_or_default());
    same!(env, second, first, "both handles");
    let other = Child::new(env).must(env, "other")?;
    for (process, number) in [
        (other.handle(), info.number),
        (child.handle(), info.number + 1),
        (child.handle(), info.number - 1),
    ] {
        let none = call::process_thread(process, number);
        same!(env, none, Err(Error::NotReady), "thread {number}");
    }
    Ok(())
}

/// Memory is read as it is: over pages, up to the first that is not there; what was never touched is zeros, and stays untouched.
pub fn memory(env: &Env<'_>) -> Outcome {
    let child = Child::new(env).must(env, "child")?;
    let area = Area::open(4).must(env, "area")?;
    let view = area.map(env.own, 0, 4, RW).must(env, "map")?;
    for page in [0, 1, 3] {
        for word in 0..512 {
            store(view.at(page, word), page << 32 | word);
        }
    }
    // It may have come with its neighbours.
    call::vm_area_decommit(area.handle(), 2 * PAGE, PAGE).must(env, "decommit")?;
    let place = area.map_at(child.handle(), PLACE, 0, 4, R);
    place.must(env, "map there")?.keep();
    let mut buffer = [0xff; 3 * PAGE as usize];
    let mut read = |from: u64, len: usize| {
        buffer.fill(0xff);
        let count =
            call::process_read(child.handle(), PLACE.wrapping_add(from), &mut buffer[..len]);
        (count, buffer)
    };
    let wanted = |at: u64| {
        let (page, word) = (at / PAGE, at % PAGE / 8);
        let value = if page == 2 { 0 } else { page << 32 | word };
        (value >> (at % 8 * 8)) as u8
    };
    for (from, len, count) in [
        (0, 1, 1),
        (0, 8, 8),
        (4093, 7, 7),
        (100, 3 * PAGE as usize, 3 * PAGE as usize),
        (3 * PAGE + 4000, 1000, 96),
        (PAGE, 0, 0),
    ] {
        let (found, bytes) = read(from, len);
        same!(env, found, Ok(count as u64), "{len} bytes from {from}");
        let is_right = (0..count).all(|at| bytes[at] == wanted(from + at as u64));
        check!(env, is_right, "what {len} bytes from {from} are");
        let is_rest = bytes[count..].iter().all(|byte| *byte == 0xff);
        check!(env, is_rest, "what is behind {len} bytes from {from}");
    }
    same!(env, area.info().committed, 3 * PAGE, "pages of the area");
    let (code, _) = read(CODE.wrapping_sub(PLACE), 16);
    same!(env, code, Ok(16), "its code");
    for from in [4 * PAGE, 5 * PAGE, 0u64.wrapping_sub(PLACE)] {
        let (found, _) = read(from, 8);
        same!(env, found, Err(Error::NotMapped), "from {from:#x}");
    }
    // Where nothing can be written.
    let number = sys::abi::Sysno::ProcessRead as u64;
    let into = |address: u64| call::raw(number, [child.handle().0, PLACE, address, 8, 0, 0]);
    for address in [0, 8, 0xffff_8000_0000_0000, sys::abi::USER_END - 4] {
        same!(
            env,
            into(address),
            Err(Error::BadAddress),
            "to {address:#x}"
        );
    }
    let weak = call::handle_duplicate(child.handle(), Rights(!Rights::DEBUG.0)).map(Owned);
    let weak = weak.must(env, "weak")?;
    let denied = call::process_read(weak.0, PLACE, &mut [0; 8]);
    same!(env, denied, Err(Error::AccessDenied), "without DEBUG");
    Ok(())
}

/// Guard pages are not read, nor what was made inaccessible, nor the memory of devices.
pub fn memory_that_is_not(env: &Env<'_>) -> Outcome {
    let child = Child::new(env).must(env, "child")?;
    let guarded = Area::guarded(2, 1).must(env, "guarded")?;
    let place = guarded.map_at(child.handle(), PLACE, 0, 4, RW);
    let place = place.must(env, "map")?;
    let read = |address| call::process_read(child.handle(), address, &mut [0; 8]);
    let none = Err(Error::NotMapped);
    for (page, wanted) in [(0, none), (1, Ok(8)), (2, none), (3, Ok(8))] {
        same!(env, read(place.at(page, 0)), wanted, "page {page}");
    }
    place.protect(1, 1, 0).must(env, "protect")?;
    same!(env, read(place.at(1, 0)), none, "an inaccessible page");
    let resource = env.context.memory().ok_or(Error::NotReady);
    let resource = resource.must(env, "memory")?;
    let Ok(screen) = call::system_framebuffer(env.system) else {
        return Ok(());
    };
    let start = screen.address & !(PAGE - 1);
    let device = call::vm_area_create_fixed(resource, start, PAGE, area::WRITE_COMBINING);
    let device = Area(Owned(device.must(env, "fixed area")?));
    let place = device.map_at(child.handle(), PLACE + 16 * PAGE, 0, 1, R);
    let place = place.must(env, "map it")?;
    let found = read(place.address);
    same!(env, found, Err(Error::NotSupported), "a device");
    Ok(())
}

/// The handles of a process are told, each once, as itself would see them.
pub fn handles(env: &Env<'_>) -> Outcome {
    const COUNT: usize = 100;
    let child = Child::new(env).must(env, "child")?;
    let none = call::process_next_handle(child.handle(), 0);
    same!(env, none, Err(Error::NotReady), "none");
    let mut given = [const { None }; COUNT];
    for (index, place) in given.iter_mut().enumerate() {
        let event = call::event_create().must(env, "event")?;
        let rights = if index % 2 == 0 {
            Rights::ALL
        } else {
            Rights::SIGNAL.union(Rights::TRANSFER)
        };
        let copy = call::handle_duplicate(event, rights).must(env, "copy")?;
        call::handle_close(event).must(env, "close")?;
        let info = call::handle_info(copy).must(env, "info")?;
        let there = call::handle_give(child.handle(), copy).must(env, "give")?;
        *place = Some((there, info));
    }
    let mut found = 0;
    let mut from = 0;
    loop {
        let entry = match call::process_next_handle(child.handle(), from) {
            Err(Error::NotReady) => break,
            entry => entry.must(env, "entry")?,
        };
        check!(env, entry.index >= from, "{entry:?} after {from}");
        same!(env, entry.handle & 0xffff_ffff, entry.index, "slot");
        let mut all = given.iter().flatten();
        let own = all.find(|(handle, _)| handle.0 == entry.handle);
        let Some((_, info)) = own else {
            check!(env, false, "{entry:?} was not given");
            return Err(Failed);
        };
        let wanted = (info.kind, info.rights, info.object);
        let told = (entry.kind, entry.rights, entry.object);
        same!(env, told, wanted, "{:#x}", entry.handle);
        same!(env, entry.kind, ObjectType::Event.number(), "kind");
        found += 1;
        from = entry.index + 1;
    }
    same!(env, found, COUNT, "handles");
    for from in [1 << 16, 1 << 32, NEVER] {
        let none = call::process_next_handle(child.handle(), from);
        same!(env, none, Err(Error::NotReady), "from {from:#x}");
    }
    Ok(())
}

/// The mappings of a process are told in the order of their addresses.
pub fn mappings(env: &Env<'_>) -> Outcome {
    let child = Child::new(env).must(env, "child")?;
    let area = Area::open(8).must(env, "area")?;
    call::vm_area_commit(area.handle(), 0, 2 * PAGE).must(env, "commit")?;
    let object = call::handle_info(area.handle()).must(env, "info")?.object;
    let place = area.map_at(child.handle(), PLACE, 2, 4, RW);
    let place = place.must(env, "map")?;
    place.protect(2, 1, R).must(env, "protect")?;
    let next = |from| call::process_next_area(child.handle(), from);
    let code = next(0).must(env, "code")?;
    same!(env, (code.address, code.len), (CODE, PAGE), "the code");
    same!(env, code.access, area::READ | area::EXECUTE, "its access");
    let mut from = CODE + PAGE;
    for (first, pages, access) in [(0, 2, RW), (2, 1, R), (3, 1, RW)] {
        let wanted = area::Entry {
            address: PLACE + first * PAGE,
            len: pages * PAGE,
            access,
            kind: area::OPEN,
            offset: (2 + first) * PAGE,
            committed: 2 * PAGE,
            size: 8 * PAGE,
            object,
        };
        same!(env, next(from), Ok(wanted), "from {from:#x}");
        from = wanted.address + wanted.len;
        same!(env, next(from - 1), Ok(wanted), "at its last byte");
    }
    for from in [from, sys::abi::USER_END, NEVER] {
        same!(env, next(from), Err(Error::NotReady), "from {from:#x}");
    }
    Ok(())
}
