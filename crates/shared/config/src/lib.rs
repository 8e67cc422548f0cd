//! `config.json` and environment, checked: a complete [`Config`] or every mistake with its path.
#![forbid(unsafe_code)]

mod secret;

pub use secret::Secret;
