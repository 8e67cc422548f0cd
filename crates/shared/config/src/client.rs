//! Section `client`: how callers are treated.

use http::{HeaderName, HeaderValue};

use crate::member::{ANY_OBJECT, Fallback, Member, Object, Shape, TEXTS, member, switch};
use crate::problem::Spot;
use crate::reference::{self, Lookup};
use crate::secret::Secret;
use crate::view::{Context, View};

/// Section `client`. Names are those of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Whether a request is refused at once when its provider's queue is full.
    pub drop_excess_requests: bool,
    /// Buffers and connection objects allocated at start, in the whole process.
    pub initial_pool_size: u32,
    /// Further labels of metrics, filled from `x-bf-dim-*` headers.
    pub prometheus_labels: Vec<String>,
    /// CORS: origins, with `*` for all or for one label.
    pub allowed_origins: Vec<String>,
    /// CORS: further request headers.
    pub allowed_headers: Vec<String>,
    /// Whether requests are logged.
    pub enable_logging: bool,
    /// Whether logs leave out what was asked and answered.
    pub disable_content_logging: bool,
    /// Whether headers may change what is stored of a request.
    pub allow_per_request_content_storage_override: bool,
    /// Whether headers may ask for raw requests and replies.
    pub allow_per_request_raw_override: bool,
    /// Whether `/health` leaves the stores alone.
    pub disable_db_pings_in_health: bool,
    /// Whether upstream errors are printed in full.
    pub dump_errors_in_console_logs: bool,
    /// Days that request logs are kept.
    pub log_retention_days: u32,
    /// Whether inference needs a virtual key.
    pub enforce_auth_on_inference: bool,
    /// What counts when a request shows a user token and a virtual key.
    pub dual_credential_conflict_behavior: CredentialConflict,
    /// Whether callers may bring a provider's key.
    pub allow_direct_keys: bool,
    /// Largest request body, decompressed, in MiB.
    pub max_request_body_size_mb: u32,
    /// Conversions between request forms.
    pub compat: Compat,
    /// Which headers of callers go upstream.
    pub header_filter: HeaderFilter,
    /// Headers every inference request must have.
    pub required_headers: Vec<RequiredHeader>,
    /// Headers that are logged, in lower case.
    pub logging_headers: Vec<String>,
    /// Routes of the management API that need no login.
    pub whitelisted_routes: Vec<String>,
    /// Whether filters in the UI leave out deleted virtual keys.
    pub hide_deleted_virtual_keys_in_filters: bool,
    /// How long results of asynchronous requests are kept, in seconds.
    pub async_job_result_ttl: u32,
    /// How many routing rules may follow one another.
    pub routing_chain_max_depth: u32,
}

impl Client {
    /// [`Client::max_request_body_size_mb`] in bytes.
    pub fn request_body_bytes_max(&self) -> u64 {
        u64::from(self.max_request_body_size_mb) * 1024 * 1024
    }
}

impl Default for Client {
    fn default() -> Self {
        read_values(&View::empty(&CLIENT))
    }
}

/// `client.compat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compat {
    /// Text completions go to chat models as chat.
    pub convert_text_to_chat: bool,
    /// Chat goes to models that only have the responses API as responses.
    pub convert_chat_to_responses: bool,
    /// Members a model does not take are dropped.
    pub should_drop_params: bool,
    /// Members a model spells differently are converted.
    pub should_convert_params: bool,
    /// Responses requests for DeepSeek on Azure go out as chat.
    pub azure_deepseek: bool,
    /// Chat with a model that only reasons through the responses API goes there.
    pub force_reasoning_only_models_to_responses: bool,
}

/// `client.header_filter_config`: patterns are names, `prefix*` or `*`, in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderFilter {
    /// Forwarded under their own names; with `x-bf-eh-` only these where the list is not empty.
    pub allowlist: Vec<String>,
    /// Never forwarded.
    pub denylist: Vec<String>,
}

/// An element of `client.required_headers`: `Name`, `Name=value` or `Name=env.VARIABLE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequiredHeader {
    /// Name in lower case.
    pub name: String,
    /// What it must hold.
    pub value: RequiredValue,
}

/// What a required header must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequiredValue {
    /// Whatever the caller likes.
    Any,
    /// Exactly this, which may be empty.
    Exactly(Secret),
    /// What an environment variable says that is not set: no value will do.
    Unknown,
}

impl RequiredValue {
    /// Whether a header with the value `shown` will do.
    pub fn admits(&self, shown: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(value) => value.expose().as_bytes() == shown,
            Self::Unknown => false,
        }
    }
}

