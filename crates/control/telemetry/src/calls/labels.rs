//! The labels shared by all `bifrost_*` request series, in the product's order.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use dialect::Operation;
use snapshot::KeyLabel;

use crate::page::label;

/// Value of what is not told apart any more.
const OTHER: &str = "other";

/// What tells series apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Labels {
    pub(super) provider: Arc<str>,
    pub(super) model: Arc<str>,
    pub(super) alias: Option<Arc<str>>,
    pub(super) operation: Operation,
    pub(super) key: Option<Arc<KeyLabel>>,
    pub(super) routing_engine: &'static str,
    pub(super) fallback_index: u32,
}

impl Hash for Labels {
    /// Model, operation and the key's id are enough to spread label sets.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.model.hash(state);
        self.operation.hash(state);
        self.key.as_ref().map(|key| &key.id).hash(state);
    }
}

impl Labels {
    /// The same without what callers can make up.
    pub(super) fn with_other_model(self) -> Self {
        Self { model: Arc::from(OTHER), alias: None, ..self }
    }

    /// The one series for everything that has no room.
    pub(super) fn all_other(labels: Self) -> Self {
        Self {
            provider: Arc::from(OTHER),
            key: None,
            routing_engine: "",
            fallback_index: 0,
            operation: Operation::Passthrough,
            ..labels.with_other_model()
        }
    }

    /// As Prometheus text. Labels of features that are not served are there and empty, so that
    /// dashboards and recording rules written for the product find them.
    pub(super) fn render(&self) -> String {
        let key = |part: fn(&KeyLabel) -> &str| self.key.as_deref().map_or("", part);
        let mut labels = String::with_capacity(480);
        for (name, value) in [
            ("provider", &*self.provider),
            ("model", &*self.model),
            ("alias", self.alias.as_deref().unwrap_or("")),
            ("method", self.operation.name()),
            ("virtual_key_id", ""),
            ("virtual_key_name", ""),
            ("routing_engine_used", self.routing_engine),
            ("routing_rule_id", ""),
            ("routing_rule_name", ""),
            ("complexity_tier", ""),
            ("complexity_mechanism", ""),
            ("selected_key_id", key(|key| &key.id)),
            ("selected_key_name", key(|key| &key.name)),
            ("fallback_index", itoa::Buffer::new().format(self.fallback_index)),
            ("team_id", ""),
            ("team_name", ""),
            ("customer_id", ""),
            ("customer_name", ""),
        ] {
            label(&mut labels, name, value);
        }
        labels
    }
}
