//! Stage 4 of a request that names no model: what it is about, and who is asked.

use std::borrow::Cow;

use dialect::{Dialect, Operation};
use percent_encoding::percent_decode_str;
use snapshot::Snapshot;
use wire::{FormFault, FormPart, FormReader, RequestHead, form_boundary};

use crate::caller::CallerHeaders;
use crate::reject::{Kind, Reject};
use crate::routes::{BareModel, Captures, Ids, Owner, Resource, captured};
use crate::stages::form::unreadable;
use crate::stages::peek::{Member, check_model_length, peek, peek_beginning};
use crate::stages::read::Request;

/// What a request is about.
#[derive(Debug)]
pub(super) struct Subject<'r> {
    pub(super) operation: Operation,
    /// Name of the provider that is asked.
    pub(super) provider: Cow<'r, str>,
    /// The model, without provider; empty where it has to do with none.
    pub(super) model: Cow<'r, str>,
    /// What the path says.
    pub(super) captures: Captures<'r>,
    pub(super) content: Content<'r>,
    pub(super) is_streaming: bool,
    /// The provider is named in front of the body.
    pub(super) is_named_outside: bool,
}

/// The body, as far as it is understood.
#[derive(Debug)]
pub(super) enum Content<'r> {
    /// There is none.
    Empty,
    /// A JSON object with these members.
    Json(Vec<Member>),
    /// A form.
    Form(Vec<FormPart<'r>>),
    /// Anything else.
    Bytes,
}

/// Reads what `request` is about.
pub(super) fn of<'r>(
    snapshot: &Snapshot,
    resource: &'static Resource,
    head: &RequestHead,
    headers: &CallerHeaders,
    request: &'r Request,
) -> Result<Subject<'r>, Reject> {
    let bytes = request.bytes.as_slice();
    let source = Source {
        resource,
        query: head.query(bytes).unwrap_or_default(),
        content_type: head.header(bytes, "content-type").unwrap_or_default(),
        body: request.body(),
        is_whole: request.total_bytes.is_none(),
        headers,
        bytes,
    };
    let mut captures = resource.captures(head.path(bytes)).ok_or_else(path_not_text)?;
    if resource.passes_through() {
        return Ok(passed_through(&source, captures));
    }
    let content = source.content()?;
    let model = match captured(&captures, "model") {
        Some(model) => Some(Cow::Owned(model.into_owned())),
        None => source.text(&content, "model"),
    };
    let (named, model) = split_model(snapshot, model.unwrap_or_default());
    check_model_length(&model)?;
    let id = captured(&captures, "id");
    let names_provider = match resource.ids {
        Ids::WithProvider => id.is_some(),
        Ids::OthersWithProvider => id.is_some_and(|id| id.contains(':')),
        Ids::Plain | Ids::PathSafe => false,
    };
    let outside = match names_provider {
        true => Some(take_provider(&mut captures)?),
        false => source.named_outside(),
    };
    let is_named_outside = outside.is_some();
    let provider = match named.or(outside).or_else(|| source.text(&content, "provider")) {
        Some(provider) => provider,
        None => source.owner()?.into(),
    };
    let is_streaming = resource.route.operation == Operation::ResponsesRetrieve
        && query_value(source.query, "stream").as_deref() == Some("true");
    let operation = match is_streaming {
        true => resource.route.operation.streamed(),
        false => resource.route.operation,
    };
    Ok(Subject { operation, provider, model, captures, content, is_streaming, is_named_outside })
}

/// Where a request says things.
struct Source<'r, 'h> {
    resource: &'static Resource,
    query: &'r str,
    content_type: &'r [u8],
    body: &'r [u8],
    is_whole: bool,
    headers: &'h CallerHeaders,
    bytes: &'r [u8],
}

