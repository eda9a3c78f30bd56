//! Translations of the kernel's half: what one processor unmaps, no other uses any more, and processors that ask each other at
//! the same time, with interrupts off, all get their answers.

use alloc::format;
use alloc::string::String;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use kaddr::{PAGE_SIZE, VirtAddr, VirtRange};
use x86_64::instructions::interrupts;

use super::tools::{Account, check_each_cpu, online};
use super::{Outcome, check};
use crate::arch::current::{shootdown, time};
use crate::mm::layout::STACKS;
use crate::mm::{self, Purpose};

/// How often each processor maps and unmaps, if there is time.
const MUTUAL_ROUNDS: u64 = 1000;
/// When to stop all the same: where processors share those of an emulator's host, an answer can take milliseconds.
const MUTUAL_NS: u64 = 3_000_000_000;
/// How often the shared page is replaced.
const REPLACEMENTS: u64 = 100;

/// Pages in the range of the stacks, far beyond those that there are.
fn pages(first: u64, count: u64) -> VirtRange {
    let start = STACKS.end.as_u64() - (1 << 30) + first * PAGE_SIZE;
    VirtRange::new(
        VirtAddr::new(start),
        VirtAddr::new(start + count * PAGE_SIZE),
    )
}

fn word(range: VirtRange) -> *mut u64 {
    range.start.as_u64() as *mut u64
}

/// Maps pages of its own, writes to them, unmaps them, all with interrupts off, while all others do the same.
fn map_and_unmap(cpu: u32) -> Result<u64, String> {
    let end = time::now_ns() + MUTUAL_NS;
    let mut round = 0;
    while round < MUTUAL_ROUNDS && (round == 0 || time::now_ns() < end) {
        // One page, a few, and more than are forgotten one by one.
        let count = [1, 3, 40][(round % 3) as usize];
        let range = pages(u64::from(cpu) * 64, count);
        let found = interrupts::without_interrupts(|| {
            mm::map_fresh(range, Purpose::Other).map_err(|error| format!("{error}"))?;
            let mark = u64::from(cpu) << 32 | round;
            // SAFETY: mapped just now, for this processor alone.
            let read = unsafe {
                word(range).write_volatile(mark);
                word(range).read_volatile()
            };
            mm::unmap_fresh(range, Purpose::Other);
            Ok::<_, String>((mark, read))
        })?;
        check!(
            found.0 == found.1,
            "{:#x} was read instead of {:#x}",
            found.1,
            found.0
        );
        round += 1;
    }
    Ok(round)
}

/// All processors ask all others at once.
pub fn mutual() -> Outcome {
    let (before, sent) = (Account::now(), shootdown::sent());
    let rounds: u64 = check_each_cpu(map_and_unmap)?.iter().sum();
    before.check_same()?;
    let sent = shootdown::sent() - sent;
    let others = online().count() as u64 - 1;
    check!(
        sent >= rounds * others,
        "{sent} requests for {rounds} changes that {others} other processors must hear of"
    );
    Ok(format!("{rounds} changes, {sent} requests"))
}

/// What the processors of [`no_stale_page`] share.
static TURN: AtomicU64 = AtomicU64::new(0);
static READERS: AtomicUsize = AtomicUsize::new(0);

/// One processor replaces the frame behind a page again and again; the others, which have just used the page, must see
/// the new frame.
fn replace_or_read(cpu: u32) -> Result<u64, String> {
    let others = online().count() - 1;
    let range = pages(1 << 16, 1);
    for turn in 1..=REPLACEMENTS {
        if cpu == 0 {
            mm::map_fresh(range, Purpose::Other).map_err(|error| format!("{error}"))?;
            // SAFETY: mapped just now; the others only read, and only after the turn is announced.
            unsafe { word(range).write_volatile(turn) };
            READERS.store(0, Ordering::Release);
            TURN.store(turn, Ordering::Release);
            while READERS.load(Ordering::Acquire) < others {
                core::hint::spin_loop();
                crate::sched::yield_now();
            }
            mm::unmap_fresh(range, Purpose::Other);
        } else {
            while TURN.load(Ordering::Acquire) < turn {
                core::hint::spin_loop();
            }
            // SAFETY: processor 0 keeps the page mapped until all readers have counted themselves.
            let read = unsafe { word(range).read_volatile() };
            READERS.fetch_add(1, Ordering::AcqRel);
            check!(
                read == turn,
                "cpu{cpu} read {read} behind a page where {turn} stands"
            );
        }
    }
    Ok(REPLACEMENTS)
}

/// No processor uses a page that another one has unmapped.
pub fn no_stale_page() -> Outcome {
    TURN.store(0, Ordering::Release);
    let before = Account::now();
    check_each_cpu(replace_or_read)?;
    before.check_same()?;
    Ok(format!("{REPLACEMENTS} frames behind one page"))
}
