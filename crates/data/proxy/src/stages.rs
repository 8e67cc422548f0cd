//! The stages of a request that fill a file, and what they share: `open` looks into a reply before
//! it is judged, `splice` edits bodies, `watch` reads along with streams. Their order is in
//! `pipeline.rs`; the short ones (recognize, admit, settle) stand there and in `inference.rs`.

pub(crate) mod choose;
pub(crate) mod events;
pub(crate) mod follow;
pub(crate) mod form;
pub(crate) mod judge;
pub(crate) mod lap;
pub(crate) mod open;
pub(crate) mod peek;
pub(crate) mod prepare;
pub(crate) mod read;
pub(crate) mod record;
pub(crate) mod relay;
pub(crate) mod send;
pub(crate) mod splice;
pub(crate) mod watch;
