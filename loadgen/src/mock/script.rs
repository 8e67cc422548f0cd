//! What tests prepare: scripts, which give the next fault to each request that matches, and
//! fixtures, which give recorded bytes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use super::fault::Fault;
use super::limits::{FIXTURES_MAX, SCRIPTS_MAX, STEPS_MAX};
use super::reply::{Body, Reply};

/// What a script or fixture is looked up by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    /// Without the query.
    pub(crate) path: &'a str,
    /// Without a fault suffix.
    pub(crate) model: Option<&'a str>,
    /// The credential.
    pub(crate) key: Option<&'a str>,
}

/// All scripts and fixtures, shared by the threads of a mock.
#[derive(Debug, Default)]
pub(crate) struct Scripts {
    /// Spares requests the lock while nothing is prepared.
    any: AtomicBool,
    prepared: Mutex<Prepared>,
}

#[derive(Debug, Default)]
struct Prepared {
    scripts: Vec<Script>,
    fixtures: Vec<Fixture>,
}

impl Scripts {
    /// Adds the script or fixture that `value` describes, or each of an array.
    pub(crate) fn add(&self, value: Value) -> Result<(), String> {
        match value {
            Value::Array(values) => values.into_iter().try_for_each(|value| self.add(value)),
            value if value.get("steps").is_some() => self.add_script(value),
            value => self.add_fixture(value),
        }
    }

    /// Adds one script.
    pub(crate) fn add_script(&self, value: Value) -> Result<(), String> {
        let script: ScriptFile =
            serde_json::from_value(value).map_err(|error| error.to_string())?;
        let script = Script::new(script)?;
        self.change(|prepared| {
            if prepared.scripts.len() == SCRIPTS_MAX {
                return Err(format!("there are {SCRIPTS_MAX} scripts already"));
            }
            prepared.scripts.push(script);
            Ok(())
        })
    }

    /// Adds one fixture, in place of an earlier one for the same requests.
    pub(crate) fn add_fixture(&self, value: Value) -> Result<(), String> {
        let file: FixtureFile = serde_json::from_value(value).map_err(|error| error.to_string())?;
        let fixture = Fixture::new(file)?;
        self.change(|prepared| {
            prepared.fixtures.retain(|earlier| earlier.matcher != fixture.matcher);
            if prepared.fixtures.len() == FIXTURES_MAX {
                return Err(format!("there are {FIXTURES_MAX} fixtures already"));
            }
            prepared.fixtures.push(fixture);
            Ok(())
        })
    }

    /// Removes all scripts.
    pub(crate) fn clear_scripts(&self) {
        self.with(|prepared| prepared.scripts.clear());
    }

    /// Removes all fixtures.
    pub(crate) fn clear_fixtures(&self) {
        self.with(|prepared| prepared.fixtures.clear());
    }

    /// The fault a script has for this request; takes a step of that script.
    pub(crate) fn next_fault(&self, subject: Subject<'_>) -> Option<Fault> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        self.with(|prepared| {
            let mut scripts = prepared.scripts.iter_mut();
            scripts.find_map(|script| script.next(subject))
        })
    }

    /// The fixture for this request: its reply, and the time between pieces if it names one.
    pub(crate) fn fixture(&self, subject: Subject<'_>) -> Option<(Reply, Option<Duration>)> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        self.with(|prepared| {
            let found = prepared.fixtures.iter().find(|found| found.matcher.matches(subject))?;
            Some((found.reply.clone(), found.gap))
        })
    }

    fn change(
        &self,
        change: impl FnOnce(&mut Prepared) -> Result<(), String>,
    ) -> Result<(), String> {
        self.with(change)?;
        self.any.store(true, Ordering::Release);
        Ok(())
    }

    fn with<T>(&self, use_it: impl FnOnce(&mut Prepared) -> T) -> T {
        // A panic elsewhere leaves nothing half done in here.
        let mut prepared = self.prepared.lock().unwrap_or_else(|poison| poison.into_inner());
        use_it(&mut prepared)
    }
}

/// A script as it is posted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScriptFile {
    #[serde(default, rename = "match")]
    matcher: Matcher,
    steps: Vec<StepFile>,
    #[serde(default)]
    then: Then,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepFile {
    #[serde(default)]
    fault: String,
}

/// What follows the last step.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Then {
    #[default]
    Ok,
    RepeatLast,
}

/// Which requests are meant; what is left out matches all.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Matcher {
    /// The whole path, or its start followed by `*`.
    path: Option<String>,
    model: Option<String>,
    key: Option<String>,
}

impl Matcher {
    fn matches(&self, subject: Subject<'_>) -> bool {
        let path_matches = self.path.as_deref().is_none_or(|path| match path.strip_suffix('*') {
            Some(start) => subject.path.starts_with(start),
            None => subject.path == path,
        });
        let same = |wanted: &Option<String>, found| wanted.is_none() || wanted.as_deref() == found;
        path_matches && same(&self.model, subject.model) && same(&self.key, subject.key)
    }
}

#[derive(Debug)]
struct Script {
    matcher: Matcher,
    steps: VecDeque<Fault>,
    then: Then,
}

impl Script {
    fn new(file: ScriptFile) -> Result<Self, String> {
        if file.steps.is_empty() || file.steps.len() > STEPS_MAX {
            return Err(format!("a script has from 1 to {STEPS_MAX} steps"));
        }
        let steps = file.steps.iter().map(|step| Fault::parse(&step.fault));
        let steps = steps.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        Ok(Self { matcher: file.matcher, steps, then: file.then })
    }

