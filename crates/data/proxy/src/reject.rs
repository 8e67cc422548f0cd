//! Why a request was not served: what happened, whose fault it is, whether to try again.

use std::borrow::Cow;

/// The kinds of refusal, grouped by whose fault they are. Statuses and words are those of the
/// product's error table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    // The caller's.
    /// The request cannot be understood.
    Malformed,
    /// The request head is larger than allowed.
    HeadTooLarge,
    /// An HTTP version we don't speak.
    VersionUnsupported,
    /// A transfer coding we don't know.
    CodingUnsupported,
    /// The caller was too slow.
    CallerTimedOut,
    /// The body is larger than allowed.
    BodyTooLarge,
    /// There is no such route.
    RouteNotFound,
    /// The route exists for other methods.
    MethodNotAllowed,
    /// No credential where one is demanded.
    Unauthenticated,
    /// A credential nobody knows.
    AccessNotFound,
    /// A credential that is switched off.
    AccessBlocked,
    /// A header that the configuration demands is missing or has the wrong value.
    HeadersMissing,
    /// No provider could be found for the model, or no model was named.
    Unresolved,
    /// The provider is not configured.
    ProviderUnknown,
    /// The provider does not do this.
    OperationUnsupported,
    /// No key of the provider serves the model.
    NoKey,
    /// The target's format has no place for something in the request.
    Inexpressible,
    /// The caller went away.
    Cancelled,
    // The provider's.
    /// It answered with an error status (or an error inside a 200).
    Refused,
    /// No connection, or it broke before a reply.
    ConnectionFailed,
    /// No reply in time.
    TimedOut,
    /// A reply that makes no sense.
    BadReply,
    /// It rejected every key there is.
    CredentialsExhausted,
    /// A key has nothing to log in with yet, or no more.
    CredentialsMissing,
    // Ours.
    /// The waiting line is full and dropping is on.
    Dropped,
    /// The memory set aside for request bodies is spent.
    MemorySpent,
    /// Something that should not happen.
    Internal,
}

/// Whether and how another attempt may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryClass {
    /// The same key again, after backoff.
    Transient,
    /// Another key, after backoff; this one is parked for the round.
    RateLimit,
    /// Another key at once; this one is dead for the request.
    DeadKey,
    /// Another key at once, and not counted: nothing was sent with this one.
    UnusableKey,
    /// No further attempt at this target.
    Never,
}

/// What is true of a kind, whoever asks.
#[derive(Clone, Copy)]
struct Facts {
    /// Status when nothing more specific is known.
    status: u16,
    /// Word for metrics, from the closed `error_type` vocabulary.
    label: &'static str,
    /// `error.type` and `error.code` of the error JSON, where the product has a word for it.
    word: Option<&'static str>,
    /// `type` of the whole error JSON: which policy refused.
    policy: Option<&'static str>,
    is_retried: bool,
    falls_back: bool,
    is_ours: bool,
}

impl Facts {
    const fn new(status: u16, label: &'static str) -> Self {
        Self {
            status,
            label,
            word: None,
            policy: None,
            is_retried: false,
            falls_back: true,
            is_ours: false,
        }
    }

    const fn word(self, word: &'static str) -> Self {
        Self { word: Some(word), ..self }
    }

    /// A policy's word is final: no fallback may get around it.
    const fn policy(self, policy: &'static str) -> Self {
        Self { policy: Some(policy), ..self }.is_final()
    }

    const fn is_retried(self) -> Self {
        Self { is_retried: true, ..self }
    }

    const fn is_final(self) -> Self {
        Self { falls_back: false, ..self }
    }

    const fn is_ours(self) -> Self {
        Self { is_ours: true, ..self }
    }
}

