//! One vector, as decimal numbers or as 32-bit floats in base64, and turning one into the other without loss.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::{Error, What};
use crate::json::{Raw, Text};
use crate::options::NumberFormat;

/// Bytes of one number in base64.
const FLOAT_BYTES: usize = 4;

/// No vector has larger numbers; bytes that are not 32-bit floats do. Some hosts put bytes or 64-bit floats into the
/// same member, and must not be misread.
const MAGNITUDE_MAX: f32 = 1e9;

const NOT_FLOATS: What = What::Invalid("must be 32-bit floats in base64");

/// A vector as it was spelt.
#[derive(Debug)]
pub(crate) enum Vector<'a> {
    /// An array of numbers.
    Numbers(Raw<'a>),
    Base64(Text<'a>),
}

impl<'a> Vector<'a> {
    /// Reads a vector of either spelling.
    pub(crate) fn read(value: Raw<'a>) -> Result<Self, Error> {
        if let Some(text) = value.as_text() {
            return Ok(Self::Base64(text));
        }
        if value.is_array() {
            return Ok(Self::Numbers(value));
        }
        Err(Error::new(What::WrongType("an array of numbers or a string")))
    }

    pub(crate) fn format(&self) -> NumberFormat {
        match self {
            Self::Numbers(_) => NumberFormat::Float,
            Self::Base64(_) => NumberFormat::Base64,
        }
    }

    /// Writes it as an array of numbers, spelling kept where it has one.
    pub(crate) fn write_numbers(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        match self {
            Self::Numbers(numbers) => {
                out.extend_from_slice(numbers.text().as_bytes());
                Ok(())
            }
            Self::Base64(text) => write_decoded(&text.plain(), out),
        }
    }

    /// Writes it as a base64 string, spelling kept where it has one.
    pub(crate) fn write_base64(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        match self {
            Self::Numbers(numbers) => write_encoded(*numbers, out),
            Self::Base64(text) => {
                text.write(out);
                Ok(())
            }
        }
    }
}

/// Writes each float with as few digits as bring the same float back.
fn write_decoded(text: &str, out: &mut Vec<u8>) -> Result<(), Error> {
    let bytes = STANDARD.decode(text).map_err(|_| Error::new(NOT_FLOATS))?;
    let (floats, rest) = bytes.as_chunks::<FLOAT_BYTES>();
    if !rest.is_empty() {
        return Err(Error::new(NOT_FLOATS));
    }
    let mut digits = ryu::Buffer::new();
    out.push(b'[');
    for (position, float) in floats.iter().enumerate() {
        let float = f32::from_le_bytes(*float);
        if !float.is_finite() || float.abs() > MAGNITUDE_MAX {
            return Err(Error::new(NOT_FLOATS).in_element(position));
        }
        if position > 0 {
            out.push(b',');
        }
        out.extend_from_slice(digits.format_finite(float).as_bytes());
    }
    out.push(b']');
    Ok(())
}

fn write_encoded(numbers: Raw<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
    let mut bytes = Vec::new();
    for (position, number) in numbers.elements().enumerate() {
        let float: f32 = number
            .text()
            .parse()
            .ok()
            .filter(|float: &f32| float.is_finite())
            .ok_or_else(|| Error::new(What::WrongType("a number")).in_element(position))?;
        bytes.extend_from_slice(&float.to_le_bytes());
    }
    out.push(b'"');
    let start = out.len();
    let length = base64::encoded_len(bytes.len(), true).unwrap_or_default();
    out.resize(start + length, 0);
    let written = STANDARD.encode_slice(&bytes, out.get_mut(start..).unwrap_or_default());
    debug_assert_eq!(written, Ok(length));
    out.push(b'"');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Index;

    fn encode(numbers: &str) -> String {
        let mut index = Index::new();
        let mut out = Vec::new();
        Vector::Numbers(index.read(numbers.as_bytes()).expect("JSON"))
            .write_base64(&mut out)
            .expect("numbers");
        String::from_utf8(out).expect("UTF-8")
    }

    fn decode(base64: &str) -> Result<String, Error> {
        let mut out = Vec::new();
        Vector::Base64(base64.into()).write_numbers(&mut out)?;
        Ok(String::from_utf8(out).expect("UTF-8"))
    }

    #[test]
    fn numbers_and_bytes_become_each_other_without_loss() {
        // 1.0 is 00 00 80 3f in little endian, -2.5 is 00 00 20 c0.
        assert_eq!(encode("[1, -2.5]"), r#""AACAPwAAIMA=""#);
        assert_eq!(decode("AACAPwAAIMA=").expect("floats"), "[1.0,-2.5]");
        assert_eq!((encode("[]").as_str(), decode("").expect("none").as_str()), ("\"\"", "[]"));
        let floats = [0.1_f32, -1.0e-8, 3.402_823e8, f32::MIN_POSITIVE, 1.0e-45, 0.333_333_34];
        let bytes: Vec<u8> = floats.iter().flat_map(|float| float.to_le_bytes()).collect();
        let base64 = STANDARD.encode(bytes);
        assert_eq!(encode(&decode(&base64).expect("floats")), format!("\"{base64}\""));
    }

    #[test]
    fn what_is_no_vector_of_floats_is_refused() {
        // Not base64; not a multiple of four bytes; not a number; 64-bit floats read as 32-bit ones are often absurd.
        for text in ["*", "AAA=", "AADAfw==", "////fw=="] {
            assert!(decode(text).is_err(), "{text}");
        }
        let mut index = Index::new();
        for numbers in ["[null]", "[1e39]", "[\"1\"]"] {
            let vector = Vector::Numbers(index.read(numbers.as_bytes()).expect("JSON"));
            assert!(vector.write_base64(&mut Vec::new()).is_err(), "{numbers}");
        }
    }
}
