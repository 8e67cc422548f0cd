//! Stage 8 of a request that names no model: the bytes that go to the provider.

use std::borrow::Cow;

use dialect::{
    Dialect, Operation, Purpose, ResourceCall, ResourceRequest, holds_answers,
    translate_resource_request,
};
use net::Buffer;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use snapshot::{KeyAuth, Service, Unsigned};
use wire::{FormPart, RequestHead};

use super::pool::gives_bytes;
use super::subject::{Content, Subject};
use crate::inference::Call;
use crate::reject::{Kind, Reject};
use crate::reply_head::push_header;
use crate::routes::{Captures, Ids, Resource, captured};
use crate::stages::peek::Member;
use crate::stages::prepare::Attempt;
use crate::stages::read::Request;
use crate::stages::splice::Edits;

/// What goes out, whichever key it goes out with.
pub(super) struct Plan<'p> {
    pub(super) method: Cow<'p, str>,
    captures: Captures<'p>,
    /// The caller's query, without what is meant for the gateway; or what it is in the provider's words.
    query: String,
    /// Header lines that the translation adds.
    headers: Vec<(&'static str, String)>,
    /// Empty where there is no body.
    content_type: Cow<'p, [u8]>,
    pub(super) body: Cow<'p, [u8]>,
    /// The reply is bytes that nothing is added to.
    pub(super) is_bytes: bool,
    /// How what the reply says is read on the way.
    pub(super) reply_dialect: Dialect,
    /// The provider's name, where ids in the reply have to carry it.
    pub(super) id_suffix: Option<String>,
    /// Set where the reply has to be said in other words.
    pub(super) translation: Option<Translation>,
}

/// How a reply is said in the caller's words.
#[derive(Debug)]
pub(super) struct Translation {
    pub(super) upstream: Dialect,
    pub(super) caller: Dialect,
    pub(super) operation: Operation,
    /// As the provider spells it.
    pub(super) id: String,
    pub(super) ids_are_path_safe: bool,
    /// Who is asked.
    pub(super) provider: String,
}

/// Members and fields of a body that are for the gateway.
const OWN_FIELDS: &[&str] = &["provider", "fallbacks"];

/// Plans a request from what the caller sent.
pub(super) fn plan<'p>(
    request: &'p Request,
    head: &RequestHead,
    resource: &'static Resource,
    service: &Service,
    subject: &Subject<'p>,
) -> Result<Plan<'p>, Reject> {
    let bytes = request.bytes.as_slice();
    let content_type = head.header(bytes, "content-type").unwrap_or_default();
    let is_through = resource.passes_through();
    let is_said_anew = service.dialect != resource.route.dialect
        || subject.operation == Operation::BatchResults && holds_answers(service.dialect);
    let makes_films = service.dialect.purpose() == Purpose::Video;
    if makes_films && service.dialect != Dialect::OpenAiVideos {
        return Ok(film(resource, service, subject));
    }
    if !is_through && is_said_anew {
        return translated(request, head, resource, service, subject);
    }
    let method = match is_through {
        true => head.method().as_str().to_owned().into(),
        false => service.method.into(),
    };
    Ok(Plan {
        method,
        captures: subject.captures.clone(),
        query: query(head.query(bytes).unwrap_or_default(), resource),
        headers: Vec::new(),
        content_type: content_type.into(),
        body: match is_through {
            true => request.body().into(),
            false => without_own(request.body(), subject, service.dialect),
        },
        is_bytes: gives_bytes(subject.operation),
        reply_dialect: match is_through {
            true => known_dialect(resource, subject),
            // What a stored answer has used was counted when it was made.
            false if service.dialect == Dialect::OpenAiResponses => Dialect::OpenAiFiles,
            false => service.dialect,
        },
        id_suffix: (resource.ids == Ids::WithProvider).then(|| format!(":{}", subject.provider)),
        translation: None,
    })
}

