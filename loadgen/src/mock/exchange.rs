//! Decides what a request gets: a fixture, a fault, a refusal, or an answer in its own shape.

use std::time::Duration;

use serde_json::{Value, json};

use super::answer::Size;
use super::anthropic::{self, Purpose};
use super::fault::{BodyFault, Fault};
use super::openai;
use super::refusal::Refusal;
use super::reply::{Body, Reply};
use super::request::Request;
use super::script::Subject;
use super::world::World;

/// Where a request may carry its fault.
const FAULT_HEADER: &str = "x-mock-fault";

/// What to send back, and how.
pub(crate) struct Exchange {
    pub(crate) reply: Reply,
    pub(crate) fault: Fault,
    /// Time between pieces of the body.
    pub(crate) gap: Duration,
    /// Number of the reply.
    pub(crate) id: u64,
}

/// The provider whose shapes a path speaks.
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    OpenAi,
    Anthropic,
}

/// What a path serves.
enum Endpoint<'a> {
    Chat,
    Messages,
    CountTokens,
    Models,
    Model(&'a str),
    Unknown,
}

/// Answers one request.
pub(crate) fn exchange(world: &World, request: &Request) -> Exchange {
    let body = &serde_json::from_slice::<Value>(request.body());
    let full_model = body.as_ref().ok().and_then(|body| body.get("model")).and_then(Value::as_str);
    let (model, model_fault) = match full_model.map(Fault::split_model) {
        Some((model, fault)) => (Some(model), fault),
        None => (None, None),
    };
    let (shape, endpoint) = route(request);
    let subject = Subject { path: request.path(), model, key: credential(request, shape) };
    let id = world.next_reply_id();
    let fault = match requested_fault(request, model_fault) {
        Some(Ok(fault)) => fault,
        None => world.scripts.next_fault(subject).unwrap_or_default(),
        Some(Err(refusal)) => {
            let reply = error(shape, &refusal, id);
            return Exchange { reply, fault: Fault::default(), gap: Duration::ZERO, id };
        }
    };
    let served = Served { world, request, body, model: model.unwrap_or_default(), id, fault };
    let (reply, own_gap) = match world.scripts.fixture(subject) {
        Some(fixture) => fixture,
        None => (served.reply(shape, endpoint), None),
    };
    let fault = served.fault;
    let gap = fault.gap.or(own_gap).unwrap_or(world.args.stream_gap);
    Exchange { reply, fault, gap, id }
}

/// The shape and endpoint of a request, by its path and method.
fn route(request: &Request) -> (Shape, Endpoint<'_>) {
    let path = request.path();
    let is_post = request.method() == "POST";
    let model = path.rsplit_once("/models/").map(|(_, model)| model);
    let (shape, endpoint) = match model {
        _ if path.ends_with("/chat/completions") && is_post => (Shape::OpenAi, Endpoint::Chat),
        _ if path.ends_with("/messages") && is_post => (Shape::Anthropic, Endpoint::Messages),
        _ if path.ends_with("/messages/count_tokens") && is_post => {
            (Shape::Anthropic, Endpoint::CountTokens)
        }
        _ if path.ends_with("/models") && !is_post => (Shape::OpenAi, Endpoint::Models),
        Some(model) if !is_post => (Shape::OpenAi, Endpoint::Model(model)),
        _ => (Shape::OpenAi, Endpoint::Unknown),
    };
    // The shared paths are told apart by the header every Anthropic client sends.
    match request.header("anthropic-version") {
        Some(_) if shape == Shape::OpenAi && !matches!(endpoint, Endpoint::Chat) => {
            (Shape::Anthropic, endpoint)
        }
        _ => (shape, endpoint),
    }
}

/// The credential, where the provider of this shape looks for it.
fn credential(request: &Request, shape: Shape) -> Option<&str> {
    let bearer = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let credential = match shape {
        Shape::OpenAi => bearer.or(request.header("api-key")),
        Shape::Anthropic => request.header("x-api-key").or(bearer),
    };
    credential.map(str::trim).filter(|credential| !credential.is_empty())
}

/// The fault the request itself brings: by header, else by the suffix of its model.
fn requested_fault(request: &Request, model_fault: Option<&str>) -> Option<Result<Fault, Refusal>> {
    let line = request.header(FAULT_HEADER).or(model_fault)?;
    Some(Fault::parse(line).map_err(|error| {
        Refusal::invalid(format!("mock: {error}")).param(FAULT_HEADER).code("mock_fault_invalid")
    }))
}

fn error(shape: Shape, refusal: &Refusal, id: u64) -> Reply {
    match shape {
        Shape::OpenAi => openai::error(refusal),
        Shape::Anthropic => anthropic::error(refusal, id),
    }
}

fn error_event(shape: Shape, refusal: &Refusal) -> Vec<u8> {
    match shape {
        Shape::OpenAi => openai::error_event(refusal),
        Shape::Anthropic => anthropic::error_event(refusal),
    }
}

/// A request that is being answered.
struct Served<'a> {
    world: &'a World,
    request: &'a Request,
    body: &'a Result<Value, serde_json::Error>,
    /// Without its fault suffix.
    model: &'a str,
    id: u64,
    fault: Fault,
}

