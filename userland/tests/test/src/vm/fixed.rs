//! Fixed areas: the memory of a device, which nobody gives and nobody takes.

use sys::abi::framebuffer::Framebuffer;
use sys::abi::{Error, Handle, Rights, area};
use sys::{call, log_line};

use crate::area::{Area, Mapping, Owned, PAGE, R, RW, load, store};
use crate::child::{CODE, Child, Code, End};
use crate::harness::{Env, Failed, Must, Outcome};
use crate::{check, same};

/// The resource of all memory, and where the last whole page of the screen is in it; none without a screen.
fn screen(env: &Env<'_>) -> Result<Option<(Handle, u64)>, Failed> {
    let memory = env.context.memory().ok_or(Error::NotReady);
    let memory = memory.must(env, "resource of memory")?;
    match call::system_framebuffer(env.system) {
        Ok(Framebuffer {
            address,
            pitch,
            height,
            ..
        }) => Ok(Some((
            memory,
            (address + pitch * height) / PAGE * PAGE - PAGE,
        ))),
        Err(Error::NotSupported) => {
            log_line!(env.context, "  this machine has no screen");
            Ok(None)
        }
        Err(error) => Err(error).must(env, "screen"),
    }
}

fn fixed(resource: Handle, offset: u64, pages: u64) -> Result<Area, Error> {
    let area = call::vm_area_create_fixed(resource, offset, pages * PAGE, area::WRITE_COMBINING)?;
    Ok(Area(Owned(area)))
}

/// What is on the screen stays there, whoever maps it: nothing is zeroed, and when the last area of it goes, nothing is freed.
pub fn fixed_areas(env: &Env<'_>) -> Outcome {
    let Some((memory, offset)) = screen(env)? else {
        return Ok(());
    };
    let word = |view: &Mapping| view.at(0, 100);
    let before = {
        let area = fixed(memory, offset, 1).must(env, "create")?;
        let info = area.info();
        same!(env, info.kind, area::FIXED, "kind");
        same!(
            env,
            (info.size, info.committed),
            (PAGE, 0),
            "size and pages of its own"
        );
        let view = area.map(env.own, 0, 1, RW).must(env, "map")?;
        let before = load(word(&view));
        store(word(&view), 0x0012_3456_0065_4321);
        view.unmap().must(env, "unmap")?;
        let view = area.map(env.own, 0, 1, R).must(env, "map again")?;
        same!(
            env,
            load(word(&view)),
            0x0012_3456_0065_4321,
            "after an unmap"
        );
        before
    };
    // The area is gone; another one of the same memory, in another process, shows what was left.
    let area = fixed(memory, offset, 1).must(env, "create again")?;
    let child = Child::new(env).must(env, "child")?;
    let there = CODE + 64 * PAGE;
    area.map_at(child.handle(), there, 0, 1, R)
        .must(env, "map there")?
        .keep();
    let seen = child.run(Code::Read, there + 800).must(env, "run")?;
    same!(
        env,
        seen,
        End::Status(0x0012_3456_0065_4321),
        "in the child"
    );
    drop(child);
    let view = area
        .map(env.own, 0, 1, RW)
        .must(env, "map for the last time")?;
    store(word(&view), before);
    Ok(())
}

/// What cannot be done with a fixed area.
pub fn fixed_areas_do_not_change(env: &Env<'_>) -> Outcome {
    let Some((memory, offset)) = screen(env)? else {
        return Ok(());
    };
    let area = fixed(memory, offset, 1).must(env, "create")?;
    let refused = Err(Error::NotSupported);
    let resized = call::vm_area_resize(area.handle(), 2 * PAGE);
    same!(env, resized, refused, "resize");
    let freed = call::vm_area_decommit(area.handle(), 0, PAGE);
    same!(env, freed, refused, "decommit");
    let copied = call::vm_area_snapshot(area.handle()).map(|_| ());
    same!(env, copied, refused, "snapshot");
    Ok(())
}

/// A resource is given on in part, never more; and no program gets at the machine's memory, nor at what the kernel drives.
pub fn resources_only_shrink(env: &Env<'_>) -> Outcome {
    let memory = env.context.memory().ok_or(Error::NotReady);
    let memory = memory.must(env, "resource of memory")?;
    let all = call::resource_info(memory).must(env, "info")?;
    same!(env, all.start, 0, "start of all memory");
    let narrow = |whole: Handle, offset, len| call::resource_narrow(whole, offset, len).map(Owned);
    let part = narrow(memory, 0x10_0000, 0x10_0000).must(env, "a part")?;
    let inner = narrow(part.0, 0x8000, 0x4000).must(env, "a part of the part")?;
    let info = call::resource_info(inner.0).must(env, "info of the part")?;
    same!(env, (info.start, info.len), (0x10_8000, 0x4000), "the part");
    for (offset, len) in [
        (0, 0),
        (0, 0x4001),
        (0x4000, 1),
        (u64::MAX, 2),
        (1, u64::MAX),
        (0x1000, 0x3001),
    ] {
        let more = narrow(inner.0, offset, len).map(drop);
        same!(
            env,
            more,
            Err(Error::InvalidArgument),
            "{offset:#x}+{len:#x}"
        );
    }
    let beyond = fixed(inner.0, 0x4000, 1).map(drop);
    same!(
        env,
        beyond,
        Err(Error::InvalidArgument),
        "an area beyond the part"
    );
    // RAM, the kernel's image among it; the local interrupt controllers.
    for address in [0x10_0000, 0x20_0000, 0x100_0000, 0xfee0_0000] {
        let forbidden = fixed(memory, address, 1).map(drop);
        same!(
            env,
            forbidden,
            Err(Error::AccessDenied),
            "memory at {address:#x}"
        );
    }
    let everything = fixed(memory, 0, all.len / PAGE).map(drop);
    same!(env, everything, Err(Error::AccessDenied), "all memory");
    let weak = call::handle_duplicate(memory, Rights::INSPECT).must(env, "duplicate")?;
    let weak = Owned(weak);
    let forbidden = fixed(weak.0, 0xfee0_0000, 1).map(drop);
    same!(
        env,
        forbidden,
        Err(Error::AccessDenied),
        "without the right"
    );
    call::handle_revoke(part.0).must(env, "revoke")?;
    let gone = call::resource_info(inner.0).map(|_| ());
    check!(
        env,
        gone == Err(Error::BadHandle),
        "the part of the part is there after its end: {gone:?}"
    );
    Ok(())
}
