//! Lists of models in the shapes of the routes that give them.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::listing::{Listing, Model};
use crate::refusal::Refusal;

/// Members of a provider's entry that are passed on; `display_name` becomes `name`.
const DETAILS: [&str; 10] = [
    "name",
    "canonical_slug",
    "created",
    "context_length",
    "max_input_tokens",
    "max_output_tokens",
    "architecture",
    "pricing",
    "supported_parameters",
    "owned_by",
];

/// Entries on a page of the Anthropic route: default and maximum of the original API.
const ANTHROPIC_PAGE: usize = 20;
const ANTHROPIC_PAGE_MAX: usize = 1000;

/// For models whose age nobody tells.
const LONG_AGO: &str = "1970-01-01T00:00:00Z";

/// A model and who has it.
#[derive(Clone, Debug)]
pub(super) struct Entry<'l> {
    /// What callers call it: `provider/model`.
    pub(super) id: String,
    pub(super) provider: &'l str,
    pub(super) model: &'l Model,
}

impl Entry<'_> {
    /// Its name without the provider.
    pub(super) fn name(&self) -> &str {
        let behind = self.id.strip_prefix(self.provider).and_then(|rest| rest.strip_prefix('/'));
        behind.unwrap_or(&self.id)
    }

    /// What people call it.
    pub(super) fn display_name(&self) -> &str {
        self.text("display_name").or_else(|| self.text("name")).unwrap_or(&self.id)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.model.details.get(name).and_then(Value::as_str)
    }
}

/// Query of `GET /v1/models`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct BaseQuery {
    pub(crate) provider: Option<String>,
    page_size: Option<String>,
    page_token: Option<String>,
}

/// Query of `GET /anthropic/v1/models`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct AnthropicQuery {
    limit: Option<String>,
    before_id: Option<String>,
    after_id: Option<String>,
}

/// `GET /v1/models`.
pub(crate) fn base(listings: &[Arc<Listing>], query: &BaseQuery) -> Result<Value, Refusal> {
    let size = count("page_size", query.page_size.as_deref())?;
    let all = entries(listings);
    // The token is the last name of the page before, so pages stay put while lists change.
    let start =
        query.page_token.as_ref().map_or(0, |token| all.partition_point(|it| it.id <= *token));
    let rest = &all[start..];
    let page = &rest[..size.filter(|size| *size > 0).unwrap_or(rest.len()).min(rest.len())];
    let data: Vec<Value> = page.iter().map(base_entry).collect();
    let mut reply = json!({ "data": data, "key_statuses": key_statuses(listings) });
    if let (Some(last), true) = (page.last(), page.len() < rest.len()) {
        reply["next_page_token"] = json!(last.id);
    }
    reply["extra_fields"] = json!({ "request_type": "list_models" });
    Ok(reply)
}

/// `GET /openai/v1/models`.
pub(super) fn openai(all: &[Entry<'_>]) -> Value {
    json!({ "object": "list", "data": all.iter().map(openai_entry).collect::<Vec<Value>>() })
}

/// `GET /openai/v1/models/{model}`.
pub(super) fn openai_entry(entry: &Entry<'_>) -> Value {
    json!({
        "id": entry.id,
        "object": "model",
        "created": entry.model.details.get("created").and_then(Value::as_u64).unwrap_or(0),
        "owned_by": entry.text("owned_by").unwrap_or(entry.provider),
    })
}

/// `GET /anthropic/v1/models`.
pub(super) fn anthropic(all: &[Entry<'_>], query: &AnthropicQuery) -> Result<Value, Refusal> {
    let size = count("limit", query.limit.as_deref())?.unwrap_or(ANTHROPIC_PAGE);
    let size = size.clamp(1, ANTHROPIC_PAGE_MAX);
    let after = |id: &String| all.partition_point(|entry| entry.id <= *id);
    let before = |id: &String| all.partition_point(|entry| entry.id < *id);
    let (page, has_more) = match (&query.before_id, &query.after_id) {
        (Some(id), _) => {
            let rest = &all[..before(id)];
            (&rest[rest.len().saturating_sub(size)..], rest.len() > size)
        }
        (None, id) => {
            let rest = &all[id.as_ref().map_or(0, after)..];
            (&rest[..size.min(rest.len())], rest.len() > size)
        }
    };
    let data: Vec<Value> = page.iter().map(anthropic_entry).collect();
    Ok(json!({
        "data": data,
        "has_more": has_more,
        "first_id": page.first().map(|entry| &entry.id),
        "last_id": page.last().map(|entry| &entry.id),
    }))
}

/// Every model, sorted by its id.
pub(super) fn entries(listings: &[Arc<Listing>]) -> Vec<Entry<'_>> {
    let mut all: Vec<Entry<'_>> = Vec::new();
    for Listing { provider, models, .. } in listings.iter().map(Arc::as_ref) {
        let named = models.iter();
        all.extend(named.map(|(name, model)| Entry {
            id: format!("{provider}/{name}"),
            provider,
            model,
        }));
    }
    all.sort_by(|left, right| left.id.cmp(&right.id));
    all
}

fn base_entry(Entry { id, model, .. }: &Entry<'_>) -> Value {
    let mut entry = Map::new();
    entry.insert("id".to_owned(), json!(id));
    if let Some(alias_of) = &model.alias_of {
        entry.insert("alias".to_owned(), json!(alias_of));
    }
    if let Some(name) = model.details.get("display_name") {
        entry.insert("name".to_owned(), name.clone());
    }
    for name in DETAILS {
        if let Some(value) = model.details.get(name).filter(|value| !value.is_null()) {
            entry.insert(name.to_owned(), value.clone());
        }
    }
    Value::Object(entry)
}

/// `GET /anthropic/v1/models/{model}`.
pub(super) fn anthropic_entry(entry: &Entry<'_>) -> Value {
    let text = |name| entry.text(name);
    let created = entry.model.details.get("created").and_then(Value::as_u64).map(rfc3339);
    json!({
        "type": "model",
        "id": entry.id,
        "display_name": entry.display_name(),
        "lifecycle": text("lifecycle").unwrap_or("active"),
        "created_at": text("created_at").map(str::to_owned).or(created).unwrap_or(LONG_AGO.to_owned()),
    })
}

fn key_statuses(listings: &[Arc<Listing>]) -> Vec<Value> {
    let keys =
        listings.iter().flat_map(|listing| listing.keys.iter().map(move |key| (listing, key)));
    keys.map(|(listing, key)| {
        let mut status = json!({
            "key_id": key.key_id,
            "status": if key.error.is_none() { "success" } else { "list_models_failed" },
            "provider": listing.provider,
        });
        if let Some(error) = &key.error {
            status["error"] = json!({ "error": { "message": error } });
        }
        status
    })
    .collect()
}

/// A number of the query.
pub(super) fn count(name: &str, given: Option<&str>) -> Result<Option<usize>, Refusal> {
    let Some(text) = given.filter(|text| !text.is_empty()) else { return Ok(None) };
    match text.parse() {
        Ok(count) => Ok(Some(count)),
        Err(_) => Err(Refusal::BadRequest(format!("Invalid {name} parameter: must be a number"))),
    }
}

/// Seconds since the epoch as a date; the day count is Howard Hinnant's `civil_from_days`.
fn rfc3339(seconds: u64) -> String {
    const DAY_SECONDS: u64 = 86_400;
    let (days, rest) = (seconds / DAY_SECONDS, seconds % DAY_SECONDS);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}