/// `client.dual_credential_conflict_behavior`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialConflict {
    /// The request is refused.
    Error,
    /// The virtual key counts.
    PreferVirtualKey,
    /// The user token counts.
    PreferIdentityProvider,
}

pub(crate) const CLIENT: Object = Object::closed("How callers are treated.", MEMBERS);

const MEMBERS: &[Member] = &[
    switch("drop_excess_requests", "Refuse a request when its provider's queue is full."),
    INITIAL_POOL_SIZE,
    member("prometheus_labels", TEXTS, "Further labels of metrics, from `x-bf-dim-*` headers.")
        .later("metrics have no further labels yet"),
    member(
        "allowed_origins",
        TEXTS,
        "CORS: allowed origins; `*` stands for all, or for one label.",
    )
    .or(Fallback::Texts(&["*"])),
    member("allowed_headers", TEXTS, "CORS: further request headers."),
    member("enable_logging", Shape::Boolean, "Log requests.")
        .or(Fallback::Boolean(true))
        .later(LOGS_LATER),
    switch("disable_content_logging", "Leave contents out of request logs.").later(LOGS_LATER),
    switch("allow_per_request_content_storage_override", "Headers may change what is stored.")
        .later(LOGS_LATER),
    switch("allow_per_request_raw_override", "Headers may ask for raw requests and replies."),
    switch("disable_db_pings_in_health", "`/health` does not ask the stores."),
    switch("dump_errors_in_console_logs", "Print upstream errors in full.")
        .later("errors of providers are not printed yet"),
    member(
        "log_retention_days",
        Shape::Integer { min: 1, max: 36_500 },
        "Days that request logs are kept.",
    )
    .or(Fallback::Integer(365))
    .later(LOGS_LATER),
    switch("enforce_auth_on_inference", "Inference needs a virtual key."),
    switch("enforce_governance_header", "Inference needs a virtual key.")
        .renamed("enforce_auth_on_inference"),
    switch("enforce_scim_auth", "Inference needs a virtual key.")
        .renamed("enforce_auth_on_inference"),
    member(
        "dual_credential_conflict_behavior",
        Shape::Choice(&["error", "prefer_vk", "prefer_idp"]),
        "What counts when a request shows a user token and a virtual key.",
    )
    .or(Fallback::Text("prefer_idp"))
    .later("user tokens are not accepted yet"),
    switch("allow_direct_keys", "Callers may bring a provider's key."),
    member(
        "max_request_body_size_mb",
        Shape::Integer { min: 1, max: 65_536 },
        "Largest request body, decompressed, in MiB.",
    )
    .or(Fallback::Integer(100)),
    member("compat", Shape::Object(&COMPAT), "Conversions between request forms."),
    member(
        "header_filter_config",
        Shape::Object(&HEADER_FILTER),
        "Which headers of callers go upstream.",
    ),
    member(
        "required_headers",
        TEXTS,
        "Headers every inference request must have: `Name`, `Name=value` or `Name=env.VARIABLE`.",
    ),
    member("logging_headers", TEXTS, "Headers that are kept in request logs.").later(LOGS_LATER),
    member("whitelisted_routes", TEXTS, "Management routes that need no login."),
    switch("hide_deleted_virtual_keys_in_filters", "Filters in the UI leave out deleted keys.")
        .later("there is no UI yet"),
    member(
        "async_job_result_ttl",
        Shape::Integer { min: 1, max: u32::MAX as u64 },
        "Seconds that results of asynchronous requests are kept.",
    )
    .or(Fallback::Integer(3600))
    .later("asynchronous requests are not served yet"),
    member(
        "routing_chain_max_depth",
        Shape::Integer { min: 1, max: 1000 },
        "How many routing rules may follow one another.",
    )
    .or(Fallback::Integer(10))
    .later("routing rules are not applied yet"),
    member("mcp_agent_depth", Shape::from(1), "See `mcp.tool_manager_config`.").later(MCP_LATER),
    member("mcp_tool_execution_timeout", DURATION_OR_COUNT, "See `mcp.tool_manager_config`.")
        .later(MCP_LATER),
    member(
        "mcp_code_mode_binding_level",
        Shape::Choice(&["server", "tool"]),
        "See `mcp.tool_manager_config`.",
    )
    .later(MCP_LATER),
    member("mcp_tool_sync_interval", DURATION_OR_COUNT, "See `mcp.tool_sync_interval`.")
        .later(MCP_LATER),
    switch("mcp_disable_auto_tool_inject", "See `mcp.tool_manager_config`.").later(MCP_LATER),
    switch("mcp_enable_temp_token_auth", "Short-lived tokens for MCP logins.").later(MCP_LATER),
    member("mcp_external_client_url", Shape::Reference, "Where MCP logins return to.")
        .later(MCP_LATER),
    member(
        "mcp_server_auth_mode",
        Shape::Choice(&["headers", "both", "oauth"]),
        "How MCP clients log in.",
    )
    .later(MCP_LATER),
    member("oauth2_server_config", ANY_OBJECT, "The OAuth server for MCP clients.")
        .later(MCP_LATER),
    member("webhook_config", ANY_OBJECT, "Delivery of webhooks.")
        .later("webhooks are not sent yet"),
    member("vk_rotation_cooldown", Shape::Duration, "How long an old virtual key stays valid.")
        .later("virtual keys are not rotated yet"),
    switch("enable_litellm_fallbacks", "Compatibility of older versions.")
        .never("`compat` took its place"),
    switch("enable_governance", "Compatibility of older versions.")
        .never("governance is always on"),
];

