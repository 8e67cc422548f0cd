//! What is configured when there is no file: keys found in the environment, and the built-in mock.

use ::provider::Provider;

use crate::identity;
use crate::key::Key;
use crate::models::ModelList;
use crate::place::Place;
use crate::provider::ProviderConfig;
use crate::secret::Secret;
use crate::view::View;

/// Providers and the variables that may hold a key for them, the first one counting.
const VARIABLES: &[(&str, &[&str])] = &[
    ("openai", &["OPENAI_API_KEY", "OPENAI_KEY"]),
    ("anthropic", &["ANTHROPIC_API_KEY", "ANTHROPIC_KEY"]),
    ("mistral", &["MISTRAL_API_KEY", "MISTRAL_KEY"]),
];

/// The mock, and every provider the environment has a key for.
/// Their settings come from `view`.
pub(crate) fn providers(
    env: &dyn Fn(&str) -> Option<String>,
    view: &View<'_>,
) -> Vec<ProviderConfig> {
    let found = VARIABLES.iter().filter_map(|(provider, names)| {
        let row = ::provider::find(provider)?;
        let key = names.iter().find_map(|name| found_key(row, name, env))?;
        Some(ProviderConfig::with_keys(row, vec![key], view))
    });
    let mock = ::provider::find("mock").map(|row| ProviderConfig::with_keys(row, Vec::new(), view));
    found.chain(mock).collect()
}

fn found_key(row: &Provider, variable: &str, env: &dyn Fn(&str) -> Option<String>) -> Option<Key> {
    let value =
        env(variable).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())?;
    let name = format!("{variable}_auto_detected");
    Some(Key {
        id: identity::derived(row.name, &name),
        name,
        value: Secret::new(value),
        models: ModelList::All,
        blacklisted_models: ModelList::Only(Vec::new()),
        weight: 1.0,
        is_enabled: true,
        use_for_batch_api: false,
        aliases: Vec::new(),
        url: None,
        model_name: None,
        place: Place::default(),
        login: None,
        headers: Vec::new(),
    })
}
