//! Section `providers`: what is configured for each provider.

use std::collections::{HashMap, HashSet};

use ::provider::{Auth, PROVIDERS, Provider};

use crate::custom::{self, CUSTOM, Custom};
use crate::key::{self, KEY, Key, Owner};
use crate::key_block;
use crate::member::{ANY_LIST, ANY_OBJECT, Fallback, Member, Object, Shape, member, switch};
use crate::nearest::nearest;
use crate::network::{self, NETWORK, Network};
use crate::problem::{Findings, Spot};
use crate::proxy::{self, PROXY, ProxyConfig};
use crate::view::{Context, View};

/// One provider as configured.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderConfig {
    /// Name in the file and in `provider/model`.
    pub name: String,
    /// The provider's row, or the one a custom provider is based on.
    pub row: &'static Provider,
    /// Set for custom providers.
    pub custom: Option<Custom>,
    /// Keys in the order of the file; empty where none is needed.
    pub keys: Vec<Key>,
    /// How it is called.
    pub network: Network,
    /// Most requests under way.
    pub concurrency: u32,
    /// Most requests waiting for their turn.
    pub buffer_size: u32,
    /// What stands between.
    pub proxy: ProxyConfig,
    /// Whether replies carry the request as it was sent.
    pub send_back_raw_request: bool,
    /// Whether replies carry the provider's reply.
    pub send_back_raw_response: bool,
    /// Whether both are kept in the logs.
    pub store_raw_request_response: bool,
    /// Whether requests say `store: false`.
    pub disable_store: bool,
}

impl ProviderConfig {
    /// A provider with these keys and everything else from `view`.
    pub(crate) fn with_keys(row: &'static Provider, keys: Vec<Key>, view: &View<'_>) -> Self {
        let mut nothing =
            Context { env: &|_| None, empty_allows_all: false, findings: Findings::default() };
        Self { keys, ..read_settings(row.name, row, view, &mut nothing) }
    }

    /// Whether requests go out without any key: it takes none, or it needs none and has none.
    pub fn is_keyless(&self) -> bool {
        let is_said_so = self.custom.as_ref().is_some_and(|custom| custom.keyless);
        let has_none = self.keys.is_empty() && self.row.auth == Auth::OptionalBearer;
        self.row.is_keyless() || is_said_so || has_none
    }
}

pub(crate) const PROVIDER: Object = Object::closed("One provider.", MEMBERS);

const MEMBERS: &[Member] = &[
    member("keys", Shape::List(&Shape::Object(&KEY)), "Keys; more than one share the load."),
    member("network_config", Shape::Object(&NETWORK), "How it is called."),
    member(
        "concurrency_and_buffer_size",
        Shape::Object(&CONCURRENCY),
        "How many requests it gets.",
    ),
    member("proxy_config", Shape::Object(&PROXY), "What stands between."),
    switch("send_back_raw_request", "Replies carry the request as it was sent."),
    switch("send_back_raw_response", "Replies carry the provider's reply."),
    switch("store_raw_request_response", "Logs carry both.").later("requests are not logged yet"),
    member("custom_provider_config", Shape::Object(&CUSTOM), "Makes this a provider of one's own."),
    member("openai_config", Shape::Object(&OPENAI), "Settings of OpenAI."),
    member("pricing_overrides", ANY_LIST, "Other prices.").later("prices are not applied yet"),
    member("prompt_cache", ANY_OBJECT, "Cache markers set by the gateway.")
        .later("cache markers are not set yet"),
    member("description", Shape::Text, "For its owner."),
];

pub(crate) const CONCURRENCY: Object = Object::closed(
    "How many requests a provider gets.",
    &[QUEUE_SIZES[0], QUEUE_SIZES[1].required()],
);

