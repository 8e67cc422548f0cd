//! Exact limits on connections that last: of each owner, and of all together.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Seats taken, by owner. They are taken and given back once in a connection's life, so a lock is
/// cheap enough.
#[derive(Debug, Default)]
pub struct Seats {
    taken: Mutex<Taken>,
    /// What names owners is often a secret, so only its hash is kept.
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Taken {
    total: u32,
    /// An owner without a seat has no entry.
    by_owner: HashMap<u64, u32>,
}

/// One seat; given back on drop.
#[derive(Debug)]
pub struct Seat {
    seats: Arc<Seats>,
    owner: u64,
}

/// Whose seats are all taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSeat {
    /// The owner's.
    Owner,
    /// Everyone's.
    Everyone,
}

impl Seats {
    /// A seat for `owner`, of whom there may be `owner_max` and of all `total_max`.
    pub fn take(
        self: &Arc<Self>,
        owner: &[u8],
        owner_max: u32,
        total_max: u32,
    ) -> Result<Seat, NoSeat> {
        let owner = self.hasher.hash_one(owner);
        let mut taken = self.lock();
        if taken.total >= total_max {
            return Err(NoSeat::Everyone);
        }
        if taken.by_owner.get(&owner).is_some_and(|own| *own >= owner_max) {
            return Err(NoSeat::Owner);
        }
        taken.total += 1;
        *taken.by_owner.entry(owner).or_default() += 1;
        drop(taken);
        Ok(Seat { seats: Arc::clone(self), owner })
    }

    /// Seats taken now.
    pub fn taken(&self) -> u32 {
        self.lock().total
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        // Nothing panics while the lock is held.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        taken.total -= 1;
        if let Some(own) = taken.by_owner.get_mut(&self.owner) {
            *own -= 1;
            if *own == 0 {
                taken.by_owner.remove(&self.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_and_everyone_have_limits_and_seats_come_back() {
        let seats = Arc::new(Seats::default());
        let first = seats.take(b"a", 2, 3).unwrap();
        let _second = seats.take(b"a", 2, 3).unwrap();
        assert_eq!(seats.take(b"a", 2, 3).unwrap_err(), NoSeat::Owner);
        let third = seats.take(b"b", 2, 3).unwrap();
        assert_eq!(seats.take(b"c", 2, 3).unwrap_err(), NoSeat::Everyone);
        drop(first);
        let _again = seats.take(b"a", 2, 3).unwrap();
        drop(third);
        assert_eq!(seats.taken(), 2);
        assert_eq!(seats.lock().by_owner.len(), 1, "who has none is forgotten");
    }
}
