//! Process-wide request settings: the `client` section, compiled.

use std::time::Duration;

use crate::{Cors, HeaderFilter, RequiredHeader};

/// Settings that hold for every request.
#[derive(Debug)]
pub struct Client {
    /// `drop_excess_requests`: refuse instead of waiting in line.
    pub drop_excess_requests: bool,
    /// `enforce_auth_on_inference`.
    pub enforce_auth: bool,
    /// `allow_direct_keys`.
    pub allow_direct_keys: bool,
    /// `allow_per_request_raw_override`.
    pub allow_raw_override: bool,
    /// `max_request_body_size_mb` in bytes.
    pub body_bytes_max: u64,
    /// `required_headers`.
    pub required_headers: Vec<RequiredHeader>,
    /// `header_filter_config`.
    pub header_filter: HeaderFilter,
    /// `allowed_origins` and `allowed_headers`.
    pub cors: Cors,
    /// `server.read_buffer_size`: largest request head.
    pub head_bytes_max: usize,
    /// Time for a whole request head.
    pub head_timeout: Duration,
    /// Longest wait for the next piece of a request body.
    pub body_timeout: Duration,
    /// Longest time a caller may not take what is written to it.
    pub send_timeout: Duration,
    /// A connection without a request is closed after this.
    pub keep_alive_timeout: Duration,
    /// Request bodies up to here are held whole, so they can be retried, translated and sent
    /// elsewhere. Larger ones of a fixed length stream through.
    pub body_buffer_bytes_max: u64,
    /// Limits of WebSocket connections.
    pub websocket: config::WebSocket,
}
