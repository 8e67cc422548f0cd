//! Stage 8: target and ask → the bytes of the outbound request. Same dialect: the caller's body with
//! a few edits; another dialect: read → canonical → write.

mod betas;
mod billing;
mod body_rules;
mod inner_model;
mod message_rules;

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use dialect::{Dialect, GeminiTarget, Notes, RequestOptions};
use net::Buffer;
use snapshot::{Destination, HeaderFilter, Key, KeyAuth, Path, Service, Sign, Unsigned, Upstream};
use wire::RequestHead;

use super::form;
use super::peek::{Member, peek};
use super::splice::Edits;
use crate::caller::CallerHeaders;
use crate::reject::{Kind, Reject};
use crate::reply_head::push_header;

pub(crate) use inner_model::model_to_rank;

/// Output limit written for Anthropic where the caller set none: the API demands one.
const MAX_TOKENS_DEFAULT: u32 = 4096;

/// What stands in the body only where a cloud keeps the model in the path; elsewhere it is refused.
const CLOUD_MEMBERS: &[&[u8]] = &[b"anthropic_version", b"anthropic_beta"];

/// What the caller sent, as far as an attempt needs it.
pub(crate) struct Source<'r> {
    pub(crate) bytes: &'r [u8],
    pub(crate) head: &'r RequestHead,
    pub(crate) headers: &'r CallerHeaders,
    pub(crate) header_filter: &'r HeaderFilter,
    pub(crate) dialect: Dialect,
    pub(crate) body: &'r [u8],
    pub(crate) members: &'r [Member],
    /// See [`super::peek::Ask`].
    pub(crate) has_cache_control: bool,
    pub(crate) model_at: Option<Range<usize>>,
    /// The content type of a body that is a form; then `members` are the parts that are for the gateway alone.
    pub(crate) form_type: Option<&'r [u8]>,
    /// The caller names the model in the path.
    pub(crate) has_model_in_path: bool,
    pub(crate) is_streaming: bool,
    /// `Some(n)`: `body` is only the beginning, the whole has `n` bytes.
    pub(crate) total_bytes: Option<u64>,
}

impl<'r> Source<'r> {
    fn body(&self) -> Body<'r> {
        let Self { body, members, has_cache_control, .. } = *self;
        let content_type = self.form_type.unwrap_or(JSON);
        Body { text: body, members, has_cache_control, content_type, path: "" }
    }
}

/// Where one attempt goes.
pub(crate) struct Attempt<'r> {
    pub(crate) upstream: &'r Upstream,
    pub(crate) service: &'r Service,
    pub(crate) key: Option<&'r Key>,
    /// The header line of the caller's own key, which takes the place of `key`.
    pub(crate) direct_key: Option<&'r str>,
    /// That line is a subscription's: the provider sees the request as if it came straight to it.
    pub(crate) is_subscription: bool,
    /// The model id on the wire.
    pub(crate) model: &'r str,
    /// The name that tells what it is like.
    pub(crate) likeness: &'r str,
}

/// A request ready to be written.
pub(crate) struct Outbound {
    pub(crate) bytes: Buffer,
    /// What the translation of the reply must know; `None` when the reply is relayed, which is why
    /// it stands apart.
    pub(crate) notes: Option<Box<Notes>>,
}

impl Outbound {
    /// The body as it is going to be sent.
    pub(crate) fn body(&self) -> &[u8] {
        let bytes = self.bytes.as_slice();
        let head_end = memchr::memmem::find(bytes, b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
        bytes.get(head_end..).unwrap_or_default()
    }
}

impl<'r> Attempt<'r> {
    /// Where to connect to, and under which path.
    pub(crate) fn destination(&self) -> Result<Destination<'r>, Reject> {
        self.upstream.destination(self.service, self.key).ok_or_else(|| {
            let message = format!("provider {} has no base URL", self.upstream.name);
            Reject::new(Kind::ProviderUnknown, message)
        })
    }
}

