//! Virtual keys, as far as they decide who may call at all.

use std::collections::HashSet;

use crate::member::{ANY_LIST, Fallback, Member, Object, Shape, Unknown, member};
use crate::secret::Secret;
use crate::view::{Context, View};

/// A key that callers show instead of a provider's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualKey {
    /// Unique identity.
    pub id: String,
    /// Unique name.
    pub name: String,
    /// What callers send; empty where its environment variable is not set, and then never matched.
    pub value: Secret,
    /// Whether it opens anything.
    pub is_active: bool,
}

/// By this, keys of the gateway are told from keys of providers in the headers both may use.
const PREFIX: &str = "sk-bf-";

pub(crate) const VIRTUAL_KEY: Object = Object {
    doc: "A key that callers show instead of a provider's key.",
    members: MEMBERS,
    unknown: Unknown::Warned,
};

const MEMBERS: &[Member] = &[
    member("id", Shape::Text, "Unique identity.").required(),
    member("name", Shape::Text, "Unique name.").required(),
    member("value", Shape::Secret, "What callers send, beginning with `sk-bf-`."),
    member("is_active", Shape::Boolean, "Whether it opens anything.").or(Fallback::Boolean(true)),
    member("description", Shape::Text, "For its owner."),
    limit("calendar_aligned", Shape::Boolean),
    limit("team_id", Shape::Text),
    limit("customer_id", Shape::Text),
    limit("access_profile_id", Shape::from(1)),
    limit("rate_limit_id", Shape::Text),
    limit("budget_id", Shape::Text),
    limit("budgets", ANY_LIST),
    limit("provider_configs", ANY_LIST),
    limit("mcp_configs", ANY_LIST),
    limit("allow_all_providers", Shape::Boolean),
];

const fn limit(name: &'static str, shape: Shape) -> Member {
    member(name, shape, "Limits of the key.")
        .later("virtual keys open every provider and model so far")
}

/// Reads `governance.virtual_keys`.
pub(crate) fn read(governance: &View<'_>, context: &mut Context<'_>) -> Vec<VirtualKey> {
    let views = governance.objects("virtual_keys", &VIRTUAL_KEY);
    let keys: Vec<_> = views.iter().map(|view| read_one(view, context)).collect();
    report_repeated(&views, &keys, context);
    keys
}

fn read_one(view: &View<'_>, context: &mut Context<'_>) -> VirtualKey {
    let value = view.secret("value", context).unwrap_or_default();
    if !view.has("value") {
        context.warn(view.here(), "it has no `value`, so nobody can use it");
    }
    let has_prefix = value.expose().get(..PREFIX.len()).is_some_and(is_prefix);
    if !value.is_empty() && !has_prefix {
        let why = "it does not begin with `sk-bf-`, so callers can only send it as `x-bf-vk`";
        context.warn(view.at("value"), why);
    }
    VirtualKey {
        id: view.text("id").unwrap_or_default().to_owned(),
        name: view.text("name").unwrap_or_default().to_owned(),
        value,
        is_active: view.boolean("is_active"),
    }
}

fn is_prefix(text: &str) -> bool {
    text.eq_ignore_ascii_case(PREFIX)
}

fn report_repeated(views: &[View<'_>], keys: &[VirtualKey], context: &mut Context<'_>) {
    let mut seen = HashSet::new();
    for (view, key) in views.iter().zip(keys) {
        for (member, value) in
            [("id", key.id.as_str()), ("name", &key.name), ("value", key.value.expose())]
        {
            if !value.is_empty() && !seen.insert((member, value)) {
                context
                    .problem(view.at(member), format!("another virtual key has the same {member}"));
            }
        }
    }
}
