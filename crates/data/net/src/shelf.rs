//! Pieces of memory of one size below a block's, for what is small and kept for long.
//!
//! The lowest free piece is the next one taken, so that what is in use lies together and the memory of
//! the rest can go back to the system.

use std::io;

use crate::system::{Mapping, Piece};

/// Pieces whose memory goes back together. They fill whole pages, as pieces have a thousand bytes or more.
const GROUP_PIECES: usize = u64::BITS as usize;

/// Equal pieces, and which of them are free.
pub(crate) struct Shelf {
    mapping: Mapping,
    piece_bytes: usize,
    groups: Vec<Group>,
    /// No group before this one has a free piece.
    first: usize,
}

/// Pieces that lie side by side.
#[derive(Clone)]
struct Group {
    /// One bit for each piece, set while it is free.
    free: u64,
    /// One was in use since the last trim.
    was_used: bool,
    holds_memory: bool,
}

impl Group {
    const UNUSED: Self = Self { free: u64::MAX, was_used: false, holds_memory: false };
}

impl Shelf {
    /// At least `count` pieces of `piece_bytes`, a power of two. They cost address space only until they
    /// are used.
    pub(crate) fn new(count: usize, piece_bytes: usize) -> io::Result<Self> {
        let groups = count.div_ceil(GROUP_PIECES);
        let bytes = groups.checked_mul(GROUP_PIECES * piece_bytes);
        let mapping = Mapping::new(bytes.ok_or(io::ErrorKind::InvalidInput)?)?;
        Ok(Self { mapping, piece_bytes, groups: vec![Group::UNUSED; groups], first: 0 })
    }

    /// The lowest free piece.
    pub(crate) fn take(&mut self) -> Option<Piece> {
        loop {
            let group = self.groups.get_mut(self.first)?;
            if group.free == 0 {
                self.first += 1;
                continue;
            }
            let index = self.first * GROUP_PIECES + group.free.trailing_zeros() as usize;
            *group =
                Group { free: group.free & (group.free - 1), was_used: true, holds_memory: true };
            return self.mapping.piece(index * self.piece_bytes, self.piece_bytes);
        }
    }

    /// Puts a piece back that was taken from here.
    pub(crate) fn give(&mut self, piece: &Piece) {
        let index = self.mapping.offset_of(piece) / self.piece_bytes;
        let (group, bit) = (index / GROUP_PIECES, index % GROUP_PIECES);
        if let Some(group) = self.groups.get_mut(group) {
            debug_assert_eq!(group.free & (1 << bit), 0, "given back twice");
            group.free |= 1 << bit;
        }
        self.first = self.first.min(group);
    }

    /// Returns the memory of up to `groups_max` groups that were not used since the last call.
    pub(crate) fn trim(&mut self, groups_max: usize) {
        let bytes = GROUP_PIECES * self.piece_bytes;
        let mut left = groups_max;
        for (index, group) in self.groups.iter_mut().enumerate() {
            let is_free = group.free == u64::MAX;
            let was_used = std::mem::replace(&mut group.was_used, !is_free);
            if was_used || !is_free || !group.holds_memory || left == 0 {
                continue;
            }
            // Nobody else has it: all of its pieces are free.
            if let Some(mut whole) = self.mapping.piece(index * bytes, bytes) {
                whole.forget_contents();
            }
            group.holds_memory = false;
            left -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_piece_comes_next() {
        let mut shelf = Shelf::new(130, 1024).unwrap();
        let mut taken: Vec<_> = std::iter::from_fn(|| shelf.take()).collect();
        assert_eq!(taken.len(), 3 * GROUP_PIECES);
        for (index, piece) in taken.iter_mut().enumerate() {
            piece.as_mut_slice().fill(index as u8);
        }
        assert!(
            taken.iter().enumerate().all(|(index, piece)| piece.as_slice() == [index as u8; 1024])
        );
        for index in [100, 3, 70] {
            shelf.give(&taken[index]);
        }
        let again: Vec<u8> = std::iter::from_fn(|| shelf.take()).map(|p| p.as_slice()[0]).collect();
        assert_eq!(again, [3, 70, 100]);
    }

    #[test]
    fn trimming_empties_groups_that_nobody_used() {
        let mut shelf = Shelf::new(3 * GROUP_PIECES, 1024).unwrap();
        let mut taken: Vec<_> = std::iter::from_fn(|| shelf.take()).collect();
        taken.iter_mut().for_each(|piece| piece.as_mut_slice()[0] = 9);
        let kept = taken.remove(2 * GROUP_PIECES);
        taken.iter().for_each(|piece| shelf.give(piece));
        // All of them were used since the start.
        shelf.trim(usize::MAX);
        assert_eq!(shelf.take().unwrap().as_slice()[0], 9);
        // Since then the first and the last one.
        shelf.trim(usize::MAX);
        let contents: Vec<u8> =
            std::iter::from_fn(|| shelf.take()).map(|p| p.as_slice()[0]).collect();
        assert!(contents[..GROUP_PIECES - 1].iter().all(|byte| *byte == 9));
        assert!(contents[GROUP_PIECES - 1..2 * GROUP_PIECES - 1].iter().all(|byte| *byte == 0));
        assert!(contents[2 * GROUP_PIECES - 1..].iter().all(|byte| *byte == 9));
        assert_eq!(kept.as_slice()[0], 9);
    }

    #[test]
    fn trimming_stops_at_its_limit() {
        let mut shelf = Shelf::new(2 * GROUP_PIECES, 1024).unwrap();
        let mut taken: Vec<_> = std::iter::from_fn(|| shelf.take()).collect();
        taken.iter_mut().for_each(|piece| piece.as_mut_slice()[0] = 9);
        taken.iter().for_each(|piece| shelf.give(piece));
        shelf.trim(1);
        shelf.trim(1);
        let full = |shelf: &Shelf| shelf.groups.iter().filter(|group| group.holds_memory).count();
        assert_eq!(full(&shelf), 1);
        shelf.trim(1);
        assert_eq!(full(&shelf), 0);
    }
}
