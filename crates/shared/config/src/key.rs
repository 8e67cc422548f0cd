//! One key of a provider.

use std::collections::HashMap;

use ::provider::Provider;

use crate::identity;
use crate::key_block::{self, BLOCKS, Block};
use crate::login::Login;
use crate::member::{Fallback, Member, Object, Shape, TEXTS, joined, member, switch};
use crate::models::{self, ModelList};
use crate::place::Place;
use crate::secret::Secret;
use crate::url::Url;
use crate::view::{Context, View};

/// A key, with what it may be used for.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// Unique identity; where the file has none it follows from provider and name and so survives
    /// restarts.
    pub id: String,
    /// Unique name within the provider.
    pub name: String,
    /// What is sent; empty where the provider wants nothing or the variable is not set.
    pub value: Secret,
    /// Models it may be used for.
    pub models: ModelList,
    /// Models it must not be used for, whatever `models` says.
    pub blacklisted_models: ModelList,
    /// Share of the requests, relative to the other keys; from 0 to a thousand million.
    pub weight: f64,
    /// Whether it is used at all.
    pub is_enabled: bool,
    /// Whether batch and file operations may use it.
    pub use_for_batch_api: bool,
    /// Names callers use (unique without regard to ASCII case) and what they stand for.
    pub aliases: Vec<(String, Alias)>,
    /// Server of this key, for providers without an address of their own.
    pub url: Option<Url>,
    /// The only model this key serves (`vllm_key_config.model_name`).
    pub model_name: Option<String>,
    /// What its address is made of, for cloud providers.
    pub place: Place,
    /// How it logs in where no value is sent.
    pub login: Option<Login>,
    /// Headers that go with it: name in lower case and value.
    pub headers: Vec<(&'static str, String)>,
}

/// What an alias stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// Name sent to the provider.
    pub model_id: String,
    /// Canonical name of the model, for prices and capabilities.
    pub model_name: Option<String>,
    /// Family of the model, where its name does not tell.
    pub model_family: Option<String>,
    /// Where it is other than the key's place.
    pub place: Place,
    /// Server other than the key's.
    pub url: Option<Url>,
}

impl Alias {
    fn plain(model_id: &str) -> Self {
        Self {
            model_id: model_id.to_owned(),
            model_name: None,
            model_family: None,
            place: Place::default(),
            url: None,
        }
    }
}

pub(crate) const KEY: Object = Object::closed("A key of a provider.", &MEMBERS);

/// Far above any sensible share, and low enough for the sum over all keys to stay exact.
const WEIGHT_MAX: f64 = 1e9;

const MEMBERS: [Member; 22] = joined(&[OWN, &BLOCKS, REPLIED]);

const OWN: &[Member] = &[
    member("id", Shape::Text, "Unique identity; follows from the name unless given."),
    member("name", Shape::Text, "Unique name.").required(),
    member("value", Shape::Secret, "The key itself, better as `env.NAME`."),
    member("models", TEXTS, "Models it may be used for; [\"*\"] means all."),
    member("blacklisted_models", TEXTS, "Models it must not be used for; [\"*\"] means all."),
    member(
        "weight",
        Shape::Number { min: 0.0, max: WEIGHT_MAX },
        "Share of the requests, for example 1.",
    )
    .required(),
    member("enabled", Shape::Boolean, "Whether it is used at all.").or(Fallback::Boolean(true)),
    switch("use_for_batch_api", "Whether batch and file operations may use it."),
    member("description", Shape::Text, "For its owner."),
    member(
        "aliases",
        Shape::Map(&Shape::Either(&Shape::Text, &Shape::Object(&ALIAS))),
        "Names callers use, and the provider's names they stand for.",
    ),
];

const REPLIED: &[Member] = &[
    member("status", Shape::Any, "State of the key.").never("only replies of the API have it"),
    member("config_hash", Shape::Any, "State of the key.").never("only replies of the API have it"),
];

const ALIAS: Object = Object::closed(
    "What an alias stands for.",
    &[
        member("model_id", Shape::Text, "The provider's name of the model.").required(),
        member("model_name", Shape::Text, "Canonical name of the model."),
        member("model_family", Shape::Choice(FAMILIES), "Family of the model."),
        member("description", Shape::Text, "For its owner."),
        member("region", Shape::Text, "Region, of cloud providers."),
        member("api_version", Shape::Text, "Of Azure.")
            .never("the paths that are used have no version"),
        member("anthropic_version", Shape::Text, "Of Azure.")
            .never("`network_config.extra_headers` or the caller can name another version"),
        member("endpoint", Shape::Reference, "Of Azure."),
        member("project_id", Shape::Reference, "Of Vertex and Bedrock."),
        member("project_number", Shape::Reference, "Of Vertex."),
        member("inference_profile_arn", Shape::Reference, "Of Bedrock."),
        member("use_deployments_endpoint", Shape::Boolean, "Of Replicate."),
    ],
);

const FAMILIES: &[&str] = &[
    "anthropic",
    "openai",
    "mistral",
    "cohere",
    "gemini",
    "gemma",
    "llama",
    "imagen",
    "veo",
    "nova",
    "titan",
];

/// Members of an alias that belong to some providers alone.
const ALIAS_OWNERS: &[(&str, &[&str])] = &[
    ("region", &["bedrock", "bedrock_mantle", "vertex"]),
    ("api_version", &["azure"]),
    ("anthropic_version", &["azure"]),
    ("endpoint", &["azure"]),
    ("project_id", &["bedrock", "bedrock_mantle", "vertex"]),
    ("project_number", &["vertex"]),
    ("inference_profile_arn", &["bedrock"]),
    ("use_deployments_endpoint", &["replicate"]),
];