    fn next(&mut self, subject: Subject<'_>) -> Option<Fault> {
        if !self.matcher.matches(subject) {
            return None;
        }
        match (self.then, self.steps.len()) {
            (Then::RepeatLast, 1) => self.steps.front().cloned(),
            _ => self.steps.pop_front(),
        }
    }
}

/// A fixture as it is posted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FixtureFile {
    path: Option<String>,
    model: Option<String>,
    key: Option<String>,
    #[serde(default = "ok_status")]
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    body_base64: Option<String>,
    /// Send the body in chunks of this many bytes, each written by itself.
    chunk_bytes: Option<usize>,
    /// Time between those writes.
    gap_ms: Option<u64>,
}

fn ok_status() -> u16 {
    200
}

#[derive(Debug)]
struct Fixture {
    matcher: Matcher,
    reply: Reply,
    gap: Option<Duration>,
}

impl Fixture {
    fn new(file: FixtureFile) -> Result<Self, String> {
        let matcher = Matcher { path: file.path, model: file.model, key: file.key };
        if !(200..=599).contains(&file.status) {
            return Err("status must be from 200 to 599".to_owned());
        }
        let bytes = match (file.body, file.body_base64) {
            (Some(_), Some(_)) => return Err("give body or body_base64, not both".to_owned()),
            (Some(text), None) => text.into_bytes(),
            (None, Some(base64)) => STANDARD.decode(base64).map_err(|error| error.to_string())?,
            (None, None) => Vec::new(),
        };
        let body = match file.chunk_bytes {
            Some(size) => Body::Pieces(bytes.chunks(size.max(1)).map(<[u8]>::to_vec).collect()),
            None => Body::Whole(bytes),
        };
        let framing = ["content-length", "transfer-encoding", "connection"];
        let is_framing = |name: &str| framing.iter().any(|own| name.eq_ignore_ascii_case(own));
        let headers = file.headers.into_iter().filter(|(name, _)| !is_framing(name)).collect();
        let reply = Reply { status: file.status, headers, body, break_off: None };
        Ok(Self { matcher, reply, gap: file.gap_ms.map(Duration::from_millis) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const CHAT: Subject<'_> =
        Subject { path: "/v1/chat/completions", model: Some("gpt-4o"), key: Some("sk-1") };

    fn statuses(scripts: &Scripts, subject: Subject<'_>, count: usize) -> Vec<Option<u16>> {
        (0..count).map(|_| scripts.next_fault(subject).and_then(|fault| fault.status)).collect()
    }

    #[test]
    fn steps_are_taken_in_turn_and_end() {
        let scripts = Scripts::default();
        scripts
            .add(json!({"steps": [{"fault": "status=500"}, {}, {"fault": "status=429"}]}))
            .unwrap();
        assert_eq!(statuses(&scripts, CHAT, 4), [Some(500), None, Some(429), None]);
        scripts.add(json!({"steps": [{"fault": "status=503"}], "then": "repeat_last"})).unwrap();
        assert_eq!(statuses(&scripts, CHAT, 3), [Some(503); 3]);
        scripts.clear_scripts();
        assert!(scripts.next_fault(CHAT).is_none());
    }

    #[test]
    fn a_script_meets_only_its_requests() {
        let scripts = Scripts::default();
        let script = |matcher: Value, status: u16| {
            json!({"match": matcher, "steps": [{"fault": format!("status={status}")}],
                "then": "repeat_last"})
        };
        scripts.add(script(json!({"key": "sk-2"}), 401)).unwrap();
        scripts.add(script(json!({"path": "/v1/*", "model": "gpt-4o"}), 404)).unwrap();
        let status = |subject| statuses(&scripts, subject, 1)[0];
        assert_eq!(status(CHAT), Some(404));
        assert_eq!(status(Subject { key: Some("sk-2"), ..CHAT }), Some(401));
        assert_eq!(status(Subject { model: Some("gpt-5"), ..CHAT }), None);
        assert_eq!(status(Subject { path: "/v2/chat", ..CHAT }), None);
    }

    #[test]
    fn a_later_fixture_replaces_an_earlier_one() {
        let scripts = Scripts::default();
        for body in ["one", "two"] {
            scripts
                .add(json!({"path": "/x", "status": 201, "body": body, "chunk_bytes": 2,
                    "headers": {"a": "b", "Content-Length": "9"}}))
                .unwrap();
        }
        let (reply, _) = scripts.fixture(Subject { path: "/x", ..CHAT }).unwrap();
        assert_eq!((reply.status, reply.headers.len()), (201, 1));
        assert!(matches!(reply.body, Body::Pieces(pieces) if pieces == [b"tw".as_slice(), b"o"]));
        assert!(scripts.fixture(CHAT).is_none());
    }

    #[test]
    fn wrong_descriptions_are_refused() {
        let scripts = Scripts::default();
        for wrong in [
            json!({"steps": []}),
            json!({"steps": [{"fault": "statsu=1"}]}),
            json!({"steps": [{}], "then": "explode"}),
            json!({"path": "/x", "body": "a", "body_base64": "YQ=="}),
            json!({"path": "/x", "status": 99}),
            json!({"bodi": "a"}),
        ] {
            assert!(scripts.add(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
