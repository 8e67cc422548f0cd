//! Microsoft Entra ID: an application's token, or one for the machine the gateway runs on.

use config::{AzureApplication, AzureLogin};
use http::Method;
use serde_json::Value;

use crate::grant::Grant;
use crate::oauth::{grant, post_form, request, send, with_query};
use crate::world::{World, read_file};

/// Where applications and workloads log in, unless `AZURE_AUTHORITY_HOST` says otherwise.
const AUTHORITY: &str = "https://login.microsoftonline.com";

/// The metadata server of Azure's machines, unless `AZURE_POD_IDENTITY_AUTHORITY_HOST` says otherwise.
const METADATA: &str = "http://169.254.169.254";

/// How a workload shows the token it was given.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Fetches a token: for the application that is named, else in the order of Azure's own libraries
/// for what the environment names, else for the machine.
pub(crate) async fn fetch(login: &AzureLogin, world: &World) -> Result<Grant, String> {
    let scope = login.scopes.join(" ");
    if let Some(application) = &login.application {
        return by_secret(application, &scope, world).await;
    }
    if let Some(application) = application_of_environment(world) {
        return by_secret(&application, &scope, world).await;
    }
    if let Some(path) = world.variable("AZURE_FEDERATED_TOKEN_FILE") {
        return by_workload(&path, &scope, world).await;
    }
    by_managed_identity(&scope, world).await
}

fn application_of_environment(world: &World) -> Option<AzureApplication> {
    Some(AzureApplication {
        tenant_id: world.variable("AZURE_TENANT_ID")?,
        client_id: world.variable("AZURE_CLIENT_ID")?,
        client_secret: snapshot::Secret::new(world.variable("AZURE_CLIENT_SECRET")?),
    })
}

async fn by_secret(
    application: &AzureApplication,
    scope: &str,
    world: &World,
) -> Result<Grant, String> {
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", application.client_id.as_str()),
        ("client_secret", application.client_secret.expose()),
        ("scope", scope),
    ];
    let url = token_url(&application.tenant_id, world);
    post_form(world, request(Method::POST, &url), &fields).await
}

async fn by_workload(path: &str, scope: &str, world: &World) -> Result<Grant, String> {
    let needed = |name| world.variable(name).ok_or_else(|| format!("{name} is not set"));
    let (tenant, client) = (needed("AZURE_TENANT_ID")?, needed("AZURE_CLIENT_ID")?);
    let assertion = read_file(path).await?;
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", client.as_str()),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", assertion.trim()),
        ("scope", scope),
    ];
    post_form(world, request(Method::POST, &token_url(&tenant, world)), &fields).await
}

async fn by_managed_identity(scope: &str, world: &World) -> Result<Grant, String> {
    // Machines are asked for a resource, which is a scope without its end.
    let resource = scope.strip_suffix("/.default").unwrap_or(scope);
    let client = world.variable("AZURE_CLIENT_ID");
    let mut fields = vec![("resource", resource)];
    fields.extend(client.as_deref().map(|client| ("client_id", client)));
    let answer: Value =
        match (world.variable("IDENTITY_ENDPOINT"), world.variable("IDENTITY_HEADER")) {
            (Some(endpoint), Some(header)) => {
                fields.push(("api-version", "2019-08-01"));
                let url = with_query(&endpoint, &fields);
                send(world, request(Method::GET, &url).header("x-identity-header", header), "")
                    .await?
            }
            _ => {
                fields.push(("api-version", "2018-02-01"));
                let host = world.variable("AZURE_POD_IDENTITY_AUTHORITY_HOST");
                let host = host.unwrap_or_else(|| METADATA.to_owned());
                let url = format!("{}/metadata/identity/oauth2/token", host.trim_end_matches('/'));
                let request = request(Method::GET, &with_query(&url, &fields));
                let answer = send(world, request.header("metadata", "true"), "").await;
                answer.map_err(|error| format!("no application is configured, and {error}"))?
            }
        };
    grant(&answer)
}

fn token_url(tenant: &str, world: &World) -> String {
    let authority = world.variable("AZURE_AUTHORITY_HOST").unwrap_or_else(|| AUTHORITY.to_owned());
    format!("{}/{tenant}/oauth2/v2.0/token", authority.trim_end_matches('/'))
}
