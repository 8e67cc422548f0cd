//! Which of the caller's headers may travel to a provider.

/// `client.header_filter_config`: patterns are exact names, `prefix*` or `*`, in lower case.
#[derive(Debug, Default)]
pub struct HeaderFilter {
    allow: Vec<String>,
    deny: Vec<String>,
}

/// Headers that never go upstream on a caller's word, whatever the configuration says. Nor do names
/// that a server behind the provider could take for one of them.
const NEVER: &[&str] = &[
    "proxy-authorization",
    "cookie",
    "host",
    "content-length",
    "connection",
    "transfer-encoding",
    "x-api-key",
    "x-goog-api-key",
    "x-bf-api-key",
    "x-bf-api-key-id",
    "x-bf-vk",
    "x-bf-direct-key",
    // Framing and hop-by-hop headers: the gateway writes its own.
    "content-type",
    "expect",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "proxy-connection",
    "content-encoding",
    "accept-encoding",
    "authorization",
    "api-key",
    "xi-api-key",
];

/// Whether `name` is one of the headers that never go upstream, or looks like one: CGI and many
/// frameworks read `content_length` as `content-length`. Only letters and digits count.
pub fn is_never_forwarded(name: &str) -> bool {
    NEVER.iter().any(|never| letters(never).eq(letters(name)))
}

fn letters(name: &str) -> impl Iterator<Item = u8> {
    let letters = name.bytes().filter(u8::is_ascii_alphanumeric);
    letters.map(|byte| byte.to_ascii_lowercase())
}

impl HeaderFilter {
    /// Compiles the configured patterns.
    pub fn new(allow: &[String], deny: &[String]) -> Self {
        let lower = |list: &[String]| list.iter().map(|name| name.to_ascii_lowercase()).collect();
        Self { allow: lower(allow), deny: lower(deny) }
    }

    /// A header of the caller's that is to be forwarded under its own name.
    pub fn forwards(&self, name: &str) -> bool {
        self.allow.iter().any(|pattern| matches(pattern, name))
            && !name.starts_with("x-bf-")
            && self.permits(name)
    }

    /// A header asked for by `x-bf-eh-<name>`: denied ones and, with an allow-list, unlisted ones
    /// stay behind.
    pub fn permits(&self, name: &str) -> bool {
        let listed = |list: &[String]| list.iter().any(|pattern| matches(pattern, name));
        !is_never_forwarded(name)
            && !listed(&self.deny)
            && (self.allow.is_empty() || listed(&self.allow))
    }

    /// Nothing is forwarded under its own name: the common case, known without looking.
    pub fn forwards_nothing(&self) -> bool {
        self.allow.is_empty()
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(allow: &[&str], deny: &[&str]) -> HeaderFilter {
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        HeaderFilter::new(&owned(allow), &owned(deny))
    }

    #[test]
    fn nothing_is_forwarded_by_default() {
        let filter = filter(&[], &[]);
        assert!(!filter.forwards("x-team"));
        assert!(filter.permits("x-team"));
        assert!(filter.forwards_nothing());
    }

    #[test]
    fn the_deny_list_wins_and_secrets_never_leave() {
        let filter = filter(&["x-*", "cookie", "anthropic-beta"], &["x-secret*"]);
        assert!(filter.forwards("x-team") && filter.forwards("anthropic-beta"));
        for name in ["x-secret-a", "cookie", "x-api-key", "x-bf-dim-a", "y"] {
            assert!(!filter.forwards(name), "{name}");
        }
        assert!(!filter.permits("y"));
    }

    #[test]
    fn what_looks_like_framing_or_a_secret_stays_here() {
        let (open, wide) = (filter(&[], &[]), filter(&["*"], &[]));
        for name in [
            "content_length",
            "content-length ",
            "contentlength",
            "content.length",
            "transfer_encoding",
            "transfer-encoding\t",
            "t-e",
            "x_api_key",
            "_host_",
            "Content-Length",
        ] {
            assert!(is_never_forwarded(name), "{name}");
            assert!(!open.permits(name) && !wide.forwards(name), "{name}");
        }
        for name in ["content-language", "x-content-length-hint", "hostname", "x-te"] {
            assert!(open.permits(name) && wide.forwards(name), "{name}");
        }
    }
}
