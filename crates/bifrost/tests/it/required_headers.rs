//! `client.required_headers`, with and without values.

use crate::harness::{Directory, Gateway, Reply};

const ASK: &str = r#"{"model":"mock/gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}"#;

fn start(required: &str) -> (Directory, Gateway) {
    let directory = Directory::new();
    let config =
        format!(r#"{{"providers":{{"mock":{{}}}},"client":{{"required_headers":{required}}}}}"#);
    directory.write("config.json", &config);
    let variables = [("TOKEN", "token-of-the-environment")];
    let gateway = Gateway::start_in(&directory, &["-port", "0"], &variables);
    (directory, gateway)
}

fn message(reply: &Reply) -> String {
    assert_eq!(reply.status, 400, "{reply:?}");
    let error = reply.json();
    assert_eq!(error["type"], "missing_required_headers");
    error["error"]["message"].as_str().expect("a message").to_owned()
}

#[test]
fn a_value_that_is_asked_for_must_be_exactly_it() {
    let (_directory, gateway) =
        start(r#"["X-Tenant", "X-Token=secret=1", "X-Empty=", "X-From=env.TOKEN"]"#);
    let good = "x-tenant: any\r\nX-TOKEN: secret=1\r\nx-empty:\r\n\
                x-from: token-of-the-environment\r\n";
    assert_eq!(gateway.chat_with(ASK, good).status, 200);
    let missing = message(&gateway.chat(ASK));
    assert_eq!(missing, "missing required headers: x-tenant, x-token, x-empty, x-from");
    for (right, wrong, name) in [
        ("secret=1", "SECRET=1", "x-token"),
        ("x-empty:", "x-empty: x", "x-empty"),
        ("token-of-the-environment", "env.TOKEN", "x-from"),
    ] {
        let refused = message(&gateway.chat_with(ASK, &good.replace(right, wrong)));
        assert_eq!(refused, format!("invalid required header value: {name}"));
    }
    assert!(!gateway.log().contains("secret") && !gateway.log().contains("of-the-environment"));
}

#[test]
fn a_value_nobody_knows_refuses_everyone_and_is_warned_of() {
    let (_directory, gateway) = start(r#"["X-Token=env.UNSET"]"#);
    assert!(gateway.banner.contains("client.required_headers[0]"), "{}", gateway.banner);
    for value in ["", "env.UNSET", "UNSET", "null"] {
        let refused = message(&gateway.chat_with(ASK, &format!("x-token: {value}\r\n")));
        assert_eq!(refused, "invalid required header value: x-token");
    }
}