/// A tuning profile may set it too.
pub(crate) const INITIAL_POOL_SIZE: Member = member(
    "initial_pool_size",
    Shape::Integer { min: 1, max: 1_000_000 },
    "Buffers and connection objects allocated at start.",
)
.or(Fallback::Integer(5000));

const LOGS_LATER: &str = "requests are not logged yet";
const MCP_LATER: &str = "MCP is not served yet";
const CONVERSION_LATER: &str = "this conversion is not made yet";
const DURATION_OR_COUNT: Shape = Shape::Either(&Shape::from(0), &Shape::Duration);

const COMPAT: Object = Object::closed(
    "Conversions between request forms.",
    &[
        switch("convert_text_to_chat", "Text completions go to chat models as chat.")
            .later(CONVERSION_LATER),
        switch("convert_chat_to_responses", "Chat goes to responses-only models as responses.")
            .later(CONVERSION_LATER),
        switch("should_drop_params", "Drop members a model does not take.").later(CONVERSION_LATER),
        switch("should_convert_params", "Convert members a model spells differently.")
            .later(CONVERSION_LATER),
        member("azure_deepseek", Shape::Boolean, "Responses for DeepSeek on Azure go out as chat.")
            .or(Fallback::Boolean(true))
            .later(CONVERSION_LATER),
        switch(
            "force_reasoning_only_models_to_responses",
            "Chat with reasoning-only models goes to responses.",
        )
        .later(CONVERSION_LATER),
    ],
);

const HEADER_FILTER: Object = Object::closed(
    "Which headers of callers go upstream.",
    &[
        member("allowlist", TEXTS, "Names, `prefix*` or `*` that are forwarded."),
        member("denylist", TEXTS, "Names, `prefix*` or `*` that never are."),
    ],
);

/// Reads the section and checks what its table cannot.
pub(crate) fn read(view: &View<'_>, context: &mut Context<'_>) -> Client {
    let filter = view.object("header_filter_config", &HEADER_FILTER);
    check_names(view, "logging_headers", context);
    check_names(view, "allowed_headers", context);
    check_names(&filter, "allowlist", context);
    check_names(&filter, "denylist", context);
    check_origins(view, context);
    Client { required_headers: read_required_headers(view, context), ..read_values(view) }
}

fn read_values(view: &View<'_>) -> Client {
    Client {
        drop_excess_requests: view.boolean("drop_excess_requests"),
        initial_pool_size: view.count("initial_pool_size"),
        prometheus_labels: view.texts("prometheus_labels"),
        allowed_origins: view.texts("allowed_origins"),
        allowed_headers: view.texts("allowed_headers"),
        enable_logging: view.boolean("enable_logging"),
        disable_content_logging: view.boolean("disable_content_logging"),
        allow_per_request_content_storage_override: view
            .boolean("allow_per_request_content_storage_override"),
        allow_per_request_raw_override: view.boolean("allow_per_request_raw_override"),
        disable_db_pings_in_health: view.boolean("disable_db_pings_in_health"),
        dump_errors_in_console_logs: view.boolean("dump_errors_in_console_logs"),
        log_retention_days: view.count("log_retention_days"),
        enforce_auth_on_inference: view.boolean("enforce_auth_on_inference")
            || view.boolean("enforce_governance_header")
            || view.boolean("enforce_scim_auth"),
        dual_credential_conflict_behavior: match view.choice("dual_credential_conflict_behavior") {
            "error" => CredentialConflict::Error,
            "prefer_vk" => CredentialConflict::PreferVirtualKey,
            _ => CredentialConflict::PreferIdentityProvider,
        },
        allow_direct_keys: view.boolean("allow_direct_keys"),
        max_request_body_size_mb: view.count("max_request_body_size_mb"),
        compat: read_compat(&view.object("compat", &COMPAT)),
        header_filter: read_header_filter(&view.object("header_filter_config", &HEADER_FILTER)),
        required_headers: Vec::new(),
        logging_headers: lower_case(view.texts("logging_headers")),
        whitelisted_routes: view.texts("whitelisted_routes"),
        hide_deleted_virtual_keys_in_filters: view.boolean("hide_deleted_virtual_keys_in_filters"),
        async_job_result_ttl: view.count("async_job_result_ttl"),
        routing_chain_max_depth: view.count("routing_chain_max_depth"),
    }
}

