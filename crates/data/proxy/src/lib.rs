//! The request pipeline: thirteen stages from a caller's connection to a provider's and back.
//!
//! [`Worker`] serves the connections of one thread. `pipeline.rs` is the table of contents: one
//! straight function per request over the stages in `stages/`, each of which takes what the one
//! before it made.
#![forbid(unsafe_code)]

mod attachment;
#[cfg(feature = "bench")]
pub mod bench;
mod caller;
mod control;
mod decode;
mod decompress;
mod error_body;
mod extra_fields;
mod framed;
mod http2;
mod inference;
mod inject;
mod json;
mod limits;
mod pipeline;
mod presence;
mod reject;
mod reply_head;
mod resources;
mod retry_after;
mod routes;
mod stages;
mod websocket;
mod worker;

use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use net::{Connection, Service};

pub use routes::served;
pub use worker::Worker;

impl Service for Worker {
    fn serve(self: Rc<Self>, connection: Connection) -> impl Future<Output = ()> + 'static {
        pipeline::serve(self, connection)
    }
}

fn since_epoch() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn unix_seconds() -> u64 {
    since_epoch().as_secs()
}

fn unix_nanoseconds() -> u64 {
    since_epoch().as_nanos() as u64
}
