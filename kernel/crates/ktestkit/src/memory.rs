//! Sparse physical memory.

use std::collections::HashMap;

use kaddr::{Frame, PhysAddr, PhysRange};

/// Physical memory: only frames that were written take space.
///
/// A frame that was never written reads as garbage, so that a table that nobody cleared does not
/// pass for an empty one.
#[derive(Debug, Default)]
pub struct Memory {
    ram: Vec<PhysRange>,
    frames: HashMap<Frame, Box<[u64; WORDS]>>,
}

const WORDS: usize = 512;
/// What untouched memory holds: as a page-table entry, present and pointing at nothing.
const GARBAGE: u64 = 0x000d_eadb_eef0_0003;

impl Memory {
    /// Memory at these ranges and nowhere else.
    pub fn new(ram: impl IntoIterator<Item = PhysRange>) -> Self {
        Self {
            ram: ram.into_iter().collect(),
            frames: HashMap::new(),
        }
    }

    /// Reads the 64-bit word at `address`.
    ///
    /// # Panics
    /// If there is no memory, or the address is not a multiple of 8.
    pub fn read(&self, address: PhysAddr) -> u64 {
        let (frame, word) = self.locate(address);
        self.frames.get(&frame).map_or(GARBAGE, |words| words[word])
    }

    /// Writes the 64-bit word at `address`.
    ///
    /// # Panics
    /// If there is no memory, or the address is not a multiple of 8.
    pub fn write(&mut self, address: PhysAddr, value: u64) {
        let (frame, word) = self.locate(address);
        self.frames
            .entry(frame)
            .or_insert_with(|| Box::new([GARBAGE; WORDS]))[word] = value;
    }

    /// Fills a frame with a value.
    ///
    /// # Panics
    /// If there is no memory.
    pub fn fill(&mut self, frame: Frame, value: u64) {
        let (frame, _) = self.locate(frame.start());
        self.frames.insert(frame, Box::new([value; WORDS]));
    }

    /// Makes a frame's content garbage again, as after its owner gave it back.
    pub fn forget(&mut self, frame: Frame) {
        self.frames.remove(&frame);
    }

    /// Whether there is memory at `address`.
    pub fn is_ram(&self, address: PhysAddr) -> bool {
        self.ram.iter().any(|range| range.contains(address))
    }

    fn locate(&self, address: PhysAddr) -> (Frame, usize) {
        assert!(
            address.is_aligned(8),
            "{address} is not the address of a 64-bit word"
        );
        assert!(self.is_ram(address), "there is no memory at {address}");
        let frame = Frame::containing(address).expect("memory lies below 52 bits");
        (frame, (address.page_offset() / 8) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::{GARBAGE, Memory};
    use kaddr::{Frame, PhysAddr, PhysRange};

    fn memory() -> Memory {
        Memory::new([PhysRange::new(PhysAddr::new(0x1000), PhysAddr::new(0x3000))])
    }

    #[test]
    fn a_word_keeps_what_was_written() {
        let mut memory = memory();
        assert_eq!(memory.read(PhysAddr::new(0x1008)), GARBAGE);
        memory.write(PhysAddr::new(0x1008), 7);
        assert_eq!(memory.read(PhysAddr::new(0x1008)), 7);
        assert_eq!(memory.read(PhysAddr::new(0x1010)), GARBAGE);
        let frame = Frame::containing(PhysAddr::new(0x1000)).expect("a frame");
        memory.fill(frame, 1);
        assert_eq!(memory.read(PhysAddr::new(0x1008)), 1);
        memory.forget(frame);
        assert_eq!(memory.read(PhysAddr::new(0x1008)), GARBAGE);
    }

    #[test]
    #[should_panic(expected = "there is no memory at 0x3000")]
    fn reading_where_there_is_no_memory_fails_the_test() {
        memory().read(PhysAddr::new(0x3000));
    }
}