impl<'r> Source<'r, '_> {
    /// The provider that the query or a header names.
    fn named_outside(&self) -> Option<Cow<'r, str>> {
        let header = || self.headers.model_provider.text(self.bytes).map(Cow::Borrowed);
        let named = query_value(self.query, "provider").or_else(header)?;
        let trimmed = named.trim();
        (!trimmed.is_empty()).then(|| trimmed.to_owned().into())
    }

    /// Whom requests of this route are for where they do not say.
    fn owner(&self) -> Result<&'static str, Reject> {
        if let Owner::Provider(name) = self.resource.owner {
            return Ok(name);
        }
        let user_agent = self.headers.user_agent.value(self.bytes);
        match self.resource.route.family.bare_model(user_agent, None) {
            BareModel::Listed(Some(name)) | BareModel::Always(name) => Ok(name),
            BareModel::Listed(None) => Err(provider_missing()),
        }
    }

    fn content(&self) -> Result<Content<'r>, Reject> {
        if self.body.is_empty() {
            return Ok(Content::Empty);
        }
        let boundary = form_boundary(self.content_type).map_err(|error| unreadable(&error))?;
        if let Some(boundary) = boundary {
            return self.form(&boundary);
        }
        let route = &self.resource.route;
        let is_file = matches!(route.dialect, Dialect::S3Objects | Dialect::GeminiFiles);
        if is_file && route.operation == Operation::FileUpload {
            return Ok(Content::Bytes);
        }
        let mut members = Vec::new();
        match self.is_whole {
            true => peek(self.body, &mut members)?,
            false => peek_beginning(self.body, &mut members)?,
        };
        Ok(Content::Json(members))
    }

    fn form(&self, boundary: &[u8]) -> Result<Content<'r>, Reject> {
        let mut reader = FormReader::new(boundary, self.body);
        let mut parts = Vec::new();
        loop {
            match reader.next_part() {
                Ok(Some(part)) => parts.push(part),
                Ok(None) => return Ok(Content::Form(parts)),
                Err(error) if error.what == FormFault::Incomplete && !self.is_whole => {
                    return Ok(Content::Form(parts));
                }
                Err(error) => return Err(unreadable(&error)),
            }
        }
    }

    /// The text that the body has under `name`.
    fn text(&self, content: &Content<'r>, name: &str) -> Option<Cow<'r, str>> {
        let text = match content {
            Content::Json(members) => {
                let is_it =
                    |member: &&Member| self.body.get(member.key.clone()) == Some(name.as_bytes());
                let member = members.iter().find(is_it)?;
                sonic_rs::from_slice::<String>(self.body.get(member.value.clone())?).ok()?.into()
            }
            Content::Form(parts) => {
                let part = parts.iter().find(|part| part.name == name)?;
                std::str::from_utf8(self.body.get(part.value.clone())?).ok()?.into()
            }
            Content::Empty | Content::Bytes => return None,
        };
        Some(text).filter(|text: &Cow<'_, str>| !text.trim().is_empty())
    }
}

/// What goes through as it is only says who may be asked with which key.
fn passed_through<'r>(source: &Source<'r, '_>, mut captures: Captures<'r>) -> Subject<'r> {
    let content = source.content().unwrap_or(Content::Bytes);
    let rest = captured(&captures, "rest").map(Cow::into_owned).unwrap_or_default();
    let body_model = source.text(&content, "model").unwrap_or_default();
    let in_path = model_in(&rest).and_then(|it| percent_decode_str(it).decode_utf8().ok());
    let model = in_path.map_or(body_model.clone(), |model| Cow::Owned(model.into_owned()));
    // A name that is too long is no name of a model.
    let model = if check_model_length(&model).is_ok() { model } else { Cow::Borrowed("") };
    let asks_for_stream = match &content {
        Content::Json(members) => members.iter().any(|member| {
            source.body.get(member.key.clone()) == Some(b"stream")
                && source.body.get(member.value.clone()) == Some(b"true")
        }),
        Content::Empty | Content::Form(_) | Content::Bytes => false,
    };
    let is_streaming = asks_for_stream || rest.contains("stream");
    let named = source.headers.model_provider.text(source.bytes).map(str::trim);
    let provider = match (named.filter(|named| !named.is_empty()), source.resource.owner) {
        (Some(named), _) => named.to_owned().into(),
        (None, Owner::PassedThrough(name) | Owner::Provider(name)) => name.into(),
        (None, Owner::PassedThroughToGoogle | Owner::Family) => {
            let is_token = |token: &str| token.starts_with("ya29.");
            let has_token = source.headers.bearer(source.bytes).is_some_and(is_token);
            let is_project = names_project(&rest) || names_project(&body_model) || has_token;
            if is_project { "vertex".into() } else { "gemini".into() }
        }
    };
    if source.resource.owner == Owner::PassedThroughToGoogle {
        let (version, rest) = split_version(&rest);
        captures = vec![
            ("version", Cow::Owned(version.unwrap_or("v1").to_owned())),
            ("rest", Cow::Owned(rest.to_owned())),
        ];
    }
    let operation = match is_streaming {
        true => Operation::PassthroughStream,
        false => Operation::Passthrough,
    };
    let is_named_outside = true;
    Subject { operation, provider, model, captures, content, is_streaming, is_named_outside }
}

