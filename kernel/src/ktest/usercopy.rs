//! Copies from and to user memory that must fail, and those next to them that must not.

use alloc::format;
use alloc::string::String;

use kaddr::PAGE_SIZE;
use kmem::pt::CacheMode;
use x86_64::registers::rflags::{self, RFlags};

use super::{Outcome, check};
use crate::arch::current::usercopy::{self, USER_END};
use crate::arch::current::{percpu, shootdown, time};
use crate::mm::frames::{self, Purpose};
use crate::mm::{self, layout, phys_to_virt};
use crate::vm::{Access, Account, AddressSpace, NewArea, Rights, VmArea};

/// A copy each way must fail, and must leave user memory closed to the kernel.
fn must_fail(address: u64, len: usize) -> Result<(), String> {
    let mut buffer = [0u8; 64];
    let buffer = &mut buffer[..len];
    check!(
        usercopy::read(address, buffer).is_err(),
        "{len} bytes were read at {address:#x}"
    );
    check!(
        buffer.iter().all(|&byte| byte == 0),
        "bytes at {address:#x} came through"
    );
    check!(
        usercopy::write(address, buffer).is_err(),
        "{len} bytes were written at {address:#x}"
    );
    check!(
        !rflags::read().contains(RFlags::ALIGNMENT_CHECK),
        "user memory stays open after {address:#x}"
    );
    Ok(())
}

/// From a thread of the kernel no user memory is mapped, and no other address is ever user memory.
pub fn bad_addresses() -> Outcome {
    let own = 1u64;
    let addresses = [
        0,
        1,
        PAGE_SIZE,
        0x20_0000,
        USER_END - 64,
        USER_END - 1,
        USER_END,
        0x7fff_ffff_ffff,
        0x8000_0000_0000,
        0xffff_7fff_ffff_ffff,
        layout::DIRECT_MAP.start.as_u64(),
        layout::HEAP.start.as_u64(),
        layout::text().start.as_u64(),
        layout::data().start.as_u64(),
        &raw const own as u64,
        time::now_ns as fn() -> u64 as usize as u64,
        u64::MAX - 63,
        u64::MAX,
    ];
    for address in addresses {
        for len in [1, 8, 64] {
            must_fail(address, len)?;
        }
    }
    Ok(format!("{} addresses", addresses.len()))
}

/// A buffer may end with the last mapped byte and not one further; what cannot be written to is not.
pub fn last_byte() -> Outcome {
    const BASE: u64 = 0x40_0000;
    let text = |error: &dyn core::fmt::Debug| format!("{error:?}");
    let account = Account::new(64, None).map_err(|error| text(&error))?;
    let space = AddressSpace::new(account.clone()).map_err(|error| text(&error))?;
    let area = VmArea::new(NewArea::Open { pages: 3 }, account).map_err(|error| text(&error))?;
    let (read, write) = (Rights::READ, Rights::READ | Rights::WRITE);
    for (first, pages, rights) in [(0, 2, write), (2, 1, read)] {
        let (at, len) = (first * PAGE_SIZE, pages * PAGE_SIZE);
        space
            .map(Some(BASE + at), len, &area, at, rights, rights)
            .map_err(|error| text(&error))?;
    }
    // A thread of the kernel has no process whose faults could be resolved: the pages must be there before.
    for page in 0..3 {
        space
            .resolve(BASE + page * PAGE_SIZE, Access::Read)
            .map_err(|error| text(&error))?;
    }
    // Interrupts stay off: another thread would load other tables.
    x86_64::instructions::interrupts::without_interrupts(|| {
        // SAFETY: interrupts are off; the space is retired when it is dropped.
        unsafe { shootdown::activate(percpu::current(), space.tlb()) };
        in_space(BASE)
    })
}

