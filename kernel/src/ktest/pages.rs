//! The rights of every page that the kernel has mapped, by a walk of the tables in CR3.

use alloc::format;

use kaddr::{PhysAddr, VirtAddr, VirtRange};
use kmem::pt::TableMemory;
use kmem::pt::entry::{
    ADDRESS, ENTRIES, ENTRY_BYTES, GLOBAL, NO_EXECUTE, PAGE, PRESENT, USER, WRITABLE,
};
use x86_64::registers::control::{Cr3, Cr4, Cr4Flags};

use super::{Outcome, check};
use crate::arch::current::paging;
use crate::boot;
use crate::mm::layout::{self, DEVICES, DIRECT_MAP, HEAP, STACKS};
use crate::mm::{DirectMemory, stack};

/// A mapped page, with what all levels together allow.
#[derive(Clone, Copy)]
struct Leaf {
    start: u64,
    len: u64,
    phys: u64,
    write: bool,
    execute: bool,
    user: bool,
    global: bool,
}

/// Calls `visit` for every page mapped below a table; returns how many tables there are, itself included.
fn walk(table: u64, level: u32, base: u64, above: Leaf, visit: &mut impl FnMut(&Leaf)) -> u64 {
    let mut tables = 1;
    let len = 1 << (12 + 9 * (level - 1));
    for index in 0..ENTRIES {
        let value = DirectMemory.read(PhysAddr::new(table + index * ENTRY_BYTES));
        if value & PRESENT == 0 {
            continue;
        }
        // Sign extension: a walk of the upper half begins with a base that has its upper bits set.
        let start = base + index * len;
        let phys = value & ADDRESS;
        let leaf = Leaf {
            start,
            len,
            phys: phys & !(len - 1),
            write: above.write && value & WRITABLE != 0,
            execute: above.execute && value & NO_EXECUTE == 0,
            user: above.user && value & USER != 0,
            global: value & GLOBAL != 0,
        };
        if level == 1 || value & PAGE != 0 && level < 4 {
            visit(&leaf);
        } else {
            tables += walk(phys, level - 1, start, leaf, visit);
        }
    }
    tables
}

/// Walks the upper half of the tables in use; returns how many tables there are below the top-level one.
fn walk_upper_half(visit: &mut impl FnMut(&Leaf)) -> u64 {
    let (root, levels) = top();
    let len = 1u64 << (12 + 9 * (levels - 1));
    let all = Leaf {
        start: 0,
        len: 0,
        phys: 0,
        write: true,
        execute: true,
        user: true,
        global: false,
    };
    let mut tables = 0;
    for index in ENTRIES / 2..ENTRIES {
        let value = DirectMemory.read(PhysAddr::new(root + index * ENTRY_BYTES));
        if value & PRESENT != 0 {
            let start = (u64::MAX << (12 + 9 * levels)) + index * len;
            let above = Leaf {
                write: value & WRITABLE != 0,
                execute: value & NO_EXECUTE == 0,
                user: value & USER != 0,
                ..all
            };
            tables += walk(value & ADDRESS, levels - 1, start, above, visit);
        }
    }
    tables
}

fn top() -> (u64, u32) {
    let levels = if Cr4::read().contains(Cr4Flags::L5_PAGING) {
        5
    } else {
        4
    };
    (Cr3::read_raw().0.start_address().as_u64(), levels)
}

/// How many page tables the kernel's half has, the top-level one left out.
pub fn kernel_tables() -> u64 {
    walk_upper_half(&mut |_| {})
}

/// What is wrong with a page, if anything.
fn fault(leaf: &Leaf) -> Option<&'static str> {
    let range = VirtRange::new(
        VirtAddr::new(leaf.start),
        VirtAddr::new(leaf.start.saturating_add(leaf.len)),
    );
    let within = |area: VirtRange| area.contains_range(&range);
    if leaf.user {
        return Some("user mode may use a page of the kernel's half");
    }
    if leaf.write && leaf.execute {
        return Some("writable and executable");
    }
    if !leaf.global {
        return Some("not global");
    }
    if within(layout::text()) {
        return (leaf.write || !leaf.execute).then_some("code that is writable or not executable");
    }
    if leaf.execute {
        return Some("executable, and no code of the kernel");
    }
    if within(layout::rodata()) {
        return leaf.write.then_some("a writable constant");
    }
    if within(layout::data()) {
        return if paging::boot_stack_guard().overlaps(&range) {
            Some("the guard page of the boot stack")
        } else {
            None
        };
    }
    if within(STACKS) {
        return stack::is_guard(leaf.start).then_some("the guard page of a stack");
    }
    if within(DIRECT_MAP) {
        // The image but for its start-up code, which was given back and is memory as any other.
        let kernel = boot::info().kernel.as_u64();
        let place = |address: VirtAddr| kernel + address.as_u64() - layout::image_start().as_u64();
        let overlaps = |start: VirtAddr, end: VirtAddr| {
            leaf.phys < place(end) && place(start) < leaf.phys + leaf.len
        };
        let aliased = overlaps(layout::image_start(), layout::init().start)
            || overlaps(layout::init().end, layout::data().end);
        let wrong = leaf.phys != leaf.start - DIRECT_MAP.start.as_u64();
        return match (aliased, wrong) {
            (true, _) => Some("a second mapping of the kernel image"),
            (_, true) => Some("the direct map maps another address"),
            _ => None,
        };
    }
    if within(HEAP) || within(DEVICES) {
        None
    } else {
        Some("outside of every area of the kernel")
    }
}

/// No page is writable and executable, code and constants cannot be written to, guard pages are not mapped, nothing is
/// open to user mode, and nothing is mapped that the layout does not know; and the lower half is empty.
pub fn rights() -> Outcome {
    let (root, _) = top();
    for index in 0..ENTRIES / 2 {
        let value = DirectMemory.read(PhysAddr::new(root + index * ENTRY_BYTES));
        check!(
            value == 0,
            "entry {index} of the lower half of the kernel's tables is {value:#x}"
        );
    }
    let (mut pages, mut code, mut constants, mut stacks, mut wrong) = (0, 0, 0, 0, None);
    let tables = walk_upper_half(&mut |leaf| {
        pages += 1;
        let start = VirtAddr::new(leaf.start);
        code += if layout::text().contains(start) {
            leaf.len
        } else {
            0
        };
        constants += if layout::rodata().contains(start) {
            leaf.len
        } else {
            0
        };
        stacks += if STACKS.contains(start) { leaf.len } else { 0 };
        if let (None, Some(reason)) = (wrong, fault(leaf)) {
            wrong = Some((leaf.start, reason));
        }
    });
    if let Some((address, reason)) = wrong {
        return Err(format!("page at {address:#x}: {reason}"));
    }
    check!(
        code == layout::text().len(),
        "{code:#x} bytes of code are mapped of {:#x}",
        layout::text().len()
    );
    check!(
        constants == layout::rodata().len(),
        "{constants:#x} bytes of constants are mapped"
    );
    let made = stack::counts().0 as u64 * stack::SIZE;
    check!(
        stacks == made,
        "{stacks:#x} bytes of stacks are mapped, {made:#x} were made"
    );
    Ok(format!(
        "{pages} pages in {tables} tables, {} KiB of code",
        code / 1024
    ))
}
