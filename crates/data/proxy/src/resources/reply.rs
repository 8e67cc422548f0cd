//! Replies that are not passed on as they are: ids that name their provider, and refusals of what goes through.

use std::ops::Range;
use std::time::Duration;

use dialect::{
    Members, Notes, Operation, Purpose, ReplyOptions, ResourceAnswer, ResourceReply, Usage,
    translate_batch_file, translate_reply, translate_resource_reply,
};
use net::Buffer;

use super::opening::Refusal;
use super::outbound::{Plan, Translation};
use crate::error_body::snippet;
use crate::inference::Call;
use crate::json::write_string;
use crate::reject::{Kind, Reject};
use crate::routes::Resource;
use crate::stages::open::{Collected, Ready, Reply};

/// Whether the JSON of a reply has to be changed.
pub(super) fn is_rewritten(plan: &Plan<'_>) -> bool {
    (plan.id_suffix.is_some() || plan.translation.is_some()) && !plan.is_bytes
}

/// A reply that was read to its end.
pub(super) enum Whole {
    Ready(Box<Ready>),
    /// The file of this id has the rest.
    InFile(String),
}

/// The reply with its changes.
pub(super) fn ready(
    plan: &Plan<'_>,
    collected: Collected,
    shows_raw: bool,
    is_request_sent: bool,
) -> Result<Whole, Reject> {
    let raw = shows_raw.then(|| collected.body.as_slice().to_vec());
    let mut content_type = collected.content_type;
    let received = collected.body.as_slice();
    let body = match (&plan.translation, &plan.id_suffix) {
        (Some(translation), _) if !plan.is_bytes => {
            let mut out = Vec::with_capacity(received.len() + 256);
            match translate(translation, received, &mut out)? {
                ResourceAnswer::InFile(file) => return Ok(Whole::InFile(file)),
                ResourceAnswer::Written(written) => content_type = written.as_bytes().to_vec(),
            }
            Buffer::from(out)
        }
        (None, Some(suffix)) => Buffer::from(with_suffix(received, suffix)),
        (_, _) => collected.body,
    };
    Ok(Whole::Ready(Box::new(Ready {
        body,
        content_type,
        usage: Usage::default(),
        header_lines: collected.header_lines,
        raw,
        is_request_sent,
        own: Duration::ZERO,
    })))
}

fn translate(
    translation: &Translation,
    body: &[u8],
    out: &mut Vec<u8>,
) -> Result<ResourceAnswer, Reject> {
    let Translation { upstream, caller, operation, id, ids_are_path_safe, .. } = translation;
    if upstream.purpose() == Purpose::Video {
        return film(translation, body, out).map_err(|error| unreadable(&error, body));
    }
    let reply = ResourceReply { operation: *operation, id, ids_are_path_safe: *ids_are_path_safe };
    translate_resource_reply(*upstream, *caller, &reply, body, out)
        .map_err(|error| unreadable(&error, body))
}

/// What a provider says of a film.
fn film(
    translation: &Translation,
    body: &[u8],
    out: &mut Vec<u8>,
) -> Result<ResourceAnswer, dialect::Error> {
    let Translation { upstream, caller, operation, id, provider, .. } = translation;
    match operation {
        // Providers say so by the status alone.
        Operation::VideoDelete => {
            let id = format!("{id}:{provider}");
            out.extend_from_slice(b"{\"id\":");
            write_string(&id, &mut |piece| out.extend_from_slice(piece));
            out.extend_from_slice(b",\"object\":\"video.deleted\",\"deleted\":true}");
        }
        _ => {
            let notes = Notes { provider: provider.clone(), ..Notes::default() };
            let options = ReplyOptions { notes: &notes, model: None, trailer: b"", id, created: 0 };
            translate_reply(*upstream, *caller, body, &options, out)?;
        }
    }
    Ok(ResourceAnswer::Written("application/json"))
}

/// The reply whose answers are the content of a file.
pub(super) fn of_file(
    translation: &Translation,
    content: &Collected,
    is_request_sent: bool,
) -> Result<Ready, Reject> {
    let Translation { upstream, caller, id, .. } = translation;
    let (content, header_lines) = (content.body.as_slice(), content.header_lines.clone());
    let mut out = Vec::with_capacity(content.len() + 256);
    let answer = translate_batch_file(*upstream, *caller, id, content, &mut out)
        .map_err(|error| unreadable(&error, content))?;
    let content_type = match answer {
        ResourceAnswer::Written(written) => written.as_bytes().to_vec(),
        ResourceAnswer::InFile(_) => Vec::new(),
    };
    Ok(Ready {
        body: Buffer::from(out),
        content_type,
        usage: Usage::default(),
        header_lines,
        raw: None,
        is_request_sent,
        own: Duration::ZERO,
    })
}

#[cold]
fn unreadable(error: &dialect::Error, body: &[u8]) -> Reject {
    let message = format!("the provider's reply could not be read: {error}: {}", snippet(body));
    Reject::new(Kind::BadReply, message)
}

