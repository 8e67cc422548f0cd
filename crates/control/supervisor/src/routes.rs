//! What the control plane answers. Inference never comes here, the built-in mock's excepted.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use telemetry::Telemetry;

use crate::admin::{self, Gate};
use crate::current::{Current, Watch};
use crate::landing;
use crate::mock;
use crate::models::{self, Models};
use crate::refusal::Refusal;

/// Largest body that is read into memory here; the data plane has its own limit for inference.
const BODY_BYTES_MAX: usize = 32 << 20;

/// A query, or why it cannot be read.
type Asked<T> = Result<Query<T>, QueryRejection>;

/// What handlers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) current: Watch,
    pub(crate) telemetry: Mutex<Telemetry>,
    pub(crate) models: Models,
    pub(crate) gate: Gate,
}

impl Shared {
    pub(crate) fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current.borrow())
    }
}

type SharedState = State<Arc<Shared>>;

/// Every route.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let administration = Router::new()
        .route("/metrics", get(metrics))
        .route("/api/version", get(version))
        .route("/api/{*rest}", axum::routing::any(not_found))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(Arc::clone(&shared), authorize));
    Router::new()
        .route("/", get(landing::page))
        .route("/robots.txt", get("User-agent: *\nAllow: /\n"))
        .route("/health", get(health))
        .route("/v1/models", get(base_models))
        .route("/mock/v1/models", get(mock::models))
        .route("/mock/v1/chat/completions", post(mock::chat_completions))
        .route("/mock/v1/audio/speech", post(mock::media::speech))
        .route("/mock/v1/audio/transcriptions", post(mock::media::transcription))
        .route("/mock/v1/images/generations", post(mock::media::drawing))
        .route("/mock/v1/images/edits", post(mock::media::changed_picture))
        .route("/mock/v1/images/variations", post(mock::media::changed_picture))
        .merge(models::router())
        .merge(administration)
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(shared)
}

/// Deny by default: whatever is administration passes here first.
async fn authorize(State(shared): SharedState, request: Request, next: Next) -> Response {
    let current = shared.current();
    let target = request.uri().path_and_query().map_or("", |target| target.as_str());
    let is_open = match &current.config.administrator {
        None => true,
        Some(_) if admin::is_whitelisted(target, &current.config.client.whitelisted_routes) => true,
        Some(administrator) => shared.gate.admits(request.headers(), administrator).await,
    };
    if is_open { next.run(request).await } else { Refusal::Unauthorized.into_response() }
}

async fn not_found(uri: Uri) -> Refusal {
    Refusal::RouteNotFound(uri.path().to_owned())
}

/// The router adds which methods the route takes.
async fn method_not_allowed(method: Method, uri: Uri) -> Refusal {
    Refusal::MethodNotAllowed(method, uri.path().to_owned())
}

async fn health(State(shared): SharedState) -> Json<Value> {
    let is_disabled = shared.current().config.client.disable_db_pings_in_health;
    let pings = if is_disabled { "disabled" } else { "ok" };
    Json(json!({ "status": "ok", "components": { "db_pings": pings } }))
}

async fn version() -> Json<&'static str> {
    Json(env!("CARGO_PKG_VERSION"))
}

async fn metrics(State(shared): SharedState) -> impl IntoResponse {
    let page = shared.telemetry.lock().unwrap_or_else(PoisonError::into_inner).render();
    ([(CONTENT_TYPE, telemetry::CONTENT_TYPE)], page)
}

async fn base_models(
    State(shared): SharedState,
    query: Asked<models::BaseQuery>,
) -> Result<Json<Value>, Refusal> {
    let Query(query) = query?;
    let listings = shared.models.list(&shared.current(), query.provider.as_deref()).await?;
    models::base(&listings, &query).map(Json)
}