/// Whose key is read.
pub(crate) struct Owner<'a> {
    /// Name in the file.
    pub(crate) name: &'a str,
    /// Its row, or the row it is based on.
    pub(crate) row: &'static Provider,
    /// Whether keys need a value.
    pub(crate) needs_value: bool,
    /// Whether there is an address for keys that name none.
    pub(crate) has_address: bool,
}

/// Reads one key.
pub(crate) fn read(view: &View<'_>, owner: &Owner<'_>, context: &mut Context<'_>) -> Key {
    let name = view.text("name").unwrap_or_default().to_owned();
    if name.is_empty() && view.has("name") {
        context.problem(view.at("name"), "must not be empty");
    }
    check_blocks(view, owner, context);
    let value = read_value(view, owner, context);
    let block = key_block::read(view, owner.row, !value.is_empty(), context);
    let id = match view.text("id") {
        Some(id) if !id.is_empty() => id.to_owned(),
        _ => identity::derived(owner.name, &name),
    };
    Key {
        id,
        value,
        models: read_models(view, context),
        blacklisted_models: models::read(view, "blacklisted_models", context),
        weight: view.number("weight").unwrap_or_default(),
        is_enabled: view.boolean("enabled"),
        use_for_batch_api: view.boolean("use_for_batch_api"),
        aliases: read_aliases(view, owner, &block, context),
        url: block.url,
        model_name: block.model_name,
        place: block.place,
        login: block.login,
        headers: block.headers,
        name,
    }
}

fn read_value(view: &View<'_>, owner: &Owner<'_>, context: &mut Context<'_>) -> Secret {
    let value = view.secret("value", context).unwrap_or_default();
    let is_silent = view.get("value").is_none_or(|node| node.text() == Some(""));
    if is_silent && owner.needs_value {
        context.warn(view.here(), "the key has no `value` and cannot be used");
    }
    if value.expose().bytes().any(|byte| byte.is_ascii_control()) {
        context.problem(view.at("value"), "must not contain line breaks or control characters");
    }
    value
}

/// Allowed models; an empty list allows all or none, as the version of the file says.
fn read_models(view: &View<'_>, context: &mut Context<'_>) -> ModelList {
    let models = models::read(view, "models", context);
    if !models.is_empty() {
        return models;
    }
    if context.empty_allows_all {
        return ModelList::All;
    }
    let why = "`models` allows none, so the key is never used; [\"*\"] allows all, and so does \
               an empty list with `version` 1";
    context.warn(view.at("models"), why);
    models
}

fn read_aliases(
    view: &View<'_>,
    owner: &Owner<'_>,
    block: &Block,
    context: &mut Context<'_>,
) -> Vec<(String, Alias)> {
    let mut aliases = Vec::new();
    let mut seen = HashMap::new();
    for (name, node, spot) in view.entries("aliases") {
        if name.is_empty() {
            context.problem(spot.clone(), "an alias must have a name");
        }
        if let Some(twin) = seen.insert(name.to_ascii_lowercase(), name) {
            let message = format!("is the same name as {twin:?}: case does not count");
            context.problem(spot.clone(), message);
        }
        let alias = match node.text() {
            Some(model_id) => Alias::plain(model_id),
            None => read_alias(&View::entry(node, spot.clone(), &ALIAS), owner, context),
        };
        let model_id = node.text().or_else(|| node.member("model_id")?.text());
        if model_id == Some("") {
            context.problem(spot, "an alias must stand for a model");
        }
        aliases.push((name.to_owned(), alias));
    }
    for (name, model_id) in &block.deployments {
        if seen.insert(name.to_ascii_lowercase(), name).is_none() {
            aliases.push((name.clone(), Alias::plain(model_id)));
        }
    }
    aliases
}

fn read_alias(view: &View<'_>, owner: &Owner<'_>, context: &mut Context<'_>) -> Alias {
    for (member, owners) in ALIAS_OWNERS {
        if view.has(member) && !owners.contains(&owner.row.name) {
            let message = format!("belongs to {}, not to {}", owners.join(", "), owner.row.name);
            context.problem(view.at(member), message);
        }
    }
    let text = |name: &str| view.text(name).map(str::to_owned);
    Alias {
        model_id: text("model_id").unwrap_or_default(),
        model_name: text("model_name"),
        model_family: text("model_family"),
        place: read_place(view, context),
        url: key_block::read_host_url(view, "endpoint", context),
    }
}

fn read_place(view: &View<'_>, context: &mut Context<'_>) -> Place {
    let place = Place {
        region: view.text("region").filter(|text| !text.is_empty()).map(str::to_owned),
        project: view.reference("project_id", context),
        project_number: view.reference("project_number", context),
        arn: view.reference("inference_profile_arn", context),
        api_path: view
            .has("use_deployments_endpoint")
            .then(|| key_block::replicate_path(view.boolean("use_deployments_endpoint"))),
        ..Place::default()
    };
    for (name, value) in [("region", &place.region), ("project_id", &place.project)] {
        if let Some(text) = value {
            key_block::check_segment(text, view, name, context);
        }
    }
    place
}

/// Reports blocks of other providers, and the absence of the one a key cannot do without.
fn check_blocks(view: &View<'_>, owner: &Owner<'_>, context: &mut Context<'_>) {
    let own = key_block::name(owner.row);
    for block in BLOCKS.iter().filter(|block| block.name != own && view.has(block.name)) {
        let message = format!("belongs to another provider than {}", owner.row.name);
        context.problem(view.at(block.name), message);
    }
    if let Some(member) = key_block::address_member(owner.row)
        && !owner.has_address
        && !view.has(&own)
    {
        let hint = format!("add `{member}`, or `network_config.base_url` for all keys");
        context.hinted(view.here(), "the key names no server", hint);
    }
}
