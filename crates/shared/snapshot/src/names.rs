//! Values by name, found without regard to ASCII case, without hashing and without an allocation.

use std::cmp::Ordering;

/// A sorted table of names. A look-up is a binary search: a dozen comparisons among thousands.
#[derive(Clone, Debug)]
pub struct NameTable<V>(Box<[(Box<str>, V)]>);

impl<V> Default for NameTable<V> {
    fn default() -> Self {
        Self(Box::default())
    }
}

impl<V> NameTable<V> {
    /// The value of that name.
    pub fn get(&self, name: &str) -> Option<&V> {
        let found = self.0.binary_search_by(|(known, _)| compare(known, name)).ok()?;
        self.0.get(found).map(|(_, value)| value)
    }

    /// Whether there is a value of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Whether there is no name in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All names as they were given, in the order of the table.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }
}

impl<V> FromIterator<(Box<str>, V)> for NameTable<V> {
    /// Of names that differ in case only, the first stays.
    fn from_iter<I: IntoIterator<Item = (Box<str>, V)>>(entries: I) -> Self {
        let mut entries: Vec<(Box<str>, V)> = entries.into_iter().collect();
        entries.sort_by(|(a, _), (b, _)| compare(a, b));
        entries.dedup_by(|(later, _), (earlier, _)| later.eq_ignore_ascii_case(earlier));
        Self(entries.into())
    }
}

fn compare(a: &str, b: &str) -> Ordering {
    lower_bytes(a).cmp(lower_bytes(b))
}

fn lower_bytes(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().map(|byte| byte.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case() {
        let entries = ["gpt-4o", "Claude", "GPT-4O", "a", "É"];
        let table: NameTable<usize> =
            entries.iter().enumerate().map(|(at, name)| ((*name).into(), at)).collect();
        for (name, expected) in [
            ("gpt-4o", Some(0)),
            ("Gpt-4O", Some(0)),
            ("claude", Some(1)),
            ("A", Some(3)),
            ("É", Some(4)),
            ("", None),
            ("gpt-4", None),
            ("gpt-4o-mini", None),
        ] {
            assert_eq!(table.get(name).copied(), expected, "{name}");
        }
        assert_eq!(table.names().count(), 4);
        assert!(NameTable::<()>::default().is_empty());
    }
}
