//! Cross-origin rules, compiled: which browser origins may read replies.

/// `client.allowed_origins` and `client.allowed_headers`.
#[derive(Debug, Default)]
pub struct Cors {
    any: bool,
    exact: Vec<String>,
    patterns: Vec<String>,
    /// The `Access-Control-Allow-Headers` value for requests that may not reflect.
    pub headers: String,
}

/// How an origin is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Named, matched by a pattern, or local: credentials may be sent.
    WithCredentials,
    /// Only because `*` is configured.
    ByWildcard,
}

/// Headers every origin may send beside the configured ones.
const STANDARD_HEADERS: &str = "Content-Type, Authorization, X-Requested-With, \
     X-Stainless-Timeout, X-Api-Key, X-OpenAI-Agents-SDK, X-Operation-ID";

impl Cors {
    /// Compiles the configured lists.
    pub fn new(origins: &[String], headers: &[String]) -> Self {
        let mut cors = Self { headers: STANDARD_HEADERS.to_owned(), ..Self::default() };
        for origin in origins {
            match origin.as_str() {
                "*" => cors.any = true,
                pattern if pattern.contains('*') => cors.patterns.push(origin.clone()),
                _ => cors.exact.push(origin.clone()),
            }
        }
        for header in headers {
            cors.headers.push_str(", ");
            cors.headers.push_str(header);
        }
        cors
    }

    /// Whether a page from `origin` may call the gateway.
    pub fn check(&self, origin: &str) -> Option<Allowed> {
        let is_named = is_local(origin)
            || self.exact.iter().any(|exact| exact == origin)
            || self.patterns.iter().any(|pattern| matches(pattern.as_bytes(), origin.as_bytes()));
        match (is_named, self.any) {
            (true, _) => Some(Allowed::WithCredentials),
            (false, true) => Some(Allowed::ByWildcard),
            (false, false) => None,
        }
    }

    /// With `*` configured the list of headers a browser asks for is given back to it.
    pub fn reflects_headers(&self) -> bool {
        self.any
    }
}

fn is_local(origin: &str) -> bool {
    let Some(host) = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"))
    else {
        return false;
    };
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    let has_port_or_end = host[name.len()..]
        .strip_prefix(':')
        .is_none_or(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    has_port_or_end
        && (name == "localhost"
            || name == "127.0.0.1"
            || (name == "0.0.0.0" && origin.starts_with("http://")))
}

/// `*` stands for one label: one or more characters other than `/` and `.`.
fn matches(pattern: &[u8], origin: &[u8]) -> bool {
    let Some((first, pattern_rest)) = pattern.split_first() else { return origin.is_empty() };
    if *first != b'*' {
        return origin
            .split_first()
            .is_some_and(|(byte, rest)| byte == first && matches(pattern_rest, rest));
    }
    let label = origin.iter().take_while(|byte| !matches!(byte, b'/' | b'.')).count();
    (1..=label).any(|taken| matches(pattern_rest, &origin[taken..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origins: &[&str]) -> Cors {
        let origins: Vec<String> = origins.iter().map(ToString::to_string).collect();
        Cors::new(&origins, &[])
    }

    #[test]
    fn local_pages_are_always_allowed() {
        for origin in ["http://localhost:3000", "https://localhost", "http://127.0.0.1:1"] {
            assert_eq!(cors(&[]).check(origin), Some(Allowed::WithCredentials), "{origin}");
        }
        for origin in ["http://localhost.evil.example", "http://localhost:x", "ftp://localhost"] {
            assert_eq!(cors(&[]).check(origin), None, "{origin}");
        }
    }

    #[test]
    fn a_star_in_a_pattern_is_one_label() {
        let cors = cors(&["https://*.example.com"]);
        assert_eq!(cors.check("https://app.example.com"), Some(Allowed::WithCredentials));
        for origin in ["https://a.b.example.com", "https://.example.com", "https://example.com"] {
            assert_eq!(cors.check(origin), None, "{origin}");
        }
    }

    #[test]
    fn a_lone_star_allows_all_without_credentials() {
        let cors = cors(&["*", "https://known.example"]);
        assert_eq!(cors.check("https://other.example"), Some(Allowed::ByWildcard));
        assert_eq!(cors.check("https://known.example"), Some(Allowed::WithCredentials));
    }
}
