//! The real binary, from the outside.

mod commands;
mod control_plane;
mod embedded;
mod first_answer;
mod harness;
mod lifecycle;
mod required_headers;
mod rotation;
