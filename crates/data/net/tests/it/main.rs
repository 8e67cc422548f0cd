//! Everything over real loopback sockets, on both drivers.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that panics fails its test")]

mod accepting;
mod connections;
mod drains;
mod handing_over;
mod memory;
mod pairing;
mod parking;
mod placement;
mod proxies;
mod runtime;
mod support;
mod tls;
mod tunnels;
mod upstreams;