/// The same for a film of a provider that is not like OpenAI: nothing but its id is told.
fn film<'p>(resource: &'static Resource, service: &Service, subject: &Subject<'p>) -> Plan<'p> {
    let (caller, upstream) = (resource.route.dialect, service.dialect);
    let is_bytes = gives_bytes(subject.operation);
    let id = captured(&subject.captures, "id").unwrap_or_default();
    let id = match caller == upstream {
        true => format!("models/{}/operations/{id}", subject.model),
        // Slashes are encoded once more in ids that this gateway gives out.
        false => percent_decode_str(&id).decode_utf8_lossy().into_owned(),
    };
    let translation = Translation {
        upstream,
        caller: if caller == Dialect::OpenAiVideos { Dialect::Videos } else { caller },
        operation: subject.operation,
        id: id.clone(),
        ids_are_path_safe: false,
        provider: subject.provider.to_string(),
    };
    Plan {
        method: service.method.into(),
        captures: vec![("id", id.into())],
        query: String::new(),
        headers: Vec::new(),
        content_type: b"".into(),
        body: b"".into(),
        is_bytes,
        reply_dialect: upstream,
        id_suffix: None,
        translation: (caller != upstream).then_some(translation),
    }
}

/// The same for a provider that speaks of such things in other words.
fn translated<'p>(
    request: &Request,
    head: &RequestHead,
    resource: &'static Resource,
    service: &Service,
    subject: &Subject<'_>,
) -> Result<Plan<'p>, Reject> {
    let bytes = request.bytes.as_slice();
    let (caller, upstream) = (resource.route.dialect, service.dialect);
    let id = captured(&subject.captures, "id").unwrap_or_default();
    let ids_are_path_safe = resource.ids == Ids::PathSafe;
    let asked = ResourceRequest {
        operation: subject.operation,
        id: &id,
        ids_are_path_safe,
        model: &subject.model,
        query: head.query(bytes).unwrap_or_default(),
        content_type: head.header(bytes, "content-type").unwrap_or_default(),
        body: request.body(),
    };
    let call = translate_resource_request(caller, upstream, &asked)
        .map_err(|error| not_translated(&error, subject))?;
    let translation = Translation {
        upstream,
        caller,
        operation: subject.operation,
        id: id.into_owned(),
        ids_are_path_safe,
        provider: subject.provider.to_string(),
    };
    Ok(Plan {
        is_bytes: gives_bytes(subject.operation) && subject.operation != Operation::BatchResults,
        reply_dialect: caller,
        translation: Some(translation),
        ..of_call(call, service.method)
    })
}

/// The plan for a file whose content is part of an answer.
pub(super) fn plan_for_file(file: &str, service: &Service) -> Result<Plan<'static>, Reject> {
    let asked = ResourceRequest {
        operation: Operation::FileContent,
        id: file,
        ids_are_path_safe: false,
        model: "",
        query: "",
        content_type: b"",
        body: b"",
    };
    let call = translate_resource_request(Dialect::OpenAiFiles, service.dialect, &asked);
    let call = call.map_err(|error| Reject::new(Kind::Inexpressible, error.to_string()))?;
    Ok(Plan { reply_dialect: service.dialect, ..of_call(call, service.method) })
}

/// What is encoded in a query: all but the unreserved characters of RFC 3986.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn of_call(call: ResourceCall, method: &'static str) -> Plan<'static> {
    let encoded = |text: &str| utf8_percent_encode(text, QUERY).to_string();
    let pairs = call.query.iter().map(|(name, value)| format!("{name}={}", encoded(value)));
    Plan {
        method: method.into(),
        captures: call.values.into_iter().map(|(name, value)| (name, value.into())).collect(),
        query: pairs.collect::<Vec<_>>().join("&"),
        headers: call.headers,
        content_type: call.content_type.into_bytes().into(),
        body: call.body.into(),
        is_bytes: true,
        reply_dialect: Dialect::OpenAiFiles,
        id_suffix: None,
        translation: None,
    }
}

/// The caller's query without what is meant for the gateway.
fn query(query: &str, resource: &Resource) -> String {
    let is_google = matches!(resource.route.dialect, Dialect::Gemini)
        || resource.route.family == crate::routes::Family::GenAi;
    let is_passed_on = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        match name {
            "" => false,
            "provider" => resource.passes_through(),
            // Google's clients may send their key here.
            "key" | "access_token" => !is_google,
            _ => true,
        }
    };
    query.split('&').filter(is_passed_on).collect::<Vec<_>>().join("&")
}

