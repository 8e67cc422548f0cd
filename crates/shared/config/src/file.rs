//! The file as a whole: its sections, and which of them are served today.

use crate::administrator::AUTH_CONFIG;
use crate::client;
use crate::member::{ANY_LIST, ANY_OBJECT, Fallback, Member, Object, Shape, Unknown, member};
use crate::provider;
use crate::server;
use crate::virtual_key;
use crate::websocket;

/// The top level of `config.json`.
pub(crate) const ROOT: Object = Object::closed("Configuration of the gateway.", SECTIONS);

const SECTIONS: &[Member] = &[
    member("$schema", Shape::Text, "Where editors find the schema of this file."),
    member(
        "version",
        Shape::Integer { min: 1, max: 2 },
        "What an empty or absent list of allowed models means: 1 all, 2 none.",
    )
    .or(Fallback::Integer(2)),
    member("server", Shape::Object(&server::SERVER), "Listening, workers, limits and TLS."),
    member("client", Shape::Object(&client::CLIENT), "How callers are treated."),
    member(
        "providers",
        Shape::Map(&Shape::Object(&provider::PROVIDER)),
        "Providers by name: those of the product, and any others with `custom_provider_config`.",
    ),
    member("governance", Shape::Object(&GOVERNANCE), "Virtual keys, budgets, limits, rules."),
    member(
        "source_of_truth",
        Shape::Choice(&["split", "config.json"]),
        "Who wins where file and store differ.",
    )
    .or(Fallback::Text("split"))
    .later("there is no configuration store yet"),
    member("encryption_key", Shape::Secret, "Encrypts secrets at rest.")
        .later("there is no configuration store yet"),
    member("env_label", Shape::ShortText { characters_max: 10 }, "Label shown in the UI.")
        .later("there is no UI yet"),
    member("auth_config", Shape::Object(&AUTH_CONFIG), "Who may administer."),
    member("framework", ANY_OBJECT, "Prices and where they come from.")
        .later("prices are not applied yet"),
    member("mcp", ANY_OBJECT, "MCP servers and their tools.").later("MCP is not served yet"),
    member("vector_store", ANY_OBJECT, "Store of the semantic cache.")
        .later("there is no semantic cache yet"),
    member("config_store", ANY_OBJECT, "Store of what is configured at run time.")
        .later("this file alone configures the gateway so far"),
    member("logs_store", ANY_OBJECT, "Store of request logs.").later("requests are not logged yet"),
    member("skills_registry", ANY_OBJECT, "Skills offered to agents.")
        .later("skills are not served yet"),
    member("plugins", Shape::List(&ANY_OBJECT), "Plugins, in order.")
        .later("plugins are not run yet"),
    member("websocket", Shape::Object(&websocket::WEBSOCKET), "Limits of WebSocket connections."),
    member("large_payload_optimization", ANY_OBJECT, "Streaming of large bodies.")
        .later("bodies above `server.body_buffer_bytes_max` are streamed instead"),
    member("feature_flags", ANY_OBJECT, "Features under trial.")
        .later("there are no features under trial"),
    member("guardrails_config", ANY_OBJECT, "Checks of what goes in and out.")
        .later("guardrails are not run yet"),
    member("audit_logs", ANY_OBJECT, "Log of administrators' acts.")
        .later("there is no audit log yet"),
    member("cluster_config", ANY_OBJECT, "How nodes find each other.")
        .later("nodes don't share state yet"),
    member("load_balancer_config", ANY_OBJECT, "Balancing by measured quality.")
        .later("keys are chosen by weight alone so far"),
    member("scim_config", ANY_OBJECT, "Users from a directory.").later("users are not served yet"),
    member("access_profiles", Shape::List(&ANY_OBJECT), "Rights of groups of users.")
        .later("users are not served yet"),
    member("alerting", ANY_OBJECT, "Whom to tell when something breaks.")
        .later("alerts are not sent yet"),
];

pub(crate) const GOVERNANCE: Object = Object {
    doc: "Who may use what, and how much of it.",
    members: &[
        member(
            "virtual_keys",
            Shape::List(&Shape::Object(&virtual_key::VIRTUAL_KEY)),
            "Keys that callers show instead of providers' keys.",
        ),
        rules("teams"),
        rules("customers"),
        rules("business_units"),
        rules("roles"),
        rules("budgets"),
        rules("rate_limits"),
        rules("model_configs"),
        rules("providers"),
        rules("routing_rules"),
        rules("pricing_overrides"),
        rules("projects"),
        member("auth_config", Shape::Object(&AUTH_CONFIG), "Older place of the section."),
        member("complexity_analyzer_config", ANY_OBJECT, "Routing by how hard a question is.")
            .later(RULES_LATER),
    ],
    unknown: Unknown::Warned,
};

const RULES_LATER: &str = "of governance only virtual keys are used so far";

const fn rules(name: &'static str) -> Member {
    member(name, ANY_LIST, "Rules of governance.").later(RULES_LATER)
}
