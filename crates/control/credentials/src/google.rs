//! Google: a token by a credential file of any kind, or for the machine the gateway runs on.

use std::time::{Duration, SystemTime};

use aws_smithy_types::date_time::{DateTime, Format};
use config::GoogleLogin;
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::grant::Grant;
use crate::jwt;
use crate::oauth::{grant, post_form, request, send};
use crate::world::{World, read_file};

/// What tokens are asked for: everything the account may do on the platform.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// Where files without `token_uri` are exchanged.
const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";

/// The metadata server, unless `GCE_METADATA_HOST` says otherwise.
const METADATA_HOST: &str = "metadata.google.internal";

/// Claims last as long as Google allows.
const CLAIMS_SECONDS: u64 = 3600;

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// Fetches a token: by the file that is given, else by the application default credentials.
pub(crate) async fn fetch(login: &GoogleLogin, world: &World) -> Result<Grant, String> {
    if !login.credentials.is_empty() {
        return by_file(&parse(login.credentials.expose())?, world).await;
    }
    match default_file(world).await? {
        Some(file) => by_file(&parse(&file)?, world).await,
        None => by_metadata_server(world).await,
    }
}

/// The file that the environment names, else the one that Google's tools leave.
async fn default_file(world: &World) -> Result<Option<String>, String> {
    if let Some(path) = world.variable("GOOGLE_APPLICATION_CREDENTIALS") {
        return read_file(&path).await.map(Some);
    }
    let folder = world.variable("CLOUDSDK_CONFIG").or_else(|| {
        let home = world.variable("HOME")?;
        Some(format!("{home}/.config/gcloud"))
    });
    let Some(folder) = folder else { return Ok(None) };
    let path = format!("{folder}/application_default_credentials.json");
    Ok(read_file(&path).await.ok())
}

fn parse(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|_| "the credential file is not JSON".to_owned())
}

async fn by_file(file: &Value, world: &World) -> Result<Grant, String> {
    match file["type"].as_str().unwrap_or_default() {
        "service_account" => by_service_account(file, world).await,
        "authorized_user" => by_refresh_token(file, world).await,
        "external_account" => by_workload(file, world).await,
        "impersonated_service_account" => {
            let source = file.get("source_credentials").ok_or("`source_credentials` is missing")?;
            let own = Box::pin(by_file(source, world)).await?;
            impersonate(file, &own, world).await
        }
        other => Err(format!("credential files of type {other:?} are not known")),
    }
}

/// RFC 7523: claims signed by the account's key.
async fn by_service_account(file: &Value, world: &World) -> Result<Grant, String> {
    let url = file["token_uri"].as_str().unwrap_or(TOKEN_URL);
    let now = world.seconds();
    let claims = json!({
        "iss": text(file, "client_email")?,
        "scope": SCOPE,
        "aud": url,
        "iat": now,
        "exp": now + CLAIMS_SECONDS,
    });
    let key_id = file["private_key_id"].as_str();
    let assertion = jwt::sign(&claims, text(file, "private_key")?, key_id)?;
    let fields = [("grant_type", JWT_BEARER), ("assertion", assertion.as_str())];
    post_form(world, request(Method::POST, url), &fields).await
}

async fn by_refresh_token(file: &Value, world: &World) -> Result<Grant, String> {
    let url = file["token_uri"].as_str().unwrap_or(TOKEN_URL);
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", text(file, "client_id")?),
        ("client_secret", text(file, "client_secret")?),
        ("refresh_token", text(file, "refresh_token")?),
    ];
    post_form(world, request(Method::POST, url), &fields).await
}

