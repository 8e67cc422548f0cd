//! What becomes of a changed configuration.

use std::fs;
use std::sync::Arc;

use seam::Published;
use snapshot::Builder;

use super::harness::{Directory, Running, eventually, replace};
use crate::ConfigFile;
use crate::reload::Reloader;

const OPENAI: &str = r#"{"providers":{"openai":{"keys":[
    {"name":"main","value":"sk-1","models":["gpt-4o"],"weight":1}]}}}"#;

const MOCK: &str = r#"{"providers":{"mock":{}}}"#;

#[test]
fn a_good_file_is_put_in_force_on_request() {
    let running = Running::start(Some(MOCK));
    assert_eq!(running.providers(), ["mock"]);
    replace(&running.file, OPENAI);
    running.handle().reload();
    eventually("the new provider is published", || running.providers() == ["openai"]);
    eventually("the control plane knows it too", || {
        running.get("/v1/models").body.contains("openai/gpt-4o")
    });
}

#[test]
fn a_changed_file_is_noticed() {
    let running = Running::start(Some(MOCK));
    replace(&running.file, OPENAI);
    eventually("renamed over", || running.providers() == ["openai"]);
    fs::write(&running.file, MOCK).expect("writable");
    eventually("written in place", || running.providers() == ["mock"]);
}

#[test]
fn a_file_that_appears_is_noticed() {
    let running = Running::start(None);
    assert!(running.providers().contains(&"mock".to_owned()));
    replace(&running.file, OPENAI);
    eventually("the new provider is published", || running.providers() == ["openai"]);
}

#[test]
fn a_bad_file_changes_nothing_until_it_is_mended() {
    let directory = Directory::new();
    let path = directory.0.join("config.json");
    let file = ConfigFile { path, is_required: true, profile: None };
    fs::write(&file.path, MOCK).expect("a new file");
    let mut builder = Builder::new("control.sock".into());
    let first = file.load().expect("a good file");
    let published = Published::new(builder.build(&first.config));
    let mut reloader = Reloader::new(file.clone(), first, builder, published.clone());
    let before = published.load();

    for bad in ["", "{", r#"{"providers":{"openai":{"keys":[{"weigth":1}]}}}"#, BAD_ADMIN] {
        fs::write(&file.path, bad).expect("writable");
        reloader.reload();
        assert!(Arc::ptr_eq(&before, &published.load()), "{bad}");
        assert_eq!(reloader.watch().borrow().generation, 1);
    }
    fs::remove_file(&file.path).expect("there");
    reloader.reload();
    assert!(Arc::ptr_eq(&before, &published.load()), "a file that is gone");

    fs::write(&file.path, OPENAI).expect("writable");
    reloader.reload();
    assert!(published.load().upstream("openai").is_some());
    assert_eq!(reloader.watch().borrow().generation, 2);
}

const BAD_ADMIN: &str = r#"{"providers":{"mock":{}},"auth_config":{"is_enabled":"yes"}}"#;

#[test]
fn an_administrator_is_put_in_force_by_a_reload() {
    let running = Running::start(Some(MOCK));
    assert_eq!(running.get("/metrics").status, 200);
    let guarded = r#"{"providers":{"mock":{}},"auth_config":
        {"is_enabled":true,"admin_username":"root","admin_password":"secret"}}"#;
    replace(&running.file, guarded);
    running.handle().reload();
    eventually("the metrics are closed", || running.get("/metrics").status == 401);
    // "root:secret"
    let reply = running.get_with("/metrics", "authorization: Basic cm9vdDpzZWNyZXQ=");
    assert_eq!(reply.status, 200);
}