/// The dialect of what goes through, where its path is known; else one that nothing is counted in.
fn known_dialect(resource: &Resource, subject: &Subject<'_>) -> Dialect {
    let rest = captured(&subject.captures, "rest").unwrap_or_default();
    let path = rest.as_ref();
    let is = |end: &str| path.ends_with(end);
    match resource.route.dialect {
        Dialect::OpenAiChat if is("/chat/completions") => Dialect::OpenAiChat,
        Dialect::OpenAiChat if is("/completions") => Dialect::OpenAiCompletions,
        Dialect::OpenAiChat if is("/responses") => Dialect::OpenAiResponses,
        Dialect::OpenAiChat if is("/embeddings") => Dialect::OpenAiEmbeddings,
        Dialect::OpenAiChat if is("/messages") => Dialect::AnthropicMessages,
        Dialect::OpenAiChat => Dialect::OpenAiFiles,
        Dialect::AnthropicMessages if is("/messages") => Dialect::AnthropicMessages,
        Dialect::AnthropicMessages => Dialect::AnthropicFiles,
        Dialect::Gemini if is(":generateContent") || is(":streamGenerateContent") => {
            Dialect::Gemini
        }
        Dialect::Gemini if is(":rawPredict") || is(":streamRawPredict") => {
            Dialect::AnthropicMessages
        }
        Dialect::Gemini => Dialect::GeminiFiles,
        other => other,
    }
}

/// The body without what is meant for the gateway.
fn without_own<'p>(body: &'p [u8], subject: &Subject<'_>, dialect: Dialect) -> Cow<'p, [u8]> {
    match &subject.content {
        Content::Json(members) => without_members(body, members, subject, dialect),
        Content::Form(parts) => without_parts(body, parts),
        Content::Empty | Content::Bytes => body.into(),
    }
}

fn without_members<'p>(
    body: &'p [u8],
    members: &[Member],
    subject: &Subject<'_>,
    dialect: Dialect,
) -> Cow<'p, [u8]> {
    let mut edits = Edits::default();
    let mut is_edited = false;
    let prefixed = format!("\"{}/{}\"", subject.provider, subject.model);
    for (index, member) in members.iter().enumerate() {
        let key = body.get(member.key.clone()).and_then(|key| std::str::from_utf8(key).ok());
        let Some(key) = key.filter(|key| !key.is_empty()) else { continue };
        // In a batch of OpenAI's the model only says who is asked; elsewhere it may have said so, too.
        let is_own =
            OWN_FIELDS.contains(&key) || (key == "model" && dialect == Dialect::OpenAiBatches);
        let value = body.get(member.value.clone()).unwrap_or_default();
        if is_own {
            edits.remove(index);
            is_edited = true;
        } else if key == "model" && value == prefixed.as_bytes() {
            edits.replace_string(member.value.clone(), &subject.model);
            is_edited = true;
        }
    }
    if !is_edited {
        return body.into();
    }
    let mut out = Vec::with_capacity(body.len());
    edits.apply(body, members, &mut |piece| out.extend_from_slice(piece));
    out.into()
}

