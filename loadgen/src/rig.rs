//! The measuring engine: one thread that is load generator and mock provider at once, so that on
//! two cores one has the whole harness and the other what is measured.
//!
//! [`run`] carries out a [`Plan`](plan::Plan) and gives back a [`Recording`](recording::Recording);
//! [`streams`] holds the measurements of streamed replies; [`upstream_thread`] plays the provider
//! in a thread of its own.

mod body;
mod callers;
mod clock;
mod engine;
mod error;
mod limits;
mod listener;
mod load;
mod message;
mod number;
pub(crate) mod plan;
mod poller;
mod pump;
pub(crate) mod recording;
mod roles;
mod socket;
pub(crate) mod streams;
mod template;
#[cfg(test)]
mod tests;
mod text;
mod upstream;

#[cfg(test)]
pub(crate) use self::error::RigError;
pub(crate) use self::load::run;
pub(crate) use self::upstream::upstream_thread;