/// Writes the outbound request of one attempt.
pub(crate) fn prepare(
    source: &Source<'_>,
    attempt: &Attempt<'_>,
    edits: &mut Edits,
) -> Result<Outbound, Reject> {
    let destination = attempt.destination()?;
    let target = attempt.service.dialect;
    if target == source.dialect {
        edits.clear();
        let body = source.body();
        match source.form_type {
            None => splice(source, attempt, &body, edits),
            Some(_) => {
                let has_model = attempt.service.path.has_model();
                let model_at = source.model_at.as_ref();
                form::edit(body.text, model_at, attempt.model, body.members, has_model, edits);
            }
        }
        let bytes = write(source, attempt, &destination, &body, edits)?;
        return Ok(Outbound { bytes, notes: None });
    }
    if source.total_bytes.is_some() {
        let message = "the request body is too large to be translated for this provider";
        return Err(Reject::new(Kind::BodyTooLarge, message));
    }
    if target.is_media() {
        return media(source, attempt, &destination, edits);
    }
    let (text, notes) = translate(source, attempt, target)?;
    let mut members = Vec::new();
    // A list of tasks has no members that a rule could be for.
    let has_cache_control = text.starts_with(b"{") && peek(&text, &mut members)?.has_cache_control;
    edits.clear();
    let body = Body { has_cache_control, ..Body::json(&text, &members) };
    body_rules::apply(attempt.service.body, attempt.likeness, &body, edits);
    force_store_off(attempt, &body, edits);
    let own_path = notes.path.map(Path::new);
    let path = own_path.as_ref().unwrap_or(destination.path);
    let destination = Destination { path, ..destination };
    let bytes = write(source, attempt, &destination, &body, edits)?;
    Ok(Outbound { bytes, notes: Some(Box::new(notes)) })
}

/// The content type of most bodies.
const JSON: &[u8] = b"application/json";

/// A JSON object with its members, or a body of another kind.
struct Body<'b> {
    text: &'b [u8],
    members: &'b [Member],
    /// See [`super::peek::Ask`].
    has_cache_control: bool,
    content_type: &'b [u8],
    /// What belongs behind the endpoint's path.
    path: &'b str,
}

impl<'b> Body<'b> {
    fn json(text: &'b [u8], members: &'b [Member]) -> Self {
        Self { text, members, has_cache_control: false, content_type: JSON, path: "" }
    }

    fn find(&self, name: &str) -> Option<(usize, &Member)> {
        let is_it = |member: &&Member| self.text.get(member.key.clone()) == Some(name.as_bytes());
        let index = self.members.iter().position(|member| is_it(&member))?;
        Some((index, self.members.get(index)?))
    }
}

/// Notes the edits of a body that stays in its dialect.
fn splice(source: &Source<'_>, attempt: &Attempt<'_>, body: &Body<'_>, edits: &mut Edits) {
    name_model(source, attempt, body, edits);
    if source.total_bytes.is_some() {
        // Of a body that streams through only what has been read can be edited.
        return;
    }
    let leaves_cloud = source.has_model_in_path && !attempt.service.path.has_model();
    let is_meant_for_gateway = |member: &Member| match body.text.get(member.key.clone()) {
        Some(b"fallbacks") => true,
        Some(key) if leaves_cloud => CLOUD_MEMBERS.contains(&key),
        _ => false,
    };
    let members = body.members.iter().enumerate();
    for (index, _) in members.filter(|(_, member)| is_meant_for_gateway(member)) {
        edits.remove(index);
    }
    if source.has_model_in_path && source.is_streaming {
        say_stream(attempt, body, edits);
    }
    let may_ask = !attempt.service.body.drops.contains(&STREAM_OPTIONS);
    if source.is_streaming && attempt.service.dialect == Dialect::OpenAiChat && may_ask {
        ask_for_usage(body, edits);
    }
    body_rules::apply(attempt.service.body, attempt.likeness, body, edits);
    force_store_off(attempt, body, edits);
}

/// The body names the model as the provider knows it, unless model and path belong together.
fn name_model(source: &Source<'_>, attempt: &Attempt<'_>, body: &Body<'_>, edits: &mut Edits) {
    let dialect = attempt.service.dialect;
    match &source.model_at {
        _ if source.has_model_in_path && attempt.service.path.has_model() => {
            inner_model::rename(dialect, body, attempt.model, edits);
        }
        Some(at) if is_already(source.body, at, attempt.model) => {}
        Some(at) => edits.replace_string(at.clone(), attempt.model),
        None if dialect == Dialect::BedrockRerank => {
            inner_model::rename(dialect, body, attempt.model, edits);
        }
        None => {
            let mut quoted = Vec::with_capacity(attempt.model.len() + 2);
            crate::json::write_string(attempt.model, &mut |piece| quoted.extend_from_slice(piece));
            edits.add("model", &quoted);
        }
    }
}