fn without_parts<'p>(body: &'p [u8], parts: &[FormPart<'_>]) -> Cow<'p, [u8]> {
    let is_own = |part: &&FormPart<'_>| OWN_FIELDS.contains(&&*part.name);
    if !parts.iter().any(|part| is_own(&part)) {
        return body.into();
    }
    let mut out = Vec::with_capacity(body.len());
    let mut done = 0;
    for part in parts.iter().filter(is_own) {
        out.extend_from_slice(body.get(done..part.head.start).unwrap_or_default());
        // The line break belongs to the boundary that follows.
        done = part.value.end + 2;
    }
    out.extend_from_slice(body.get(done..).unwrap_or_default());
    out.into()
}

/// Writes the request for one key.
pub(super) fn write(
    call: &Call<'_>,
    plan: &Plan<'_>,
    resource: &Resource,
    attempt: &Attempt<'_>,
) -> Result<Buffer, Reject> {
    let destination = attempt.destination()?;
    let filled = destination.path.fill(|name| match name {
        "model" if !attempt.model.is_empty() => Some(attempt.model),
        _ => plan.captures.iter().find(|(known, _)| *known == name).map(|(_, text)| &**text),
    });
    let mut path = format!("{}{filled}", destination.base_path);
    push_query(&mut path, &plan.query);
    let held = call.request.body().len() as u64;
    let unread = call.request.total_bytes.map_or(0, |total| total - held);
    let body_len = plan.body.len() as u64 + unread;
    let has_body = body_len > 0 || matches!(&*plan.method, "POST" | "PUT" | "PATCH");
    let content_type = match (plan.content_type.is_empty(), body_len > 0) {
        (false, true) => Some(plan.content_type.as_ref()),
        (true, true) => Some(&b"application/json"[..]),
        (_, false) => None,
    };
    let forwarded = forwarded_headers(call, resource, attempt);

    let mut out = Buffer::with_capacity(HEAD_BYTES_USUAL + path.len() + plan.body.len());
    for piece in [plan.method.as_bytes(), b" ", path.as_bytes(), b" HTTP/1.1\r\n"] {
        out.extend_from_slice(piece);
    }
    push_header(&mut out, "host", destination.endpoint.authority.as_bytes());
    if let Some(content_type) = content_type {
        push_header(&mut out, "content-type", content_type);
    }
    match (attempt.direct_key, attempt.key.map(|key| key.auth_at(attempt.service.root))) {
        (Some(line), _) => out.extend_from_slice(line.as_bytes()),
        (None, Some(KeyAuth::Line(line))) => out.extend_from_slice(line.expose().as_bytes()),
        (None, Some(KeyAuth::Signer(signer))) => {
            let text = |value| std::str::from_utf8(value).ok();
            let own = content_type.and_then(text).map(|value| ("content-type", value));
            let signed = forwarded.iter().filter(|(name, _)| name.starts_with("x-amz-"));
            let signed = signed.filter_map(|(name, value)| Some((name.as_str(), text(value)?)));
            let unsigned = Unsigned {
                method: &plan.method,
                authority: &destination.endpoint.authority,
                path: &path,
                headers: &own.into_iter().chain(signed).collect::<Vec<_>>(),
                body: &plan.body,
            };
            let mut lines = Vec::new();
            signer.sign(&unsigned, &mut lines).map_err(|why| no_credentials(attempt, &why))?;
            out.extend_from_slice(&lines);
        }
        (None, None) => {}
    }
    for line in &*attempt.service.headers {
        // What the caller sends for this request beats what is configured for all.
        if !forwarded.iter().any(|(name, _)| *name == *line.name) {
            out.extend_from_slice(line.line.expose().as_bytes());
        }
    }
    for (name, value) in &plan.headers {
        push_header(&mut out, name, value.as_bytes());
    }
    for (name, value) in &forwarded {
        push_header(&mut out, name, value);
    }
    if has_body {
        out.extend_from_slice(b"content-length: ");
        crate::json::push_number(&mut out, body_len);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&plan.body);
    Ok(out)
}

/// Room for a head: request line, host, key and a handful of headers.
const HEAD_BYTES_USUAL: usize = 1024;

/// Appends the caller's query; what the row's path sets stays as it is set there.
fn push_query(path: &mut String, query: &str) {
    let own_start = path.find('?').map(|at| at + 1);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let name = |pair: &str| pair.split('=').next().unwrap_or_default().to_owned();
        let own = own_start.and_then(|at| path.get(at..)).unwrap_or_default();
        let is_set = own.split('&').any(|known| name(known) == name(pair));
        if !is_set || own_start.is_none() {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str(pair);
        }
    }
}

