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
    /// No further attempt at this target.
    Never,
}

impl Kind {
    /// Status when nothing more specific is known.
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::Malformed
            | Self::HeadersMissing
            | Self::Unresolved
            | Self::ProviderUnknown
            | Self::OperationUnsupported
            | Self::NoKey
            | Self::Inexpressible => 400,
            Self::Unauthenticated => 401,
            Self::AccessNotFound | Self::AccessBlocked => 403,
            Self::RouteNotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::CallerTimedOut => 408,
            Self::BodyTooLarge => 413,
            Self::HeadTooLarge => 431,
            Self::Cancelled => 499,
            Self::Internal => 500,
            Self::CodingUnsupported => 501,
            Self::Refused | Self::ConnectionFailed | Self::BadReply => 502,
            Self::CredentialsExhausted => 502,
            Self::Dropped | Self::MemorySpent => 503,
            Self::TimedOut => 504,
            Self::VersionUnsupported => 505,
        }
    }

    /// How the kind alone is retried; a provider's status says more (see `judge`).
    pub(crate) fn retry(self) -> RetryClass {
        match self {
            Self::ConnectionFailed => RetryClass::Transient,
            Self::Malformed
            | Self::HeadTooLarge
            | Self::VersionUnsupported
            | Self::CodingUnsupported
            | Self::CallerTimedOut
            | Self::BodyTooLarge
            | Self::RouteNotFound
            | Self::MethodNotAllowed
            | Self::Unauthenticated
            | Self::AccessNotFound
            | Self::AccessBlocked
            | Self::HeadersMissing
            | Self::Unresolved
            | Self::ProviderUnknown
            | Self::OperationUnsupported
            | Self::NoKey
            | Self::Inexpressible
            | Self::Cancelled
            | Self::Refused
            | Self::TimedOut
            | Self::BadReply
            | Self::CredentialsExhausted
            | Self::Dropped
            | Self::MemorySpent
            | Self::Internal => RetryClass::Never,
        }
    }

    /// Whether a fallback may still serve the request.
    pub(crate) fn falls_back(self) -> bool {
        match self {
            Self::Cancelled
            | Self::Unauthenticated
            | Self::AccessNotFound
            | Self::AccessBlocked
            | Self::HeadersMissing
            | Self::MemorySpent
            | Self::CallerTimedOut => false,
            Self::Malformed
            | Self::HeadTooLarge
            | Self::VersionUnsupported
            | Self::CodingUnsupported
            | Self::BodyTooLarge
            | Self::RouteNotFound
            | Self::MethodNotAllowed
            | Self::Unresolved
            | Self::ProviderUnknown
            | Self::OperationUnsupported
            | Self::NoKey
            | Self::Inexpressible
            | Self::Refused
            | Self::ConnectionFailed
            | Self::TimedOut
            | Self::BadReply
            | Self::CredentialsExhausted
            | Self::Dropped
            | Self::Internal => true,
        }
    }

    /// `error.type` of the error JSON, where the product has a word for it.
    pub(crate) fn error_type(self) -> Option<&'static str> {
        match self {
            Self::TimedOut => Some("request_timed_out"),
            Self::ConnectionFailed => Some("provider_connection_failed"),
            Self::Cancelled => Some("request_cancelled"),
            Self::Dropped => Some("request_dropped"),
            Self::CredentialsExhausted => Some("upstream_credentials_exhausted"),
            Self::Unauthenticated
            | Self::AccessNotFound
            | Self::AccessBlocked
            | Self::HeadersMissing
            | Self::Malformed
            | Self::HeadTooLarge
            | Self::VersionUnsupported
            | Self::CodingUnsupported
            | Self::CallerTimedOut
            | Self::BodyTooLarge
            | Self::RouteNotFound
            | Self::MethodNotAllowed
            | Self::Unresolved
            | Self::ProviderUnknown
            | Self::OperationUnsupported
            | Self::NoKey
            | Self::Inexpressible
            | Self::Refused
            | Self::BadReply
            | Self::MemorySpent
            | Self::Internal => None,
        }
    }

    /// `error.code`, where the product has one.
    pub(crate) fn code(self) -> Option<&'static str> {
        match self {
            Self::OperationUnsupported => Some("unsupported_operation"),
            other => other.error_type(),
        }
    }

    /// `type` of the whole error JSON: which policy refused.
    pub(crate) fn policy(self) -> Option<&'static str> {
        match self {
            Self::Unauthenticated => Some("virtual_key_required"),
            Self::AccessNotFound => Some("access_not_found"),
            Self::AccessBlocked => Some("access_blocked"),
            Self::HeadersMissing => Some("missing_required_headers"),
            _ => None,
        }
    }

    /// `is_bifrost_error`: the gateway's own doing rather than the provider's or the caller's.
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Self::TimedOut | Self::Dropped | Self::MemorySpent | Self::Internal)
    }

    /// The word for metrics, from the closed `error_type` vocabulary; `status` refines it.
    pub(crate) fn label(self, status: u16) -> &'static str {
        match self {
            Self::Malformed
            | Self::HeadTooLarge
            | Self::VersionUnsupported
            | Self::CodingUnsupported
            | Self::CallerTimedOut
            | Self::BodyTooLarge
            | Self::RouteNotFound
            | Self::MethodNotAllowed
            | Self::HeadersMissing
            | Self::OperationUnsupported
            | Self::Inexpressible => "caller_invalid_request",
            Self::Unresolved | Self::ProviderUnknown => "caller_model_unknown",
            Self::NoKey => "caller_model_not_available",
            Self::Unauthenticated | Self::AccessNotFound | Self::AccessBlocked => {
                "policy_access_denied"
            }
            Self::Cancelled => "caller_cancelled",
            Self::ConnectionFailed => "provider_connection_failed",
            Self::TimedOut => "provider_timeout",
            Self::BadReply => "provider_server_error",
            Self::CredentialsExhausted => "provider_credentials_exhausted",
            Self::Dropped | Self::MemorySpent => "bifrost_dropped",
            Self::Internal => "bifrost_internal",
            Self::Refused => match status {
                401 | 403 => "provider_auth_failed",
                402 => "provider_billing",
                404 => "caller_model_unknown",
                400..=428 | 430..=499 => "caller_invalid_request",
                429 => "provider_rate_limited",
                503 | 529 => "provider_overloaded",
                504 => "provider_timeout",
                500..=599 => "provider_server_error",
                _ => "_OTHER",
            },
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
