//! A map that strangers fill and that never grows beyond a bound.
//!
//! Entries live in two generations. A touched entry moves to the younger one; when that is full, the older one is
//! forgotten whole and the younger takes its place. What is active stays, and each touch costs the same.

use std::collections::HashMap;
use std::hash::Hash;

pub(crate) struct Generations<K, V> {
    most: usize,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Eq + Hash, V: Copy> Generations<K, V> {
    /// At most `most` entries in one generation, so that twice as many are held.
    pub(crate) fn new(most: usize) -> Self {
        Generations { most: most.max(1), young: HashMap::new(), old: HashMap::new() }
    }

    /// The entry of this key; `fresh` if there is none, or the one there is `is_stale`.
    pub(crate) fn touch(&mut self, key: K, fresh: V, is_stale: impl FnOnce(&V) -> bool) -> &mut V {
        let known = self.young.get(&key).copied().or_else(|| self.old.remove(&key));
        let known = known.filter(|value| !is_stale(value)).unwrap_or(fresh);
        if self.young.len() >= self.most && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        let value = self.young.entry(key).or_insert(known);
        *value = known;
        value
    }

    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}
