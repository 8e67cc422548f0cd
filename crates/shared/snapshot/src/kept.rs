//! What outlives a reload: as long as the newest snapshot uses it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

/// Shared values by what they belong to.
#[derive(Debug)]
pub(crate) struct Kept<K, V>(HashMap<K, Entry<V>>);

#[derive(Debug)]
struct Entry<V> {
    value: Arc<V>,
    /// Asked for since the last [`Kept::drop_unused`].
    is_used: bool,
}

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash, V> Kept<K, V> {
    /// The value of `key`, the one of the snapshot before if it had one.
    pub(crate) fn get(&mut self, key: K, make: impl FnOnce() -> V) -> Arc<V> {
        let new = || Entry { value: Arc::new(make()), is_used: true };
        let entry = self.0.entry(key).or_insert_with(new);
        entry.is_used = true;
        Arc::clone(&entry.value)
    }

    /// Ends a round: what nobody asked for in it goes.
    pub(crate) fn drop_unused(&mut self) {
        self.0.retain(|_, entry| std::mem::take(&mut entry.is_used));
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
