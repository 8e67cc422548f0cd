//! Signatures of reasoning. Each depends on the text it belongs to, so reasoning that comes back changed, or with the
//! signature of another, is found out in every dialect.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::form::bytes_of_base64;

const MARK: &str = "mock-signature:";

/// The signature of a piece of reasoning, in base64.
pub(crate) fn signature(reasoning: &str) -> String {
    let hash = reasoning.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    STANDARD.encode(format!("{MARK}{hash:016x}"))
}

/// Whether text is a signature made here, whatever it belongs to. Some dialects carry a signature without its text.
pub(crate) fn is_signature(text: &str) -> bool {
    bytes_of_base64(text).is_some_and(|bytes| bytes.starts_with(MARK.as_bytes()))
}