/// The model that a provider's own path names.
fn model_in(path: &str) -> Option<&str> {
    let mut segments = path.split('/');
    segments.find(|segment| matches!(*segment, "models" | "tunedModels" | "deployments"))?;
    let model = segments.next()?;
    let model = model.split(':').next().unwrap_or(model);
    Some(model).filter(|model| !model.is_empty())
}

fn names_project(text: &str) -> bool {
    let Some((_, behind)) = text.split_once("projects/") else { return false };
    behind.contains("/locations/")
}

/// Takes the version of Google's API off a path.
fn split_version(path: &str) -> (Option<&str>, &str) {
    match path.split_once('/') {
        Some((version @ ("v1" | "v1beta" | "v1beta1"), rest)) => (Some(version), rest),
        _ => (None, path),
    }
}

/// Splits `provider/` off a model; a model of another meaning (`models/…`) stays whole.
fn split_model<'r>(
    snapshot: &Snapshot,
    model: Cow<'r, str>,
) -> (Option<Cow<'r, str>>, Cow<'r, str>) {
    match snapshot.split_model(&model) {
        (Some(provider), rest) => (Some(provider.to_owned().into()), Cow::Owned(rest.to_owned())),
        (None, _) => (None, model),
    }
}

/// Takes the provider off `<id>:<provider>`.
fn take_provider<'r>(captures: &mut Captures<'r>) -> Result<Cow<'r, str>, Reject> {
    let id = captures.iter_mut().find(|(name, _)| *name == "id").map(|(_, id)| id);
    let (bare, provider) = id
        .as_ref()
        .and_then(|id| id.split_once(':'))
        .filter(|(bare, provider)| !bare.is_empty() && !provider.is_empty())
        .map(|(bare, provider)| (bare.to_owned(), provider.to_owned()))
        .ok_or_else(id_without_provider)?;
    if let Some(id) = id {
        *id = bare.into();
    }
    Ok(provider.into())
}

/// The value of a query parameter, decoded.
pub(super) fn query_value<'q>(query: &'q str, name: &str) -> Option<Cow<'q, str>> {
    let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let (_, value) = pairs.find(|(known, _)| *known == name)?;
    percent_decode_str(value).decode_utf8().ok()
}

#[cold]
fn path_not_text() -> Reject {
    Reject::new(Kind::Malformed, "the id in the path is not UTF-8")
}

#[cold]
fn provider_missing() -> Reject {
    let message = "the request names no provider: add the query parameter provider, the header \
                   x-model-provider, or provider in the body";
    Reject::new(Kind::Unresolved, message)
}

#[cold]
fn id_without_provider() -> Reject {
    let message = "the id in the path must be <id>:<provider>, as the gateway gave it";
    Reject::new(Kind::Malformed, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_own_paths_name_models() {
        for (path, expected) in [
            ("v1/chat/completions", None),
            ("v1beta/models/gemini-2.5-flash:generateContent", Some("gemini-2.5-flash")),
            ("v1beta/tunedModels/mine", Some("mine")),
            ("openai/deployments/gpt/chat/completions", Some("gpt")),
            ("v1/models", None),
            ("v1/models/", None),
        ] {
            assert_eq!(model_in(path), expected, "{path}");
        }
    }

    #[test]
    fn a_project_or_a_version_is_seen_in_a_path() {
        assert!(names_project("v1/projects/p/locations/l/publishers/google/models/m"));
        assert!(!names_project("v1/projects/p/datasets"));
        assert_eq!(split_version("v1beta/models/m"), (Some("v1beta"), "models/m"));
        assert_eq!(split_version("models/m"), (None, "models/m"));
    }

    #[test]
    fn ids_that_name_their_provider_are_split_once() {
        let mut captures = vec![("id", Cow::Borrowed("vid_1:mine:x"))];
        assert_eq!(take_provider(&mut captures).unwrap(), "mine:x");
        assert_eq!(captures[0].1, "vid_1");
        for id in ["vid_1", ":openai", "vid_1:"] {
            assert!(take_provider(&mut vec![("id", Cow::Borrowed(id))]).is_err(), "{id}");
        }
    }

    #[test]
    fn query_values_are_decoded() {
        assert_eq!(query_value("a=1&provider=my%2Dp&b", "provider").as_deref(), Some("my-p"));
        assert_eq!(query_value("a=1&b", "b").as_deref(), Some(""));
        assert_eq!(query_value("aprovider=x", "provider"), None);
    }
}
