//! What is in force now, shared by everything in the control plane.

use std::sync::Arc;

use config::{Config, ProviderConfig};
use snapshot::Snapshot;
use tokio::sync::watch;

/// A configuration and the tables made from it.
#[derive(Debug)]
pub(crate) struct Current {
    /// As checked.
    pub(crate) config: Config,
    /// As published to the data plane.
    pub(crate) snapshot: Arc<Snapshot>,
    /// 1 for the first, rising with every change.
    pub(crate) generation: u64,
}

/// Tells when it changes.
pub(crate) type Watch = watch::Receiver<Arc<Current>>;

impl Current {
    /// The configured provider of that name.
    pub(crate) fn provider(&self, name: &str) -> Option<&ProviderConfig> {
        self.config.providers.iter().find(|provider| provider.name == name)
    }

    /// Whether a provider's host may lie in a private network.
    pub(crate) fn allows_private(&self, provider: &str) -> bool {
        self.provider(provider).is_some_and(|provider| provider.network.allow_private_network)
    }
}
