//! Chains of table frames, linked through the frames themselves.
//!
//! A link is the address of the next frame in entry 0. Its present bit is clear, so a processor
//! that still walks a retired table finds nothing mapped there.

use kaddr::{Frame, PhysAddr};

use super::error::MapError;
use super::table::{FrameSource, TableMemory};

/// Frames in a row, all cleared except for their links.
#[derive(Debug, Default)]
pub(super) struct Chain {
    head: Option<Frame>,
    /// Where the chain ends; kept so that two chains can be joined.
    tail: Option<Frame>,
}

impl Chain {
    /// Takes `count` frames from the source, or none.
    pub(super) fn reserve<M: TableMemory, S: FrameSource>(
        count: u64,
        memory: &mut M,
        source: &mut S,
    ) -> Result<Self, MapError> {
        let mut chain = Self::default();
        for _ in 0..count {
            let Some(frame) = source.allocate_table() else {
                chain.release(memory, source);
                return Err(MapError::OutOfFrames);
            };
            memory.clear(frame);
            chain.push(frame, memory);
        }
        Ok(chain)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.head.is_none()
    }

    /// Puts a frame of which all entries are clear at the front.
    pub(super) fn push(&mut self, frame: Frame, memory: &mut impl TableMemory) {
        if let Some(head) = self.head {
            memory.write(frame.start(), head.start().as_u64());
        } else {
            self.tail = Some(frame);
        }
        self.head = Some(frame);
    }

    /// Takes the frame at the front, all of its entries clear.
    pub(super) fn pop(&mut self, memory: &mut impl TableMemory) -> Option<Frame> {
        let frame = self.head?;
        if self.tail == Some(frame) {
            *self = Self::default();
        } else {
            self.head = Frame::starting_at(PhysAddr::new(memory.read(frame.start())));
            memory.write(frame.start(), 0);
        }
        Some(frame)
    }

    /// Puts all of `other` behind this chain.
    pub(super) fn append(&mut self, other: Self, memory: &mut impl TableMemory) {
        match (self.tail, other.head) {
            (_, None) => {}
            (None, _) => *self = other,
            (Some(tail), Some(head)) => {
                memory.write(tail.start(), head.start().as_u64());
                self.tail = other.tail;
            }
        }
    }

    /// Gives all frames back to the source.
    pub(super) fn release<M: TableMemory, S: FrameSource>(
        mut self,
        memory: &mut M,
        source: &mut S,
    ) {
        while let Some(frame) = self.pop(memory) {
            source.free_table(frame);
        }
    }
}