fn is_already(body: &[u8], at: &Range<usize>, model: &str) -> bool {
    let quoted = body.get(at.clone()).unwrap_or_default();
    quoted.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")) == Some(model.as_bytes())
}

/// Where the caller's path says that the answer streams, Anthropic wants it in the body too.
fn say_stream(attempt: &Attempt<'_>, body: &Body<'_>, edits: &mut Edits) {
    const MEMBER: &str = "stream";
    if !matches!(attempt.service.dialect, Dialect::AnthropicMessages | Dialect::AnthropicComplete) {
        return;
    }
    match body.find(MEMBER) {
        None => edits.add(MEMBER, b"true"),
        Some((_, member)) if body.text.get(member.value.clone()) == Some(b"true") => {}
        Some((_, member)) => edits.replace(member.value.clone(), "true"),
    }
}

/// Member of a request that asks a stream for its usage.
const STREAM_OPTIONS: &str = "stream_options";

/// A stream's usage is only counted when it is asked for: `stream_options.include_usage` is forced.
fn ask_for_usage(body: &Body<'_>, edits: &mut Edits) {
    const WANTED: &str = r#"{"include_usage":true}"#;
    let Some((_, member)) = body.find(STREAM_OPTIONS) else {
        return edits.add(STREAM_OPTIONS, WANTED.as_bytes());
    };
    let options = body.text.get(member.value.clone()).unwrap_or_default();
    let mut inner = Vec::new();
    if peek(options, &mut inner).is_err() {
        return edits.replace(member.value.clone(), WANTED);
    }
    let base = member.value.start;
    let is_usage = |inner: &&Member| options.get(inner.key.clone()) == Some(b"include_usage");
    match inner.iter().find(is_usage) {
        Some(usage) => {
            let at = base + usage.value.start..base + usage.value.end;
            if body.text.get(at.clone()) != Some(b"true") {
                edits.replace(at, "true");
            }
        }
        None if inner.is_empty() => edits.replace(member.value.clone(), WANTED),
        None => {
            let open = options.iter().position(|byte| *byte == b'{').unwrap_or(0);
            let at = base + open + 1;
            edits.replace(at..at, r#""include_usage":true,"#);
        }
    }
}

fn force_store_off(attempt: &Attempt<'_>, body: &Body<'_>, edits: &mut Edits) {
    let keeps = matches!(attempt.service.dialect, Dialect::OpenAiChat | Dialect::OpenAiResponses);
    if !attempt.upstream.disable_store || !keeps {
        return;
    }
    match body.find("store") {
        Some((_, member)) => edits.replace(member.value.clone(), "false"),
        None => edits.add("store", b"false"),
    }
}

fn translate(
    source: &Source<'_>,
    attempt: &Attempt<'_>,
    target: Dialect,
) -> Result<(Vec<u8>, Notes), Reject> {
    let options = request_options(source, attempt);
    let is_messages = source.dialect == Dialect::AnthropicMessages;
    let body = match is_messages && source.headers.is_claude_code(source.bytes) {
        true => billing::without_block(&source.body()),
        false => Cow::Borrowed(source.body),
    };
    let mut text = Vec::with_capacity(body.len() + body.len() / 4 + 256);
    dialect::translate_request(source.dialect, target, &body, &options, &mut text)
        .map(|notes| (text, notes))
        .map_err(|error| untranslatable(&error, attempt))
}

fn request_options<'r>(source: &Source<'_>, attempt: &Attempt<'r>) -> RequestOptions<'r> {
    RequestOptions {
        max_tokens_default: MAX_TOKENS_DEFAULT,
        pass_extra: source.headers.passes_extra(source.bytes),
        stream: source.is_streaming,
        openai: attempt.upstream.openai,
        gemini: GeminiTarget::of_model(attempt.likeness),
        provider: &attempt.upstream.name,
        nonce,
        ..RequestOptions::new(attempt.model)
    }
}

#[cold]
fn untranslatable(error: &dialect::Error, attempt: &Attempt<'_>) -> Reject {
    if !error.is_inexpressible() {
        return Reject::new(Kind::Malformed, error.to_string());
    }
    let message = format!("{error} (provider {})", attempt.upstream.name);
    Reject::new(Kind::Inexpressible, message)
}

/// The outbound request where its body, or the reply's, may be something else than JSON.
fn media(
    source: &Source<'_>,
    attempt: &Attempt<'_>,
    destination: &Destination<'_>,
    edits: &mut Edits,
) -> Result<Outbound, Reject> {
    let content_type = String::from_utf8_lossy(source.form_type.unwrap_or(JSON));
    let body = dialect::Body { content_type: &content_type, bytes: source.body };
    let options = request_options(source, attempt);
    let target = attempt.service.dialect;
    let (written, notes) = dialect::translate_media_request(source.dialect, target, body, &options)
        .map_err(|error| untranslatable(&error, attempt))?;
    edits.clear();
    let content_type = written.content_type.as_bytes();
    let body = Body {
        text: &written.body,
        members: &[],
        has_cache_control: false,
        content_type,
        path: &written.path,
    };
    let bytes = write(source, attempt, destination, &body, edits)?;
    Ok(Outbound { bytes, notes: Some(Box::new(notes)) })
}

/// A number nobody else has: keys of the process's own hash a count.
fn nonce() -> u128 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    static KEYS: LazyLock<[RandomState; 2]> =
        LazyLock::new(|| [RandomState::new(), RandomState::new()]);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let [high, low] = KEYS.each_ref().map(|keys| u128::from(keys.hash_one(count)));
    high << 64 | low
}

