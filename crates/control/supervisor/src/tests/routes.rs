//! Every route, as the data plane relays it.

use std::sync::atomic::Ordering;

use seam::Event;
use serde_json::{Value, json};

use super::harness::{FakeProvider, Reply, Running};

#[test]
fn health_is_ok_with_and_without_pings() {
    let reply = Running::start(Some("{}")).get("/health");
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json(), json!({ "status": "ok", "components": { "db_pings": "ok" } }));
    let reply =
        Running::start(Some(r#"{"client":{"disable_db_pings_in_health":true}}"#)).get("/health");
    assert_eq!(reply.json()["components"]["db_pings"], "disabled");
}

#[test]
fn small_pages_are_there() {
    let running = Running::start(None);
    assert_eq!(running.get("/robots.txt").body, "User-agent: *\nAllow: /\n");
    assert_eq!(running.get("/api/version").json(), env!("CARGO_PKG_VERSION"));
    let page = running.get("/");
    assert!(page.head.contains("text/html"));
    assert!(page.body.contains("/v1/chat/completions"));
}

#[test]
fn what_is_not_there_is_named_in_the_error() {
    let running = Running::start(None);
    for path in ["/nothing", "/api/providers", "/v1/unknown"] {
        let reply = running.get(&format!("{path}?query=1"));
        assert_eq!(reply.status, 404);
        let error = reply.json();
        assert_eq!(error["error"]["message"], format!("Route not found: {path}"));
        assert_eq!(error["is_bifrost_error"], false);
        assert_eq!(error["status_code"], 404);
        assert_eq!(error["extra_fields"], json!({ "routing_info": {} }));
    }
}

#[test]
fn a_route_says_which_methods_it_takes() {
    let running = Running::start(None);
    for path in ["/", "/health", "/metrics", "/v1/models", "/anthropic/v1/models", "/api/version"] {
        let reply = running.post(&format!("{path}?query=1"), "{}");
        assert_eq!(reply.status, 405, "{path}");
        assert!(reply.head.contains("\r\nallow: get,head\r\n"), "{}", reply.head);
        let error = reply.json();
        assert_eq!(error["error"]["message"], format!("Method not allowed: POST {path}"));
        assert_eq!(error["extra_fields"], json!({ "routing_info": {} }));
    }
    let reply = running.get("/mock/v1/chat/completions");
    assert_eq!(reply.status, 405);
    assert!(reply.head.contains("\r\nallow: post\r\n"), "{}", reply.head);
}

#[test]
fn what_can_be_got_has_a_head_too() {
    let running = Running::start(None);
    for path in ["/", "/health", "/metrics", "/v1/models", "/openai/v1/models", "/robots.txt"] {
        let (whole, head) = (running.get(path), running.head(path));
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        let content_type = |reply: &Reply| {
            reply.head.lines().find(|line| line.starts_with("content-type")).map(str::to_owned)
        };
        assert_eq!(content_type(&head), content_type(&whole), "{path}");
    }
    assert_eq!(running.head("/nothing").status, 404);
}

#[test]
fn metrics_show_what_the_workers_report() {
    let running = Running::start(None);
    let event = Event {
        method: "POST",
        route: "/v1/chat/completions",
        status: 200,
        request_bytes: 1,
        response_bytes: 1,
        total_us: 1,
        inference: None,
    };
    assert!(running.seam.events[0].push(event));
    running.seam.stats[0].connections_open.store(3, Ordering::Relaxed);
    let reply = running.get("/metrics");
    assert!(reply.head.contains("content-type: text/plain; version=0.0.4"));
    let counted =
        r#"http_requests_total{path="/v1/chat/completions",method="POST",status="200"} 1"#;
    assert!(reply.body.contains(counted));
    assert!(reply.body.contains("bifrost_worker_connections_open{worker=\"0\"} 3"));
}

#[test]
fn administration_is_closed_once_an_administrator_is_switched_on() {
    let running = Running::start(Some(
        r#"{"auth_config":{"is_enabled":true,"admin_username":"root","admin_password":"secret"},
            "client":{"whitelisted_routes":["/api/version"]}}"#,
    ));
    for path in ["/metrics", "/api/providers", "/api/version?x"] {
        let reply = running.get(path);
        assert_eq!(reply.status, 401, "{path}");
        let error = reply.json();
        assert_eq!(error["error"]["message"], "Unauthorized");
        assert_eq!(error["extra_fields"], json!({ "routing_info": {} }));
        assert!(reply.head.contains("www-authenticate: basic"));
        // "root:wrong"
        let reply = running.get_with(path, "authorization: Basic cm9vdDp3cm9uZw==");
        assert_eq!(reply.status, 401, "{path}");
    }
    for path in ["/health", "/api/version", "/v1/models", "/"] {
        assert_eq!(running.get(path).status, 200, "{path}");
    }
    // "root:secret"
    let reply = running.get_with("/metrics", "authorization: Basic cm9vdDpzZWNyZXQ=");
    assert_eq!(reply.status, 200);
}

#[test]
fn an_administrator_that_nobody_can_be_leaves_administration_closed() {
    let running = Running::start(Some(
        r#"{"governance":{"auth_config":{"is_enabled":true,"admin_username":"root",
            "admin_password":"env.SUPERVISOR_TEST_UNSET"}}}"#,
    ));
    assert_eq!(running.get("/metrics").status, 401);
    // "root:"
    let reply = running.get_with("/metrics", "authorization: Basic cm9vdDo=");
    assert_eq!(reply.status, 401);
    assert_eq!(running.post("/metrics", "").status, 401, "closed comes before which methods");
    assert_eq!(running.get("/health").status, 200);
}

