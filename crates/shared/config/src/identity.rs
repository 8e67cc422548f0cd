//! Identities for things the file gives only a name.

/// A UUID (version 8) made of the provider's and the key's name: the same names give the same
/// identity in every run and on every node.
pub(crate) fn derived(provider: &str, name: &str) -> String {
    let mut hash = OFFSET_BASIS;
    // No name contains a zero byte that could shift the border between the two.
    for byte in provider.bytes().chain([0]).chain(name.bytes()) {
        hash = (hash ^ u128::from(byte)).wrapping_mul(PRIME);
    }
    let hash = hash & !VERSION_AND_VARIANT_MASK | VERSION_8_VARIANT_RFC;
    let hex = format!("{hash:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// FNV-1a with 128 bits: short, stable, and nobody attacks their own configuration.
const OFFSET_BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

/// RFC 9562 §5.8: four bits of version, two of variant.
const VERSION_AND_VARIANT_MASK: u128 = 0x0000_0000_0000_f000_c000_0000_0000_0000;
const VERSION_8_VARIANT_RFC: u128 = 0x0000_0000_0000_8000_8000_0000_0000_0000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_stable_and_shaped_like_uuids() {
        let id = derived("openai", "main");
        assert_eq!(id, derived("openai", "main"));
        assert_ne!(id, derived("openai", "Main"));
        assert_ne!(derived("ab", "c"), derived("a", "bc"));
        let parts: Vec<_> = id.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(id.as_bytes()[14], b'8');
        assert!(b"89ab".contains(&id.as_bytes()[19]));
    }
}