/// Most requests under way and waiting. A tuning profile may set both too.
pub(crate) const QUEUE_SIZES: [Member; 2] = [
    member("concurrency", Shape::Integer { min: 1, max: 1_000_000 }, "Most requests under way.")
        .or(Fallback::Integer(1000)),
    member("buffer_size", Shape::Integer { min: 1, max: 1_000_000 }, "Most requests waiting.")
        .or(Fallback::Integer(5000)),
];

const OPENAI: Object = Object::closed(
    "Settings of OpenAI.",
    &[switch("disable_store", "Requests say `store: false`.")],
);

/// Reads the section: the providers that are served, in the order of the file.
pub(crate) fn read(root: &View<'_>, context: &mut Context<'_>) -> Vec<ProviderConfig> {
    let mut providers = Vec::new();
    for (name, node, spot) in root.entries("providers") {
        let view = View::entry(node, spot, &PROVIDER);
        if let Some(row) = find_row(name, &view, context) {
            providers.push(read_one(name, row, &view, context));
        }
    }
    warn_of_shared_names(&providers, root, context);
    providers
}

/// The row a provider works by; nothing where it is not served or there is none.
fn find_row(name: &str, view: &View<'_>, context: &mut Context<'_>) -> Option<&'static Provider> {
    let custom = view.object("custom_provider_config", &CUSTOM);
    if ::provider::is_standard(name) {
        if custom.is_present() {
            let message =
                format!("{name} is a provider of the product; a custom one needs another name");
            context.problem(custom.here(), message);
        }
        return ::provider::find(name);
    }
    if !custom.is_present() {
        report_unknown(name, view.here(), context);
        return None;
    }
    if name.is_empty() || name.contains('/') || name.trim() != name {
        context.problem(view.here(), "the name must stand before the first `/` of a model");
    }
    custom::base(&custom)
}

fn report_unknown(name: &str, spot: Spot, context: &mut Context<'_>) {
    let known = PROVIDERS.iter().map(|row| row.name);
    let hint = match nearest(name, known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "a provider of your own needs `custom_provider_config`".to_owned(),
    };
    context.hinted(spot, "unknown provider", hint);
}

fn read_one(
    name: &str,
    row: &'static Provider,
    view: &View<'_>,
    context: &mut Context<'_>,
) -> ProviderConfig {
    let settings = read_settings(name, row, view, context);
    check_address(&settings, view, context);
    check_queue(&view.object("concurrency_and_buffer_size", &CONCURRENCY), context);
    let openai = view.object("openai_config", &OPENAI);
    if openai.is_present() && row.name != "openai" {
        context.warn(openai.here(), "only OpenAI and providers based on it have these settings");
    }
    ProviderConfig { keys: read_keys(&settings, view, context), ..settings }
}

/// Everything but the keys.
fn read_settings(
    name: &str,
    row: &'static Provider,
    view: &View<'_>,
    context: &mut Context<'_>,
) -> ProviderConfig {
    let custom = view.object("custom_provider_config", &CUSTOM);
    let queue = view.object("concurrency_and_buffer_size", &CONCURRENCY);
    ProviderConfig {
        name: name.to_owned(),
        row,
        custom: custom.is_present().then(|| custom::read(&custom, context)),
        keys: Vec::new(),
        network: network::read(&view.object("network_config", &NETWORK), context),
        concurrency: queue.count("concurrency"),
        buffer_size: queue.count("buffer_size"),
        proxy: proxy::read(&view.object("proxy_config", &PROXY), context),
        send_back_raw_request: view.boolean("send_back_raw_request"),
        send_back_raw_response: view.boolean("send_back_raw_response"),
        store_raw_request_response: view.boolean("store_raw_request_response"),
        disable_store: row.name == "openai"
            && view.object("openai_config", &OPENAI).boolean("disable_store"),
    }
}

fn check_address(settings: &ProviderConfig, view: &View<'_>, context: &mut Context<'_>) {
    let network = view.object("network_config", &NETWORK);
    let is_custom = settings.name != settings.row.name;
    if is_custom && !network.has("base_url") {
        let hint = "add `network_config.base_url`";
        context.hinted(view.here(), "a custom provider needs an address", hint);
    }
}

