//! Compressed bodies, decoded with a limit on what comes out.

use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use net::Buffer;

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
    /// The memory set aside for buffered bytes is spent.
    MemorySpent,
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

/// Decodes all of `body` into at most `bytes_max` bytes. What comes out is charged to the budget
/// as it grows, and other requests get their turn between the pieces.
pub(crate) async fn decode(
    coding: Coding,
    body: &[u8],
    bytes_max: usize,
) -> Result<Buffer, Failure> {
    match coding {
        Coding::Gzip => read_all(MultiGzDecoder::new(body), bytes_max).await,
        Coding::Deflate => match read_all(ZlibDecoder::new(body), bytes_max).await {
            Err(Failure::Invalid(_)) => read_all(DeflateDecoder::new(body), bytes_max).await,
            decoded => decoded,
        },
        Coding::Brotli => {
            let decoder = brotli_decompressor::Decompressor::new(body, PIECE_BYTES);
            read_all(decoder, bytes_max).await
        }
        Coding::Zstd => match ruzstd::decoding::StreamingDecoder::new(body) {
            Ok(decoder) => read_all(decoder, bytes_max).await,
            Err(error) => Err(Failure::Invalid(error.to_string())),
        },
    }
}

const PIECE_BYTES: usize = 16 * 1024;

/// About a millisecond's work.
const PIECES_PER_TURN: usize = 16;

async fn read_all(mut decoder: impl Read, bytes_max: usize) -> Result<Buffer, Failure> {
    let mut out = Buffer::new();
    let mut piece = vec![0; PIECE_BYTES];
    for turn in 1_usize.. {
        let count = decoder.read(&mut piece).map_err(|e| Failure::Invalid(e.to_string()))?;
        if count == 0 {
            break;
        }
        if out.len() + count > bytes_max {
            return Err(Failure::TooLarge);
        }
        if out.spare() < count {
            out.try_reserve(count.max(out.len())).map_err(|_| Failure::MemorySpent)?;
        }
        out.extend_from_slice(piece.get(..count).unwrap_or_default());
        if turn.is_multiple_of(PIECES_PER_TURN) {
            net::yield_now().await;
        }
    }
    Ok(out)
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

    /// Runs a future that only ever waits for its own turn.
    fn now<F: Future>(future: F) -> F::Output {
        let mut future = std::pin::pin!(future);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        loop {
            if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return output;
            }
        }
    }

    fn decoded(coding: Coding, body: &[u8], bytes_max: usize) -> Result<Vec<u8>, Failure> {
        now(decode(coding, body, bytes_max)).map(|out| out.as_slice().to_vec())
    }

    #[test]
    fn every_coding_gives_the_text_back() {
        let fastest = ruzstd::encoding::CompressionLevel::Fastest;
        let zstd = ruzstd::encoding::compress_to_vec(TEXT, fastest);
        for (coding, body) in [
            (Coding::Gzip, gzip()),
            (Coding::Deflate, zlib()),
            (Coding::Deflate, bare()),
            (Coding::Zstd, zstd),
        ] {
            assert_eq!(decoded(coding, &body, 100).unwrap(), TEXT, "{coding:?}");
            assert!(matches!(decoded(coding, &body, 10), Err(Failure::TooLarge)), "{coding:?}");
        }
    }

    #[test]
    fn a_cut_or_wrong_body_is_invalid() {
        let whole = gzip();
        for end in 1..whole.len() {
            let cut = decoded(Coding::Gzip, &whole[..end], 100);
            assert!(matches!(cut, Err(Failure::Invalid(_))), "cut at {end}");
        }
        for coding in [Coding::Brotli, Coding::Zstd] {
            let wrong = decoded(coding, b"\xff\xffplain text", 100);
            assert!(matches!(wrong, Err(Failure::Invalid(_))), "{coding:?}");
        }
    }
}
