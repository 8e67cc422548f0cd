//! Compressed bodies, decoded with a limit on what comes out.

use std::io::{self, Read};

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// RFC 1952.
    Gzip,
    /// RFC 1950 in principle; some send bare RFC 1951.
    Deflate,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
}

/// Why a body could not be decoded.
#[derive(Debug)]
pub(crate) enum Failure {
    /// More came out than allowed.
    TooLarge,
    /// The bytes are not what the header says.
    Invalid(String),
}

/// The coding a `Content-Encoding` names: `Ok(None)` for none, `Err` for one that is not known.
pub(crate) fn coding(value: &str) -> Result<Option<Coding>, ()> {
    match value.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(None),
        "gzip" | "x-gzip" => Ok(Some(Coding::Gzip)),
        "deflate" => Ok(Some(Coding::Deflate)),
        "br" => Ok(Some(Coding::Brotli)),
        "zstd" => Ok(Some(Coding::Zstd)),
        _ => Err(()),
    }
}

/// Decodes all of `body` into at most `bytes_max` bytes.
pub(crate) fn decode(coding: Coding, body: &[u8], bytes_max: usize) -> Result<Vec<u8>, Failure> {
    match coding {
        Coding::Gzip => read_all(MultiGzDecoder::new(body), bytes_max),
        Coding::Deflate => match read_all(ZlibDecoder::new(body), bytes_max) {
            Err(Failure::Invalid(_)) => read_all(DeflateDecoder::new(body), bytes_max),
            decoded => decoded,
        },
        Coding::Brotli => {
            read_all(brotli_decompressor::Decompressor::new(body, PIECE_BYTES), bytes_max)
        }
        Coding::Zstd => match ruzstd::decoding::StreamingDecoder::new(body) {
            Ok(decoder) => read_all(decoder, bytes_max),
            Err(error) => Err(Failure::Invalid(error.to_string())),
        },
    }
}

const PIECE_BYTES: usize = 16 * 1024;

fn read_all(decoder: impl Read, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::new();
    let limit = bytes_max as u64 + 1;
    match decoder.take(limit).read_to_end(&mut out) {
        Ok(_) if out.len() > bytes_max => Err(Failure::TooLarge),
        Ok(_) => Ok(out),
        Err(error) => Err(Failure::Invalid(describe(&error))),
    }
}

fn describe(error: &io::Error) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const TEXT: &[u8] = b"the same text again and again and again and again";

    fn gzip() -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(TEXT).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib() -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(TEXT).unwrap();
        encoder.finish().unwrap()
    }

    fn bare() -> Vec<u8> {
        let mut encoder =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(TEXT).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_coding_gives_the_text_back() {
        let zstd =
            ruzstd::encoding::compress_to_vec(TEXT, ruzstd::encoding::CompressionLevel::Fastest);
        // "the same text" as an uncompressed brotli meta-block would be; made with the reference tool.
        for (coding, body) in [
            (Coding::Gzip, gzip()),
            (Coding::Deflate, zlib()),
            (Coding::Deflate, bare()),
            (Coding::Zstd, zstd),
        ] {
            assert_eq!(decode(coding, &body, 100).unwrap(), TEXT, "{coding:?}");
            assert!(matches!(decode(coding, &body, 10), Err(Failure::TooLarge)), "{coding:?}");
        }
    }

    #[test]
    fn a_cut_or_wrong_body_is_invalid() {
        let whole = gzip();
        for end in 0..whole.len() {
            assert!(
                matches!(decode(Coding::Gzip, &whole[..end], 100), Err(Failure::Invalid(_)))
                    || end == 0
            );
        }
        for coding in [Coding::Brotli, Coding::Zstd] {
            assert!(matches!(decode(coding, b"\xff\xffplain text", 100), Err(Failure::Invalid(_))));
        }
    }
}
