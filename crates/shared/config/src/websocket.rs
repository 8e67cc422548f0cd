//! Section `websocket`: how many connections of that kind there may be, and for how long.

use std::time::Duration;

use crate::member::{Fallback, Member, Object, Shape, member};
use crate::view::View;

/// Limits of WebSocket connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebSocket {
    /// Most connections of one caller at once.
    pub connections_per_caller_max: u32,
    /// Most connections of the process at once.
    pub connections_max: u32,
    /// One is closed after so long a silence of both sides.
    pub idle_timeout: Duration,
    /// One is closed when it is so old.
    pub lifetime_max: Duration,
}

pub(crate) const WEBSOCKET: Object = Object::closed(
    "Limits of WebSocket connections.",
    &[
        count("max_connections_per_user", "Most connections of one caller at once.", 100),
        count("transcript_buffer_size", "Turns of a conversation kept for logs.", 100)
            .later("conversations are not logged yet"),
        member("pool", Shape::Object(&POOL), "Limits of all of them together."),
    ],
);

const POOL: Object = Object::closed(
    "Limits of all WebSocket connections together.",
    &[
        count("max_idle_per_key", "Idle connections kept for each key of a provider.", 50)
            .later("a connection to a provider belongs to one caller and ends with it"),
        count("max_total_connections", "Most connections at once.", 1000),
        count("idle_timeout_seconds", "One is closed after so long a silence.", 600),
        count("max_connection_lifetime_seconds", "One is closed when it is so old.", 7200),
    ],
);

const fn count(name: &'static str, doc: &'static str, default: u64) -> Member {
    member(name, Shape::Integer { min: 1, max: u32::MAX as u64 }, doc)
        .or(Fallback::Integer(default))
}

/// Reads the section, wherever there is one.
pub(crate) fn read(root: &View<'_>) -> WebSocket {
    let section = root.object("websocket", &WEBSOCKET);
    let pool = section.object("pool", &POOL);
    WebSocket {
        connections_per_caller_max: section.count("max_connections_per_user"),
        connections_max: pool.count("max_total_connections"),
        idle_timeout: pool.seconds("idle_timeout_seconds"),
        lifetime_max: pool.seconds("max_connection_lifetime_seconds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_has_the_documented_limits() {
        let text = br#"{"websocket":{"pool":{"idle_timeout_seconds":3}},"providers":{}}"#;
        let config = crate::parse(text, &|_| None).unwrap();
        let expected = WebSocket {
            connections_per_caller_max: 100,
            connections_max: 1000,
            idle_timeout: Duration::from_secs(3),
            lifetime_max: Duration::from_secs(7200),
        };
        assert_eq!(config.websocket, expected);
        assert_eq!(crate::without_file(&|_| None).websocket.idle_timeout.as_secs(), 600);
    }

    #[test]
    fn none_at_all_is_no_limit_to_ask_for() {
        let text = br#"{"websocket":{"max_connections_per_user":0}}"#;
        assert!(crate::parse(text, &|_| None).is_err());
    }
}
