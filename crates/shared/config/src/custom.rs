//! `providers.<name>.custom_provider_config`: a provider of one's own on the base of another.

use ::provider::{CUSTOM_BASES, Provider};
use dialect::Operation;

use crate::member::{Member, Object, Shape, member, switch};
use crate::problem::Spot;
use crate::url::Url;
use crate::view::{Context, View};

/// How a custom provider differs from its base, [`crate::ProviderConfig::row`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Custom {
    /// Whether it is called without a key.
    pub keyless: bool,
    /// What it may be asked for; none means everything its base has.
    pub allowed: Option<Vec<Operation>>,
    /// Other paths than those of the base.
    pub path_overrides: Vec<(Operation, PathOverride)>,
    /// Whether its streams end with `[DONE]`; else they end with the finish reason.
    pub sends_done_marker: bool,
}

/// Where an operation goes instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathOverride {
    /// A path below the base URL, with leading slash.
    Path(String),
    /// Another server altogether.
    Url(Url),
}

pub(crate) const CUSTOM: Object =
    Object::closed("A provider of one's own on the base of another.", MEMBERS);

const MEMBERS: &[Member] = &[
    member("base_provider_type", Shape::Choice(CUSTOM_BASES), "Provider whose API it speaks.")
        .required(),
    switch("is_key_less", "It is called without a key."),
    member(
        "allowed_requests",
        Shape::Map(&Shape::Boolean),
        "What it may be asked for: only what is `true` here; everything unless set.",
    ),
    member(
        "request_path_overrides",
        Shape::Map(&Shape::Text),
        "Other paths, or URLs, by request type.",
    ),
    switch("does_not_send_done_marker", "Its streams end without `[DONE]`.")
        .later("streams end with the provider's connection or its `[DONE]` so far"),
];

/// Request types of the product without an operation here yet.
const OPERATIONS_LATER: &[&str] = &[
    "responses_retrieve",
    "responses_delete",
    "responses_cancel",
    "responses_input_items",
    "video_edit",
    "sound_generation",
];

/// The row of the base; none where it is not one that may be a base, which is reported elsewhere.
pub(crate) fn base(view: &View<'_>) -> Option<&'static Provider> {
    let name = view.text("base_provider_type").filter(|name| CUSTOM_BASES.contains(name))?;
    ::provider::find(name)
}

/// Reads the section.
pub(crate) fn read(view: &View<'_>, context: &mut Context<'_>) -> Custom {
    Custom {
        keyless: view.boolean("is_key_less"),
        allowed: view.has("allowed_requests").then(|| read_allowed(view, context)),
        path_overrides: read_path_overrides(view, context),
        sends_done_marker: !view.boolean("does_not_send_done_marker"),
    }
}

fn read_allowed(view: &View<'_>, context: &mut Context<'_>) -> Vec<Operation> {
    let mut allowed = Vec::new();
    for (name, node, spot) in view.entries("allowed_requests") {
        let operation = operation(name, spot, context);
        if node.boolean() == Some(true) {
            allowed.extend(operation);
        }
    }
    allowed
}

fn read_path_overrides(
    view: &View<'_>,
    context: &mut Context<'_>,
) -> Vec<(Operation, PathOverride)> {
    let mut overrides = Vec::new();
    for (name, node, spot) in view.entries("request_path_overrides") {
        let operation = operation(name, spot.clone(), context);
        match parse_path(node.text().unwrap_or_default()) {
            Ok(path) => overrides.extend(operation.map(|operation| (operation, path))),
            Err(message) => context.problem(spot, message),
        }
    }
    overrides
}

fn parse_path(text: &str) -> Result<PathOverride, &'static str> {
    if text.contains("://") {
        return Url::parse(text).map(PathOverride::Url);
    }
    let is_visible = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
    if text.is_empty() || !text.bytes().all(is_visible) {
        return Err("must be a path or a URL");
    }
    let slash = if text.starts_with('/') { "" } else { "/" };
    Ok(PathOverride::Path(format!("{slash}{text}")))
}

fn operation(name: &str, spot: Spot, context: &mut Context<'_>) -> Option<Operation> {
    let operation = Operation::from_name(name);
    if operation.is_some() {
        return operation;
    }
    if OPERATIONS_LATER.contains(&name) {
        context.findings.inactive(spot, "this request type is not served yet");
        return None;
    }
    let names = Operation::all().map(Operation::name);
    match crate::nearest::nearest(name, names) {
        Some(meant) => {
            context.hinted(spot, "unknown request type", format!("did you mean `{meant}`?"));
        }
        None => context.problem(spot, "unknown request type"),
    }
    None
}
