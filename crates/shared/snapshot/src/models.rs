//! Which providers a bare model name can mean.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::{NameTable, Upstream};

/// Providers by the models that they list, worked out when a snapshot is built.
#[derive(Debug, Default)]
pub(crate) struct Models {
    /// For each model that some key names, every provider that [lists](Upstream::lists_model) it.
    by_name: NameTable<Box<[Arc<Upstream>]>>,
    /// Providers that know models of their own by patterns.
    with_patterns: Box<[Arc<Upstream>]>,
}

impl Models {
    /// Works them out; the order of `upstreams` is kept.
    pub(crate) fn new(upstreams: &[Arc<Upstream>]) -> Self {
        let named: BTreeSet<&str> =
            upstreams.iter().flat_map(|upstream| upstream.keys.named_models()).collect();
        let listing = |model: &str| {
            let listing = upstreams.iter().filter(|upstream| upstream.lists_model(model));
            (model.into(), listing.cloned().collect())
        };
        let with_patterns = upstreams.iter().filter(|upstream| !upstream.models.is_empty());
        Self {
            by_name: named.into_iter().map(listing).collect(),
            with_patterns: with_patterns.cloned().collect(),
        }
    }

    /// The providers that list `model`. Patterns are looked at only when no key names the model.
    pub(crate) fn resolve<'m>(
        &'m self,
        model: &'m str,
    ) -> impl Iterator<Item = &'m Arc<Upstream>> + Clone {
        let named = self.by_name.get(model);
        let candidates = named.unwrap_or(&self.with_patterns);
        let is_named = named.is_some();
        candidates.iter().filter(move |upstream| is_named || upstream.claims_model(model))
    }
}