/// Workload identity federation, RFC 8693: another party's token is exchanged for Google's.
async fn by_workload(file: &Value, world: &World) -> Result<Grant, String> {
    let subject = subject_token(&file["credential_source"], world).await?;
    let fields = [
        ("grant_type", TOKEN_EXCHANGE),
        ("audience", text(file, "audience")?),
        ("scope", SCOPE),
        ("requested_token_type", ACCESS_TOKEN),
        ("subject_token_type", text(file, "subject_token_type")?),
        ("subject_token", subject.as_str()),
    ];
    let own = post_form(world, request(Method::POST, text(file, "token_url")?), &fields).await?;
    if file["service_account_impersonation_url"].is_string() {
        return impersonate(file, &own, world).await;
    }
    Ok(own)
}

/// The other party's token: from a file, or from a server of the machine.
async fn subject_token(source: &Value, world: &World) -> Result<String, String> {
    if source["environment_id"].is_string() || source["executable"].is_object() {
        let why = "only `file` and `url` are known as `credential_source`";
        return Err(why.to_owned());
    }
    let text = match (source["file"].as_str(), source["url"].as_str()) {
        (Some(path), _) => read_file(path).await?,
        (None, Some(url)) => ask(url, &source["headers"], world).await?,
        (None, None) => return Err("`credential_source` names neither file nor URL".to_owned()),
    };
    let format = &source["format"];
    if format["type"] != "json" {
        return Ok(text.trim().to_owned());
    }
    let name = format["subject_token_field_name"].as_str().unwrap_or("access_token");
    let document = parse(&text)?;
    let token = document[name].as_str();
    token.map(str::to_owned).ok_or_else(|| format!("the subject token has no `{name}`"))
}

async fn ask(url: &str, headers: &Value, world: &World) -> Result<String, String> {
    let mut request = request(Method::GET, url);
    for (name, value) in headers.as_object().into_iter().flatten() {
        request = request.header(name, value.as_str().unwrap_or_default());
    }
    let request = request.body(bytes::Bytes::new());
    let request = request.map_err(|_| "`credential_source.url` is not valid".to_owned())?;
    let reply = world.web.send(request).await?;
    if !reply.status().is_success() {
        return Err(format!("`credential_source.url` answered {}", reply.status()));
    }
    Ok(String::from_utf8_lossy(reply.body()).into_owned())
}

/// A token of another account, by one's own.
async fn impersonate(file: &Value, own: &Grant, world: &World) -> Result<Grant, String> {
    let url = text(file, "service_account_impersonation_url")?;
    let mut body = json!({ "scope": [SCOPE], "lifetime": format!("{CLAIMS_SECONDS}s") });
    if file["delegates"].is_array() {
        body["delegates"] = file["delegates"].clone();
    }
    let request = request(Method::POST, url)
        .header(AUTHORIZATION, own.authorization())
        .header(CONTENT_TYPE, "application/json");
    let answer = send(world, request, body.to_string()).await?;
    let ends = answer["expireTime"].as_str().unwrap_or_default();
    Grant::bearer(answer["accessToken"].as_str().unwrap_or_default(), until(ends, world)?)
}

fn until(ends: &str, world: &World) -> Result<Duration, String> {
    let unreadable = |_| "the token's `expireTime` is not a date".to_owned();
    let ends = DateTime::from_str(ends, Format::DateTime).map_err(unreadable)?;
    let ends = SystemTime::try_from(ends).map_err(unreadable_time)?;
    Ok(ends.duration_since((world.wall)()).unwrap_or(Duration::ZERO))
}

fn unreadable_time<E>(_: E) -> String {
    "the token's `expireTime` is out of range".to_owned()
}

async fn by_metadata_server(world: &World) -> Result<Grant, String> {
    let host = world.variable("GCE_METADATA_HOST").unwrap_or_else(|| METADATA_HOST.to_owned());
    let url = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token");
    let request = request(Method::GET, &url).header("metadata-flavor", "Google");
    let answer = send(world, request, "").await;
    grant(&answer.map_err(|error| format!("no credential file was found, and {error}"))?)
}

fn text<'f>(file: &'f Value, name: &str) -> Result<&'f str, String> {
    file[name].as_str().ok_or_else(|| format!("the credential file has no `{name}`"))
}
