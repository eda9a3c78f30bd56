//! Bytes with pointers in them, laid out before anybody knows where they will be.

use alloc::vec::Vec;

/// A place in a [`Blob`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At(pub usize);

impl At {
    /// A place so many bytes on.
    pub fn plus(self, bytes: usize) -> Self {
        Self(self.0.saturating_add(bytes))
    }
}

/// Bytes, and the places of the pointers among them that point to other places of it.
#[derive(Debug, Clone, Default)]
pub struct Blob {
    bytes: Vec<u8>,
    pointers: Vec<usize>,
}

impl Blob {
    /// How many bytes there are.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Adds so many zeros at a multiple of 8.
    pub fn reserve(&mut self, bytes: usize) -> At {
        let at = self.bytes.len().next_multiple_of(8);
        self.bytes.resize(at.saturating_add(bytes), 0);
        At(at)
    }

    /// Adds bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> At {
        let at = self.reserve(bytes.len());
        self.put(at, bytes);
        at
    }

    /// Adds a string with a zero behind it; it ends at the first zero that it has itself.
    pub fn string(&mut self, text: &str) -> At {
        let text = text.split('\0').next().unwrap_or_default();
        let at = self.reserve(text.len().saturating_add(1));
        self.put(at, text.as_bytes());
        at
    }

    /// Adds 64-bit words.
    pub fn words(&mut self, words: &[u64]) -> At {
        let at = self.reserve(words.len().saturating_mul(8));
        for (index, word) in words.iter().enumerate() {
            self.put(at.plus(index.saturating_mul(8)), &word.to_le_bytes());
        }
        at
    }

    /// Adds a list of pointers.
    pub fn list(&mut self, targets: &[At]) -> At {
        let at = self.reserve(targets.len().saturating_mul(8));
        for (index, target) in targets.iter().enumerate() {
            self.point(at.plus(index.saturating_mul(8)), *target);
        }
        at
    }

    /// Overwrites bytes; what does not fit is left out.
    pub fn put(&mut self, at: At, bytes: &[u8]) {
        if let Some(target) = self.bytes.get_mut(at.0..at.plus(bytes.len()).0) {
            target.copy_from_slice(bytes);
        }
    }

    /// Makes a word a pointer to another place.
    pub fn point(&mut self, at: At, target: At) {
        self.put(at, &word(target.0).to_le_bytes());
        self.pointers.push(at.0);
    }

    /// Copies everything to its place, which is known to the kernel by a virtual address.
    pub fn place(&self, virt: u64, memory: &mut [u8]) {
        if let Some(target) = memory.get_mut(..self.bytes.len()) {
            target.copy_from_slice(&self.bytes);
            for at in &self.pointers {
                if let Some(bytes) = at.checked_add(8).and_then(|end| target.get_mut(*at..end))
                    && let Ok(offset) = <[u8; 8]>::try_from(&*bytes)
                {
                    let address = virt.wrapping_add(u64::from_le_bytes(offset));
                    bytes.copy_from_slice(&address.to_le_bytes());
                }
            }
        }
    }
}

/// A size as a word of the protocol.
pub fn word(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}
