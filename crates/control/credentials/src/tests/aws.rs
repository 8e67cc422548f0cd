//! AWS credentials. What AWS's packages find by themselves depends on the environment of the process,
//! so those tests run in a process of their own.

use std::process::Command;

use config::{AwsKeys, AwsLogin, AwsRole};
use snapshot::{Login, Secret};

use super::harness::Server;
use crate::fetch;
use crate::grant::{Grant, Proof};

fn login(fixed: Option<AwsKeys>, role: Option<AwsRole>) -> Login {
    Login::Aws(AwsLogin { service: "bedrock", region: "eu-west-1".to_owned(), fixed, role })
}

fn keys(session_token: Option<&str>) -> AwsKeys {
    AwsKeys {
        access_key: Secret::new("AKIDFIXED"),
        secret_key: Secret::new("fixed-secret"),
        session_token: session_token.map(Secret::new),
    }
}

fn role() -> AwsRole {
    AwsRole {
        arn: "arn:aws:iam::1:role/r".to_owned(),
        external_id: Some("stranger".to_owned()),
        session_name: "bifrost-session".to_owned(),
    }
}

/// Access key id and session token.
fn found(grant: &Grant) -> (String, Option<String>) {
    match &grant.proof {
        Proof::Aws(it) => (it.access_key_id().to_owned(), it.session_token().map(str::to_owned)),
        Proof::Line(_) => panic!("not of AWS"),
    }
}

fn assumed(action: &str) -> String {
    format!(
        r#"<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result>
        <AssumedRoleUser><AssumedRoleId>i</AssumedRoleId><Arn>arn:aws:sts::1:assumed-role/r/s</Arn></AssumedRoleUser>
        <Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
        <SessionToken>role-token</SessionToken><Expiration>2026-03-04T06:06:07Z</Expiration></Credentials>
        </{action}Result></{action}Response>"#
    )
}

#[tokio::test]
async fn fixed_keys_never_end() {
    let server = Server::start().await;
    let grant = fetch(&login(Some(keys(Some("t"))), None), &server.world(&[])).await.unwrap();
    assert_eq!(found(&grant), ("AKIDFIXED".to_owned(), Some("t".to_owned())));
    assert_eq!(grant.renew_in(), None);
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_role_is_assumed_with_what_its_owner_demands() {
    let server = Server::start().await;
    server.answers("https://sts.eu-west-1.amazonaws.com/", 200, assumed("AssumeRole"));
    let login = login(Some(keys(None)), Some(role()));
    let grant = fetch(&login, &server.world(&[])).await.unwrap();
    assert_eq!(found(&grant), ("ASIAROLE".to_owned(), Some("role-token".to_owned())));
    assert_eq!(grant.renew_in().unwrap().as_secs(), 3299);
    let asked = &server.asked()[0];
    assert!(asked.header("authorization").contains("Credential=AKIDFIXED/"));
    for (field, expected) in [
        ("Action", "AssumeRole"),
        ("RoleArn", "arn:aws:iam::1:role/r"),
        ("ExternalId", "stranger"),
        ("RoleSessionName", "bifrost-session"),
    ] {
        assert_eq!(asked.field(field), expected);
    }
}

#[tokio::test]
async fn a_role_that_is_refused_says_why() {
    let server = Server::start().await;
    let refusal = r#"<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>
        <Type>Sender</Type><Code>AccessDenied</Code><Message>not for you</Message></Error></ErrorResponse>"#;
    server.answers("https://sts.eu-west-1.amazonaws.com/", 403, refusal);
    let login = login(Some(keys(None)), Some(role()));
    let error = fetch(&login, &server.world(&[])).await.unwrap_err();
    assert!(error.contains("AccessDenied"), "{error}");
    // Whole answers and requests stay out of it.
    assert!(!error.contains("ErrorResponse") && !error.contains("secret"), "{error}");
}

#[test]
fn the_environment_is_searched_in_awss_own_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("token"), "web-identity").unwrap();
    let profile = "[default]\naws_access_key_id = AKIDDEFAULT\naws_secret_access_key = s\n\
                   [mine]\naws_access_key_id = AKIDMINE\naws_secret_access_key = s\n";
    std::fs::write(path("credentials"), profile).unwrap();
    let variables = [("AWS_ACCESS_KEY_ID", "AKIDENV"), ("AWS_SECRET_ACCESS_KEY", "s")];
    let file = path("credentials");
    let profile = [("AWS_SHARED_CREDENTIALS_FILE", file.as_str()), ("AWS_PROFILE", "mine")];
    let token = path("token");
    let web_identity = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.as_str()),
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/w"),
        ("AWS_ROLE_SESSION_NAME", "pod"),
    ];
    let container = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/container"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "pod-token"),
    ];
    for (ways, expected) in [
        (&[&variables[..], &profile, &web_identity, &container][..], "AKIDENV"),
        (&[&profile, &web_identity, &container], "AKIDMINE"),
        (&[&web_identity, &container], "ASIAROLE"),
        (&[&container], "ASIACONTAINER"),
        (&[], "ASIAMACHINE"),
    ] {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tests::aws::child", "--ignored", "--nocapture"])
            .env_clear()
            .env("HOME", folder.path())
            .envs(ways.iter().flat_map(|way| way.iter().copied()))
            .env("EXPECTED_ACCESS_KEY", expected)
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && printed.contains("1 passed"), "{expected}: {printed}");
    }
}

#[tokio::test]
#[ignore = "run by `the_environment_is_searched_in_awss_own_order`, each time in another environment"]
async fn child() {
    let server = Server::start().await;
    let role = assumed("AssumeRoleWithWebIdentity");
    server.answers("https://sts.eu-west-1.amazonaws.com/", 200, role);
    let temporary = |key: &str| {
        format!(
            r#"{{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"{key}","SecretAccessKey":"s","Token":"t",
            "Expiration":"2126-03-04T06:06:07Z","LastUpdated":"2026-03-04T05:06:07Z"}}"#
        )
    };
    server.answers("http://127.0.0.1:9/container", 200, temporary("ASIACONTAINER"));
    let machine = "http://169.254.169.254/latest";
    server.answers(&format!("{machine}/api/token"), 200, "imds-token");
    let role = format!("{machine}/meta-data/iam/security-credentials");
    server.answers(&format!("{role}/"), 200, "profile");
    server.answers(&format!("{role}-extended/"), 200, "profile");
    server.answers(&format!("{role}/profile"), 200, temporary("ASIAMACHINE"));
    server.answers(&format!("{role}-extended/profile"), 200, temporary("ASIAMACHINE"));
    let grant = fetch(&login(None, None), &server.world(&[])).await.unwrap();
    assert_eq!(
        found(&grant).0,
        std::env::var("EXPECTED_ACCESS_KEY").unwrap(),
        "{:#?}",
        server.asked()
    );
}
