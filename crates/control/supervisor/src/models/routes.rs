//! The routes under which SDKs look for models: all of them, or one by its name.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::reply::{self, Entry};
use super::sdk::{self, PageQuery};
use crate::refusal::{Manner, Refusal};
use crate::routes::Shared;

/// Header by which drop-in routes name the provider whose models are listed.
const PROVIDER_HEADER: &str = "x-bf-model-provider";

/// Every provider's.
const ALL: &str = "all";

/// Who asks, by the path of the list. One model's path is the list's with the name behind it.
const LISTS: &[(&str, Sdk)] = &[
    ("/openai/v1/models", Sdk::OpenAi),
    ("/openai/models", Sdk::OpenAi),
    ("/openai/openai/v1/models", Sdk::OpenAi),
    ("/openai/openai/models", Sdk::OpenAi),
    ("/cursor/v1/models", Sdk::OpenAi),
    ("/cursor/models", Sdk::OpenAi),
    ("/anthropic/v1/models", Sdk::Anthropic),
    ("/genai/v1beta/models", Sdk::GenAi),
    ("/genai/v1/models", Sdk::GenAi),
    ("/cohere/v1/models", Sdk::Cohere),
];

/// In whose shape the models are told.
#[derive(Clone, Copy, Debug)]
enum Sdk {
    OpenAi,
    Anthropic,
    GenAi,
    Cohere,
}

/// Every such route.
pub(crate) fn router() -> Router<Arc<Shared>> {
    LISTS.iter().fold(Router::new(), |router, (path, sdk)| {
        let list = move |state: State<Arc<Shared>>, headers: HeaderMap, uri: Uri| async move {
            sdk.answer(list(*sdk, &state, &headers, &uri).await)
        };
        let show = move |state: State<Arc<Shared>>, headers: HeaderMap, model: Path<String>| async move {
            sdk.answer(show(*sdk, &state, &headers, &model).await)
        };
        router.route(path, get(list)).route(&format!("{path}/{{*model}}"), get(show))
    })
}

async fn list(sdk: Sdk, shared: &Shared, headers: &HeaderMap, uri: &Uri) -> Result<Value, Refusal> {
    let listings = shared.models.list(&shared.current(), provider(headers)).await?;
    let all = reply::entries(&listings);
    match sdk {
        Sdk::OpenAi => Ok(reply::openai(&all)),
        Sdk::Anthropic => reply::anthropic(&all, &query(uri)?),
        Sdk::GenAi => sdk::genai(&all, &query(uri)?),
        Sdk::Cohere => sdk::cohere(&all, &query::<PageQuery>(uri)?),
    }
}

async fn show(
    sdk: Sdk,
    shared: &Shared,
    headers: &HeaderMap,
    model: &str,
) -> Result<Value, Refusal> {
    let listings = shared.models.list(&shared.current(), provider(headers)).await?;
    let all = reply::entries(&listings);
    let found = find(&all, model, sdk.own_provider());
    let found = found.ok_or_else(|| Refusal::ModelNotFound(model.to_owned()))?;
    // It is called as the caller calls it.
    let entry = Entry { id: model.to_owned(), ..found.clone() };
    Ok(match sdk {
        Sdk::OpenAi => reply::openai_entry(&entry),
        Sdk::Anthropic => reply::anthropic_entry(&entry),
        Sdk::GenAi => sdk::genai_entry(&entry),
        Sdk::Cohere => sdk::cohere_entry(&entry),
    })
}

/// The model of that name; of those that are called so without their provider the SDK's own first.
fn find<'e, 'l>(all: &'e [Entry<'l>], name: &str, own: &str) -> Option<&'e Entry<'l>> {
    let is_called = |entry: &&Entry<'_>| entry.name() == name;
    let exact = all.iter().find(|entry| entry.id == name);
    let of_own = || all.iter().filter(is_called).find(|entry| entry.provider == own);
    exact.or_else(of_own).or_else(|| all.iter().find(is_called))
}

fn provider(headers: &HeaderMap) -> Option<&str> {
    let named = headers.get(PROVIDER_HEADER)?.to_str().ok()?;
    (named != ALL).then_some(named)
}

fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Refusal> {
    Ok(Query::try_from_uri(uri)?.0)
}

impl Sdk {
    /// The provider whose models it names without one.
    fn own_provider(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::GenAi => "gemini",
            Self::Cohere => "cohere",
        }
    }

    fn answer(self, answer: Result<Value, Refusal>) -> Response {
        let manner = match self {
            Self::OpenAi | Self::Cohere => Manner::Product,
            Self::Anthropic => Manner::Anthropic,
            Self::GenAi => Manner::Google,
        };
        match answer {
            Ok(value) => Json(value).into_response(),
            Err(refusal) => refusal.told(manner),
        }
    }
}