#[test]
fn the_mock_answers_and_is_listed() {
    let running = Running::start(None);
    let body = r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}"#;
    let reply = running.post("/mock/v1/chat/completions", body);
    assert_eq!(reply.json()["object"], "chat.completion");
    let models = running.get("/v1/models?provider=mock").json();
    assert!(ids(&models).contains(&"mock/gpt-4o-mini".to_owned()), "{models}");
}

#[test]
fn lists_come_from_allow_lists_aliases_and_the_provider() {
    let fake = FakeProvider::start(
        r#"{"data":[{"id":"m-1","created":5,"owned_by":"us","secret":1},{"id":"m-2"},{"id":"m-3"}]}"#,
    );
    let running = Running::start(Some(&provider(
        &fake,
        "openai",
        r#"{"id":"all","name":"all","value":"good","models":["*"],"blacklisted_models":["m-3"],"weight":1},
           {"id":"some","name":"some","value":"unused","models":["m-9","short"],"weight":1,
            "aliases":{"short":"a-long-name"}},
           {"id":"bad","name":"bad","value":"wrong","models":["*"],"weight":1}"#,
    )));
    let reply = running.get("/v1/models").json();
    assert_eq!(ids(&reply), ["openai/m-1", "openai/m-2", "openai/m-9", "openai/short"]);
    let first = json!({ "id": "openai/m-1", "created": 5, "owned_by": "us" });
    assert_eq!(reply["data"][0], first);
    assert_eq!(reply["data"][3]["alias"], "a-long-name");
    let keys: Vec<(&str, &str)> = array(&reply["key_statuses"])
        .iter()
        .map(|key| (key["key_id"].as_str().unwrap_or(""), key["status"].as_str().unwrap_or("")))
        .collect();
    assert_eq!(keys, [("all", "success"), ("some", "success"), ("bad", "list_models_failed")]);
    assert!(!reply.to_string().contains("wrong"), "no key value in errors");
    assert_eq!(fake.asked.load(Ordering::SeqCst), 2);

    running.get("/v1/models");
    assert_eq!(fake.asked.load(Ordering::SeqCst), 2, "lists are kept for a while");
}

#[test]
fn long_lists_come_in_pages() {
    let fake = FakeProvider::start(r#"{"data":[{"id":"c"},{"id":"a"},{"id":"b"}]}"#);
    let running = Running::start(Some(&provider(&fake, "openai", KEY)));
    let first = running.get("/v1/models?page_size=2").json();
    assert_eq!(ids(&first), ["openai/a", "openai/b"]);
    let token = first["next_page_token"].as_str().expect("there is more").replace('/', "%2F");
    let second = running.get(&format!("/v1/models?page_size=2&page_token={token}")).json();
    assert_eq!(ids(&second), ["openai/c"]);
    assert!(second.get("next_page_token").is_none());
    for bad in ["page_size=x", "page_token=a&page_token=b"] {
        let reply = running.get(&format!("/v1/models?{bad}"));
        assert_eq!(reply.status, 400, "{bad}");
        assert_eq!(reply.json()["extra_fields"], json!({ "routing_info": {} }));
    }
}

#[test]
fn drop_in_routes_list_in_the_shape_of_their_sdk() {
    let fake = FakeProvider::start(
        r#"{"data":[{"id":"claude-x","display_name":"Claude X","created_at":"2025-02-19T00:00:00Z"},
                    {"id":"claude-y","created":1735689600}]}"#,
    );
    let running = Running::start(Some(&provider(&fake, "anthropic", KEY)));
    for path in ["/openai/v1/models", "/openai/models", "/openai/openai/v1/models"] {
        let reply = running.get(path).json();
        assert_eq!(reply["object"], "list");
        let expected = json!({
            "id": "anthropic/claude-y", "object": "model", "created": 1_735_689_600,
            "owned_by": "anthropic",
        });
        assert_eq!(reply["data"][1], expected);
    }
    let reply = running.get("/anthropic/v1/models?limit=1").json();
    let expected = json!({
        "type": "model", "id": "anthropic/claude-x", "display_name": "Claude X", "lifecycle": "active",
        "created_at": "2025-02-19T00:00:00Z",
    });
    assert_eq!(reply["data"], json!([expected]));
    assert_eq!(reply["has_more"], true);
    let last = reply["last_id"].as_str().expect("an id");
    let reply = running.get(&format!("/anthropic/v1/models?after_id={last}")).json();
    assert_eq!(reply["data"][0]["created_at"], "2025-01-01T00:00:00Z");
    assert_eq!(reply["has_more"], false);
    let reply = running.get("/anthropic/v1/models?limit=1&before_id=anthropic/claude-y").json();
    assert_eq!(reply["first_id"], "anthropic/claude-x");
}

#[test]
fn drop_in_routes_list_the_provider_named_in_the_header() {
    let running = Running::start(None);
    let reply = running.get_with("/openai/v1/models", "x-bf-model-provider: mock");
    assert!(ids(&reply.json()).iter().all(|id| id.starts_with("mock/")));
    let reply = running.get_with("/openai/v1/models", "x-bf-model-provider: nobody");
    assert_eq!(reply.status, 400);
    assert_eq!(running.get("/v1/models?provider=nobody").status, 400);
}

const KEY: &str = r#"{"name":"k","value":"good","models":["*"],"weight":1}"#;

fn provider(fake: &FakeProvider, name: &str, keys: &str) -> String {
    let address = fake.address;
    format!(
        r#"{{"providers":{{"{name}":{{"keys":[{keys}],
            "network_config":{{"base_url":"http://{address}"}}}}}}}}"#
    )
}

fn ids(reply: &Value) -> Vec<String> {
    let ids = array(&reply["data"]).iter().map(|model| model["id"].as_str().expect("an id"));
    ids.map(str::to_owned).collect()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
