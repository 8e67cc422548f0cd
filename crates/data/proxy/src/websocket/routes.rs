//! The routes of sessions and of what belongs to them, as data. They are looked at only where no other
//! route fits.

use dialect::Operation;
use wire::RequestHead;

use crate::routes::{Family, pattern};

/// One route.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) method: &'static str,
    /// Path as served, places in braces; also the `path` label of metrics.
    pub(crate) path: &'static str,
    /// Whose manners errors have.
    pub(crate) family: Family,
    pub(crate) asks: Asks,
}

/// What a route is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// A realtime session over a WebSocket.
    Realtime,
    /// Responses over a WebSocket.
    Responses,
    /// Something of realtime sessions by HTTP.
    Call,
}

impl Asks {
    pub(super) fn operation(self) -> Operation {
        match self {
            Self::Realtime | Self::Call => Operation::Realtime,
            Self::Responses => Operation::WebsocketResponses,
        }
    }
}

const fn call(path: &'static str, family: Family) -> Route {
    Route { method: "POST", path, family, asks: Asks::Call }
}

/// The routes under a prefix.
macro_rules! sessions {
    ($prefix:literal, $family:expr) => {
        &[
            Route {
                method: "GET",
                path: concat!($prefix, "/realtime"),
                family: $family,
                asks: Asks::Realtime,
            },
            Route {
                method: "GET",
                path: concat!($prefix, "/responses"),
                family: $family,
                asks: Asks::Responses,
            },
            Route {
                method: "GET",
                path: concat!($prefix, "/realtime/translations"),
                family: $family,
                asks: Asks::Realtime,
            },
            call(concat!($prefix, "/realtime/translations/client_secrets"), $family),
            call(concat!($prefix, "/realtime"), $family),
            call(concat!($prefix, "/realtime/calls"), $family),
            call(concat!($prefix, "/realtime/client_secrets"), $family),
            call(concat!($prefix, "/realtime/sessions"), $family),
            call(concat!($prefix, "/realtime/transcription_sessions"), $family),
            call(concat!($prefix, "/realtime/calls/{call}/accept"), $family),
            call(concat!($prefix, "/realtime/calls/{call}/hangup"), $family),
            call(concat!($prefix, "/realtime/calls/{call}/refer"), $family),
            call(concat!($prefix, "/realtime/calls/{call}/reject"), $family),
        ]
    };
}

static ROUTES: &[&[Route]] = &[
    sessions!("/v1", Family::Base),
    sessions!("/openai/v1", Family::OpenAi),
    sessions!("/openai", Family::OpenAi),
    sessions!("/openai/openai/v1", Family::OpenAi),
    sessions!("/openai/openai", Family::OpenAi),
];

/// Method and path of each.
pub(crate) fn served() -> impl Iterator<Item = (&'static str, &'static str)> {
    ROUTES.iter().copied().flatten().map(|route| (route.method, route.path))
}

/// The route of a request that belongs to sessions.
pub(crate) fn find(head: &RequestHead, bytes: &[u8]) -> Option<&'static Route> {
    let (method, path) = (head.method().as_str(), head.path(bytes));
    let found = ROUTES.iter().copied().flatten().find(|route| route.fits(method, path))?;
    // Whoever asks for responses by GET and means no WebSocket has taken the wrong method.
    (found.asks != Asks::Responses || head.upgrade(bytes).is_some()).then_some(found)
}

impl Route {
    fn fits(&self, method: &str, path: &str) -> bool {
        self.method == method && pattern::capture(self.path, path, "").is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPGRADE: &str = "connection: upgrade\r\nupgrade: websocket\r\n";

    fn found(method: &str, target: &str, lines: &str) -> Option<&'static str> {
        let bytes = format!("{method} {target} HTTP/1.1\r\nhost: a\r\n{lines}\r\n");
        let mut head = RequestHead::new();
        head.parse(bytes.as_bytes(), &wire::HeadLimits::default()).unwrap();
        find(&head, bytes.as_bytes()).map(|route| route.path)
    }

    #[test]
    fn every_route_is_found_under_its_own_path() {
        for route in ROUTES.iter().copied().flatten() {
            let path = route.path.replace("{call}", "rtc_1");
            assert_eq!(found(route.method, &path, UPGRADE), Some(route.path));
        }
        assert_eq!(found("GET", "/v1/realtime?model=a", ""), Some("/v1/realtime"));
    }

    #[test]
    fn what_is_none_of_them_is_not_found() {
        for (method, target) in [
            ("GET", "/v1/realtime/calls"),
            ("POST", "/v1/realtime/calls/a/b/hangup"),
            ("POST", "/v1/realtime/other"),
            ("DELETE", "/v1/realtime"),
            ("GET", "/v1/realtim"),
            ("GET", "/v1/responses"),
            ("POST", "/v1/responses"),
        ] {
            assert_eq!(found(method, target, ""), None, "{method} {target}");
        }
    }
}