/// A fixed area shows the given frames and no others, with what is in them; when it goes, they stay in use.
pub fn fixed_area() -> Outcome {
    const PAGES: u64 = 3;
    const BASE: u64 = 0x40_0000;
    let text = |error: &dyn core::fmt::Debug| format!("{error:?}");
    let account = Account::new(64, None).map_err(|error| text(&error))?;
    let device = frames::allocate_contiguous(PAGES as usize, 1, None, Purpose::Device)
        .ok_or("no three frames in a row")?;
    let register = |page: u64| {
        let frame = phys_to_virt(device.start).as_u64() + page * PAGE_SIZE;
        frame as *mut u64
    };
    for page in 0..PAGES {
        // SAFETY: three frames that are ours, in the direct map (invariants 1 and 4).
        unsafe { register(page).write_volatile(0xd0 + page) };
    }
    let used = mm::statistics().used_for(Purpose::Device);
    let user = mm::statistics().used_for(Purpose::User);
    {
        let space = AddressSpace::new(account.clone()).map_err(|error| text(&error))?;
        let area = VmArea::fixed(device, CacheMode::WriteBack, account.clone())
            .map_err(|error| text(&error))?;
        let rights = Rights::READ | Rights::WRITE;
        let len = PAGES * PAGE_SIZE;
        space
            .map(Some(BASE), len, &area, 0, rights, rights)
            .map_err(|error| text(&error))?;
        check!(
            area.resize(PAGES + 1).is_err() && area.decommit(0, 1).is_err(),
            "a fixed area was changed"
        );
        // The mapping alone keeps it.
        drop(area);
        for page in 0..PAGES {
            space
                .resolve(BASE + page * PAGE_SIZE, Access::Write)
                .map_err(|error| text(&error))?;
        }
        x86_64::instructions::interrupts::without_interrupts(|| {
            // SAFETY: as in `last_byte`.
            unsafe { shootdown::activate(percpu::current(), space.tlb()) };
            for page in 0..PAGES {
                let mut word = [0u8; 8];
                let at = BASE + page * PAGE_SIZE;
                let is_read = usercopy::read(at, &mut word).is_ok();
                let found = u64::from_le_bytes(word);
                check!(
                    is_read && found == 0xd0 + page,
                    "{found:#x} was read at {at:#x}"
                );
                check!(
                    usercopy::write(at, &(0xe0 + page).to_le_bytes()).is_ok(),
                    "nothing can be written at {at:#x}"
                );
            }
            Ok(())
        })?;
    }
    for page in 0..PAGES {
        // SAFETY: as above.
        let found = unsafe { register(page).read_volatile() };
        check!(found == 0xe0 + page, "{found:#x} stands in frame {page}");
    }
    let now = mm::statistics();
    check!(
        now.used_for(Purpose::Device) == used && now.used_for(Purpose::User) == user,
        "frames of the device were given back with the area"
    );
    check!(
        account.usage().0 == 0,
        "{} pages stay charged",
        account.usage().0
    );
    frames::free_range(device, Purpose::Device);
    Ok(format!("{PAGES} frames"))
}

fn in_space(base: u64) -> Outcome {
    let read_only = base + 2 * PAGE_SIZE;
    let end = base + 3 * PAGE_SIZE;
    let pattern: [u8; 64] = core::array::from_fn(|index| index as u8 + 1);
    let mut copies = 0;
    for offset in (0..64).chain(PAGE_SIZE - 64..PAGE_SIZE) {
        let mut back = [0u8; 64];
        let at = base + offset;
        check!(
            usercopy::write(at, &pattern).is_ok(),
            "nothing can be written at {at:#x}"
        );
        check!(
            usercopy::read(at, &mut back).is_ok() && back == pattern,
            "{at:#x} reads back as {back:?}"
        );
        copies += 1;
    }
    for len in 1..=64usize {
        let mut back = [1u8; 64];
        let at = end - len as u64;
        check!(
            usercopy::read(at, &mut back[..len]).is_ok(),
            "the last {len} bytes cannot be read"
        );
        check!(
            back[..len].iter().all(|&byte| byte == 0),
            "fresh memory is not zero"
        );
        check!(
            usercopy::read(at + 1, &mut back[..len]).is_err(),
            "{len} bytes were read over the end"
        );
        check!(
            usercopy::write(at, &pattern[..len]).is_err(),
            "{len} bytes of a read-only page were written"
        );
        let over = read_only - len as u64 + 1;
        check!(
            usercopy::write(over, &pattern[..len]).is_err(),
            "{len} bytes were written into a read-only page"
        );
        copies += 4;
    }
    check!(
        usercopy::read(read_only, &mut []).is_ok(),
        "nothing at all cannot be copied"
    );
    check!(
        !rflags::read().contains(RFlags::ALIGNMENT_CHECK),
        "user memory stays open"
    );
    Ok(format!("{copies} copies"))
}