/// Checks what the table of `queue` cannot.
pub(crate) fn check_queue(queue: &View<'_>, context: &mut Context<'_>) {
    let (concurrency, buffer_size) = (queue.count("concurrency"), queue.count("buffer_size"));
    if concurrency > buffer_size {
        let message =
            format!("`concurrency` ({concurrency}) must be at most `buffer_size` ({buffer_size})");
        context.problem(queue.here(), message);
    }
}

fn read_keys(settings: &ProviderConfig, view: &View<'_>, context: &mut Context<'_>) -> Vec<Key> {
    let has_address = settings.network.base_url.is_some();
    let owner = Owner {
        name: &settings.name,
        row: settings.row,
        needs_value: !settings.row.key_optional && !settings.is_keyless(),
        has_address,
    };
    let views = view.objects("keys", &KEY);
    let keys: Vec<_> = views.iter().map(|key| key::read(key, &owner, context)).collect();
    report_copilot_without_address(settings, &views, &keys, context);
    report_repeated(&views, &keys, context);
    report_absent(settings, view, context);
    keys
}

/// A provider without keys is fine where none is needed; else nothing can be sent to it.
fn report_absent(settings: &ProviderConfig, view: &View<'_>, context: &mut Context<'_>) {
    if view.get("keys").is_some_and(|keys| !keys.elements().is_empty()) {
        return;
    }
    let address = key_block::address_member(settings.row);
    if let Some(member) = address.filter(|_| settings.network.base_url.is_none()) {
        let hint = format!("add a key with `{member}`");
        return context.hinted(view.at("keys"), "no server is named", hint);
    }
    if settings.is_keyless() {
        return;
    }
    if view.has("keys") {
        context.warn(view.at("keys"), "there is no key, so every request to this provider fails");
    } else {
        let hint =
            "[{\"name\": \"main\", \"value\": \"env.NAME\", \"models\": [\"*\"], \"weight\": 1}]";
        context.hinted(view.here(), "it needs `keys`", hint);
    }
}

/// The server of a Copilot token depends on who pays; only an app learns it by itself.
fn report_copilot_without_address(
    settings: &ProviderConfig,
    views: &[View<'_>],
    keys: &[Key],
    context: &mut Context<'_>,
) {
    if settings.row.name != "github-copilot" || settings.network.base_url.is_some() {
        return;
    }
    for (view, _) in views.iter().zip(keys).filter(|(_, key)| !key.value.is_empty()) {
        let hint = "add `network_config.base_url`, for example https://api.githubcopilot.com";
        context.hinted(view.at("value"), "a plain token needs an address", hint);
    }
}

fn report_repeated(views: &[View<'_>], keys: &[Key], context: &mut Context<'_>) {
    let mut seen = HashSet::new();
    for (view, key) in views.iter().zip(keys) {
        if !key.name.is_empty() && !seen.insert(("name", &key.name)) {
            context.problem(view.at("name"), "another key of this provider has the same name");
        }
        if view.has("id") && !seen.insert(("id", &key.id)) {
            context.problem(view.at("id"), "another key of this provider has the same id");
        }
    }
}

/// Names are unique in the original's store, so a configuration that repeats one cannot move there.
fn warn_of_shared_names(providers: &[ProviderConfig], root: &View<'_>, context: &mut Context<'_>) {
    let mut first: HashMap<&str, &str> = HashMap::new();
    for provider in providers {
        for key in provider.keys.iter().filter(|key| !key.name.is_empty()) {
            let owner = *first.entry(&key.name).or_insert(&provider.name);
            if owner != provider.name {
                let why = format!(
                    "key {:?} of {} has the same name as one of {owner}",
                    key.name, provider.name
                );
                context.warn(root.at("providers"), why);
            }
        }
    }
}
