//! The frame caches on the real machine: all memory can be reached, every frame is counted, and the common case is short.

use alloc::format;

use kaddr::{Frame, LARGE, PAGE_SIZE, PhysAddr, PhysRange};
use kmem::frame::FreeError;

use super::pages;
use super::tools::{Account, check_each_cpu};
use super::{Outcome, check};
use crate::arch::current::time;
use crate::mm::frames::{self, Node, Purpose};
use crate::mm::{self, phys_to_virt};

/// Frames in a list that is kept in the frames themselves: it needs no other memory.
pub struct Chain {
    first: Option<Frame>,
    len: u64,
}

impl Chain {
    /// No frames.
    pub const fn new() -> Self {
        Self {
            first: None,
            len: 0,
        }
    }

    /// Takes one in.
    pub fn push(&mut self, frame: Frame) {
        let next = self.first.map_or(0, |next| next.start().as_u64());
        // SAFETY: a frame that this thread owns, in the direct map (invariants 1 and 4).
        unsafe { (phys_to_virt(frame.start()).as_u64() as *mut u64).write_volatile(next) };
        self.first = Some(frame);
        self.len += 1;
    }

    /// Hands the last one out.
    pub fn pop(&mut self) -> Option<Frame> {
        let frame = self.first?;
        // SAFETY: as in `push`, which wrote it.
        let next = unsafe { (phys_to_virt(frame.start()).as_u64() as *const u64).read_volatile() };
        self.first = Frame::starting_at(PhysAddr::new(next)).filter(|_| next != 0);
        self.len -= 1;
        Some(frame)
    }
}

/// One CPU can take all memory, also what the others have parked, and all of it comes back.
pub fn all_can_be_reached() -> Outcome {
    check_each_cpu(|_| {
        let frame = mm::allocate(Purpose::Other).ok_or("frames ran out")?;
        mm::free(frame, Purpose::Other);
        Ok(())
    })?;
    let before = Account::now();
    let parked = mm::statistics().cached;
    let free = mm::statistics().free;
    let mut chain = Chain::new();
    while let Some(frame) = frames::allocate_on(Node::ONLY, Purpose::Other) {
        chain.push(frame);
    }
    let out = mm::statistics();
    let len = chain.len;
    while let Some(frame) = chain.pop() {
        frames::free(frame, Purpose::Other);
    }
    check!(
        out.free == 0 && out.cached == 0,
        "{} frames were out of reach, {} of them parked",
        out.free,
        out.cached
    );
    check!(len == free, "{len} frames came out of {free} free ones");
    before.check_same()?;
    Ok(format!("{len} frames, {parked} of them were parked"))
}

/// What is taken is counted under its purpose, and the sums are those of the machine.
pub fn purposes_add_up() -> Outcome {
    let before = mm::statistics();
    let run = frames::allocate_contiguous(3, 4, Some(PhysAddr::new(1 << 32)), Purpose::Device)
        .ok_or("no three frames in a row below 4 GiB")?;
    let large = frames::allocate_large(8);
    let one = frames::allocate(Purpose::Stack).ok_or("frames ran out")?;
    let during = mm::statistics();
    frames::free(one, Purpose::Stack);
    let group = large.and_then(|first| PhysRange::from_len(first.start(), LARGE));
    if let Some(group) = group {
        frames::free_large(group);
    }
    frames::free_range(run, Purpose::Device);
    let again = frames::try_free_range(run, Purpose::Device);
    frames::drain();
    let after = mm::statistics();
    let expect = [
        (Purpose::Device, 3),
        (Purpose::User, if large.is_some() { 512 } else { 0 }),
        (Purpose::Stack, 1),
    ];
    for (purpose, frames) in expect {
        let found = during.used_for(purpose) - before.used_for(purpose);
        check!(
            found == frames,
            "{}: {found} frames instead of {frames}",
            purpose.name()
        );
    }
    // Of the kernel's tables only the top-level one is not in the walk.
    let (counted, walked) = (
        after.used_for(Purpose::KernelTable),
        pages::kernel_tables() + 1,
    );
    check!(
        counted == walked,
        "{counted} page tables of the kernel are counted, {walked} are there"
    );
    for reading in [before, during, after] {
        check!(
            reading.free + reading.used() == reading.total,
            "{reading:?} does not add up"
        );
    }
    check!(
        after.used() == before.used(),
        "before: {before:?}; after: {after:?}"
    );
    check!(after.cached == 0, "{} frames stayed parked", after.cached);
    check!(
        matches!(again, Err(FreeError::DoubleFree(_))),
        "a second return was accepted: {again:?}"
    );
    check!(
        frames::node_of(one) == Node::ONLY,
        "a frame on another node"
    );
    check!(
        run.len() == 3 * PAGE_SIZE && run.start.is_aligned(4 * PAGE_SIZE),
        "{run}"
    );
    Ok(format!(
        "{} tables, {} user, {} other",
        after.used_for(Purpose::Table),
        after.used_for(Purpose::User),
        after.used_for(Purpose::Other)
    ))
}

/// How long taking one frame and giving it back takes, at best, and the same for 256.
pub fn cost() -> Outcome {
    let mut one = u64::MAX;
    let mut many = u64::MAX;
    let mut held = [None; 256];
    for _ in 0..64 {
        let start = time::tsc();
        let frame = frames::allocate(Purpose::User).ok_or("frames ran out")?;
        frames::free(frame, Purpose::User);
        one = one.min(time::tsc() - start);
    }
    for _ in 0..16 {
        let start = time::tsc();
        for place in &mut held {
            *place = frames::allocate(Purpose::User);
        }
        for frame in held.iter_mut().filter_map(Option::take) {
            frames::free(frame, Purpose::User);
        }
        many = many.min(time::tsc() - start);
    }
    Ok(format!("{one} ticks for one frame, {many} for 256"))
}
