//! Provider keys: which are up, and how often one was given up for another.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::HashMap;
use seam::Inference;
use snapshot::KeyLabel;

use crate::page::{Family, Kind, Page, label};

/// Keys come from configuration, yet every reload may bring new ones. Later ones are not shown.
const KEY_SERIES_MAX: usize = 10_000;

/// Provider, model, key and reason. Models are made up by callers; see [`Keys::count_rotation`].
const ROTATION_SERIES_MAX: usize = 2_000;

const OTHER_MODEL: &str = "other";

const KEY_UP: Family = Family {
    name: "bifrost_provider_key_up",
    help: "1 when the provider last accepted the key, 0 when it refused it.",
    kind: Kind::Gauge,
};

const ROTATIONS: Family = Family {
    name: "bifrost_key_rotation_events_total",
    help: "Keys given up during a request.",
    kind: Kind::Counter,
};

/// All series of this file.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    up: BTreeMap<KeyOf, bool>,
    /// The last verdict on each key by where its label lies, so that nothing is done when it is the same again.
    verdicts: HashMap<usize, (Arc<KeyLabel>, bool)>,
    rotations: BTreeMap<Rotation, u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct KeyOf {
    provider: Arc<str>,
    id: String,
    name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rotation {
    key: KeyOf,
    model: Arc<str>,
    reason: &'static str,
}

impl Keys {
    /// Counts the keys of one finished request.
    pub(crate) fn observe(&mut self, inference: &Inference) {
        for rotation in &inference.rotations {
            if refuses_key(rotation.reason) {
                self.judge(&rotation.provider, &rotation.key, false);
            }
            self.count_rotation(Rotation {
                key: KeyOf::new(&rotation.provider, &rotation.key),
                model: Arc::clone(&rotation.model),
                reason: rotation.reason,
            });
        }
        if let (Some(key), Some(is_up)) = (&inference.key, verdict(inference.error_type)) {
            self.judge(&inference.provider, key, is_up);
        }
    }

    fn judge(&mut self, provider: &Arc<str>, key: &Arc<KeyLabel>, is_up: bool) {
        if self.verdicts.len() >= KEY_SERIES_MAX {
            self.verdicts.clear();
        }
        // The label is kept, so that no other one comes to lie in its place.
        let verdict = (Arc::clone(key), is_up);
        let last = self.verdicts.insert(Arc::as_ptr(key).addr(), verdict);
        if last.is_none_or(|(_, was_up)| was_up != is_up) {
            self.set_up(KeyOf::new(provider, key), is_up);
        }
    }

    /// Writes both families.
    pub(crate) fn write(&self, page: &mut Page) {
        page.begin(KEY_UP);
        for (key, is_up) in &self.up {
            page.integer(&key.render(None), u64::from(*is_up));
        }
        page.begin(ROTATIONS);
        for (rotation, count) in &self.rotations {
            let mut labels = rotation.key.render(Some(&rotation.model));
            label(&mut labels, "fail_reason", rotation.reason);
            page.integer(&labels, *count);
        }
    }

    fn count_rotation(&mut self, mut rotation: Rotation) {
        let is_full = self.rotations.len() >= ROTATION_SERIES_MAX;
        if is_full && !self.rotations.contains_key(&rotation) {
            rotation.model = Arc::from(OTHER_MODEL);
        }
        *self.rotations.entry(rotation).or_default() += 1;
    }

    fn set_up(&mut self, key: KeyOf, is_up: bool) {
        if self.up.len() < KEY_SERIES_MAX || self.up.contains_key(&key) {
            self.up.insert(key, is_up);
        }
    }
}

impl KeyOf {
    fn new(provider: &Arc<str>, key: &KeyLabel) -> Self {
        Self { provider: Arc::clone(provider), id: key.id.clone(), name: key.name.clone() }
    }

    fn render(&self, model: Option<&str>) -> String {
        let mut labels = String::new();
        label(&mut labels, "provider", &self.provider);
        if let Some(model) = model {
            label(&mut labels, "requested_model", model);
        }
        label(&mut labels, "key_id", &self.id);
        label(&mut labels, "key_name", &self.name);
        labels
    }
}

/// Whether a key was given up because the provider does not accept it, in the vocabulary of the
/// attempt trail. A key that is only over its rate stays up.
fn refuses_key(reason: &str) -> bool {
    matches!(reason, "authentication_error" | "billing_error")
}

/// What the end of a request says about its last key; most errors say nothing.
fn verdict(error_type: Option<&str>) -> Option<bool> {
    match error_type {
        None => Some(true),
        Some("provider_auth_failed" | "provider_billing" | "provider_credentials_exhausted") => {
            Some(false)
        }
        Some(_) => None,
    }
}
