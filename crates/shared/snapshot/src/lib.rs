//! Immutable lookup tables, built from the configuration and swapped in whole.
//!
//! Whatever can be computed before a request arrives is computed here: header bytes, weights,
//! pools of keys per model, addresses. [`Builder::build`] makes a [`Snapshot`] from a checked
//! [`config::Config`]; what must outlive a reload (limits in force, resolved names, connection
//! counts) is kept in the [`Builder`].
#![forbid(unsafe_code)]

mod build;
mod client;
mod cors;
mod endpoint;
mod header_filter;
mod kept;
mod keys;
mod likeness;
mod models;
mod names;
mod path;
mod roots;
mod sign;
mod upstream;
mod virtual_keys;

use std::sync::Arc;

use crate::models::Models;
use crate::virtual_keys::VirtualKeys;

pub use build::Builder;
pub use client::Client;
pub use config::{Login, RequiredHeader, RequiredValue, Secret, WebSocket};
pub use cors::{Allowed, Cors};
pub use endpoint::{Address, Endpoint, ProxyHop, ProxyKind, Resolved, Tls};
pub use header_filter::{HeaderFilter, is_never_forwarded};
pub use keys::{Key, KeyAuth, KeyEndpoint, KeyLabel, KeyTable, Pool};
pub use names::NameTable;
pub use path::Path;
pub use sign::{Sign, Signers, Unsigned};
pub use upstream::{
    Destination, HeaderLine, KeyHeader, ModelList, Retry, Service, Services, Task, Upstream,
    Variant,
};
pub use virtual_keys::VirtualKey;

/// Everything a worker needs to know to serve requests.
#[derive(Debug)]
pub struct Snapshot {
    /// Process-wide request settings.
    pub client: Client,
    /// Configured providers, sorted by name.
    pub upstreams: Vec<Arc<Upstream>>,
    /// The control plane: just another upstream.
    pub control: Arc<Endpoint>,
    /// Providers by the models they list.
    models: Models,
    /// Virtual keys by value, inactive ones too.
    virtual_keys: VirtualKeys,
}

impl Snapshot {
    /// The provider of that exact name.
    pub fn upstream(&self, name: &str) -> Option<&Arc<Upstream>> {
        let found = self.upstreams.binary_search_by(|upstream| (*upstream.name).cmp(name)).ok()?;
        self.upstreams.get(found)
    }

    /// Splits `provider/model` at the first slash when the left part names a configured provider
    /// or one of the standard ones; else the whole string is a model.
    pub fn split_model<'a>(&self, model: &'a str) -> (Option<&'a str>, &'a str) {
        match model.split_once('/') {
            Some((left, right)) if self.is_provider_name(left) => (Some(left), right),
            _ => (None, model),
        }
    }

    /// The providers that a model name without a provider can mean, sorted by name: those with a key
    /// that names the model, and those whose own models look like it.
    pub fn resolve<'s>(
        &'s self,
        model: &'s str,
    ) -> impl Iterator<Item = &'s Arc<Upstream>> + Clone {
        self.models.resolve(model)
    }

    /// The virtual key with that value.
    pub fn virtual_key(&self, value: &str) -> Option<&Arc<VirtualKey>> {
        self.virtual_keys.get(value)
    }

    fn is_provider_name(&self, name: &str) -> bool {
        self.upstream(name).is_some() || provider::is_standard(name)
    }
}
