//! Signatures of AWS, held against botocore's own for the same requests (`fixtures/signatures.py`).

use aws_credential_types::Credentials;
use serde_json::Value;
use snapshot::Unsigned;

use super::harness::now;
use crate::sigv4::{Scope, sign};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

#[test]
fn signatures_are_the_same_as_botocores() {
    let cases: Value =
        serde_json::from_str(include_str!("../../fixtures/signatures.json")).unwrap();
    let cases = cases.as_array().unwrap();
    assert_eq!(cases.len(), 10);
    for case in cases {
        let text = |name: &str| case[name].as_str().unwrap();
        let token = case["token"].as_str();
        let access_key = if token.is_some() { "ASIAEXAMPLE" } else { "AKIDEXAMPLE" };
        let credentials =
            Credentials::new(access_key, SECRET, token.map(str::to_owned), None, "test");
        let json = [("content-type", "application/json")];
        let unsigned = Unsigned {
            method: text("method"),
            authority: text("host"),
            path: text("path"),
            headers: if text("method") == "POST" { &json } else { &[] },
            body: text("body").as_bytes(),
        };
        let scope = Scope { service: text("service"), region: text("region") };
        let mut lines = Vec::new();
        sign(&unsigned, &credentials, scope, now(), &mut lines).unwrap();
        let lines = String::from_utf8(lines).unwrap();
        let line = |name: &str| {
            let mut named = lines.split_terminator("\r\n").filter_map(|line| line.split_once(": "));
            named.find(|(found, _)| *found == name).map(|(_, value)| value)
        };
        assert_eq!(line("x-amz-date"), Some(text("date")), "{case}");
        assert_eq!(line("x-amz-security-token"), token, "{case}");
        assert_eq!(line("authorization"), Some(text("authorization")), "{case}");
    }
}
