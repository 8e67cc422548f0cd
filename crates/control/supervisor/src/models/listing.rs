//! The models of one provider, key by key.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::{Key, ModelList, PathOverride, ProviderConfig, Url};
use dialect::Operation;
use provider::BaseUrl;
use serde_json::{Map, Value};
use snapshot::{Endpoint, Upstream};
use tokio::task::JoinSet;
use tracing::warn;

use crate::client::{self, Question};
use crate::current::Current;

/// Models kept per provider. The longest list known, OpenRouter's, has about 400.
const MODELS_MAX: usize = 10_000;

/// What is known of one provider's models.
#[derive(Debug)]
pub(crate) struct Listing {
    /// Its name.
    pub(crate) provider: String,
    /// By name, without the provider.
    pub(crate) models: BTreeMap<String, Model>,
    /// One per key, in the order of the configuration.
    pub(crate) keys: Vec<KeyStatus>,
}

/// One model.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    /// The provider's own name for it where callers use an alias.
    pub(crate) alias_of: Option<String>,
    /// What the provider says about it.
    pub(crate) details: Map<String, Value>,
}

/// How listing went with one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyStatus {
    /// Key id; empty where no key is needed.
    pub(crate) key_id: String,
    /// What went wrong.
    pub(crate) error: Option<String>,
}

impl Listing {
    /// Whether some key could not list.
    pub(crate) fn has_failed(&self) -> bool {
        self.keys.iter().any(|key| key.error.is_some())
    }
}

/// What one key may use, and how to learn the rest.
struct Source<'c> {
    key: Option<&'c Key>,
    question: Option<Result<Question, String>>,
}

/// Asks with every key that may use all models; the others name theirs.
pub(super) async fn fetch(current: &Current, provider: &str) -> Listing {
    let mut listing =
        Listing { provider: provider.to_owned(), models: BTreeMap::new(), keys: Vec::new() };
    let config = current.provider(provider);
    let upstream = current.snapshot.upstream(provider);
    let (Some(config), Some(upstream)) = (config, upstream) else { return listing };
    let sources = sources(config, upstream);
    let answers = ask_all(&sources).await;
    for (source, answer) in sources.iter().zip(answers) {
        let key_id = source.key.map(|key| key.id.clone()).unwrap_or_default();
        if let Err(error) = &answer {
            warn!(provider, key = key_id, error, "cannot list models");
        }
        add(&mut listing.models, source.key, answer.as_ref().ok());
        listing.keys.push(KeyStatus { key_id, error: answer.err() });
    }
    listing
}

fn sources<'c>(config: &'c ProviderConfig, upstream: &Upstream) -> Vec<Source<'c>> {
    if config.is_keyless() || config.keys.is_empty() {
        return vec![Source { key: None, question: question(config, upstream, None) }];
    }
    let enabled = config.keys.iter().filter(|key| key.is_enabled);
    enabled
        .map(|key| {
            let knows_all = key.models == ModelList::All && key.model_name.is_none();
            let question = knows_all.then(|| question(config, upstream, Some(key))).flatten();
            Source { key: Some(key), question }
        })
        .collect()
}

/// `None` when the provider has no list or may not be asked for it.
fn question(
    config: &ProviderConfig,
    upstream: &Upstream,
    key: Option<&Key>,
) -> Option<Result<Question, String>> {
    let path = list_path(config)?;
    let rendered = key.map(|key| upstream.keys.keys.iter().find(|it| it.label.id == key.id));
    if let Some(None) = rendered {
        return Some(Err("the key has no value or no address".to_owned()));
    }
    let rendered = rendered.flatten();
    let base_path = base_path(config);
    let by_key = rendered.and_then(|key| key.endpoint.as_ref());
    let (endpoint, base_path): (&Arc<Endpoint>, &str) = match by_key {
        Some(by_key) => (&by_key.endpoint, &by_key.base_path),
        None => (upstream.endpoint.as_ref()?, &base_path),
    };
    let shared = upstream.headers.iter().map(|header| header.line.clone());
    let auth = rendered.map(|key| snapshot::Secret::new(key.auth.line().to_owned()));
    Some(path.map(|path| Question {
        endpoint: Arc::clone(endpoint),
        path: format!("{base_path}{path}"),
        header_lines: shared.chain(auth).collect(),
    }))
}

