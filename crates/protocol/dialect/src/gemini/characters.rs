//! Google counts places in a text in bytes, everyone else in characters.

/// Most characters of more than one byte that are kept track of. Behind them places are not known any more; a citation
/// there covers no range.
const WIDE_CHARACTERS_MAX: usize = 65_536;

/// Where the characters of a text stand that came in pieces.
#[derive(Debug, Default)]
pub(super) struct Characters {
    bytes: u64,
    characters: u64,
    /// Behind each character of more than one byte: how many bytes and characters there are up to here.
    wide: Vec<(u64, u64)>,
}

impl Characters {
    /// Takes the next piece.
    pub(super) fn feed(&mut self, piece: &str) {
        if piece.is_ascii() {
            self.bytes += piece.len() as u64;
            self.characters += piece.len() as u64;
            return;
        }
        for character in piece.chars() {
            self.bytes += character.len_utf8() as u64;
            self.characters += 1;
            if !character.is_ascii() && self.wide.len() < WIDE_CHARACTERS_MAX {
                self.wide.push((self.bytes, self.characters));
            }
        }
    }

    /// The place in characters of one in bytes.
    pub(super) fn of_bytes(&self, bytes: u64) -> Option<u64> {
        let before = self.wide.partition_point(|(wide, _)| *wide <= bytes);
        let (wide_bytes, wide_characters) = self.before(before)?;
        Some(wide_characters + (bytes - wide_bytes))
    }

    /// The place in bytes of one in characters.
    pub(super) fn to_bytes(&self, characters: u64) -> Option<u64> {
        let before = self.wide.partition_point(|(_, wide)| *wide <= characters);
        let (wide_bytes, wide_characters) = self.before(before)?;
        Some(wide_bytes + (characters - wide_characters))
    }

    /// The last wide character before a place; `None` where they are not all known.
    fn before(&self, position: usize) -> Option<(u64, u64)> {
        match position.checked_sub(1) {
            None => Some((0, 0)),
            Some(last) if last + 1 < WIDE_CHARACTERS_MAX => self.wide.get(last).copied(),
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_converted_both_ways() {
        let mut characters = Characters::default();
        ["aé", "b€", "", "cd", "😀e"].into_iter().for_each(|piece| characters.feed(piece));
        let text = "aéb€cd😀e";
        for (position, (byte, _)) in text.char_indices().enumerate() {
            assert_eq!(characters.of_bytes(byte as u64), Some(position as u64));
            assert_eq!(characters.to_bytes(position as u64), Some(byte as u64));
        }
        assert_eq!(characters.of_bytes(text.len() as u64), Some(8));
        assert_eq!(characters.to_bytes(8), Some(text.len() as u64));
    }

    #[test]
    fn what_is_kept_is_limited() {
        let mut characters = Characters::default();
        (0..WIDE_CHARACTERS_MAX + 10).for_each(|_| characters.feed("é"));
        assert_eq!(characters.of_bytes(20), Some(10));
        assert_eq!(characters.of_bytes(2 * WIDE_CHARACTERS_MAX as u64 + 4), None);
        assert_eq!(characters.wide.len(), WIDE_CHARACTERS_MAX);
    }
}
