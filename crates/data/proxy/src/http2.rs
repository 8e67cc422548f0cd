//! Connections that speak HTTP/2 leave the data plane, and their streams come back one by one as HTTP/1.1.
//!
//! Only a connection that has sent nothing else is recognised: where a proxy stands in between, what it
//! takes for the body of a request must not become a connection of its own.

use net::Connection;
use seam::Http2;

use crate::pipeline::Session;

/// What a client that knows beforehand begins with, up to where it cannot be HTTP/1.1 any more.
const PREFACE_LINE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// Whether the connection begins with HTTP/2. To be asked when what it began with is no HTTP/1.1.
#[cold]
pub(crate) fn begins(session: &Session) -> bool {
    let Session { client, head, .. } = session;
    let is_clear = !client.is_tls();
    let is_preface = is_clear && head.len() == 0 && client.input().starts_with(PREFACE_LINE);
    is_preface || client.offers_http2()
}

/// Hands the connection over. Where nobody takes it any more it is closed.
#[cold]
pub(crate) fn hand_over(http2: &Http2, client: Connection) {
    // Short of descriptors it is closed too: there is no way to say so before the handshake.
    let Ok(arrived) = client.detach() else { return };
    drop(http2.arrivals.put(arrived));
}
