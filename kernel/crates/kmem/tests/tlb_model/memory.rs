//! Memory for tables and pages alike, which is given out again as soon as it is free.

use std::collections::{HashMap, HashSet};

use kaddr::{Frame, LARGE, PAGE_SIZE, PageSize, PhysAddr, PhysRange};
use kmem::pt::FrameSource;
use ktestkit::Memory;

const START: u64 = 0x100_0000;
const SMALL_END: u64 = START + 0x100_0000;
const END: u64 = SMALL_END + 64 * LARGE;

pub const RAM: PhysRange = PhysRange::new(PhysAddr::new(START), PhysAddr::new(END));

/// A frame that nobody owns. Free frames look like tables all of whose entries lead here, and so does this one.
const POISON: u64 = START;
/// Present, writable, for user mode.
const LEADS_ON: u64 = 7;

/// All frames: who is out, and how often each was given back. What was freed last is given out first.
pub struct Pool {
    small: Vec<u64>,
    large: Vec<u64>,
    next: [u64; 2],
    /// How many pages are mapped to a frame, or to parts of a large one.
    mapped: HashMap<u64, u64>,
    /// How often a frame, or the large one that it is part of, was given back.
    freed: HashMap<u64, u64>,
    tables: HashSet<u64>,
    /// Tables that were given back and still hold what they held.
    to_poison: Vec<u64>,
}

impl Pool {
    pub fn new(memory: &mut Memory) -> Self {
        poison(memory, POISON);
        Self {
            small: Vec::new(),
            large: Vec::new(),
            next: [POISON + PAGE_SIZE, SMALL_END],
            mapped: HashMap::new(),
            freed: HashMap::new(),
            tables: HashSet::new(),
            to_poison: Vec::new(),
        }
    }

    /// The frame that ownership of this one goes by.
    fn whole(frame: u64) -> u64 {
        if frame < SMALL_END {
            frame
        } else {
            frame / LARGE * LARGE
        }
    }

    fn take(&mut self, size: PageSize) -> u64 {
        let (list, next) = match size {
            PageSize::Small => (&mut self.small, &mut self.next[0]),
            _ => (&mut self.large, &mut self.next[1]),
        };
        list.pop().unwrap_or_else(|| {
            *next += size.bytes();
            assert!(*next <= END, "the model's memory is used up");
            *next - size.bytes()
        })
    }

    fn put(&mut self, frame: u64) {
        *self.freed.entry(frame).or_default() += 1;
        if frame < SMALL_END {
            self.small.push(frame);
        } else {
            self.large.push(frame);
        }
    }

    /// A frame for a page that is about to be mapped.
    pub fn take_page(&mut self, size: PageSize, memory: &mut Memory) -> u64 {
        let frame = self.take(size);
        if size == PageSize::Small {
            // As a table it leads nowhere good.
            poison(memory, frame);
        }
        self.map(frame, size);
        frame
    }

    /// One more page is mapped to a frame that is in use.
    pub fn map(&mut self, frame: u64, size: PageSize) {
        *self.mapped.entry(Self::whole(frame)).or_default() += size.frames();
    }

    /// A page of this frame is not mapped any more, and known to no processor. The last one gives the frame back.
    pub fn unmap(&mut self, frame: u64, size: PageSize) {
        let whole = Self::whole(frame);
        let count = self.mapped.get_mut(&whole).expect("it was mapped");
        *count -= size.frames();
        if *count == 0 {
            self.mapped.remove(&whole);
            self.put(whole);
        }
    }

    /// How often this frame was given back.
    pub fn epoch(&self, frame: u64) -> u64 {
        self.freed.get(&Self::whole(frame)).copied().unwrap_or(0)
    }

    /// Overwrites tables that were given back.
    pub fn poison(&mut self, memory: &mut Memory) {
        for frame in self.to_poison.drain(..) {
            poison(memory, frame);
        }
    }
}

fn poison(memory: &mut Memory, frame: u64) {
    let frame = Frame::containing(PhysAddr::new(frame)).expect("a frame");
    memory.fill(frame, POISON | LEADS_ON);
}

impl FrameSource for Pool {
    fn allocate_table(&mut self) -> Option<Frame> {
        let frame = self.take(PageSize::Small);
        self.tables.insert(frame);
        // What waits to be overwritten is in use again.
        self.to_poison.retain(|waiting| *waiting != frame);
        Frame::starting_at(PhysAddr::new(frame))
    }

    fn free_table(&mut self, table: Frame) {
        let frame = table.start().as_u64();
        assert!(self.tables.remove(&frame), "{table} is not a table");
        self.to_poison.push(frame);
        self.put(frame);
    }
}
