//! A sorted map for what there is mostly one of: a single entry lies in the map itself, and needs no memory.

use crate::sorted::{OutOfMemory, SortedMap};

/// A map from sorted keys to values. Invariant: `one` is empty when `more` is not.
#[derive(Debug)]
pub struct FewMap<K, V> {
    one: Option<(K, V)>,
    more: SortedMap<K, V>,
}

impl<K: Ord + Copy, V> Default for FewMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Ord + Copy, V> FewMap<K, V> {
    /// An empty map; takes no memory.
    pub const fn new() -> Self {
        Self {
            one: None,
            more: SortedMap::new(),
        }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.more.len() + usize::from(self.one.is_some())
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.one.is_none() && self.more.is_empty()
    }

    /// The value of a key, for change.
    pub fn get_mut(&mut self, key: K) -> Option<&mut V> {
        match &mut self.one {
            Some((only, value)) => (*only == key).then_some(value),
            None => self.more.get_mut(key),
        }
    }

    /// Adds an entry, or replaces the value of the key, and returns the old one.
    ///
    /// # Errors
    /// When memory is short; the value comes back.
    pub fn insert(&mut self, key: K, value: V) -> Result<Option<V>, (V, OutOfMemory)> {
        match &mut self.one {
            Some((only, old)) if *only == key => Ok(Some(core::mem::replace(old, value))),
            Some(_) => self.insert_second(key, value),
            None if self.more.is_empty() => {
                self.one = Some((key, value));
                Ok(None)
            }
            None => self.more.insert(key, value),
        }
    }

    #[cold]
    fn insert_second(&mut self, key: K, value: V) -> Result<Option<V>, (V, OutOfMemory)> {
        let inserted = self.more.insert(key, value)?;
        if let Some((only, first)) = self.one.take()
            && let Err((first, OutOfMemory)) = self.more.insert(only, first)
        {
            // The chunk that was made for one has room for two, so that this does not happen.
            self.one = Some((only, first));
            return match self.more.remove(key) {
                Some(value) => Err((value, OutOfMemory)),
                None => Ok(inserted),
            };
        }
        Ok(inserted)
    }

    /// Removes an entry.
    pub fn remove(&mut self, key: K) -> Option<V> {
        match self.one.take_if(|(only, _)| *only == key) {
            Some((_, value)) => Some(value),
            None => self.more.remove(key),
        }
    }

    /// All entries, in order.
    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        let one = self.one.iter().map(|(key, value)| (*key, value));
        one.chain(self.more.iter())
    }
}
