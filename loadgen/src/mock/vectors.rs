//! Made-up embeddings: unit vectors that depend on the text, equal for equal texts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A vector of `dimensions` numbers and length 1.
pub(crate) fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(
        text.bytes().fold(7, |seed, byte| (seed ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)),
    );
    let mut vector: Vec<f32> = (0..dimensions).map(|_| random.f32() - 0.5).collect();
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|number| *number /= length.max(f32::MIN_POSITIVE));
    vector
}

/// Its numbers.
pub(crate) fn floats(vector: &[f32]) -> Value {
    json!(vector)
}

/// Its numbers as little-endian bytes in base64.
pub(crate) fn base64(vector: &[f32]) -> Value {
    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    json!(STANDARD.encode(bytes))
}

/// Its numbers as whole ones from -128 to 127.
pub(crate) fn bytes(vector: &[f32]) -> Value {
    vector.iter().map(|number| (number * 127.0) as i8).collect()
}
