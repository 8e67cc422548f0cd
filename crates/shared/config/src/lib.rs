//! `config.json` and environment, checked: a complete [`Config`] or every mistake with its path.
//!
//! The file is read into a tree, held against tables that know every member (names, types, limits),
//! then read into types section by section. Mistakes are collected, never returned at the first.
//! [`schema`] writes the same tables as a JSON Schema.
//!
//! ```
//! let file = br#"{"providers":{"openai":{"keys":[
//!     {"name":"main","value":"env.OPENAI_API_KEY","models":["*"],"weigth":1}]}}}"#;
//! let problems = config::parse(file, &|_| None).expect_err("a slip of the pen");
//! assert!(problems.to_string().contains(
//!     "providers.openai.keys[0].weigth: unknown member (did you mean `weight`?)"
//! ));
//! ```
#![forbid(unsafe_code)]

mod administrator;
mod client;
mod custom;
mod detect;
mod duration;
mod file;
mod identity;
mod json;
mod key;
mod key_block;
mod login;
mod member;
mod models;
mod nearest;
mod network;
mod place;
mod problem;
mod profile;
mod provider;
mod proxy;
mod reference;
mod schema;
mod secret;
mod server;
mod shape;
mod url;
mod view;
mod virtual_key;
mod websocket;

pub use administrator::Administrator;
pub use client::{Client, Compat, CredentialConflict, HeaderFilter, RequiredHeader, RequiredValue};
pub use custom::{Custom, PathOverride};
pub use key::{Alias, Key};
pub use login::{
    AwsKeys, AwsLogin, AwsRole, AzureApplication, AzureLogin, DatabricksLogin, GitHubApp,
    GoogleLogin, Login,
};
pub use models::ModelList;
pub use network::Network;
pub use place::Place;
pub use problem::{Note, Problem, Problems};
pub use profile::{Filled, FromProfile, Profile};
pub use provider::ProviderConfig;
pub use proxy::{EnvironmentProxies, ProxyConfig, ProxyKind, ProxyServer};
pub use schema::schema;
pub use secret::Secret;
pub use server::{Driver, Pem, Server, ServerTls};
pub use url::{Scheme, Url};
pub use virtual_key::VirtualKey;
pub use websocket::WebSocket;

use file::{GOVERNANCE, ROOT};
use json::Node;
use problem::Findings;
use view::{Context, View};

/// A checked configuration: complete, with every default filled in.
#[derive(Clone, Debug)]
pub struct Config {
    /// How callers are treated.
    pub client: Client,
    /// Listening, workers, limits and TLS.
    pub server: Server,
    /// Limits of WebSocket connections.
    pub websocket: WebSocket,
    /// Providers that are served, in the order of the file.
    pub providers: Vec<ProviderConfig>,
    /// Keys that callers show.
    pub virtual_keys: Vec<VirtualKey>,
    /// Who may administer; everyone where there is none.
    pub administrator: Option<Administrator>,
    /// What is accepted and not active yet.
    pub inactive: Vec<Note>,
    /// What is accepted and probably not meant.
    pub warnings: Vec<Note>,
    /// Where all this comes from.
    pub source: Source,
    /// What a tuning profile decided, where one was given.
    pub profile: Option<FromProfile>,
}

/// Where a configuration comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File,
    /// The environment alone.
    Environment,
}

/// Reads the text of a `config.json`. `env` looks up environment variables.
pub fn parse(text: &[u8], env: &dyn Fn(&str) -> Option<String>) -> Result<Config, Problems> {
    parse_over(None, text, env)
}

/// The same, with a profile for what the text leaves open.
pub fn parse_over(
    profile: Option<&Profile>,
    text: &[u8],
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, Problems> {
    let mut root = json::read(text).map_err(|problem| Problems::sorted(vec![problem]))?;
    let profile = profile.map(|profile| profile.fill(&mut root));
    let mut findings = Findings::default();
    shape::check(&root, &ROOT, &mut findings);
    let view = View::root(&root, &ROOT);
    let empty_allows_all = view.integer("version") == 1;
    let mut context = Context { env, empty_allows_all, findings };
    let config = read(&view, &mut context);
    let (warnings, inactive) = context.findings.into_notes()?;
    Ok(Config { warnings, inactive, profile, ..config })
}

/// The configuration where there is no file: the mock, and providers with a key in the environment.
pub fn without_file(env: &dyn Fn(&str) -> Option<String>) -> Config {
    without_file_over(None, env)
}

/// The same, with a profile instead of the defaults.
pub fn without_file_over(
    profile: Option<&Profile>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Config {
    let mut root = Node::empty_object();
    let from_profile = profile.map(|profile| {
        let mut filled = profile.fill(&mut root);
        filled.settings.extend(profile.filled_queue("*"));
        filled
    });
    let section = profile.map_or_else(Node::empty_object, Profile::provider);
    let view = View::root(&root, &ROOT);
    // A profile is checked by itself before, so nothing can be found here.
    let mut context = Context { env, empty_allows_all: false, findings: Findings::default() };
    Config {
        providers: detect::providers(env, &View::root(&section, &provider::PROVIDER)),
        source: Source::Environment,
        profile: from_profile,
        client: client::read(&view.object("client", &client::CLIENT), &mut context),
        server: server::read(&view.object("server", &server::SERVER), &mut context),
        websocket: websocket::read(&view),
        virtual_keys: Vec::new(),
        administrator: None,
        inactive: Vec::new(),
        warnings: Vec::new(),
    }
}

fn read(root: &View<'_>, context: &mut Context<'_>) -> Config {
    let config = Config {
        client: client::read(&root.object("client", &client::CLIENT), context),
        server: server::read(&root.object("server", &server::SERVER), context),
        websocket: websocket::read(root),
        providers: provider::read(root, context),
        virtual_keys: virtual_key::read(&root.object("governance", &GOVERNANCE), context),
        administrator: administrator::read(root, context),
        inactive: Vec::new(),
        warnings: Vec::new(),
        source: Source::File,
        profile: None,
    };
    warn_of_refusals(&config, root, context);
    config
}

/// Warns where nothing can succeed.
fn warn_of_refusals(config: &Config, root: &View<'_>, context: &mut Context<'_>) {
    if config.providers.is_empty() {
        context.warn(root.at("providers"), "no provider is active, so every request is refused");
    }
    let opens = |key: &VirtualKey| key.is_active && !key.value.is_empty();
    if config.client.enforce_auth_on_inference && !config.virtual_keys.iter().any(opens) {
        let why = "virtual keys are enforced and none is active, so every request is refused";
        context.warn(root.at("client"), why);
    }
}
