//! Who may administer: `/api/*` and `/metrics` want the administrator's name and password once
//! they are configured and switched on.

use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use config::{Administrator, Secret};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Hashes computed at the same time. One costs some 100 ms of CPU by design, so guessing must not
/// take more than one core.
const HASHES_MAX: usize = 1;

/// Longest `Authorization` value that is looked at.
const CREDENTIALS_BYTES_MAX: usize = 4096;

/// Checks credentials.
#[derive(Debug)]
pub(crate) struct Gate {
    hashes: Semaphore,
    /// What was last accepted against which hash, so that a scraper does not pay for the hash each
    /// time.
    accepted: Mutex<Option<(Secret, Administrator)>>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self { hashes: Semaphore::new(HASHES_MAX), accepted: Mutex::new(None) }
    }

    /// Whether the request comes from the administrator.
    pub(crate) async fn admits(&self, headers: &HeaderMap, administrator: &Administrator) -> bool {
        let Some(shown) = shown(headers) else { return false };
        let Some((username, password)) = shown.split_once(':') else { return false };
        if !administrator.is_complete() {
            return false;
        }
        let is_named = is_equal(username, &administrator.username);
        let is_proven = match administrator.password.expose().starts_with("$2") {
            true => self.matches_hash(&shown, password, administrator).await,
            false => is_equal(password, administrator.password.expose()),
        };
        is_named & is_proven
    }

    async fn matches_hash(&self, shown: &str, password: &str, expected: &Administrator) -> bool {
        if self.is_known(shown, expected) {
            return true;
        }
        let Ok(_permit) = self.hashes.acquire().await else { return false };
        let (password, hash) = (password.to_owned(), expected.password.clone());
        let verify = move || bcrypt::verify(password, hash.expose()).unwrap_or(false);
        let is_right = spawn_blocking(verify).await.unwrap_or(false);
        if is_right {
            let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
            *accepted = Some((Secret::new(shown), expected.clone()));
        }
        is_right
    }

    fn is_known(&self, shown: &str, expected: &Administrator) -> bool {
        let accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        accepted
            .as_ref()
            .is_some_and(|(known, by)| by == expected && is_equal(known.expose(), shown))
    }
}

/// `name:password` as shown; `Basic`, or `Bearer` with the same content as older clients send it.
fn shown(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    let is_known = scheme.eq_ignore_ascii_case("basic") || scheme.eq_ignore_ascii_case("bearer");
    if !is_known || value.len() > CREDENTIALS_BYTES_MAX {
        return None;
    }
    String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()
}

/// In a time that tells nothing but the length.
fn is_equal(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}

/// Whether a route is open to everyone by `client.whitelisted_routes`: exact, or `prefix*`. The
/// comparison is with path and query as sent.
pub(crate) fn is_whitelisted(target: &str, routes: &[String]) -> bool {
    routes.iter().any(|route| match route.strip_suffix('*') {
        Some(prefix) => target.starts_with(prefix),
        None => target == route,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn administrator(password: &str) -> Administrator {
        Administrator { username: "admin".to_owned(), password: Secret::new(password) }
    }

    fn headers(scheme: &str, credentials: &str) -> HeaderMap {
        let value = format!("{scheme} {}", STANDARD.encode(credentials));
        HeaderMap::from_iter([(AUTHORIZATION, value.parse().expect("a header value"))])
    }

    #[tokio::test]
    async fn name_and_password_must_both_be_right() {
        let gate = Gate::new();
        for password in ["right".to_owned(), hash("right")] {
            let administrator = administrator(&password);
            // Twice: the second time the hash is known.
            for _ in 0..2 {
                assert!(gate.admits(&headers("Basic", "admin:right"), &administrator).await);
            }
            assert!(gate.admits(&headers("Bearer", "admin:right"), &administrator).await);
            for wrong in ["admin:wrong", "other:right", "admin:", "admin", "", ":"] {
                assert!(!gate.admits(&headers("Basic", wrong), &administrator).await, "{wrong}");
            }
            assert!(!gate.admits(&HeaderMap::new(), &administrator).await);
        }
    }

    #[tokio::test]
    async fn a_changed_password_ends_what_was_accepted() {
        let gate = Gate::new();
        let shown = headers("Basic", "admin:right");
        assert!(gate.admits(&shown, &administrator(&hash("right"))).await);
        assert!(!gate.admits(&shown, &administrator(&hash("other"))).await);
    }

    #[tokio::test]
    async fn an_administrator_without_password_admits_nobody() {
        for administrator in
            [administrator(""), Administrator { username: String::new(), ..administrator("right") }]
        {
            assert!(!Gate::new().admits(&headers("Basic", "admin:"), &administrator).await);
            assert!(!Gate::new().admits(&headers("Basic", ":right"), &administrator).await);
        }
    }

    #[test]
    fn whitelisted_routes_are_exact_unless_they_end_with_a_star() {
        let routes = ["/api/version".to_owned(), "/api/open/*".to_owned()];
        assert!(is_whitelisted("/api/version", &routes));
        assert!(is_whitelisted("/api/open/door?x=1", &routes));
        assert!(!is_whitelisted("/api/version?x=1", &routes));
        assert!(!is_whitelisted("/api/versions", &routes));
    }

    fn hash(password: &str) -> String {
        bcrypt::hash_with_salt(password, 4, [7; 16]).expect("a valid cost").to_string()
    }
}
