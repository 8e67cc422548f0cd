//! Decides what a request gets: a fixture, a fault, a refusal, or an answer in its own shape.

use std::time::Duration;

use serde_json::{Value, json};

use super::answer::Size;
use super::fault::{BodyFault, Fault};
use super::kept::Asked;
use super::parts;
use super::refusal::Refusal;
use super::reply::{Body, Reply};
use super::request::Request;
use super::routes::{self, Call, Route};
use super::script::Subject;
use super::shape::Shape;
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

/// Answers one request.
pub(crate) fn exchange(world: &World, request: &Request) -> Exchange {
    let form = request.header("content-type").and_then(parts::boundary);
    let form = form.and_then(|boundary| parts::object(boundary, request.body()));
    let is_form = form.is_some();
    let body = &form.map_or_else(|| serde_json::from_slice::<Value>(request.body()), Ok);
    let named = |name| body.as_ref().ok().and_then(|body| body.get(name)).and_then(Value::as_str);
    let in_body = named("model").or_else(|| named("model_id"));
    let in_path = routes::model_in_path(request.path());
    let (model, model_fault) = match in_path.as_deref().or(in_body).map(Fault::split_model) {
        Some((model, fault)) => (Some(model), fault),
        None => (None, None),
    };
    let (shape, route) = routes::route(request);
    let credential = shape.credential(request);
    let subject = Subject { path: request.path(), model, key: credential.as_deref() };
    let id = world.next_reply_id();
    let fault = match requested_fault(request, model_fault) {
        Some(Ok(fault)) => fault,
        None => world.scripts.next_fault(subject).unwrap_or_default(),
        Some(Err(refusal)) => {
            let reply = shape.error(&refusal, id);
            return Exchange { reply, fault: Fault::default(), gap: Duration::ZERO, id };
        }
    };
    let served = Served {
        world,
        request,
        body,
        is_form,
        model: model.unwrap_or_default(),
        shape,
        id,
        fault,
    };
    let (reply, own_gap) = match world.scripts.fixture(subject) {
        Some(fixture) => fixture,
        None => (served.reply(route, credential.is_some()), None),
    };
    let fault = served.fault;
    let gap = fault.gap.or(own_gap).unwrap_or(world.args.stream_gap);
    Exchange { reply, fault, gap, id }
}

/// The fault the request itself brings: by header, else by the suffix of its model.
fn requested_fault(request: &Request, model_fault: Option<&str>) -> Option<Result<Fault, Refusal>> {
    let line = request.header(FAULT_HEADER).or(model_fault)?;
    Some(Fault::parse(line).map_err(|error| {
        Refusal::invalid(format!("mock: {error}")).param(FAULT_HEADER).code("mock_fault_invalid")
    }))
}

/// A request that is being answered.
struct Served<'a> {
    world: &'a World,
    request: &'a Request,
    body: &'a Result<Value, serde_json::Error>,
    /// The body came as a form.
    is_form: bool,
    /// Without its fault suffix.
    model: &'a str,
    shape: Shape,
    id: u64,
    fault: Fault,
}

impl Served<'_> {
    fn reply(&self, route: Option<&Route>, has_credential: bool) -> Reply {
        let reply = match self.fault.status {
            Some(status @ 400..) => self.error(&self.failure(status)),
            status => {
                let answer = self.answer(route, has_credential);
                let mut reply = answer.unwrap_or_else(|refusal| self.error(&refusal));
                reply.status = status.unwrap_or(reply.status);
                reply
            }
        };
        let reply = self.with_error_in_stream(reply);
        let reply = reply.with_header("x-request-id", format!("req_mock{:08}", self.id));
        self.with_body(reply)
    }

    fn error(&self, refusal: &Refusal) -> Reply {
        self.shape.error(refusal, self.id)
    }

    fn failure(&self, status: u16) -> Refusal {
        let refusal = Refusal::new(status, format!("mock failure with status {status}"));
        match &self.fault.code {
            Some(code) => refusal.code(code.clone()),
            None => refusal,
        }
    }

    fn answer(&self, route: Option<&Route>, has_credential: bool) -> Result<Reply, Refusal> {
        let kept = Asked::of(self.shape, self.request);
        if route.is_none() && kept.is_none() {
            return Err(self.unknown_endpoint());
        }
        let needs_none = self.world.args.no_auth || kept.as_ref().is_some_and(Asked::goes_on);
        if !has_credential && !needs_none {
            self.shape.no_credential().map_or(Ok(()), Err)?;
        }
        if let Some(asked) = kept {
            return self.world.kept.serve(&asked);
        }
        let Some(route) = route else { return Err(self.unknown_endpoint()) };
        let body = match self.request.method() {
            "POST" if self.is_form && route.takes_form => self.document()?,
            "POST" => self.json()?,
            _ => &Value::Null,
        };
        (route.serve)(&Call {
            request: self.request,
            body,
            model: self.model,
            id: self.id,
            size: self.size(),
            is_strict: self.world.args.strict,
        })
    }

    fn unknown_endpoint(&self) -> Refusal {
        let (method, path) = (self.request.method(), self.request.path());
        let refusal = Refusal::new(404, format!("Unknown request URL: {method} {path}."));
        self.with_code(refusal, "unknown_url")
    }

    /// Only OpenAI tells more of an error than its status does.
    fn with_code(&self, refusal: Refusal, code: &'static str) -> Refusal {
        if self.shape == Shape::OpenAi { refusal.code(code) } else { refusal }
    }

    fn json(&self) -> Result<&Value, Refusal> {
        let content_type = self.request.header("content-type").unwrap_or_default();
        // Where it is left out, a hosted model's body is JSON.
        let is_default = content_type.is_empty() && self.shape == Shape::Bedrock;
        if !is_default && !content_type.to_ascii_lowercase().starts_with("application/json") {
            let message = format!(
                "Unsupported content type: '{content_type}'. This API method only accepts \
                 'application/json' requests."
            );
            return Err(self.with_code(Refusal::invalid(message), "unsupported_content_type"));
        }
        self.document()
    }

    fn document(&self) -> Result<&Value, Refusal> {
        self.body.as_ref().map_err(|error| {
            Refusal::invalid(format!(
                "We could not parse the JSON body of your request: {error}. The API expects a \
                 JSON payload."
            ))
        })
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
    fn with_error_in_stream(&self, mut reply: Reply) -> Reply {
        let Some(after) = self.fault.error_in_stream else { return reply };
        let refusal = self.failure(503);
        match &mut reply.body {
            Body::Pieces(events) => {
                events.truncate(after);
                events.extend(reply.break_off.map(|break_off| break_off(&refusal, after)));
            }
            Body::Whole(body) => {
                if let Body::Whole(error) = self.error(&refusal).body {
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