/// Head and edited body in one buffer.
fn write(
    source: &Source<'_>,
    attempt: &Attempt<'_>,
    destination: &Destination<'_>,
    body: &Body<'_>,
    edits: &mut Edits,
) -> Result<Buffer, Reject> {
    let mut here = 0;
    edits.apply(body.text, body.members, &mut |piece| here += piece.len());
    // The part of a streamed body that is still to come goes out as it is.
    let unread = source.total_bytes.map_or(0, |total| total - source.body.len() as u64);
    let mut out = Buffer::with_capacity(HEAD_BYTES_USUAL + here);
    write_head(source, attempt, destination, body, here as u64 + unread, &mut out);
    if let (None, Some(Key { auth: KeyAuth::Signer(signer), .. })) =
        (attempt.direct_key, attempt.key)
    {
        let mut text = Vec::with_capacity(here);
        edits.apply(body.text, body.members, &mut |piece| text.extend_from_slice(piece));
        let lines = sign(&**signer, attempt, destination, body, &text)?;
        out.extend_from_slice(&lines);
    }
    out.extend_from_slice(b"\r\n");
    edits.apply(body.text, body.members, &mut |piece| out.extend_from_slice(piece));
    Ok(out)
}

/// The authentication lines of a request whose body is JSON, and that is signed by itself.
pub(crate) fn sign_json(
    signer: &dyn Sign,
    attempt: &Attempt<'_>,
    destination: &Destination<'_>,
    text: &[u8],
) -> Result<Vec<u8>, Reject> {
    sign(signer, attempt, destination, &Body::json(text, &[]), text)
}

/// The authentication lines of a request that is signed by itself.
#[cold]
fn sign(
    signer: &dyn Sign,
    attempt: &Attempt<'_>,
    destination: &Destination<'_>,
    body: &Body<'_>,
    text: &[u8],
) -> Result<Vec<u8>, Reject> {
    let path = destination.path.text(attempt.model);
    let path = format!("{}{path}{}", destination.base_path, body.path);
    let content_type = String::from_utf8_lossy(body.content_type);
    let unsigned = Unsigned {
        method: "POST",
        authority: &destination.endpoint.authority,
        path: &path,
        headers: &[("content-type", &content_type)],
        body: text,
    };
    let mut lines = Vec::new();
    signer.sign(&unsigned, &mut lines).map(|()| lines).map_err(|why| {
        let message = format!("provider {}: no credentials: {why}", attempt.upstream.name);
        Reject::new(Kind::CredentialsMissing, message)
    })
}

/// Room for a head: request line, host, key and a handful of headers.
const HEAD_BYTES_USUAL: usize = 1024;

