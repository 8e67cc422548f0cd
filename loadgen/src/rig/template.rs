//! Request bytes, rendered once per target.

use serde_json::json;

use super::error::RigError;
use super::number::{MARK, NUMBER_DIGITS, NUMBER_TEXT, write_digits};
use super::roles::Shape;
use super::text::{filler, fitted};

/// Request bytes: head and JSON body, rendered once per target; a slot of fixed width in the body
/// takes the request's number.
#[derive(Clone, Debug)]
pub(crate) struct RequestTemplate {
    bytes: Vec<u8>,
    number_at: usize,
    body_bytes: usize,
    is_stream: bool,
}

/// What an SDK sends beside its own headers; a header of the caller replaces that of its name.
const HEADERS: [(&str, &str); 5] = [
    ("Accept", "application/json"),
    ("Content-Type", "application/json"),
    ("User-Agent", "OpenAI/Python 2.8.1"),
    ("Authorization", "Bearer sk-loadgen"),
    ("Accept-Encoding", "identity"),
];

impl RequestTemplate {
    /// A `POST` of one user message; for a path that ends in `/messages` in Anthropic's format,
    /// for all others in OpenAI's. `body_bytes` is the size of the JSON body; where it is too
    /// small for a valid one, the smallest that is valid is made (`body_bytes()`).
    ///
    /// # Errors
    ///
    /// A path or header that would break the request's head.
    pub(crate) fn chat(
        host: &str,
        path: &str,
        headers: &[(String, String)],
        model: &str,
        body_bytes: usize,
        is_stream: bool,
    ) -> Result<Self, RigError> {
        let body = fitted(body_bytes, |filler_bytes| body(path, model, filler_bytes, is_stream));
        let mut bytes = head(host, path, headers, body.len())?;
        let number_at = bytes.len() + mark_in(&body)?;
        bytes.extend_from_slice(body.as_bytes());
        Ok(Self { bytes, number_at, body_bytes: body.len(), is_stream })
    }

    /// Size of the JSON body.
    pub(crate) fn body_bytes(&self) -> usize {
        self.body_bytes
    }

    /// Whether a stream is asked for.
    pub(crate) fn is_stream(&self) -> bool {
        self.is_stream
    }

    /// The whole request under this number.
    #[inline]
    pub(crate) fn numbered(&mut self, number: u64) -> &[u8] {
        write_digits(&mut self.bytes[self.number_at..self.number_at + NUMBER_DIGITS], number);
        &self.bytes
    }
}

fn body(path: &str, model: &str, filler_bytes: usize, is_stream: bool) -> String {
    let text = format!("{NUMBER_TEXT}{}", filler(filler_bytes));
    let mut body = json!({"model": model});
    if is_stream {
        body["stream"] = json!(true);
    }
    if Shape::of_path(path.as_bytes()) == Shape::Messages {
        // Anthropic refuses a request without it.
        body["max_tokens"] = json!(1024);
    }
    body["messages"] = json!([{"role": "user", "content": text}]);
    body.to_string()
}

fn head(
    host: &str,
    path: &str,
    headers: &[(String, String)],
    body_bytes: usize,
) -> Result<Vec<u8>, RigError> {
    if !path.starts_with('/') || path.bytes().any(|byte| !byte.is_ascii_graphic()) {
        let problem = format!("the path {path:?} must begin with / and hold no space");
        return Err(RigError::Plan(problem));
    }
    let mut head = format!("POST {path} HTTP/1.1\r\n");
    if let Some((name, _)) = headers.iter().find(|(name, _)| is_framing(name)) {
        return Err(RigError::Plan(format!(
            "header {name} is the rig's own to send: leave it out"
        )));
    }
    let is_given = |name: &str| headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
    let length = body_bytes.to_string();
    let own = [("Host", host)].into_iter().chain(HEADERS).filter(|(name, _)| !is_given(name));
    let given = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in own.chain(given).chain([("Content-Length", length.as_str())]) {
        check_header(name, value)?;
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.push_str("\r\n");
    Ok(head.into_bytes())
}

fn is_framing(name: &str) -> bool {
    ["Content-Length", "Transfer-Encoding", "Connection"]
        .iter()
        .any(|framing| framing.eq_ignore_ascii_case(name))
}

fn check_header(name: &str, value: &str) -> Result<(), RigError> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_name) {
        return Err(RigError::Plan(format!("{name:?} cannot be the name of a header")));
    }
    if value.is_empty() || value.bytes().any(|byte| byte.is_ascii_control()) {
        let problem = format!("the value of header {name} is empty or holds control characters");
        return Err(RigError::Plan(problem));
    }
    Ok(())
}

fn mark_in(body: &str) -> Result<usize, RigError> {
    // A model whose name contains the mark would draw the number to itself.
    let problem = || RigError::Plan(format!("{MARK:?} may not be part of a model's name"));
    let mut marks = body.match_indices(MARK).map(|(at, _)| at + MARK.len());
    match (marks.next(), marks.next()) {
        (Some(at), None) => Ok(at),
        _ => Err(problem()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::number::find_number;
    use super::*;

    fn chat(headers: &[(&str, &str)], body_bytes: usize) -> Result<RequestTemplate, RigError> {
        let owned = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
        let headers: Vec<_> = headers.iter().map(owned).collect();
        RequestTemplate::chat("h:1", "/v1/chat/completions", &headers, "gpt", body_bytes, true)
    }

    fn text(template: &mut RequestTemplate) -> String {
        String::from_utf8(template.numbered(7).to_vec()).unwrap()
    }

    #[test]
    fn the_body_has_the_wanted_size_and_number() {
        for wanted in [200, 1000, 100_000] {
            let mut template = chat(&[], wanted).unwrap();
            let text = text(&mut template);
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert_eq!(body.len(), wanted);
            assert!(head.ends_with(&format!("Content-Length: {wanted}")), "{head}");
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!((&body["model"], &body["stream"]), (&json!("gpt"), &json!(true)));
            assert_eq!(find_number(text.as_bytes()), Some(7));
        }
    }

    #[test]
    fn a_given_header_replaces_the_usual_one() {
        let text = text(&mut chat(&[("authorization", "Bearer mine"), ("x-a", "b")], 1).unwrap());
        assert_eq!(text.to_lowercase().matches("authorization").count(), 1, "{text}");
        assert!(text.contains("authorization: Bearer mine\r\nx-a: b\r\n"), "{text}");
        assert!(text.starts_with("POST /v1/chat/completions HTTP/1.1\r\nHost: h:1\r\n"), "{text}");
    }

    #[test]
    fn what_would_break_the_head_is_refused() {
        assert!(chat(&[("x-a", "b\r\nx-c: d")], 1).is_err());
        assert!(chat(&[("x a", "b")], 1).is_err());
        assert!(chat(&[("content-length", "1")], 1).is_err());
        let path = RequestTemplate::chat("h", "/a b", &[], "m", 1, false);
        assert!(path.unwrap_err().to_string().contains("no space"));
    }

    #[test]
    fn an_anthropic_request_names_its_tokens() {
        let template = RequestTemplate::chat("h", "/v1/messages", &[], "claude", 1, false);
        assert!(text(&mut template.unwrap()).contains(r#""max_tokens":1024"#));
    }
}
