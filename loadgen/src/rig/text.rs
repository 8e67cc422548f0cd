//! Text of a given size.

/// So many bytes of plain words: a model's prose as far as scanners and compressors care.
pub(crate) fn filler(bytes: usize) -> String {
    const WORDS: &str = "the gateway passes every piece on as soon as it has come and keeps none ";
    WORDS.chars().cycle().take(bytes).collect()
}

/// What `make` makes with as many bytes of filler as let it reach `bytes`; with none, if it is
/// larger anyway. Each byte of filler must make one byte.
pub(crate) fn fitted(bytes: usize, make: impl Fn(usize) -> String) -> String {
    let smallest = make(0);
    match bytes.checked_sub(smallest.len()) {
        None | Some(0) => smallest,
        Some(filler_bytes) => make(filler_bytes),
    }
}
