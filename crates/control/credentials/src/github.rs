//! GitHub Copilot by a GitHub App: the app proves itself, gets a token for its installation, and by
//! that one for Copilot.

use std::time::Duration;

use config::GitHubApp;
use http::Method;
use http::header::AUTHORIZATION;
use http::request::Builder;
use serde_json::{Value, json};

use crate::grant::Grant;
use crate::jwt;
use crate::oauth::{request, send};
use crate::world::World;

/// Claims date back a little, for clocks that disagree. GitHub allows ten minutes from there.
const CLAIMS_BACK_SECONDS: u64 = 60;
const CLAIMS_SECONDS: u64 = 480;

/// Version of GitHub's API.
const API_VERSION: &str = "2022-11-28";

/// Fetches a Copilot token.
pub(crate) async fn fetch(app: &GitHubApp, world: &World) -> Result<Grant, String> {
    let api = format!("https://api.{}", app.domain.as_deref().unwrap_or("github.com"));
    let claims = claims(app, world.seconds());
    let proof = jwt::sign(&claims, app.private_key.expose(), None)?;
    let url = format!("{api}/app/installations/{}/access_tokens", app.installation_id);
    let body = json!({ "repository_ids": [app.repository_id] }).to_string();
    let installation = send(world, to_github(Method::POST, &url, &proof), body).await?;
    let token = installation["token"].as_str().ok_or("GitHub's answer has no token")?;
    let url = format!("{api}/copilot_internal/v2/token");
    let copilot = send(world, to_github(Method::GET, &url, token), "").await?;
    let lifetime = lifetime(&copilot, world.seconds());
    Grant::bearer(copilot["token"].as_str().unwrap_or_default(), lifetime)
}

fn claims(app: &GitHubApp, now: u64) -> Value {
    let issued = now.saturating_sub(CLAIMS_BACK_SECONDS);
    json!({ "iss": app.app_id, "iat": issued, "exp": now + CLAIMS_SECONDS })
}

fn to_github(method: Method, url: &str, token: &str) -> Builder {
    request(method, url)
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .header("x-github-api-version", API_VERSION)
}

/// Copilot says when its tokens end, by the clock.
fn lifetime(copilot: &Value, now: u64) -> Duration {
    let ends = copilot["expires_at"].as_u64().unwrap_or_default();
    Duration::from_secs(ends.saturating_sub(now))
}
