//! The models of one provider, key by key.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::{Key, ModelList, ProviderConfig};
use provider::Listing as Shape;
use serde_json::{Map, Value};
use snapshot::{Destination, KeyAuth, Sign, Unsigned, Upstream};
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
    let answers = ask_all(&sources, config.row.listing).await;
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
        return vec![Source { key: None, question: question(upstream, None) }];
    }
    let enabled = config.keys.iter().filter(|key| key.is_enabled);
    enabled
        .map(|key| {
            let knows_all = key.models == ModelList::All && key.model_name.is_none();
            let question = knows_all.then(|| question(upstream, Some(key))).flatten();
            Source { key: Some(key), question }
        })
        .collect()
}

/// `None` when the provider has no list or may not be asked for it.
fn question(upstream: &Upstream, key: Option<&Key>) -> Option<Result<Question, String>> {
    let list = upstream.list.as_ref()?;
    let rendered = match key {
        None => None,
        Some(key) => match upstream.keys.keys.iter().find(|it| it.label.id == key.id) {
            None => return Some(Err("the key has no value or no address".to_owned())),
            found => found,
        },
    };
    let destination = upstream.list_destination(list, rendered)?;
    Some(ask_at(upstream, &destination, rendered.map(|key| &key.auth)))
}

fn ask_at(
    upstream: &Upstream,
    destination: &Destination<'_>,
    auth: Option<&KeyAuth>,
) -> Result<Question, String> {
    let path = format!("{}{}", destination.base_path, destination.path.text(""));
    let authentication = match auth {
        None => String::new(),
        Some(KeyAuth::Line(lines)) => lines.expose().to_owned(),
        Some(KeyAuth::Signer(signer)) => sign(&**signer, destination, &path)?,
    };
    let shared = upstream.headers.iter().map(|header| header.line.clone());
    let own = authentication.split_inclusive("\r\n").map(snapshot::Secret::new);
    Ok(Question {
        endpoint: Arc::clone(destination.endpoint),
        header_lines: shared.chain(own).collect(),
        path,
    })
}

fn sign(signer: &dyn Sign, destination: &Destination<'_>, path: &str) -> Result<String, String> {
    let unsigned = Unsigned {
        method: "GET",
        authority: &destination.endpoint.authority,
        path,
        headers: &[],
        body: b"",
    };
    let mut lines = Vec::new();
    signer.sign(&unsigned, &mut lines).map_err(|why| format!("no credentials: {why}"))?;
    String::from_utf8(lines).map_err(|_| "the credentials cannot be sent".to_owned())
}

/// Side by side; in the order of `sources`. A key that need not ask has an empty list.
async fn ask_all(sources: &[Source<'_>], shape: Shape) -> Vec<Result<Vec<Listed>, String>> {
    let mut asked = JoinSet::new();
    for (position, source) in sources.iter().enumerate() {
        let question = source.question.clone();
        asked.spawn(async move {
            let answer = match question {
                None => Ok(Vec::new()),
                Some(Err(error)) => Err(error),
                Some(Ok(question)) => {
                    client::ask(&question).await.and_then(|answer| entries(answer, &shape))
                }
            };
            (position, answer)
        });
    }
    let mut answers = asked.join_all().await;
    answers.sort_by_key(|(position, _)| *position);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// A model as its provider lists it: its id, and what is said about it.
type Listed = (String, Map<String, Value>);

/// What providers call things that others call otherwise.
const RENAMED: [(&str, &str); 5] = [
    ("displayName", "display_name"),
    ("modelName", "display_name"),
    ("inputTokenLimit", "max_input_tokens"),
    ("outputTokenLimit", "max_output_tokens"),
    ("providerName", "owned_by"),
];

/// The list itself: in the member where the provider has it, or bare.
fn entries(answer: Value, shape: &Shape) -> Result<Vec<Listed>, String> {
    let list = match (answer, shape.member) {
        (Value::Object(mut whole), Some(member)) => whole.remove(member),
        (bare, _) => Some(bare),
    };
    match list {
        Some(Value::Array(entries)) => {
            Ok(entries.into_iter().filter_map(|it| entry(it, shape)).collect())
        }
        _ => Err("the provider's answer has no list of models".to_owned()),
    }
}

/// Nothing where the entry has no id.
fn entry(entry: Value, shape: &Shape) -> Option<Listed> {
    let Value::Object(mut details) = entry else { return None };
    let parts: Option<Vec<&str>> =
        shape.id.iter().map(|member| details.get(*member)?.as_str()).collect();
    let id = parts?.join("/");
    let start = match id.rfind(shape.prefix) {
        Some(at) if !shape.prefix.is_empty() => at + shape.prefix.len(),
        _ => 0,
    };
    let id = id.get(start..)?.to_owned();
    // A name that is the id, as a path, is no name for people.
    if shape.id == ["name"] {
        details.remove("name");
    }
    for (from, to) in RENAMED {
        if let Some(value) = details.remove(from) {
            details.entry(to).or_insert(value);
        }
    }
    Some((id, details))
}

/// Adds what one key can use.
fn add(models: &mut BTreeMap<String, Model>, key: Option<&Key>, listed: Option<&Vec<Listed>>) {
    let mut offer = |name: &str, model: Model| {
        let is_denied = key.is_some_and(|key| key.blacklisted_models.contains(name));
        if !is_denied && (models.len() < MODELS_MAX || models.contains_key(name)) {
            models.entry(name.to_owned()).or_insert(model);
        }
    };
    for (id, details) in listed.into_iter().flatten() {
        offer(id, Model { alias_of: None, details: details.clone() });
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_of_every_provider_are_read() {
        for (provider, answer, expected) in [
            ("openai", json!({"data": [{"id": "gpt-4o"}, {"name": "no id"}, 1]}), "gpt-4o"),
            ("groq", json!([{"id": "bare"}]), "bare"),
            ("gemini", json!({"models": [{"name": "models/gemini-2.5-pro"}]}), "gemini-2.5-pro"),
            ("cohere", json!({"models": [{"name": "command-a"}]}), "command-a"),
            ("bedrock", json!({"modelSummaries": [{"modelId": "a.b-v1:0"}]}), "a.b-v1:0"),
            (
                "vertex",
                json!({"publisherModels": [{"name": "publishers/google/models/veo-3"}]}),
                "veo-3",
            ),
            ("replicate", json!({"results": [{"owner": "o", "name": "n"}]}), "o/n"),
            ("elevenlabs", json!([{"model_id": "eleven_v3", "name": "Eleven"}]), "eleven_v3"),
            ("databricks", json!({"endpoints": [{"name": "databricks-x"}]}), "databricks-x"),
        ] {
            let shape = &provider::find(provider).expect("a provider").listing;
            let found = entries(answer, shape).expect("a list");
            let ids: Vec<&str> = found.iter().map(|(id, _)| id.as_str()).collect();
            assert_eq!(ids, [expected], "{provider}");
        }
        assert!(entries(json!({"error": {}}), &Shape::DATA).is_err());
    }

    #[test]
    fn what_is_said_about_a_model_gets_its_usual_name() {
        let shape = &provider::find("gemini").expect("a provider").listing;
        let entry = json!({"name": "models/g", "displayName": "G", "inputTokenLimit": 7});
        let (_, details) = super::entry(entry, shape).expect("an entry");
        let expected = json!({"display_name": "G", "max_input_tokens": 7});
        assert_eq!(Value::Object(details), expected);
    }
}