/// Path of the list below the base path.
fn list_path(config: &ProviderConfig) -> Option<Result<String, String>> {
    let row = config.row.endpoint(Operation::ListModels)?;
    if let Some(custom) = &config.custom {
        if custom.allowed.as_ref().is_some_and(|it| !it.contains(&Operation::ListModels)) {
            return None;
        }
        let mut overrides = custom.path_overrides.iter();
        match overrides.find(|(operation, _)| *operation == Operation::ListModels) {
            Some((_, PathOverride::Path(path))) => return Some(Ok(path.clone())),
            Some((_, PathOverride::Url(_))) => {
                let error = "models are not listed from another URL than the provider's yet";
                return Some(Err(error.to_owned()));
            }
            None => {}
        }
    }
    // Anthropic gives 20 models a page unless asked for more.
    let query = if config.row.name == "anthropic" { "?limit=1000" } else { "" };
    Some(Ok(format!("{}{query}", row.path)))
}

fn base_path(config: &ProviderConfig) -> String {
    let fixed = || match config.row.base_url {
        BaseUrl::Fixed(url) => Url::parse(url).ok().map(|url| url.path),
        BaseUrl::PerKey => None,
        BaseUrl::Internal => Some(crate::routes::MOCK_BASE_PATH.to_owned()),
    };
    let given = config.network.base_url.as_ref().map(|url| url.path.clone());
    given.or_else(fixed).unwrap_or_default()
}

/// Side by side; in the order of `sources`. A key that need not ask has an empty list.
async fn ask_all(sources: &[Source<'_>]) -> Vec<Result<Vec<Value>, String>> {
    let mut asked = JoinSet::new();
    for (position, source) in sources.iter().enumerate() {
        let question = source.question.clone();
        asked.spawn(async move {
            let answer = match question {
                None => Ok(Vec::new()),
                Some(Err(error)) => Err(error),
                Some(Ok(question)) => client::ask(&question).await.and_then(entries),
            };
            (position, answer)
        });
    }
    let mut answers = asked.join_all().await;
    answers.sort_by_key(|(position, _)| *position);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// The list itself: in `data`, or bare.
fn entries(answer: Value) -> Result<Vec<Value>, String> {
    let list = match answer {
        Value::Object(mut whole) => whole.remove("data"),
        bare => Some(bare),
    };
    match list {
        Some(Value::Array(entries)) => Ok(entries),
        _ => Err("the provider's answer has no list of models".to_owned()),
    }
}

/// Adds what one key can use.
fn add(models: &mut BTreeMap<String, Model>, key: Option<&Key>, listed: Option<&Vec<Value>>) {
    let mut offer = |name: &str, model: Model| {
        let is_denied = key.is_some_and(|key| key.blacklisted_models.contains(name));
        if !is_denied && (models.len() < MODELS_MAX || models.contains_key(name)) {
            models.entry(name.to_owned()).or_insert(model);
        }
    };
    for entry in listed.into_iter().flatten() {
        if let (Some(id), Value::Object(details)) = (entry["id"].as_str(), entry) {
            offer(id, Model { alias_of: None, details: details.clone() });
        }
    }
    let Some(key) = key else { return };
    for (name, alias) in &key.aliases {
        if key.models.contains(name) {
            let alias_of = Some(alias.model_id.clone());
            offer(name, Model { alias_of, details: Map::new() });
        }
    }
    let named = match &key.models {
        ModelList::All => &[][..],
        ModelList::Only(names) => names,
    };
    for name in named.iter().chain(&key.model_name) {
        offer(name, Model::default());
    }
}
