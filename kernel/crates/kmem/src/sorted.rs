//! A sorted map whose insertions can fail.
//!
//! The standard library's `BTreeMap` ends the program when memory is short, which a kernel cannot have. This one is a
//! B-tree of two levels: a vector of chunks, each a sorted vector of at most `CHUNK` entries. A lookup is two binary
//! searches; an insertion moves at most a chunk, and now and then the vector of chunks.
//!
//! Invariants: no chunk is empty; keys rise within and across chunks; every chunk has room for `CHUNK` entries from
//! the start, so that memory is only needed for a new chunk.

use alloc::vec::Vec;
use core::cell::Cell;
use core::ops::{Bound, RangeBounds};

/// Entries of a chunk at most.
const CHUNK: usize = 64;

/// There was no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

/// The entries on both sides of a key, each with its key.
pub type Around<'a, K, V> = (Option<(K, &'a V)>, Option<(K, &'a V)>);

/// A map from sorted keys to values.
#[derive(Debug)]
pub struct SortedMap<K, V> {
    chunks: Vec<Vec<(K, V)>>,
    /// Empty chunks for insertions that must not fail; see [`Self::reserve`].
    spare: Vec<Vec<(K, V)>>,
    len: usize,
    /// Chunk and place of the entry that was looked up last: the next lookup is often for a key near it.
    recent: Cell<(usize, usize)>,
}

impl<K: Ord + Copy, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Ord + Copy, V> SortedMap<K, V> {
    /// An empty map; takes no memory.
    pub const fn new() -> Self {
        Self {
            chunks: Vec::new(),
            spare: Vec::new(),
            len: 0,
            recent: Cell::new((0, 0)),
        }
    }

    /// How many entries there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Makes the next `count` insertions ones that cannot fail, unless an entry is removed in between. (Each can fill up a
    /// chunk and need a second one for the half of it.)
    ///
    /// # Errors
    /// When memory is short.
    pub fn reserve(&mut self, count: usize) -> Result<(), OutOfMemory> {
        let fits = |chunk: &Vec<(K, V)>| chunk.len() + count <= CHUNK;
        if !self.chunks.is_empty() && self.chunks.iter().all(fits) {
            return Ok(());
        }
        let missing = count.saturating_sub(self.spare.len());
        self.chunks.try_reserve(count).map_err(|_| OutOfMemory)?;
        self.spare.try_reserve(missing).map_err(|_| OutOfMemory)?;
        for _ in 0..missing {
            let chunk = new_chunk()?;
            self.spare.push(chunk);
        }
        Ok(())
    }

    /// Gives the memory of a reservation that was not used back.
    pub fn drop_reserve(&mut self) {
        self.spare = Vec::new();
    }

    /// The chunk that `key` is in, or belongs into: the last one that begins at or before it.
    fn chunk_of(&self, key: K) -> usize {
        let after = self
            .chunks
            .partition_point(|chunk| chunk.first().is_some_and(|(first, _)| *first <= key));
        after.saturating_sub(1)
    }

    /// The chunk that `key` is in, or belongs into, and how many of its entries have keys up to it.
    #[inline(always)]
    fn locate(&self, key: K) -> (usize, usize) {
        let (at, place) = self.recent.get();
        let rest = self.chunks.get(at).and_then(|chunk| chunk.get(place..));
        if let Some([entry, next, ..]) = rest
            && entry.0 <= key
            && key < next.0
        {
            return (at, place + 1);
        }
        self.search(key)
    }

    /// The entry that was looked up last, if it is still there. It may be another one, if the map was changed since then.
    #[inline(always)]
    pub fn recent(&self) -> Option<(K, &V)> {
        let (at, place) = self.recent.get();
        let (key, value) = self.chunks.get(at)?.get(place)?;
        Some((*key, value))
    }

    #[inline(never)]
    fn search(&self, key: K) -> (usize, usize) {
        let at = self.chunk_of(key);
        let chunk = self.chunks.get(at).map_or(&[][..], Vec::as_slice);
        let up_to = chunk.partition_point(|(other, _)| *other <= key);
        self.recent.set((at, up_to.saturating_sub(1)));
        (at, up_to)
    }

    fn find(&self, key: K) -> Option<(usize, usize)> {
        let (at, up_to) = self.locate(key);
        let place = up_to.checked_sub(1)?;
        (self.chunks.get(at)?.get(place)?.0 == key).then_some((at, place))
    }

    /// The value of a key.
    pub fn get(&self, key: K) -> Option<&V> {
        let (chunk, at) = self.find(key)?;
        self.chunks.get(chunk)?.get(at).map(|(_, value)| value)
    }

    /// The value of a key, for change.
    pub fn get_mut(&mut self, key: K) -> Option<&mut V> {
        let (chunk, at) = self.find(key)?;
        self.chunks
            .get_mut(chunk)?
            .get_mut(at)
            .map(|(_, value)| value)
    }

    /// The entry with the greatest key that is at most `key`.
    #[inline]
    pub fn floor(&self, key: K) -> Option<(K, &V)> {
        let (at, up_to) = self.locate(key);
        let (found, value) = self.chunks.get(at)?.get(up_to.checked_sub(1)?)?;
        Some((*found, value))
    }

    /// The entry with the smallest key that is greater than `key`.
    pub fn above(&self, key: K) -> Option<(K, &V)> {
        self.around(key).1
    }

    /// The entries with the greatest key that is at most `key`, and with the smallest that is greater.
    #[inline]
    pub fn around(&self, key: K) -> Around<'_, K, V> {
        let (at, up_to) = self.locate(key);
        let chunk = self.chunks.get(at).map_or(&[][..], Vec::as_slice);
        let floor = up_to.checked_sub(1).and_then(|last| chunk.get(last));
        let above = chunk
            .get(up_to)
            .or_else(|| self.chunks.get(at + 1)?.first());
        (
            floor.map(|(key, value)| (*key, value)),
            above.map(|(key, value)| (*key, value)),
        )
    }

    /// The entry with the smallest key that is at least `key`.
    pub fn ceiling(&self, key: K) -> Option<(K, &V)> {
        let (floor, above) = self.around(key);
        floor.filter(|(found, _)| *found == key).or(above)
    }

    /// Adds an entry, or replaces the value of the key, and returns the old one.
    ///
    /// # Errors
    /// When memory is short; the value comes back.
    pub fn insert(&mut self, key: K, value: V) -> Result<Option<V>, (V, OutOfMemory)> {
        let (at, place) = self.locate(key);
        let Some(chunk) = self.chunks.get_mut(at) else {
            return self.insert_with_chunk(key, value);
        };
        if let Some(entry) = place.checked_sub(1).and_then(|last| chunk.get_mut(last))
            && entry.0 == key
        {
            return Ok(Some(core::mem::replace(&mut entry.1, value)));
        }
        if chunk.len() >= CHUNK {
            return self.insert_with_chunk(key, value);
        }
        // Room for a whole chunk was taken when it was made.
        chunk.insert(place, (key, value));
        self.len += 1;
        self.recent.set((at, place));
        Ok(None)
    }

    /// Adds an entry whose key is not there, and whose chunk is not there or full.
    #[cold]
    fn insert_with_chunk(&mut self, key: K, value: V) -> Result<Option<V>, (V, OutOfMemory)> {
        let Ok(at) = self.make_room(key) else {
            return Err((value, OutOfMemory));
        };
        if let Some(chunk) = self.chunks.get_mut(at) {
            let place = chunk.partition_point(|(other, _)| *other < key);
            chunk.insert(place, (key, value));
            self.len += 1;
        }
        Ok(None)
    }

    /// Sees to it that the chunk for `key` has room; returns its index.
    fn make_room(&mut self, key: K) -> Result<usize, OutOfMemory> {
        let at = self.chunk_of(key);
        let len = match self.chunks.get(at) {
            Some(chunk) if chunk.len() < CHUNK => return Ok(at),
            Some(chunk) => chunk.len(),
            None => 0,
        };
        self.chunks.try_reserve(1).map_err(|_| OutOfMemory)?;
        let mut fresh = match self.spare.pop() {
            Some(chunk) => chunk,
            None => new_chunk()?,
        };
        if len == 0 {
            self.chunks.push(fresh);
            return Ok(0);
        }
        // Keys that come in rising order leave full chunks behind, others half full ones.
        let goes_last = self
            .chunks
            .get(at)
            .and_then(|chunk| chunk.last())
            .is_some_and(|(last, _)| *last < key);
        let keep = if goes_last { CHUNK } else { CHUNK / 2 };
        if let Some(chunk) = self.chunks.get_mut(at) {
            fresh.extend(chunk.drain(keep..));
        }
        let second = fresh.first().map(|(first, _)| *first);
        self.chunks.insert(at + 1, fresh);
        Ok(match second {
            Some(first) if key < first => at,
            _ => at + 1,
        })
    }

    /// Removes an entry.
    pub fn remove(&mut self, key: K) -> Option<V> {
        let (at, place) = self.find(key)?;
        let chunk = self.chunks.get_mut(at)?;
        let (_, value) = chunk.remove(place);
        self.len -= 1;
        // What lies before the gap is what the next lookup there finds.
        self.recent.set((at, place.saturating_sub(1)));
        let len = chunk.len();
        if len == 0 {
            self.chunks.remove(at);
        } else if len <= CHUNK / 4 {
            self.join(at);
        }
        if self.chunks.is_empty() {
            self.chunks = Vec::new();
        }
        Some(value)
    }

    /// Joins a chunk with a neighbour if both together fill at most half a chunk.
    fn join(&mut self, at: usize) {
        let len = |index: usize| self.chunks.get(index).map(Vec::len);
        let own = len(at).unwrap_or(0);
        let fits = |other: Option<usize>| other.is_some_and(|other| own + other <= CHUNK / 2);
        let first = if fits(len(at + 1)) {
            at
        } else if at > 0 && fits(len(at - 1)) {
            at - 1
        } else {
            return;
        };
        let second = self.chunks.remove(first + 1);
        if let Some(chunk) = self.chunks.get_mut(first) {
            chunk.extend(second);
        }
    }

    /// The entries whose keys lie in a range, in order.
    pub fn range(&self, range: impl RangeBounds<K>) -> impl Iterator<Item = (K, &V)> {
        let is_before = move |key: &K, bound: Bound<K>| match bound {
            Bound::Included(start) => *key < start,
            Bound::Excluded(start) => *key <= start,
            Bound::Unbounded => false,
        };
        let start = range.start_bound().cloned();
        let end = range.end_bound().cloned();
        let first = match start {
            Bound::Included(key) | Bound::Excluded(key) => self.chunk_of(key),
            Bound::Unbounded => 0,
        };
        let is_inside = move |key: &K| match end {
            Bound::Included(end) => *key <= end,
            Bound::Excluded(end) => *key < end,
            Bound::Unbounded => true,
        };
        self.chunks
            .get(first..)
            .unwrap_or_default()
            .iter()
            .enumerate()
            .flat_map(move |(index, chunk)| {
                // Only the first chunk can hold keys before the start.
                let skip = if index == 0 {
                    chunk.partition_point(|(key, _)| is_before(key, start))
                } else {
                    0
                };
                chunk.get(skip..).unwrap_or_default().iter()
            })
            .map(|(key, value)| (*key, value))
            .take_while(move |(key, _)| is_inside(key))
    }

    /// All entries, in order.
    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.chunks
            .iter()
            .flatten()
            .map(|(key, value)| (*key, value))
    }

    /// The entry with the greatest key.
    pub fn last(&self) -> Option<(K, &V)> {
        let (key, value) = self.chunks.last()?.last()?;
        Some((*key, value))
    }
}

fn new_chunk<T>() -> Result<Vec<T>, OutOfMemory> {
    let mut chunk = Vec::new();
    chunk.try_reserve_exact(CHUNK).map_err(|_| OutOfMemory)?;
    Ok(chunk)
}
