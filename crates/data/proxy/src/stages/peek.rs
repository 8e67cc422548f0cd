//! Stage 4: body → [`Ask`]: model, streaming and fallbacks from one validating pass, no tree.

use std::borrow::Cow;
use std::ops::Range;

use dialect::Members;
use sonic_rs::{JsonValueTrait, LazyValue};

use crate::limits::{FALLBACKS_MAX, MEMBERS_MAX, MODEL_BYTES_MAX};
use crate::reject::{Kind, Reject};

/// A top-level member of the body, by position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// The key without its quotes; empty when the key is written with escapes.
    pub(crate) key: Range<usize>,
    /// The value as written.
    pub(crate) value: Range<usize>,
}

/// What the caller asks for.
#[derive(Debug, Default)]
pub(crate) struct Ask<'b> {
    /// `model` as the caller wrote it.
    pub(crate) model: Cow<'b, str>,
    /// Where the value of `model` stands, quotes included; absent when there is none.
    pub(crate) model_at: Option<Range<usize>>,
    /// `stream` is `true`.
    pub(crate) is_streaming: bool,
    /// `stream_options.include_usage` is `true`.
    pub(crate) wants_usage: bool,
    /// `fallbacks`: model names to try next.
    pub(crate) fallbacks: Vec<String>,
    /// Somewhere in it, at whatever depth, there is a `cache_control`.
    pub(crate) has_cache_control: bool,
    /// `stream_format` is `sse`: sound in events.
    pub(crate) wants_sound_events: bool,
    /// The content type of a body that is a form.
    pub(crate) form_type: Option<&'b [u8]>,
}

/// Reads `body`, which must be one JSON object, and lists its members into `members`.
pub(crate) fn peek<'b>(body: &'b [u8], members: &mut Vec<Member>) -> Result<Ask<'b>, Reject> {
    let (ask, is_whole) = scan(body, members)?;
    if is_whole { Ok(ask) } else { Err(invalid_json()) }
}

/// Reads the beginning of a body as far as it goes.
pub(crate) fn peek_beginning<'b>(
    body: &'b [u8],
    members: &mut Vec<Member>,
) -> Result<Ask<'b>, Reject> {
    scan(body, members).map(|(ask, _)| ask)
}

/// What can be read, and whether that was all without a mistake.
fn scan<'b>(body: &'b [u8], members: &mut Vec<Member>) -> Result<(Ask<'b>, bool), Reject> {
    members.clear();
    let mut ask = Ask::default();
    let mut found = Members::of(body);
    loop {
        match found.next_member() {
            Ok(None) => {
                ask.has_cache_control = found.has_cache_control();
                let is_text = found.is_ascii() || std::str::from_utf8(body).is_ok();
                return Ok((ask, is_text));
            }
            Err(_) => return Ok((ask, false)),
            Ok(Some(_)) if members.len() == MEMBERS_MAX => return Err(too_many_members()),
            Ok(Some(member)) => {
                take(&mut ask, body, &member)?;
                let key = if member.is_escaped { 0..0 } else { member.key };
                members.push(Member { key, value: member.value });
            }
        }
    }
}

