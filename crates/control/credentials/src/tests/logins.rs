//! Google, Azure, Databricks and GitHub.

use std::fs;

use config::{AzureApplication, AzureLogin, DatabricksLogin, GitHubApp, GoogleLogin, Url};
use serde_json::{Value, json};
use snapshot::{Login, Secret};

use super::harness::{NOW_SECONDS, PKCS1, PKCS8, Server, claims};
use crate::fetch;
use crate::grant::{Grant, Proof};

const TOKEN: &str = r#"{"access_token":"token-1","expires_in":3600,"token_type":"Bearer"}"#;

fn google(file: &Value) -> Login {
    Login::Google(GoogleLogin { credentials: Secret::new(file.to_string()) })
}

fn azure(application: Option<AzureApplication>) -> Login {
    let scopes = vec!["https://cognitiveservices.azure.com/.default".to_owned()];
    Login::Azure(AzureLogin { application, scopes })
}

fn service_account() -> Value {
    json!({
        "type": "service_account",
        "client_email": "a@p.iam.gserviceaccount.com",
        "private_key": PKCS8,
        "private_key_id": "kid-1",
        "token_uri": "https://tokens.example/token",
    })
}

fn line(grant: &Grant) -> &str {
    match &grant.proof {
        Proof::Line(line) => line.expose(),
        Proof::Aws(_) => panic!("not a token"),
    }
}

#[tokio::test]
async fn a_service_account_signs_its_claims() {
    let server = Server::start().await;
    server.answers("https://tokens.example/token", 200, TOKEN);
    let grant = fetch(&google(&service_account()), &server.world(&[])).await.unwrap();
    assert_eq!(line(&grant), "authorization: Bearer token-1\r\n");
    assert_eq!(grant.renew_in().unwrap().as_secs(), 3299);
    let asked = &server.asked()[0];
    assert_eq!(asked.field("grant_type"), "urn:ietf:params:oauth:grant-type:jwt-bearer");
    let expected = json!({
        "iss": "a@p.iam.gserviceaccount.com",
        "scope": "https://www.googleapis.com/auth/cloud-platform",
        "aud": "https://tokens.example/token",
        "iat": NOW_SECONDS,
        "exp": NOW_SECONDS + 3600,
    });
    assert_eq!(claims(&asked.field("assertion")), expected);
}

