//! The API of the mock itself, under `/_mock/`: scripts, fixtures, recorded requests, counters.

use serde_json::{Value, json};

use super::reply::Reply;
use super::request::Request;
use super::world::World;

/// Where the API lives.
const PREFIX: &str = "/_mock/";

/// Whether a request is for the mock and not for the world it plays.
pub(crate) fn is_control(request: &Request) -> bool {
    request.path().starts_with(PREFIX)
}

/// Serves one request of the API.
pub(crate) fn control(world: &World, request: &Request) -> Reply {
    let name = request.path().strip_prefix(PREFIX).unwrap_or_default();
    match (request.method(), name) {
        ("GET", "stats") => Reply::json(200, &world.stats()),
        ("GET", "requests") => match since(request.target()) {
            Ok(since) => Reply::json(200, &world.recorded_since(since)),
            Err(message) => refused(message),
        },
        ("POST", "script") => changed(with_json(request, |value| world.scripts.add(value))),
        ("POST", "fixture") => {
            changed(with_json(request, |value| world.scripts.add_fixture(value)))
        }
        ("DELETE", "script") => {
            world.scripts.clear_scripts();
            changed(Ok(()))
        }
        ("DELETE", "fixture") => {
            world.scripts.clear_fixtures();
            changed(Ok(()))
        }
        ("POST" | "DELETE", "reset") => {
            world.reset();
            changed(Ok(()))
        }
        _ => Reply::json(404, &json!({"error": "no such control request"})),
    }
}

/// The `since` of a query, 0 where it is left out.
fn since(target: &str) -> Result<u64, String> {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let mut values = query.split('&').filter_map(|pair| pair.strip_prefix("since="));
    match values.next_back() {
        Some(value) => value.parse().map_err(|_| format!("since={value} is not a number")),
        None => Ok(0),
    }
}

fn with_json(
    request: &Request,
    use_it: impl FnOnce(Value) -> Result<(), String>,
) -> Result<(), String> {
    serde_json::from_slice(request.body()).map_err(|error| error.to_string()).and_then(use_it)
}

fn changed(result: Result<(), String>) -> Reply {
    match result {
        Ok(()) => Reply::json(200, &json!({"ok": true})),
        Err(message) => refused(message),
    }
}

fn refused(message: String) -> Reply {
    Reply::json(400, &json!({"error": message}))
}
