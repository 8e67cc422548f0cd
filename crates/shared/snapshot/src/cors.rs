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

/// Longest origin that is compared with patterns, in bytes: a scheme, a host name of 253 and a port
/// are 270.
const ORIGIN_BYTES_MAX: usize = 512;

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
            || (origin.len() <= ORIGIN_BYTES_MAX
                && self.patterns.iter().any(|pattern| matches(pattern, origin)));
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

/// `*` stands for one or more characters other than `/` and `.`.
fn matches(pattern: &str, origin: &str) -> bool {
    let (pattern, origin) = (pattern.as_bytes(), origin.as_bytes());
    let (mut at, mut here) = (0, 0);
    // The star met last, and where what follows it was last tried. Only this star is ever made to take
    // more: within a label the earliest place of what precedes it leaves the most room, and what
    // contains the end of a label has one place only.
    let mut star: Option<(usize, usize)> = None;
    while here < origin.len() || at < pattern.len() {
        match (pattern.get(at), origin.get(here)) {
            (Some(b'*'), Some(byte)) if is_of_label(*byte) => {
                star = Some((at, here + 1));
                (at, here) = (at + 1, here + 1);
            }
            (Some(literal), Some(byte)) if *literal != b'*' && literal == byte => {
                (at, here) = (at + 1, here + 1);
            }
            _ => {
                let Some((star_at, tried)) = star else { return false };
                if !origin.get(tried).is_some_and(|byte| is_of_label(*byte)) {
                    return false;
                }
                star = Some((star_at, tried + 1));
                (at, here) = (star_at + 1, tried + 1);
            }
        }
    }
    true
}

fn is_of_label(byte: u8) -> bool {
    !matches!(byte, b'/' | b'.')
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
    fn several_stars_share_a_label() {
        let cors = cors(&["https://*-*-*.example", "https://a*b*c.*.x:*"]);
        for origin in
            ["https://a-b-c.example", "https://a-b-c-d--e.example", "https://a1b2bc.y.x:80"]
        {
            assert_eq!(cors.check(origin), Some(Allowed::WithCredentials), "{origin}");
        }
        for origin in [
            "https://a-b.example",
            "https://a--b.example",
            "https://a-b.c-d.example",
            "https://a-b-c.example.",
            "https://abc.y.x:80",
            "https://a1b.2c.y.x:80",
            "https://a1b2c.y.x:",
        ] {
            assert_eq!(cors.check(origin), None, "{origin}");
        }
    }

    /// Every pattern and origin of up to five characters, against the plain definition.
    #[test]
    fn patterns_mean_what_they_say() {
        fn defined(pattern: &[u8], origin: &[u8]) -> bool {
            match pattern.split_first() {
                None => origin.is_empty(),
                Some((b'*', rest)) => {
                    let label = origin.iter().take_while(|byte| is_of_label(**byte)).count();
                    (1..=label).any(|taken| defined(rest, &origin[taken..]))
                }
                Some((first, rest)) => origin
                    .split_first()
                    .is_some_and(|(byte, left)| byte == first && defined(rest, left)),
            }
        }
        fn words(alphabet: &str) -> Vec<String> {
            let mut words = vec![String::new()];
            for _ in 0..5 {
                let longer = |word: &String| {
                    alphabet.chars().map(|letter| format!("{word}{letter}")).collect::<Vec<_>>()
                };
                let next: Vec<String> = words.iter().flat_map(longer).collect();
                words.extend(next);
                words.sort();
                words.dedup();
            }
            words
        }
        let origins = words("ab.");
        for pattern in words("*ab.") {
            for origin in &origins {
                let expected = defined(pattern.as_bytes(), origin.as_bytes());
                assert_eq!(matches(&pattern, origin), expected, "{pattern} {origin}");
            }
        }
    }

    #[test]
    fn a_long_origin_costs_little() {
        let cors = cors(&["https://*a*a*a*a*a*a*a*a*a*a*a*a.example"]);
        let began = std::time::Instant::now();
        for length in [400, 5_000_000] {
            assert_eq!(cors.check(&format!("https://{}", "a".repeat(length))), None);
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(5));
    }

    #[test]
    fn a_lone_star_allows_all_without_credentials() {
        let cors = cors(&["*", "https://known.example"]);
        assert_eq!(cors.check("https://other.example"), Some(Allowed::ByWildcard));
        assert_eq!(cors.check("https://known.example"), Some(Allowed::WithCredentials));
    }
}
