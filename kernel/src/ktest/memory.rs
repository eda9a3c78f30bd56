//! Frames and heap under all CPUs at once: nothing is handed out twice, nothing is lost.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use kaddr::{Frame, PAGE_SIZE};

use super::tools::{Account, Random, check_each_cpu};
use super::{Outcome, check};
use crate::mm::frames::{self, Purpose};
use crate::mm::{self, phys_to_virt};
use crate::sched;

const FRAME_ROUNDS: u64 = 40;
const FRAMES_MAX: u64 = 96;
const HEAP_ROUNDS: u64 = 3000;
const BLOCKS_MAX: usize = 64;

/// First and last word of a frame, where its owner writes its mark.
fn ends(frame: Frame) -> [*mut u64; 2] {
    let start = phys_to_virt(frame.start()).as_u64();
    [start as *mut u64, (start + PAGE_SIZE - 8) as *mut u64]
}

fn mark(frame: Frame, mark: u64) {
    for word in ends(frame) {
        // SAFETY: a frame that this thread owns, in the direct map (invariants 1 and 4).
        unsafe { word.write_volatile(mark) };
    }
}

fn is_marked(frame: Frame, mark: u64) -> bool {
    // SAFETY: as in `mark`.
    ends(frame)
        .into_iter()
        .all(|word| unsafe { word.read_volatile() } == mark)
}

/// Takes frames, marks them, and gives them back in another order.
fn use_frames(cpu: u32) -> Result<u64, String> {
    let mut random = Random::new(u64::from(cpu) + 1);
    let mut taken = 0;
    for round in 0..FRAME_ROUNDS {
        let own = u64::from(cpu) << 32 | round;
        let wanted = 1 + random.below(FRAMES_MAX);
        let mut frames: Vec<Frame> = Vec::new();
        for _ in 0..wanted {
            let frame = frames::allocate(Purpose::Other).ok_or("frames ran out")?;
            mark(frame, own << 16 | frames.len() as u64);
            frames.push(frame);
        }
        taken += wanted;
        sched::yield_now();
        for (index, frame) in frames.iter().enumerate() {
            check!(
                is_marked(*frame, own << 16 | index as u64),
                "the frame at {} has two owners",
                frame.start()
            );
        }
        while !frames.is_empty() {
            let frame = frames.swap_remove(random.below(frames.len() as u64) as usize);
            frames::try_free(frame, Purpose::Other)
                .map_err(|error| format!("{}: {error}", frame.start()))?;
        }
    }
    Ok(taken)
}

/// All CPUs take and return frames; afterwards exactly as many are free as before.
pub fn frames_conserved() -> Outcome {
    let before = Account::now();
    let taken: u64 = check_each_cpu(use_frames)?.iter().sum();
    before.check_same()?;
    Ok(format!("{taken} frames taken and returned"))
}

/// Takes, grows and returns blocks of the heap, each filled with a pattern of its own.
fn use_heap(cpu: u32) -> Result<u64, String> {
    let mut random = Random::new(u64::from(cpu) + 1000);
    let mut live: Vec<(u8, Vec<u8>)> = Vec::new();
    let mut bytes = 0;
    let is_intact = |(pattern, block): &(u8, Vec<u8>)| block.iter().all(|byte| byte == pattern);
    for round in 0..HEAP_ROUNDS {
        let pattern = (round as u8) ^ (cpu as u8) << 6;
        let len = match random.below(40) {
            0 => random.below(64 * 1024),
            1..8 => random.below(4096),
            _ => random.below(256),
        } as usize;
        bytes += len as u64;
        if live.len() < BLOCKS_MAX && random.below(3) != 0 {
            let mut block = Vec::new();
            block.try_reserve_exact(len).map_err(|_| "memory ran out")?;
            block.resize(len, pattern);
            live.push((pattern, block));
        } else if let Some(at) = live
            .len()
            .checked_sub(1)
            .map(|last| random.below(last as u64 + 1) as usize)
        {
            check!(is_intact(&live[at]), "a block on the heap was overwritten");
            if random.below(4) == 0 {
                let (pattern, block) = &mut live[at];
                block.try_reserve(len).map_err(|_| "memory ran out")?;
                block.resize(len, *pattern);
            } else {
                live.swap_remove(at);
            }
        }
    }
    check!(
        live.iter().all(is_intact),
        "a block on the heap was overwritten"
    );
    Ok(bytes)
}

/// All CPUs use the heap; afterwards as many bytes are in use as before, and frames: what is free, plus what is mapped for
/// the heap, plus page tables for that, is the same as before. When what is kept is given back, too, the heap is as small
/// as the bytes in use allow.
pub fn heap_conserved() -> Outcome {
    mm::trim();
    let (before, mapped) = (Account::now(), mm::heap::usage().mapped);
    let bytes: u64 = check_each_cpu(use_heap)?.iter().sum();
    before.check_same()?;
    let grown = mm::heap::usage().mapped;
    mm::trim();
    before.check_same()?;
    let left = mm::heap::usage().mapped;
    check!(
        left <= mapped,
        "{left} bytes stay mapped for the heap, {mapped} were before"
    );
    Ok(format!(
        "{} KiB taken and returned, {} KiB mapped, {} after a trim",
        bytes / 1024,
        grown / 1024,
        left / 1024
    ))
}

/// The heap grows chunk by chunk until memory is out, which is an error for whoever asks and no more; then it shrinks to
/// what it was, while other processors use it.
pub fn heap_grows_and_shrinks() -> Outcome {
    const BLOCK: usize = 100 * 1024;
    mm::trim();
    let (before, mapped) = (Account::now(), mm::heap::usage().mapped);
    let most: u64 = check_each_cpu(|cpu| {
        let mut most = 0;
        for round in 0..3 {
            let mut blocks: Vec<Vec<u8>> = Vec::new();
            let mark = (cpu << 2 | round) as u8;
            loop {
                let mut block = Vec::new();
                let has_room =
                    blocks.try_reserve(1).is_ok() && block.try_reserve_exact(BLOCK).is_ok();
                if !has_room || blocks.len() == 64 {
                    break;
                }
                block.resize(BLOCK, mark);
                blocks.push(block);
            }
            sched::yield_now();
            check!(
                blocks
                    .iter()
                    .all(|block| block.first() == Some(&mark) && block.last() == Some(&mark)),
                "a block on the heap was overwritten"
            );
            most = most.max(blocks.len() as u64);
            // The later half first, then the rest: chunks become empty in another order than they came.
            blocks.truncate(blocks.len() / 2);
        }
        Ok(most)
    })?
    .iter()
    .sum();
    before.check_same()?;
    mm::trim();
    before.check_same()?;
    let left = mm::heap::usage().mapped;
    check!(
        left <= mapped,
        "{left} bytes stay mapped for the heap, {mapped} were before"
    );
    Ok(format!("{most} blocks of {} KiB at once", BLOCK / 1024))
}
