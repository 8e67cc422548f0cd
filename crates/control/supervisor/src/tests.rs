//! The running control plane over its socket.

mod harness;
mod reload;
mod routes;
mod shutdown;
