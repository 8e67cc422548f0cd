//! The gateway as a library: both planes, started and stopped as one.
//!
//! ```no_run
//! let options = bifrost::Options { port: 8080, ..bifrost::Options::default() };
//! let gateway = bifrost::Gateway::start(options)?;
//! println!("listening on {:?}", gateway.addresses());
//! gateway.stop()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod gateway;
mod listen;
mod options;
mod overview;
mod profile;
mod start_error;
mod worker_settings;

pub use config::{Driver, Filled, FromProfile, Profile};
pub use gateway::Gateway;
pub use options::Options;
pub use overview::{Overview, ProviderOverview};
pub use profile::{ProfileError, find_profile};
pub use start_error::StartError;
