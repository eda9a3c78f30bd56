//! The bytes of a file.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use protocols::Fault;

/// Bytes of a page.
pub const PAGE: u64 = 4096;

/// The bytes of a file, in pages. What was never written reads as zeros, and has no page.
#[derive(Debug, Default)]
pub struct Content {
    pages: BTreeMap<u64, Vec<u8>>,
    size: u64,
    /// How often it was changed.
    version: u64,
}

impl Content {
    /// How long the file is.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// A number that is another one after each change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// How many pages there are.
    pub fn pages(&self) -> u64 {
        self.pages.len() as u64
    }

    /// The pages that there are, with their offsets. The last one may reach beyond the end: it is zero there.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let pages = self.pages.iter();
        pages.map(|(index, page)| (index * PAGE, page.as_slice()))
    }

    /// How many pages a write would add.
    pub fn pages_to_write(&self, offset: u64, len: u64) -> u64 {
        if len == 0 {
            return 0;
        }
        let (first, last) = (offset / PAGE, offset.saturating_add(len - 1) / PAGE);
        let there = self.pages.range(first..=last).count() as u64;
        last - first + 1 - there
    }

    /// Bytes from an offset on, at most so many.
    pub fn read(&self, offset: u64, len: u64) -> Vec<u8> {
        let end = offset.saturating_add(len).min(self.size);
        let mut bytes = Vec::new();
        let mut at = offset;
        while at < end {
            let within = (at % PAGE) as usize;
            let count = (PAGE - at % PAGE).min(end - at) as usize;
            let page = self.pages.get(&(at / PAGE));
            match page.and_then(|page| page.get(within..within + count)) {
                Some(there) => bytes.extend(there),
                None => bytes.resize(bytes.len() + count, 0),
            }
            at += count as u64;
        }
        bytes
    }

    /// Writes all of the bytes, or nothing.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Fault> {
        let end = offset
            .checked_add(bytes.len() as u64)
            .ok_or(Fault::InvalidArgument)?;
        if bytes.is_empty() {
            return Ok(());
        }
        self.version += 1;
        // First the pages, which can fail.
        let (first, last) = (offset / PAGE, (end - 1) / PAGE);
        let mut added = Vec::new();
        for index in first..=last {
            if self.pages.contains_key(&index) {
                continue;
            }
            let mut page = Vec::new();
            if page.try_reserve_exact(PAGE as usize).is_err() {
                for index in added {
                    self.pages.remove(&index);
                }
                return Err(Fault::OutOfMemory);
            }
            page.resize(PAGE as usize, 0);
            self.pages.insert(index, page);
            added.push(index);
        }
        let mut rest = bytes;
        let mut at = offset;
        while !rest.is_empty() {
            let within = (at % PAGE) as usize;
            let count = rest.len().min(PAGE as usize - within);
            let (now, later) = rest.split_at(count);
            let page = self.pages.get_mut(&(at / PAGE));
            if let Some(place) = page.and_then(|page| page.get_mut(within..within + count)) {
                place.copy_from_slice(now);
            }
            at += count as u64;
            rest = later;
        }
        self.size = self.size.max(end);
        Ok(())
    }

    /// Makes it as long as this.
    pub fn truncate(&mut self, size: u64) {
        self.version += 1;
        if size < self.size {
            drop(self.pages.split_off(&size.div_ceil(PAGE)));
            // What is read if it grows again.
            if let Some(page) = self.pages.get_mut(&(size / PAGE))
                && let Some(rest) = page.get_mut((size % PAGE) as usize..)
            {
                rest.fill(0);
            }
        }
        self.size = size;
    }
}