fn read_compat(view: &View<'_>) -> Compat {
    Compat {
        convert_text_to_chat: view.boolean("convert_text_to_chat"),
        convert_chat_to_responses: view.boolean("convert_chat_to_responses"),
        should_drop_params: view.boolean("should_drop_params"),
        should_convert_params: view.boolean("should_convert_params"),
        azure_deepseek: view.boolean("azure_deepseek"),
        force_reasoning_only_models_to_responses: view
            .boolean("force_reasoning_only_models_to_responses"),
    }
}

fn read_header_filter(view: &View<'_>) -> HeaderFilter {
    HeaderFilter {
        allowlist: lower_case(view.texts("allowlist")),
        denylist: lower_case(view.texts("denylist")),
    }
}

fn read_required_headers(view: &View<'_>, context: &mut Context<'_>) -> Vec<RequiredHeader> {
    let texts = view.texts("required_headers");
    let read = |(position, text): (usize, &String)| {
        read_required_header(text, view.at_element("required_headers", position), context)
    };
    texts.iter().enumerate().map(read).collect()
}

fn read_required_header(text: &str, spot: Spot, context: &mut Context<'_>) -> RequiredHeader {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    if HeaderName::from_bytes(name.as_bytes()).is_err() {
        // The text is not repeated: after a slip of the pen the value may stand in it.
        context.problem(spot.clone(), "must begin with the name of a header");
    }
    let value = match value {
        None => RequiredValue::Any,
        Some(value) => read_required_value(value, spot, context),
    };
    RequiredHeader { name: name.to_ascii_lowercase(), value }
}

fn read_required_value(text: &str, spot: Spot, context: &mut Context<'_>) -> RequiredValue {
    let found = match text.starts_with("env.") {
        true => reference::variable(text, context.env),
        false => Lookup::Value(text.to_owned()),
    };
    let Lookup::Value(value) = found else {
        let why = format!("{text} is not set or empty, so every request is refused");
        context.warn(spot, why);
        return RequiredValue::Unknown;
    };
    if value.trim() != value || HeaderValue::from_bytes(value.as_bytes()).is_err() {
        context.problem(spot, "no header can have the value after the equals sign");
    }
    RequiredValue::Exactly(Secret::new(value))
}

/// Reports what can never be the name of a header; a star may stand at the end.
fn check_names(view: &View<'_>, list: &str, context: &mut Context<'_>) {
    for (position, name) in view.texts(list).iter().enumerate() {
        let stem = name.strip_suffix('*').unwrap_or(name);
        let is_star = stem.is_empty() && !name.is_empty();
        if !is_star && HeaderName::from_bytes(stem.as_bytes()).is_err() {
            let message = format!("{name:?} is not the name of a header");
            context.problem(view.at_element(list, position), message);
        }
    }
}

fn check_origins(view: &View<'_>, context: &mut Context<'_>) {
    for (position, origin) in view.texts("allowed_origins").iter().enumerate() {
        let after_scheme = origin.split_once("://").map_or("", |(_, rest)| rest);
        if after_scheme.contains('/') {
            let why = "browsers send origins without a path or trailing slash: this never matches";
            context.warn(view.at_element("allowed_origins", position), why);
        }
    }
}

fn lower_case(names: Vec<String>) -> Vec<String> {
    names.into_iter().map(|name| name.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_required_value_is_exact_and_an_unknown_one_admits_nothing() {
        let exactly = |value: &str| RequiredValue::Exactly(Secret::new(value));
        for (value, shown, is_admitted) in [
            (RequiredValue::Any, "", true),
            (RequiredValue::Any, "x", true),
            (exactly("a=b"), "a=b", true),
            (exactly("a=b"), "A=B", false),
            (exactly(""), "", true),
            (exactly(""), "x", false),
            (RequiredValue::Unknown, "", false),
            (RequiredValue::Unknown, "env.UNSET", false),
        ] {
            assert_eq!(value.admits(shown.as_bytes()), is_admitted, "{value:?} {shown}");
        }
    }
}
