//! Authentication that is worked out per request, or that expires.
//!
//! The control plane fetches credentials and renews them in time; a signer holds the latest ones and
//! only computes. So the data plane signs without waiting, and without knowing any cloud's rules.

use std::fmt::Debug;
use std::sync::Arc;

use config::Login;

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

    /// Whether the headers depend on the body, so that all of it must be there first.
    fn covers_body(&self) -> bool;
}

/// Finds the signer of a login. The control plane has one that fetches credentials; the same login
/// gives the same signer as long as some snapshot holds it.
pub trait Signers: Debug + Send {
    /// The signer, perhaps still without credentials.
    fn signer(&self, login: &Login) -> Arc<dyn Sign>;
}

/// Where nobody fetches credentials: no request is signed.
#[derive(Debug)]
pub(crate) struct NoSigners;

impl Signers for NoSigners {
    fn signer(&self, _: &Login) -> Arc<dyn Sign> {
        Arc::new(Self)
    }
}

impl Sign for NoSigners {
    fn sign(&self, _: &Unsigned<'_>, _: &mut Vec<u8>) -> Result<(), String> {
        Err("no credentials are fetched here".to_owned())
    }

    fn covers_body(&self) -> bool {
        false
    }
}

/// A signer with header lines that go with its requests and are not signed.
#[derive(Debug)]
pub(crate) struct WithLines {
    pub(crate) signer: Arc<dyn Sign>,
    pub(crate) lines: String,
}

impl Sign for WithLines {
    fn sign(&self, request: &Unsigned<'_>, lines: &mut Vec<u8>) -> Result<(), String> {
        self.signer.sign(request, lines)?;
        lines.extend_from_slice(self.lines.as_bytes());
        Ok(())
    }

    fn covers_body(&self) -> bool {
        self.signer.covers_body()
    }
}
