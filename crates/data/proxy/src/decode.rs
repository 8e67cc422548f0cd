//! Compressed request bodies, decoded in place.

use crate::caller::CallerHeaders;
use crate::decompress::{self, Failure, coding};
use crate::reject::{Kind, Reject};
use crate::stages::read::{Request, memory_spent};

/// Decodes the body by its `Content-Encoding`, if it has one.
pub(crate) async fn body(
    request: &mut Request,
    headers: &CallerHeaders,
    bytes_max: u64,
) -> Result<(), Reject> {
    let Some(value) = headers.content_encoding.value(request.bytes.as_slice()) else {
        return Ok(());
    };
    let value = String::from_utf8_lossy(value).into_owned();
    let Ok(coding) = coding(&value) else {
        return Err(invalid(&format!("unknown content encoding {value}")));
    };
    let Some(coding) = coding else { return Ok(()) };
    let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    // Boxed: decoders are large, and most bodies are not compressed.
    match Box::pin(decompress::decode(coding, request.body(), bytes_max)).await {
        Ok(body) => {
            request.replace_body(body);
            Ok(())
        }
        Err(Failure::TooLarge) => {
            let message = "the decompressed request body is too large";
            Err(Reject::new(Kind::BodyTooLarge, message))
        }
        Err(Failure::Invalid(error)) => Err(invalid(&error)),
        Err(Failure::MemorySpent) => Err(memory_spent()),
    }
}

#[cold]
fn invalid(error: &str) -> Reject {
    Reject::new(Kind::Malformed, format!("invalid compressed request body: {error}"))
}