impl Kind {
    const fn facts(self) -> Facts {
        const INVALID: &str = "caller_invalid_request";
        const DENIED: &str = "policy_access_denied";
        match self {
            Self::Malformed | Self::Inexpressible | Self::OperationUnsupported => {
                Facts::new(400, INVALID)
            }
            Self::HeadersMissing => Facts::new(400, INVALID).policy("missing_required_headers"),
            Self::Unresolved | Self::ProviderUnknown => Facts::new(400, "caller_model_unknown"),
            Self::NoKey => Facts::new(400, "caller_model_not_available"),
            Self::Unauthenticated => Facts::new(401, DENIED).policy("virtual_key_required"),
            Self::AccessNotFound => Facts::new(403, DENIED).policy("access_not_found"),
            Self::AccessBlocked => Facts::new(403, DENIED).policy("access_blocked"),
            Self::RouteNotFound => Facts::new(404, INVALID),
            Self::MethodNotAllowed => Facts::new(405, INVALID),
            Self::CallerTimedOut => Facts::new(408, INVALID).is_final(),
            Self::BodyTooLarge => Facts::new(413, INVALID),
            Self::HeadTooLarge => Facts::new(431, INVALID),
            Self::Cancelled => {
                Facts::new(499, "caller_cancelled").word("request_cancelled").is_final()
            }
            Self::CodingUnsupported => Facts::new(501, INVALID),
            Self::VersionUnsupported => Facts::new(505, INVALID),
            Self::Refused => Facts::new(502, "_OTHER"),
            Self::BadReply => Facts::new(502, "provider_server_error"),
            Self::ConnectionFailed => Facts::new(502, "provider_connection_failed")
                .word("provider_connection_failed")
                .is_retried(),
            Self::CredentialsExhausted | Self::CredentialsMissing => {
                Facts::new(502, "provider_credentials_exhausted")
                    .word("upstream_credentials_exhausted")
            }
            Self::TimedOut => {
                Facts::new(504, "provider_timeout").word("request_timed_out").is_ours()
            }
            Self::Dropped => Facts::new(503, "bifrost_dropped").word("request_dropped").is_ours(),
            Self::MemorySpent => Facts::new(503, "bifrost_dropped").is_ours().is_final(),
            Self::Internal => Facts::new(500, "bifrost_internal").is_ours(),
        }
    }

    /// Status when nothing more specific is known.
    pub(crate) fn status(self) -> u16 {
        self.facts().status
    }

    /// How the kind alone is retried; a provider's status says more (see `judge`).
    pub(crate) fn retry(self) -> RetryClass {
        match self.facts().is_retried {
            _ if self == Self::CredentialsMissing => RetryClass::UnusableKey,
            true => RetryClass::Transient,
            false => RetryClass::Never,
        }
    }

    /// Whether a fallback may still serve the request.
    pub(crate) fn falls_back(self) -> bool {
        self.facts().falls_back
    }

    /// `error.type` of the error JSON, where the product has a word for it.
    pub(crate) fn error_type(self) -> Option<&'static str> {
        self.facts().word
    }

    /// `error.code`, where the product has one.
    pub(crate) fn code(self) -> Option<&'static str> {
        if self == Self::OperationUnsupported {
            return Some("unsupported_operation");
        }
        self.error_type()
    }

    /// `type` of the whole error JSON: which policy refused.
    pub(crate) fn policy(self) -> Option<&'static str> {
        self.facts().policy
    }

    /// `is_bifrost_error`: the gateway's own doing rather than the provider's or the caller's.
    pub(crate) fn is_ours(self) -> bool {
        self.facts().is_ours
    }

    /// The word for metrics; for a provider's refusal its status says which.
    pub(crate) fn label(self, status: u16) -> &'static str {
        match (self, status) {
            (Self::Refused, 401 | 403) => "provider_auth_failed",
            (Self::Refused, 402) => "provider_billing",
            (Self::Refused, 404) => "caller_model_unknown",
            (Self::Refused, 429) => "provider_rate_limited",
            (Self::Refused, 400..=499) => "caller_invalid_request",
            (Self::Refused, 503 | 529) => "provider_overloaded",
            (Self::Refused, 504) => "provider_timeout",
            (Self::Refused, 500..=599) => "provider_server_error",
            _ => self.facts().label,
        }
    }
}

/// A refusal on its way to the caller.
#[derive(Debug)]
pub(crate) struct Reject {
    /// What happened.
    pub(crate) kind: Kind,
    /// Status for the caller.
    pub(crate) status: u16,
    /// For the caller: what to change. Never secrets or content.
    pub(crate) public: Cow<'static, str>,
    /// The provider's own error body, where there is one.
    pub(crate) reply: Option<Box<ProviderError>>,
}

/// What a provider answered instead of a result.
#[derive(Debug)]
pub(crate) struct ProviderError {
    /// Its dialect.
    pub(crate) dialect: dialect::Dialect,
    /// The body as received, cut at a named limit.
    pub(crate) body: Vec<u8>,
    /// Forwardable header lines of the reply.
    pub(crate) header_lines: Vec<u8>,
    /// How long it asked to wait, in milliseconds.
    pub(crate) retry_after_ms: Option<u64>,
}

impl Reject {
    /// A refusal with the kind's own status.
    #[cold]
    pub(crate) fn new(kind: Kind, public: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, status: kind.status(), public: public.into(), reply: None }
    }
}