fn take<'b>(ask: &mut Ask<'b>, body: &'b [u8], member: &dialect::Member) -> Result<(), Reject> {
    let key = body.get(member.key.clone()).unwrap_or_default();
    let unescaped = member.is_escaped.then(|| unescape(body, member)).flatten();
    let value = body.get(member.value.clone()).unwrap_or_default();
    match unescaped.as_deref().map_or(key, str::as_bytes) {
        b"model" if ask.model_at.is_some() => Err(twice("model")),
        b"model" => {
            ask.model = string(value).ok_or_else(|| wrong_type("model", "a string"))?;
            check_model_length(&ask.model)?;
            ask.model_at = Some(member.value.clone());
            Ok(())
        }
        b"stream" => {
            ask.is_streaming = match value {
                b"true" => true,
                b"false" | b"null" => false,
                _ => return Err(wrong_type("stream", "true or false")),
            };
            Ok(())
        }
        b"stream_options" => {
            ask.wants_usage = sonic_rs::get(value, ["include_usage"])
                .is_ok_and(|include_usage| include_usage.as_bool() == Some(true));
            Ok(())
        }
        b"stream_format" => {
            ask.wants_sound_events = value == b"\"sse\"";
            Ok(())
        }
        b"fallbacks" if value != b"null" => {
            ask.fallbacks = fallbacks(value).ok_or_else(wrong_fallbacks)?;
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Refuses a model name that is too long to become a label.
pub(crate) fn check_model_length(model: &str) -> Result<(), Reject> {
    if model.len() > MODEL_BYTES_MAX { Err(too_long()) } else { Ok(()) }
}

/// A key that is written with escapes, without them.
#[cold]
fn unescape(body: &[u8], member: &dialect::Member) -> Option<String> {
    let quoted = body.get(member.key.start.checked_sub(1)?..=member.key.end)?;
    sonic_rs::from_slice(quoted).ok()
}

/// The text of a JSON string: straight from the body unless it has escapes.
fn string(value: &[u8]) -> Option<Cow<'_, str>> {
    let text = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if memchr::memchr(b'\\', text).is_some() {
        return sonic_rs::from_slice::<String>(value).ok().map(Cow::Owned);
    }
    std::str::from_utf8(text).ok().map(Cow::Borrowed)
}

/// A list of strings; objects with `provider` and `model` are taken too. `None`: something else.
fn fallbacks(value: &[u8]) -> Option<Vec<String>> {
    let value: LazyValue<'_> = sonic_rs::from_slice(value).ok()?;
    let mut names = Vec::new();
    for element in value.into_array_iter()? {
        let element = element.ok()?;
        let name = match element.as_str() {
            Some(name) => name.to_owned(),
            None => {
                let member = |name| element.get(name).and_then(|v| v.as_str().map(str::to_owned));
                format!("{}/{}", member("provider")?, member("model")?)
            }
        };
        if names.len() < FALLBACKS_MAX && name.len() <= MODEL_BYTES_MAX {
            names.push(name);
        }
    }
    Some(names)
}

#[cold]
fn invalid_json() -> Reject {
    Reject::new(Kind::Malformed, "Invalid JSON: the body must be one JSON object")
}

#[cold]
fn too_many_members() -> Reject {
    Reject::new(Kind::Malformed, format!("the body has more than {MEMBERS_MAX} members"))
}

#[cold]
fn too_long() -> Reject {
    let message = format!("model is longer than {MODEL_BYTES_MAX} bytes");
    Reject::new(Kind::Malformed, message)
}

#[cold]
pub(crate) fn twice(name: &'static str) -> Reject {
    Reject::new(Kind::Malformed, format!("{name} is given twice"))
}

#[cold]
pub(crate) fn wrong_type(name: &'static str, expected: &'static str) -> Reject {
    Reject::new(Kind::Malformed, format!("{name} must be {expected}"))
}

#[cold]
fn wrong_fallbacks() -> Reject {
    wrong_type("fallbacks", "an array of strings such as \"anthropic/claude-sonnet-4\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(body: &str) -> Result<(String, bool, Vec<String>, usize), String> {
        let mut members = Vec::new();
        peek(body.as_bytes(), &mut members)
            .map(|ask| (ask.model.into_owned(), ask.is_streaming, ask.fallbacks, members.len()))
            .map_err(|reject| reject.public.into_owned())
    }

    #[test]
    fn finds_what_routing_needs_in_any_order() {
        let body = r#" {"messages":[{"model":"inner"}],"stream":true, "model" : "openai/gpt-4o",
            "fallbacks":["a/b",{"provider":"c","model":"d"}]} "#;
        let expected = ("openai/gpt-4o".into(), true, vec!["a/b".into(), "c/d".into()], 4);
        assert_eq!(ask(body), Ok(expected));
    }

    #[test]
    fn members_point_at_their_text() {
        let body = br#"{"a":[1, 2],"b":"x\"y"}"#;
        let mut members = Vec::new();
        peek(body, &mut members).unwrap();
        let text = |range: &Range<usize>| std::str::from_utf8(&body[range.clone()]).unwrap();
        let seen: Vec<_> = members.iter().map(|m| (text(&m.key), text(&m.value))).collect();
        assert_eq!(seen, [("a", "[1, 2]"), ("b", r#""x\"y""#)]);
    }

    #[test]
    fn an_escaped_key_or_model_means_the_same() {
        assert_eq!(ask(r#"{"mod\u0065l":"gpt\u002d4"}"#).unwrap().0, "gpt-4");
    }

    #[test]
    fn refuses_what_is_not_one_object() {
        for body in [
            "",
            "[]",
            "null",
            "{",
            "{}x",
            "{} {}",
            r#"{"a":1,}"#,
            r#"{"a" 1}"#,
            "{\"a\":\"\u{1}\"}",
        ] {
            assert!(ask(body).is_err(), "{body}");
        }
        assert!(peek(b"{\"a\":\"\xff\"}", &mut Vec::new()).is_err());
        assert_eq!(ask("{}"), Ok((String::new(), false, vec![], 0)));
    }

    #[test]
    fn refuses_wrong_types_by_name() {
        for (body, name) in [
            (r#"{"model":1}"#, "model"),
            (r#"{"stream":"yes"}"#, "stream"),
            (r#"{"fallbacks":"a/b"}"#, "fallbacks"),
            (r#"{"model":"a","model":"b"}"#, "model"),
        ] {
            assert!(ask(body).unwrap_err().starts_with(name), "{body}");
        }
    }

    #[test]
    fn a_body_cut_anywhere_is_refused() {
        let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":false}"#;
        for end in 0..body.len() {
            assert!(ask(&body[..end]).is_err(), "{}", &body[..end]);
        }
    }
}
