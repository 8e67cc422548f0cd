//! The real binary, from the outside.

mod commands;
mod embedded;
mod first_answer;
mod harness;
mod lifecycle;
