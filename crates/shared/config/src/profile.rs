//! Tuning profiles: settings that count where `config.json` leaves them open.
//!
//! A profile is a TOML file of two tables. `[gateway]` is read here, by the tables of the sections whose
//! members it sets; `[host]` is about the machine and for `tuning/apply`. The settings become values of
//! the file before that is checked, so there is one way to check and to read them.

use std::fmt;

use crate::client;
use crate::json::{self, Json, Node};
use crate::member::{ANY_OBJECT, Member, Object, Shape, joined, member};
use crate::problem::{Findings, Problem, Problems, Spot};
use crate::provider;
use crate::server;
use crate::shape;
use crate::view::{Context, View};

/// A tuning profile, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    name: String,
    settings: Vec<Setting>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Setting {
    home: Home,
    name: &'static str,
    value: Value,
}

/// Where a setting stands in `config.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Home {
    Server,
    Client,
    /// In every provider that says nothing of its own.
    Queue,
}

/// The values of settings; none of them is a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Boolean(bool),
    Integer(u64),
    Text(String),
}

/// What a profile had a say in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FromProfile {
    /// The profile.
    pub name: String,
    /// What it set.
    pub settings: Vec<Filled>,
}

/// A setting that has its value from a profile. Prints as `path = value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled {
    /// Where, as in [`Problem::path`](crate::Problem::path); `*` stands for every provider.
    pub path: String,
    /// As `config.json` would have it.
    pub value: String,
}

impl fmt::Display for Filled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.path, self.value)
    }
}

const PROFILE: Object = Object::closed(
    "A tuning profile.",
    &[
        member("gateway", Shape::Object(&GATEWAY), "Settings of the gateway."),
        member("host", ANY_OBJECT, "Settings of the machine, for `tuning/apply`."),
    ],
);

const GATEWAY: Object = Object::closed("Settings of the gateway.", &MEMBERS);

const MEMBERS: [Member; server::TUNABLE.len() + 1 + provider::QUEUE_SIZES.len()] =
    joined(&[server::TUNABLE, &[client::INITIAL_POOL_SIZE], &provider::QUEUE_SIZES]);

/// The object that holds the settings of a provider's queue.
const QUEUE: &str = "concurrency_and_buffer_size";

impl Profile {
    /// Reads the text of a profile. `name` is for messages.
    ///
    /// # Errors
    /// Every mistake with its path; those in `[host]` are left to whoever uses it.
    pub fn parse(name: &str, text: &str) -> Result<Self, Problems> {
        let root = read_toml(text).map_err(|problem| Problems::sorted(vec![problem]))?;
        let mut findings = Findings::default();
        shape::check(&root, &PROFILE, &mut findings);
        let mut context = Context { env: &|_| None, empty_allows_all: false, findings };
        let view = View::root(&root, &PROFILE);
        check_meanings(&view, &mut context);
        context.findings.into_notes()?;
        let members = root.member("gateway").map_or(&[][..], Node::members);
        let settings = members.iter().filter_map(|(name, node)| Setting::read(name, node));
        Ok(Self { name: name.to_owned(), settings: settings.collect() })
    }

    /// Its name, or the file it came from.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives its values to what `root` leaves open. A provider that has an object for its queue keeps
    /// that as it is: its two members are chosen together.
    pub(crate) fn fill(&self, root: &mut Node) -> FromProfile {
        let mut settings = Vec::new();
        for (home, section) in [(Home::Server, "server"), (Home::Client, "client")] {
            for setting in self.at(home) {
                let node = root.member_or_object(section);
                if node.is_some_and(|node| node.fill(setting.name, setting.value.json())) {
                    settings.push(setting.filled(section));
                }
            }
        }
        let providers = root.members_mut().iter_mut().find(|(name, _)| name == "providers");
        if let Some((_, providers)) = providers {
            settings.extend(self.fill_queues(providers.members_mut()));
        }
        FromProfile { name: self.name.clone(), settings }
    }

    fn fill_queues(&self, providers: &mut [(String, Node)]) -> Vec<Filled> {
        let count = providers.len();
        let mut names = Vec::new();
        for (name, node) in providers {
            if self.queue().is_some_and(|queue| node.fill(QUEUE, queue)) {
                names.push(name.as_str());
            }
        }
        let which = match names.len() {
            0 => return Vec::new(),
            filled if filled == count => "*".to_owned(),
            _ => names.join(","),
        };
        self.filled_queue(&which)
    }

    /// The settings of a provider that has none of its own, as a section of the file.
    pub(crate) fn provider(&self) -> Node {
        let mut section = Node::empty_object();
        if let Some(queue) = self.queue() {
            section.fill(QUEUE, queue);
        }
        section
    }

    /// What of a queue it sets, told for the providers `which`.
    pub(crate) fn filled_queue(&self, which: &str) -> Vec<Filled> {
        let section = format!("providers.{which}.{QUEUE}");
        self.at(Home::Queue).map(|setting| setting.filled(&section)).collect()
    }

    fn queue(&self) -> Option<Json> {
        let mut queue = Node::empty_object();
        for setting in self.at(Home::Queue) {
            queue.fill(setting.name, setting.value.json());
        }
        (!queue.members().is_empty()).then_some(queue.json)
    }

    fn at(&self, home: Home) -> impl Iterator<Item = &Setting> {
        self.settings.iter().filter(move |setting| setting.home == home)
    }
}

/// What the sections check beyond their tables holds for a profile by itself, so that it can be used
/// without a file too.
fn check_meanings(root: &View<'_>, context: &mut Context<'_>) {
    server::read(&root.object("gateway", &server::SERVER), context);
    let queue = root.object("gateway", &provider::CONCURRENCY);
    provider::check_queue(&queue, context);
    if queue.has("concurrency") != queue.has("buffer_size") {
        context.problem(queue.here(), "`concurrency` and `buffer_size` are set together");
    }
}

impl Setting {
    /// Nothing where the member is none of the tables', which the check has refused before.
    fn read(name: &str, node: &Node) -> Option<Self> {
        let known =
            |table: &[Member]| table.iter().map(|member| member.name).find(|known| *known == name);
        let in_server = known(server::TUNABLE).map(|name| (Home::Server, name));
        let in_client = || known(&[client::INITIAL_POOL_SIZE]).map(|name| (Home::Client, name));
        let in_queue = || known(&provider::QUEUE_SIZES).map(|name| (Home::Queue, name));
        let (home, name) = in_server.or_else(in_client).or_else(in_queue)?;
        Some(Self { home, name, value: Value::of(&node.json)? })
    }

    fn filled(&self, section: &str) -> Filled {
        Filled { path: format!("{section}.{}", self.name), value: self.value.to_string() }
    }
}

impl Value {
    fn of(json: &Json) -> Option<Self> {
        match json {
            Json::Boolean(value) => Some(Self::Boolean(*value)),
            Json::Number(number) => number.as_u64().map(Self::Integer),
            Json::Text(text) => Some(Self::Text(text.clone())),
            Json::Null | Json::Array(_) | Json::Object(_) => None,
        }
    }

    fn json(&self) -> Json {
        match self {
            Self::Boolean(value) => Json::Boolean(*value),
            Self::Integer(value) => Json::Number((*value).into()),
            Self::Text(text) => Json::Text(text.clone()),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

fn read_toml(text: &str) -> Result<Node, Problem> {
    let input = toml::Deserializer::parse(text);
    input.and_then(json::read_any).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let message = error.message();
        let whole = Spot { path: String::new(), order: 0 };
        Problem::new(whole, format!("not valid TOML at line {line}: {message}"))
    })
}
