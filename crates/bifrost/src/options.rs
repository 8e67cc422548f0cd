//! What the gateway is started with beside its configuration file.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use config::Driver;

/// Settings of one process. What is `None` is left to the configuration file.
#[derive(Clone, Debug)]
pub struct Options {
    /// Directory of the configuration file and of what the gateway keeps; made if need be.
    pub app_dir: PathBuf,
    /// Host name or address to listen on. `localhost` is IPv4 and, where there is one, IPv6.
    pub host: String,
    /// Port to listen on; 0 takes a free one.
    pub port: u16,
    /// Configuration file that must exist, instead of `config.json` in the directory that may.
    pub config: Option<PathBuf>,
    /// A tuning profile for what the configuration leaves open: a name of the product's own, or a file.
    pub profile: Option<String>,
    /// Threads of the data plane; one per available core unless set anywhere.
    pub workers: Option<NonZeroUsize>,
    /// How these wait for sockets.
    pub driver: Option<Driver>,
    /// Whether metrics show the gateway's own time by component.
    pub overhead_breakdown: bool,
    /// Whether SIGTERM and SIGINT end the gateway and SIGHUP reloads it.
    pub signals: bool,
}

/// The port of the product.
pub(crate) const PORT: u16 = 8080;

impl Default for Options {
    /// `localhost:8080`, with everything in the user's own directory.
    fn default() -> Self {
        Self {
            app_dir: default_app_dir(),
            host: "localhost".to_owned(),
            port: PORT,
            config: None,
            profile: None,
            workers: None,
            driver: None,
            overhead_breakdown: false,
            signals: false,
        }
    }
}

/// `~/.config/bifrost`, or `./bifrost-data` for users without a home.
fn default_app_dir() -> PathBuf {
    match std::env::var_os("HOME").filter(|home| !home.is_empty()) {
        Some(home) => PathBuf::from(home).join(".config/bifrost"),
        None => PathBuf::from("bifrost-data"),
    }
}