/// Headers by which Google says where the rest of an upload goes.
pub(super) const UPLOAD_URLS: &[&str] = &["x-goog-upload-url", "x-goog-upload-control-url"];

/// Header lines in which those name `address`, with the query they had: the rest of an upload comes here as well.
pub(super) fn with_own_address(lines: &[u8], address: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(lines.len() + address.len());
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        let is_it = |known: &&str| known.as_bytes().eq_ignore_ascii_case(name);
        let Some(known) = UPLOAD_URLS.iter().find(|known| is_it(known)) else {
            out.extend_from_slice(line);
            continue;
        };
        let query = line.iter().position(|byte| *byte == b'?').and_then(|at| line.get(at..));
        for piece in [known.as_bytes(), b": ", address.as_bytes(), query.unwrap_or(b"\r\n")] {
            out.extend_from_slice(piece);
        }
    }
    out
}

/// What a refusal is told as: the provider's own reply where all goes through, else an error of the family's shape.
pub(super) fn told(
    call: &mut Call<'_>,
    resource: &Resource,
    refusal: Refusal,
) -> Result<Reply, Reject> {
    let Refusal { reject, content_type } = refusal;
    if !resource.passes_through() || reject.kind != Kind::Refused {
        return Err(reject);
    }
    let Some(error) = reject.reply else { return Err(reject) };
    call.account.error_type = Some(reject.kind.label(reject.status));
    Ok(Reply::Ready(Box::new(Ready {
        body: Buffer::from(error.body),
        content_type,
        usage: Usage::default(),
        header_lines: error.header_lines,
        raw: None,
        is_request_sent: call.request.total_bytes.is_none(),
        own: Duration::ZERO,
    })))
}

/// The object with `suffix` at the end of its `id`, and of those in its list `data`.
fn with_suffix(body: &[u8], suffix: &str) -> Vec<u8> {
    let mut places = id_ends(body, 0..body.len());
    if let Some(list) = member(body, 0..body.len(), b"data") {
        for element in elements(body, list) {
            places.extend(id_ends(body, element));
        }
    }
    places.sort_unstable();
    let mut out = Vec::with_capacity(body.len() + places.len() * suffix.len());
    let mut done = 0;
    for place in places {
        out.extend_from_slice(body.get(done..place).unwrap_or_default());
        out.extend_from_slice(suffix.as_bytes());
        done = place;
    }
    out.extend_from_slice(body.get(done..).unwrap_or_default());
    out
}

/// Where the text of the member `id` ends, if there is one.
fn id_ends(body: &[u8], object: Range<usize>) -> Vec<usize> {
    let id = member(body, object, b"id");
    let is_text = |at: &Range<usize>| body.get(at.start) == Some(&b'"') && at.len() > 2;
    id.filter(is_text).map(|at| at.end - 1).into_iter().collect()
}

/// Where the value of a member stands.
fn member(body: &[u8], object: Range<usize>, name: &[u8]) -> Option<Range<usize>> {
    let text = body.get(object.clone())?;
    let mut members = Members::of(text);
    while let Ok(Some(member)) = members.next_member() {
        if text.get(member.key.clone()) == Some(name) {
            let at = member.value;
            return Some(object.start + at.start..object.start + at.end);
        }
    }
    None
}

/// Where the elements of a list of objects stand.
fn elements(body: &[u8], list: Range<usize>) -> Vec<Range<usize>> {
    let Some(text) = body.get(list.clone()).filter(|text| text.starts_with(b"[")) else {
        return Vec::new();
    };
    let Ok(values) = sonic_rs::from_slice::<Vec<sonic_rs::LazyValue<'_>>>(text) else {
        return Vec::new();
    };
    let place = |value: &sonic_rs::LazyValue<'_>| {
        let raw = value.as_raw_str();
        let start = list.start + (raw.as_ptr().addr() - text.as_ptr().addr());
        start..start + raw.len()
    };
    values.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_an_upload_comes_to_the_gateway() {
        let lines =
            b"x-a: 1\r\nX-Goog-Upload-URL: https://g/upload/v1beta/files?upload_id=1\r\nx-b: 2\r\n";
        let changed = with_own_address(lines, "http://h/genai/upload/v1beta/files");
        let expected = "x-a: 1\r\nx-goog-upload-url: http://h/genai/upload/v1beta/files?upload_id=1\r\nx-b: 2\r\n";
        assert_eq!(String::from_utf8(changed).unwrap(), expected);
    }

    #[test]
    fn ids_of_objects_and_of_their_lists_name_the_provider() {
        let suffixed = |body: &str| String::from_utf8(with_suffix(body.as_bytes(), ":p")).unwrap();
        assert_eq!(suffixed(r#"{"a":{"id":"x"},"id":"v"}"#), r#"{"a":{"id":"x"},"id":"v:p"}"#);
        assert_eq!(
            suffixed(r#"{"data":[ {"id":"a"} ,{"b":1}], "id": null}"#),
            r#"{"data":[ {"id":"a:p"} ,{"b":1}], "id": null}"#
        );
        assert_eq!(suffixed("[]"), "[]");
    }
}
