//! What was started: for the banner and for programs that embed the gateway.

use std::net::SocketAddr;
use std::path::PathBuf;

use config::{Config, FromProfile, ModelList, Note, Source};

use crate::Options;

/// A running gateway at a glance. It holds no secrets.
#[derive(Clone, Debug)]
pub struct Overview {
    /// Where it listens, with the real ports.
    pub addresses: Vec<SocketAddr>,
    /// Whether callers speak TLS to it.
    pub is_tls: bool,
    /// Threads of the data plane.
    pub workers: usize,
    /// How these wait for sockets: `io_uring` or `epoll`.
    pub driver: &'static str,
    /// Why that is not the best way, if it isn't.
    pub driver_note: Option<String>,
    /// Whether the listening sockets came from a process that ran before.
    pub took_over: bool,
    /// The configuration file, there or not.
    pub file: PathBuf,
    /// Where the configuration comes from.
    pub source: Source,
    /// The tuning profile and what it decided, where one was given.
    pub profile: Option<FromProfile>,
    /// The providers, in the order of the configuration.
    pub providers: Vec<ProviderOverview>,
    /// What is accepted and probably not meant.
    pub warnings: Vec<Note>,
    /// What is accepted and not active yet.
    pub inactive: Vec<Note>,
}

/// A provider at a glance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderOverview {
    /// Its name.
    pub name: String,
    /// How many keys it has that are switched on.
    pub keys: usize,
    /// Whether it needs none.
    pub is_keyless: bool,
    /// A model that it serves, where the configuration names one.
    pub model: Option<String>,
}

/// What a profile decided after options, which win over it, had their say.
pub(crate) fn in_force(mut from: FromProfile, options: &Options) -> FromProfile {
    from.settings.retain(|filled| match filled.path.as_str() {
        "server.workers" => options.workers.is_none(),
        "server.driver" => options.driver.is_none(),
        _ => true,
    });
    from
}

/// The providers of a configuration.
pub(crate) fn providers(config: &Config) -> Vec<ProviderOverview> {
    let overview = |provider: &config::ProviderConfig| {
        let enabled = || provider.keys.iter().filter(|key| key.is_enabled);
        let named = enabled().find_map(|key| match &key.models {
            ModelList::All => None,
            ModelList::Only(names) => names.first().cloned(),
        });
        ProviderOverview {
            name: provider.name.clone(),
            keys: enabled().count(),
            is_keyless: provider.is_keyless(),
            model: named,
        }
    };
    config.providers.iter().map(overview).collect()
}
