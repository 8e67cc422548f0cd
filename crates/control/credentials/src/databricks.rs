//! Databricks: a service principal's token from its workspace.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use config::DatabricksLogin;
use http::Method;
use http::header::AUTHORIZATION;

use crate::grant::Grant;
use crate::oauth::{post_form, request};
use crate::world::World;

/// Fetches a token.
pub(crate) async fn fetch(login: &DatabricksLogin, world: &World) -> Result<Grant, String> {
    let url = format!("{}/oidc/v1/token", login.workspace_url);
    let pair = format!("{}:{}", login.client_id, login.client_secret.expose());
    let request = request(Method::POST, &url)
        .header(AUTHORIZATION, format!("Basic {}", STANDARD.encode(pair)));
    let fields = [("grant_type", "client_credentials"), ("scope", "all-apis")];
    post_form(world, request, &fields).await
}