fn write_head(
    source: &Source<'_>,
    attempt: &Attempt<'_>,
    destination: &Destination<'_>,
    body: &Body<'_>,
    body_len: u64,
    out: &mut Buffer,
) {
    out.extend_from_slice(b"POST ");
    out.extend_from_slice(destination.base_path.as_bytes());
    destination.path.write(attempt.model, &mut |piece| out.extend_from_slice(piece.as_bytes()));
    out.extend_from_slice(body.path.as_bytes());
    if attempt.is_subscription
        && let Some(query) = source.head.query(source.bytes)
    {
        out.extend_from_slice(b"?");
        out.extend_from_slice(query.as_bytes());
    }
    let auth_line = match (attempt.direct_key, attempt.key) {
        (Some(line), _) => line,
        (None, Some(key)) => key.auth.line(),
        (None, None) => "",
    };
    out.extend_from_slices([
        b" HTTP/1.1\r\nhost: ",
        destination.endpoint.authority.as_bytes(),
        b"\r\ncontent-type: ",
        body.content_type,
        b"\r\n",
        auth_line.as_bytes(),
    ]);
    let forwarded = forwarded_headers(source, attempt);
    for line in &*attempt.service.headers {
        // What the caller sends for this request beats what is configured for all.
        if !forwarded.iter().any(|(name, _)| *name == *line.name) {
            out.extend_from_slice(line.line.expose().as_bytes());
        }
    }
    for (name, value) in &forwarded {
        push_header(out, name.as_bytes(), value);
    }
    push_header(out, "content-length", itoa::Buffer::new().format(body_len).as_bytes());
}

/// The caller's headers that travel to the provider: `x-bf-eh-<name>`, allow-listed ones, and
/// Anthropic's own where the dialect stays Anthropic's; with a subscription all there are.
fn forwarded_headers<'r>(
    source: &Source<'r>,
    attempt: &Attempt<'_>,
) -> Vec<(Cow<'r, str>, Cow<'r, [u8]>)> {
    let (filter, upstream) = (source.header_filter, attempt.upstream);
    let keeps_anthropic = source.headers.has_anthropic
        && source.dialect == Dialect::AnthropicMessages
        && attempt.service.dialect == Dialect::AnthropicMessages;
    let is_relevant = source.headers.has_forwarded || keeps_anthropic || attempt.is_subscription;
    if !is_relevant && filter.forwards_nothing() {
        return Vec::new();
    }
    let mut forwarded = Vec::new();
    for (name, value) in source.head.headers(source.bytes) {
        let name = lower(name);
        if let Some(inner) = name.strip_prefix("x-bf-eh-") {
            if !inner.is_empty() && filter.permits(inner) {
                forwarded.push((Cow::Owned(inner.to_owned()), value.into()));
            }
        } else if filter.forwards(&name) {
            forwarded.push((name, value.into()));
        } else if keeps_anthropic && name == "anthropic-beta" && filter.permits(&name) {
            let betas = betas::taken_by(&upstream.name, &upstream.beta_overrides, value);
            forwarded.extend((!betas.is_empty()).then_some((name, betas)));
        } else if keeps_anthropic && name.starts_with("anthropic-") && filter.permits(&name)
            || attempt.is_subscription && is_straight(&name)
        {
            forwarded.push((name, value.into()));
        }
    }
    forwarded
}

/// Whether a header of a client that believes itself in front of the provider is for the provider:
/// not the gateway's own, no credential, nothing that the gateway writes itself or that belongs to
/// the connection.
fn is_straight(name: &str) -> bool {
    const WRITTEN: &[&str] = &["host", "content-type", "content-length", "content-encoding"];
    // Replies are read on the way.
    const UNWANTED: &[&str] = &["accept-encoding", "expect", "authorization"];
    !name.starts_with("x-bf-")
        && !name.starts_with("x-forwarded-")
        && !snapshot::is_never_forwarded(name)
        && !crate::control::is_hop_by_hop(name.as_bytes())
        && !WRITTEN.contains(&name)
        && !UNWANTED.contains(&name)
}

fn lower(name: &[u8]) -> Cow<'_, str> {
    let name = std::str::from_utf8(name).unwrap_or_default();
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}