impl Served<'_> {
    fn reply(&self, shape: Shape, endpoint: Endpoint<'_>) -> Reply {
        let reply = match self.fault.status {
            Some(status @ 400..) => error(shape, &self.failure(status), self.id),
            status => {
                let mut reply = self
                    .answer(shape, endpoint)
                    .unwrap_or_else(|refusal| error(shape, &refusal, self.id));
                reply.status = status.unwrap_or(reply.status);
                reply
            }
        };
        let reply = self.with_error_in_stream(shape, reply);
        let reply = reply.with_header("x-request-id", format!("req_mock{:08}", self.id));
        self.with_body(reply)
    }

    fn failure(&self, status: u16) -> Refusal {
        let refusal = Refusal::new(status, format!("mock failure with status {status}"));
        match &self.fault.code {
            Some(code) => refusal.code(code.clone()),
            None => refusal,
        }
    }

    fn answer(&self, shape: Shape, endpoint: Endpoint<'_>) -> Result<Reply, Refusal> {
        if let Endpoint::Unknown = endpoint {
            return Err(self.unknown_endpoint());
        }
        self.check_credential(shape)?;
        let strict = self.world.args.strict;
        match (endpoint, shape) {
            (Endpoint::Chat, _) => {
                let body = self.json()?;
                openai::check(body, strict)?;
                Ok(openai::chat(body, self.model, self.id, &self.size()))
            }
            (Endpoint::Messages, _) => {
                let body = self.anthropic_json(Purpose::Reply)?;
                Ok(anthropic::messages(body, self.model, self.id, &self.size()))
            }
            (Endpoint::CountTokens, _) => {
                Ok(anthropic::count_tokens(self.anthropic_json(Purpose::Count)?))
            }
            (Endpoint::Models, Shape::OpenAi) => Ok(openai::models()),
            (Endpoint::Models, Shape::Anthropic) => Ok(anthropic::models()),
            (Endpoint::Model(id), Shape::OpenAi) => Ok(openai::model(id)),
            (Endpoint::Model(id), Shape::Anthropic) => Ok(anthropic::model(id, self.id)),
            (Endpoint::Unknown, _) => Err(self.unknown_endpoint()),
        }
    }

    fn unknown_endpoint(&self) -> Refusal {
        let (method, path) = (self.request.method(), self.request.path());
        Refusal::new(404, format!("Unknown request URL: {method} {path}.")).code("unknown_url")
    }

    fn check_credential(&self, shape: Shape) -> Result<(), Refusal> {
        if self.world.args.no_auth || credential(self.request, shape).is_some() {
            return Ok(());
        }
        Err(match shape {
            Shape::OpenAi => Refusal::new(
                401,
                "You didn't provide an API key. You need to provide your API key in an \
                 Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
            ),
            Shape::Anthropic => Refusal::new(401, "x-api-key header is required"),
        })
    }

    fn json(&self) -> Result<&Value, Refusal> {
        let content_type = self.request.header("content-type").unwrap_or_default();
        if !content_type.to_ascii_lowercase().starts_with("application/json") {
            let message = format!(
                "Unsupported content type: '{content_type}'. This API method only accepts \
                 'application/json' requests."
            );
            return Err(Refusal::invalid(message).code("unsupported_content_type"));
        }
        self.body.as_ref().map_err(|error| {
            Refusal::invalid(format!(
                "We could not parse the JSON body of your request: {error}. The API expects a \
                 JSON payload."
            ))
        })
    }

    fn anthropic_json(&self, purpose: Purpose) -> Result<&Value, Refusal> {
        if self.request.header("anthropic-version").is_none() {
            return Err(Refusal::invalid("anthropic-version: header is required"));
        }
        let body = self.json()?;
        anthropic::check(body, purpose, self.world.args.strict)?;
        Ok(body)
    }

    fn size(&self) -> Size {
        let args = &self.world.args;
        Size {
            reply_bytes: self.fault.reply_bytes.unwrap_or(args.reply_bytes),
            chunks: self.fault.chunks.unwrap_or(args.stream_chunks),
            usage: self.fault.usage,
        }
    }

    /// An error after some events, or in place of a reply that is no stream; the status stays 200.
    fn with_error_in_stream(&self, shape: Shape, mut reply: Reply) -> Reply {
        let Some(after) = self.fault.error_in_stream else { return reply };
        let refusal = self.failure(503);
        match &mut reply.body {
            Body::Pieces(events) => {
                events.truncate(after);
                events.push(error_event(shape, &refusal));
            }
            Body::Whole(body) => {
                if let Body::Whole(error) = error(shape, &refusal, self.id).body {
                    *body = error;
                }
            }
        }
        reply
    }

    fn with_body(&self, mut reply: Reply) -> Reply {
        let (content_type, body) = match &self.fault.body {
            None => return reply,
            Some(BodyFault::Empty) => ("application/json", String::new()),
            Some(BodyFault::Html) => ("text/html; charset=utf-8", html(reply.status)),
            Some(BodyFault::Text(text)) => ("application/json", text.clone()),
        };
        reply.headers.retain(|(name, _)| name != "content-type");
        reply.body = Body::Whole(body.into_bytes());
        reply.with_header("content-type", content_type)
    }
}

/// The page a proxy in front of a provider shows.
fn html(status: u16) -> String {
    format!("<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\n")
}

/// The reply to bytes that are not a request.
pub(crate) fn malformed(message: &str) -> Reply {
    let error = json!({"message": format!("mock: {message}"), "type": "invalid_request_error"});
    Reply::json(400, &json!({"error": error}))
}