#[tokio::test]
async fn application_default_credentials_are_found_in_their_order() {
    let server = Server::start().await;
    let metadata = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token";
    server.answers(metadata, 200, r#"{"access_token":"machine","expires_in":3600}"#);
    server.answers("https://oauth2.googleapis.com/token", 200, TOKEN);
    let folder = tempfile::tempdir().unwrap();
    let user = json!({
        "type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r",
    });
    let path = folder.path().join("application_default_credentials.json");
    let folder = folder.path().to_str().unwrap();
    let login = Login::Google(GoogleLogin { credentials: Secret::default() });

    let grant = fetch(&login, &server.world(&[("CLOUDSDK_CONFIG", folder)])).await.unwrap();
    assert_eq!(line(&grant), "authorization: Bearer machine\r\n");
    assert_eq!(server.asked()[0].header("metadata-flavor"), "Google");

    fs::write(&path, user.to_string()).unwrap();
    let grant = fetch(&login, &server.world(&[("CLOUDSDK_CONFIG", folder)])).await.unwrap();
    assert_eq!(line(&grant), "authorization: Bearer token-1\r\n");
    let asked = &server.asked()[1];
    assert_eq!(
        (asked.field("grant_type"), asked.field("refresh_token")),
        ("refresh_token".into(), "r".into())
    );

    let named = [("GOOGLE_APPLICATION_CREDENTIALS", path.to_str().unwrap())];
    fetch(&login, &server.world(&named)).await.unwrap();
    assert_eq!(server.asked()[2].field("client_secret"), "s");

    let gone = [("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/file.json")];
    let error = fetch(&login, &server.world(&gone)).await.unwrap_err();
    assert!(error.contains("/nowhere/file.json"), "{error}");
}

#[tokio::test]
async fn a_workload_exchanges_another_partys_token() {
    let server = Server::start().await;
    server.answers("https://sts.example/v1/token", 200, TOKEN);
    server.answers("http://here.example/id", 200, r#"{"id_token":"subject-by-url"}"#);
    let impersonated = r#"{"accessToken":"other","expireTime":"2026-03-04T05:16:07Z"}"#;
    let account = "https://iam.example/v1/projects/-/serviceAccounts/b:generateAccessToken";
    server.answers(account, 200, impersonated);
    let mut file = json!({
        "type": "external_account",
        "audience": "//iam/pools/x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.example/v1/token",
        "credential_source": {
            "url": "http://here.example/id",
            "headers": {"x-flavor": "mine"},
            "format": {"type": "json", "subject_token_field_name": "id_token"},
        },
    });
    fetch(&google(&file), &server.world(&[])).await.unwrap();
    let asked = server.asked();
    assert_eq!(asked[0].header("x-flavor"), "mine");
    assert_eq!(asked[1].field("subject_token"), "subject-by-url");
    assert_eq!(asked[1].field("audience"), "//iam/pools/x");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    fs::write(&path, "subject-by-file\n").unwrap();
    file["credential_source"] = json!({ "file": path });
    file["service_account_impersonation_url"] = json!(account);
    let grant = fetch(&google(&file), &server.world(&[])).await.unwrap();
    assert_eq!(line(&grant), "authorization: Bearer other\r\n");
    // Ten minutes, and a fifth of that ahead.
    assert_eq!(grant.renew_in().unwrap().as_secs(), 479);
    let asked = server.asked();
    assert_eq!(asked[2].field("subject_token"), "subject-by-file");
    assert_eq!(asked[3].header("authorization"), "Bearer token-1");

    file["credential_source"] = json!({ "executable": {"command": "x"} });
    assert!(fetch(&google(&file), &server.world(&[])).await.is_err());
}

#[tokio::test]
async fn an_application_of_azure_shows_its_secret() {
    let server = Server::start().await;
    server.answers("https://login.microsoftonline.com/t/oauth2/v2.0/token", 200, TOKEN);
    let application = AzureApplication {
        tenant_id: "t".to_owned(),
        client_id: "c".to_owned(),
        client_secret: Secret::new("s+&"),
    };
    let grant = fetch(&azure(Some(application)), &server.world(&[])).await.unwrap();
    assert_eq!(line(&grant), "authorization: Bearer token-1\r\n");
    let asked = &server.asked()[0];
    assert_eq!(asked.field("client_secret"), "s+&");
    assert_eq!(asked.field("scope"), "https://cognitiveservices.azure.com/.default");
}

#[tokio::test]
async fn azures_own_order_is_environment_workload_machine() {
    let server = Server::start().await;
    server.answers("https://authority.example/t/oauth2/v2.0/token", 200, TOKEN);
    let metadata = "http://169.254.169.254/metadata/identity/oauth2/token";
    // This server writes its numbers as strings.
    server.answers(metadata, 200, r#"{"access_token":"machine","expires_in":"86400"}"#);
    server.answers("http://127.0.0.1:4/token", 200, TOKEN);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    fs::write(&path, "federated\n").unwrap();
    let authority = ("AZURE_AUTHORITY_HOST", "https://authority.example/");
    let (tenant, client) = (("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c"));
    let secret = ("AZURE_CLIENT_SECRET", "s");
    let workload = ("AZURE_FEDERATED_TOKEN_FILE", path.to_str().unwrap());
    let app_service = [("IDENTITY_ENDPOINT", "http://127.0.0.1:4/token"), ("IDENTITY_HEADER", "h")];

    fetch(&azure(None), &server.world(&[authority, tenant, client, secret, workload]))
        .await
        .unwrap();
    assert_eq!(server.asked()[0].field("client_secret"), "s");

    fetch(&azure(None), &server.world(&[authority, tenant, client, workload])).await.unwrap();
    assert_eq!(server.asked()[1].field("client_assertion"), "federated");

    fetch(&azure(None), &server.world(&app_service)).await.unwrap();
    let asked = server.asked();
    assert_eq!(asked[2].header("x-identity-header"), "h");
    assert!(asked[2].url.contains("resource=https%3A%2F%2Fcognitiveservices.azure.com&"));

    let grant = fetch(&azure(None), &server.world(&[client])).await.unwrap();
    assert_eq!(line(&grant), "authorization: Bearer machine\r\n");
    assert_eq!(grant.renew_in().unwrap().as_secs(), 86_099);
    let asked = server.asked();
    assert_eq!((asked[3].method.as_str(), asked[3].header("metadata")), ("GET", "true"));
    assert!(asked[3].url.contains("client_id=c"));
}

#[tokio::test]
async fn a_service_principal_logs_in_at_its_workspace() {
    let server = Server::start().await;
    server.answers("https://w.example/oidc/v1/token", 200, TOKEN);
    let login = Login::Databricks(DatabricksLogin {
        workspace_url: Url::parse("https://w.example").unwrap(),
        client_id: "c".to_owned(),
        client_secret: Secret::new("s"),
    });
    fetch(&login, &server.world(&[])).await.unwrap();
    let asked = &server.asked()[0];
    assert_eq!(asked.header("authorization"), "Basic Yzpz");
    assert_eq!(asked.field("scope"), "all-apis");
}

fn app(key: &str) -> GitHubApp {
    GitHubApp {
        app_id: "1".to_owned(),
        installation_id: "2".to_owned(),
        repository_id: 3,
        private_key: Secret::new(key),
        domain: None,
    }
}

#[tokio::test]
async fn a_github_app_fetches_a_copilot_token_in_two_steps() {
    let server = Server::start().await;
    let installation = "https://api.github.com/app/installations/2/access_tokens";
    server.answers(installation, 201, r#"{"token":"ghs_1","expires_at":"2026-03-04T06:06:07Z"}"#);
    let copilot = json!({ "token": "tid=1;exp=2", "expires_at": NOW_SECONDS + 1500 });
    server.answers("https://api.github.com/copilot_internal/v2/token", 200, copilot);
    for key in [PKCS1.to_owned(), PKCS8.replace('\n', "\\n")] {
        let grant = fetch(&Login::GitHubApp(app(&key)), &server.world(&[])).await.unwrap();
        assert_eq!(line(&grant), "authorization: Bearer tid=1;exp=2\r\n");
        assert_eq!(grant.renew_in().unwrap().as_secs(), 1199);
    }
    let asked = server.asked();
    let proof = asked[0].header("authorization").strip_prefix("Bearer ").unwrap();
    let expected = json!({ "iss": "1", "iat": NOW_SECONDS - 60, "exp": NOW_SECONDS + 480 });
    assert_eq!(claims(proof), expected);
    assert_eq!(asked[0].body, r#"{"repository_ids":[3]}"#);
    assert_eq!(asked[1].header("authorization"), "Bearer ghs_1");
}

#[tokio::test]
async fn at_an_enterprise_github_has_another_address() {
    let server = Server::start().await;
    let login =
        Login::GitHubApp(GitHubApp { domain: Some("corp.ghe.com".to_owned()), ..app(PKCS8) });
    assert!(fetch(&login, &server.world(&[])).await.is_err());
    let url = "https://api.corp.ghe.com/app/installations/2/access_tokens";
    assert_eq!(server.asked()[0].url, url);
}

#[tokio::test]
async fn a_refusal_says_why_and_no_secret() {
    let server = Server::start().await;
    let url = "https://tokens.example/token";
    for (status, body, expected) in [
        (
            400,
            r#"{"error":"invalid_grant","error_description":"Invalid JWT\r\nSignature."}"#,
            "tokens.example answered 400 Bad Request (invalid_grant: Invalid JWT  Signature.)",
        ),
        (
            403,
            r#"{"error":{"status":"PERMISSION_DENIED","message":"no"}}"#,
            "tokens.example answered 403 Forbidden (PERMISSION_DENIED: no)",
        ),
        (500, "sk-hidden", "tokens.example answered 500 Internal Server Error"),
        (200, "sk-hidden", "tokens.example: the answer is not JSON"),
        (200, r#"{"access_token":""}"#, "the token server's answer has no token that can be sent"),
        (
            200,
            r#"{"access_token":"sk-hidden\r\nx: y"}"#,
            "the token server's answer has no token that can be sent",
        ),
    ] {
        server.answers(url, status, body);
        let error = fetch(&google(&service_account()), &server.world(&[])).await.unwrap_err();
        assert_eq!(error, expected);
    }
    let mut file = service_account();
    file["private_key"] = json!("sk-hidden");
    let error = fetch(&google(&file), &server.world(&[])).await.unwrap_err();
    assert_eq!(error, "the private key is not a PEM of a private key");
}
