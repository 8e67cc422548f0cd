//! What is not inference, through the same port as everything else.

use serde_json::json;

use crate::harness::{Directory, Gateway};

#[test]
fn a_known_route_with_another_method_says_which_it_takes() {
    let directory = Directory::new();
    let gateway = Gateway::start(&directory);
    for path in ["/health", "/v1/models", "/metrics", "/"] {
        let reply = gateway.exchange(&request("DELETE", path));
        assert_eq!(reply.status, 405, "{path}");
        assert!(reply.head.contains("\r\nallow: get,head"), "{}", reply.head);
        assert_eq!(reply.json()["extra_fields"], json!({ "routing_info": {} }));
    }
    assert_eq!(gateway.exchange(&request("DELETE", "/nothing")).status, 404);
}

#[test]
fn a_head_is_answered_without_a_body_and_the_connection_goes_on() {
    let directory = Directory::new();
    let gateway = Gateway::start(&directory);
    for path in ["/health", "/v1/models", "/openai/v1/models", "/anthropic/v1/models", "/"] {
        let first = format!("HEAD {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        let reply = gateway.exchange(&(first + &request("GET", "/health")));
        assert_eq!(reply.status, 200, "{path}");
        // Nothing between the head and the reply that follows on the same connection.
        assert!(reply.body.starts_with("HTTP/1.1 200"), "{path}: {}", reply.body);
        assert!(reply.body.ends_with('}'), "{path}: {}", reply.body);
    }
}

#[test]
fn metrics_name_the_routes_of_the_control_plane_and_nothing_callers_make_up() {
    let directory = Directory::new();
    let gateway = Gateway::start(&directory);
    let routes = [
        ("/", 200),
        ("/anthropic/v1/models", 200),
        ("/api/version", 200),
        ("/health", 200),
        ("/metrics", 200),
        ("/openai/models", 200),
        ("/openai/openai/models", 200),
        ("/openai/openai/v1/models", 200),
        ("/openai/v1/models", 200),
        ("/robots.txt", 200),
        ("/v1/models", 200),
        ("/made-up", 404),
    ];
    for (path, status) in routes {
        assert_eq!(gateway.get(&format!("{path}?page_size=1")).status, status, "{path}");
    }
    let page = gateway.get("/metrics").body;
    for (path, status) in routes {
        let label = if status == 404 { "other" } else { path };
        let counted =
            format!("http_requests_total{{path=\"{label}\",method=\"GET\",status=\"{status}\"}} 1");
        assert!(page.contains(&counted), "{counted} in {page}");
    }
    assert!(!page.contains("made-up"), "{page}");
}

#[test]
fn an_administrator_in_the_configuration_closes_the_metrics_alone() {
    let directory = Directory::new();
    directory.write(
        "config.json",
        r#"{"providers":{"mock":{}},"auth_config":
            {"is_enabled":true,"admin_username":"root","admin_password":"env.PASSWORD"}}"#,
    );
    let gateway =
        Gateway::start_in(&directory, &["-port", "0"], &[("PASSWORD", "administrators-secret")]);
    assert!(!gateway.banner.contains("auth_config"), "{}", gateway.banner);
    let refused = gateway.get("/metrics");
    assert_eq!(refused.status, 401);
    assert!(refused.head.contains("www-authenticate: basic"), "{}", refused.head);
    assert_eq!(refused.json()["extra_fields"], json!({ "routing_info": {} }));
    // "root:administrators-secret"
    let credentials = "authorization: Basic cm9vdDphZG1pbmlzdHJhdG9ycy1zZWNyZXQ=\r\n";
    let admitted = request("GET", "/metrics").replacen("\r\n", &format!("\r\n{credentials}"), 1);
    assert_eq!(gateway.exchange(&admitted).status, 200);
    assert_eq!(gateway.get("/health").status, 200);
    let ask = r#"{"model":"mock/gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}"#;
    assert_eq!(gateway.chat(ask).status, 200);
    assert!(!gateway.banner.contains("secret") && !gateway.log().contains("secret"));
}

#[test]
fn an_administrator_without_a_password_is_warned_of_and_stays_out() {
    let directory = Directory::new();
    directory.write(
        "config.json",
        r#"{"providers":{"mock":{}},"auth_config":
            {"is_enabled":true,"admin_username":"root","admin_password":"env.UNSET"}}"#,
    );
    let gateway = Gateway::start(&directory);
    assert!(gateway.banner.contains("nobody can administer"), "{}", gateway.banner);
    assert_eq!(gateway.get("/metrics").status, 401);
}

fn request(method: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
}