/// The caller's headers that travel to the provider, names in lower case.
fn forwarded_headers<'r>(
    call: &Call<'r>,
    resource: &Resource,
    attempt: &Attempt<'_>,
) -> Vec<(String, &'r [u8])> {
    let filter = &call.snapshot.client.header_filter;
    let mut forwarded = Vec::new();
    for (name, value) in call.head.headers(call.request.bytes.as_slice()) {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        if let Some(inner) = name.strip_prefix("x-bf-eh-") {
            if !inner.is_empty() && filter.permits(inner) {
                forwarded.push((inner.to_owned(), value));
            }
        } else if filter.forwards(&name)
            || resource.passes_through() && goes_through(&name)
            || belongs(&name, attempt.service.dialect, resource) && filter.permits(&name)
        {
            forwarded.push((name, value));
        }
    }
    forwarded
}

/// Headers by which a vendor's clients say something about what is kept.
fn belongs(name: &str, dialect: Dialect, resource: &Resource) -> bool {
    if dialect != resource.route.dialect {
        return false;
    }
    match dialect {
        Dialect::AnthropicFiles | Dialect::AnthropicBatches => name.starts_with("anthropic-"),
        Dialect::GeminiFiles => name.starts_with("x-goog-upload-"),
        Dialect::S3Objects => {
            name.starts_with("x-amz-meta-")
                || name.starts_with("x-amz-checksum-")
                || name.starts_with("if-")
                || name == "range"
        }
        _ => matches!(name, "openai-beta" | "idempotency-key"),
    }
}

/// Whether a header of a request that goes through as it is goes with it: no credential, nothing of the connection or
/// of the gateway, nothing that is written anew.
fn goes_through(name: &str) -> bool {
    const UNWANTED: &[&str] = &[
        "host",
        "authorization",
        "api-key",
        "x-api-key",
        "x-goog-api-key",
        "xi-api-key",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "content-type",
        "content-length",
        // Bodies have been decoded, and replies are read on the way.
        "content-encoding",
        "accept-encoding",
        "x-model-provider",
    ];
    !name.starts_with("x-bf-")
        && !crate::control::is_hop_by_hop(name.as_bytes())
        && !UNWANTED.contains(&name)
}

#[cold]
fn not_translated(error: &dialect::Error, subject: &Subject<'_>) -> Reject {
    let kind = if error.is_inexpressible() { Kind::Inexpressible } else { Kind::Malformed };
    Reject::new(kind, format!("{error} (provider {})", subject.provider))
}

#[cold]
fn no_credentials(attempt: &Attempt<'_>, why: &str) -> Reject {
    let message = format!("provider {}: no credentials: {why}", attempt.upstream.name);
    Reject::new(Kind::CredentialsExhausted, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_rows_path_sets_is_not_set_again() {
        for (path, query, expected) in [
            ("/v1/files", "limit=2&after=a", "/v1/files?limit=2&after=a"),
            ("/v1/files", "tag=a&tag=b", "/v1/files?tag=a&tag=b"),
            ("/r?api-version=preview", "api-version=1&a=2", "/r?api-version=preview&a=2"),
            ("/v1/files", "", "/v1/files"),
        ] {
            let mut path = path.to_owned();
            push_query(&mut path, query);
            assert_eq!(path, expected);
        }
    }

    #[test]
    fn fields_for_the_gateway_are_cut_out_of_a_form() {
        let field = |name: &str| {
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\nx\r\n")
        };
        let form =
            format!("{}{}{}--b--\r\n", field("provider"), field("purpose"), field("provider"));
        let mut reader = wire::FormReader::new(b"b", form.as_bytes());
        let mut parts = Vec::new();
        while let Some(part) = reader.next_part().unwrap() {
            parts.push(part);
        }
        let left = without_parts(form.as_bytes(), &parts);
        let expected = format!("{}--b--\r\n", field("purpose"));
        assert_eq!(String::from_utf8_lossy(&left), expected);
    }

    #[test]
    fn credentials_and_the_gateways_own_headers_do_not_go_through() {
        for name in ["authorization", "x-goog-api-key", "x-bf-vk", "cookie", "te", "expect"] {
            assert!(!goes_through(name), "{name}");
        }
        for name in ["anthropic-beta", "openai-organization", "x-custom", "user-agent", "range"] {
            assert!(goes_through(name), "{name}");
        }
    }
}
