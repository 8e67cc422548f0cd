//! Compresses a body, each piece flushed so that it can be read as it comes.

use std::io::{self, Write};
use std::mem;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use super::fault::Encoding;

/// The name for the `content-encoding` header.
pub(crate) fn name(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Gzip => "gzip",
        Encoding::Deflate => "deflate",
    }
}

/// Compresses `pieces` as one stream, cut at the same places.
pub(crate) fn encode(encoding: Encoding, pieces: Vec<Vec<u8>>) -> io::Result<Vec<Vec<u8>>> {
    match encoding {
        Encoding::Gzip => encode_with(
            pieces,
            GzEncoder::new(Vec::new(), Compression::fast()),
            GzEncoder::get_mut,
            GzEncoder::finish,
        ),
        Encoding::Deflate => encode_with(
            pieces,
            ZlibEncoder::new(Vec::new(), Compression::fast()),
            ZlibEncoder::get_mut,
            ZlibEncoder::finish,
        ),
    }
}

fn encode_with<E: Write>(
    pieces: Vec<Vec<u8>>,
    mut encoder: E,
    output: fn(&mut E) -> &mut Vec<u8>,
    finish: fn(E) -> io::Result<Vec<u8>>,
) -> io::Result<Vec<Vec<u8>>> {
    let mut encoded = Vec::with_capacity(pieces.len() + 1);
    for piece in pieces {
        encoder.write_all(&piece)?;
        encoder.flush()?;
        encoded.push(mem::take(output(&mut encoder)));
    }
    encoded.push(finish(encoder)?);
    Ok(encoded)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn every_piece_can_be_read_when_it_has_come() {
        let pieces = vec![b"data: 1\n\n".to_vec(), b"data: 2\n\n".to_vec()];
        let encoded = encode(Encoding::Gzip, pieces.clone()).unwrap();
        let mut first = [0; 9];
        flate2::read::GzDecoder::new(encoded[0].as_slice()).read_exact(&mut first).unwrap();
        assert_eq!(first, *b"data: 1\n\n");
        let mut all = Vec::new();
        flate2::read::GzDecoder::new(encoded.concat().as_slice()).read_to_end(&mut all).unwrap();
        assert_eq!(all, pieces.concat());
        let deflated = encode(Encoding::Deflate, pieces.clone()).unwrap().concat();
        all.clear();
        flate2::read::ZlibDecoder::new(deflated.as_slice()).read_to_end(&mut all).unwrap();
        assert_eq!(all, pieces.concat());
    }
}
