//! Authentication that is worked out per request, or that expires.
//!
//! The control plane fetches credentials and renews them in time; a signer holds the latest ones and
//! only computes. So the data plane signs without waiting, and without knowing any cloud's rules.

use std::fmt::Debug;

/// A request about to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Unsigned<'r> {
    /// `POST`, `GET` ….
    pub method: &'r str,
    /// The `host` header.
    pub authority: &'r str,
    /// Path and query as they go out.
    pub path: &'r str,
    /// Headers that go out besides `host`, names in lower case.
    pub headers: &'r [(&'r str, &'r str)],
    /// The whole body.
    pub body: &'r [u8],
}

/// Makes the authentication headers of requests.
pub trait Sign: Debug + Send + Sync {
    /// Appends header lines, each with its CRLF. An error says, without secrets, why there are no
    /// credentials to sign with; the request is not sent then.
    fn sign(&self, request: &Unsigned<'_>, lines: &mut Vec<u8>) -> Result<(), String>;
}
