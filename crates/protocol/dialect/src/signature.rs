//! Proofs of origin on their way through dialects that have no place for saying whose they are.
//!
//! Google signs thoughts, texts and function calls, and its newer models refuse calls that come back unsigned. The
//! signature of a call travels in the call's id, behind `_ts_`: the one member every client sends back as it came. All
//! other signatures travel as reasoning, in a form that tells later who signed: `format` in chat completions, a prefix
//! in Anthropic's blocks, an envelope in Google's own.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use crate::canonical::{PartKind, Reasoning, Request};
use crate::json::Text;

/// The name of Google's reasoning, as OpenRouter coined it.
pub(crate) const GEMINI_FORMAT: &str = "google-gemini-v1";

/// Between the id of a call and its signature.
const CALL_SEPARATOR: &str = "_ts_";

/// Shorter than this is no signature but part of an id. Real ones have more than fifty characters.
const SIGNATURE_CHARACTERS_MIN: usize = 16;

/// Between the name of a format and what it is the format of.
const FORMAT_SEPARATOR: char = ':';

/// The beginning of an envelope, and what that is in base64: six bytes are eight characters.
const ENVELOPE: &str = "bf/sig";
const ENVELOPE_ENCODED: &str = "YmYvc2ln";

/// The id of a call with its signature: characters every vendor takes in an id.
pub(crate) fn sign_call(id: &str, signature: &str) -> String {
    let mut signed = String::with_capacity(id.len() + CALL_SEPARATOR.len() + signature.len());
    signed.push_str(id);
    signed.push_str(CALL_SEPARATOR);
    signed.extend(signature.trim_end_matches('=').chars().map(url_safe));
    signed
}

/// The id of a call, and its signature if it carries one.
pub(crate) fn split_call(id: &str) -> (&str, Option<&str>) {
    match id.split_once(CALL_SEPARATOR) {
        Some((id, signature)) if is_signature(signature) => (id, Some(signature)),
        _ => (id, None),
    }
}

fn is_signature(text: &str) -> bool {
    text.len() >= SIGNATURE_CHARACTERS_MIN
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Takes the signatures out of all ids: only the vendor that made them knows what to do with them, and others limit the
/// length of ids.
pub(crate) fn strip_calls(request: &mut Request<'_>) {
    for part in request.messages.iter_mut().flat_map(|message| &mut message.parts) {
        match &mut part.kind {
            PartKind::ToolCall(call) => strip(&mut call.id),
            PartKind::ToolResult(result) => strip(&mut result.call_id),
            _ => {}
        }
    }
}

fn strip(id: &mut Text<'_>) {
    let plain = id.plain();
    if let (bare, Some(_)) = split_call(&plain) {
        *id = bare.to_owned().into();
    }
}

fn url_safe(character: char) -> char {
    match character {
        '+' => '-',
        '/' => '_',
        other => other,
    }
}

/// A signature that came in an id, padded as base64 should be.
pub(crate) fn padded(signature: &str) -> String {
    let missing = signature.len().next_multiple_of(4) - signature.len();
    // Three missing characters are none base64 could miss.
    let padding = if missing < 3 { missing } else { 0 };
    format!("{signature}{}", &"=="[..padding])
}

impl<'a> Reasoning<'a> {
    /// Whether Google signed or encrypted it.
    pub(crate) fn is_gemini(&self) -> bool {
        let is_google = |format: &Text<'a>| format.plain().starts_with("google-gemini");
        self.format.as_ref().is_some_and(is_google)
    }
}

/// Writes a signature or encrypted reasoning for a dialect that cannot say who made it: Google's are marked.
pub(crate) fn mark<'t>(reasoning: &Reasoning<'_>, value: &'t Text<'_>) -> Text<'t> {
    if reasoning.is_gemini() {
        return format!("{GEMINI_FORMAT}{FORMAT_SEPARATOR}{}", value.plain()).into();
    }
    match value {
        Text::Spelt(inner) => Text::Spelt(inner),
        Text::Plain(plain) => Text::from(&**plain),
    }
}

/// Reads what [`mark`] wrote: the marks go, and the format is known.
pub(crate) fn unmark(reasoning: &mut Reasoning<'_>) {
    let Reasoning { signature, data, format, .. } = reasoning;
    for value in [signature, data].into_iter().flatten() {
        let plain = value.plain();
        let behind = plain.strip_prefix(GEMINI_FORMAT);
        if let Some(own) = behind.and_then(|rest| rest.strip_prefix(FORMAT_SEPARATOR)) {
            *value = own.to_owned().into();
            *format = Some(GEMINI_FORMAT.into());
        }
    }
}

/// What one of Google's signatures holds that is not Google's: base64, because clients decode it.
pub(crate) fn seal(reasoning: &Reasoning<'_>) -> Option<String> {
    let (kind, value) = match (&reasoning.data, &reasoning.signature) {
        (Some(data), _) => ('d', data),
        (None, Some(signature)) => ('s', signature),
        (None, None) => return None,
    };
    let plain = |text: &Option<Text<'_>>| {
        text.as_ref().map_or_else(String::new, |text| text.plain().into_owned())
    };
    let (format, id) = (plain(&reasoning.format), plain(&reasoning.id));
    Some(STANDARD.encode(format!("{ENVELOPE}{kind}{format}\0{id}\0{}", value.plain())))
}

/// Opens what [`seal`] closed; `None` for a signature of Google's own.
pub(crate) fn open(signature: &str) -> Option<Reasoning<'static>> {
    if !signature.starts_with(ENVELOPE_ENCODED) {
        return None;
    }
    // Clients may write it again with the other alphabet.
    let standard: String = signature.trim_end_matches('=').chars().map(standard_alphabet).collect();
    let content = String::from_utf8(STANDARD_NO_PAD.decode(standard).ok()?).ok()?;
    let mut fields = content.strip_prefix(ENVELOPE)?.splitn(3, '\0');
    let (head, id, value) = (fields.next()?, fields.next()?, fields.next()?);
    let own = |text: &str| {
        Some(text).filter(|text| !text.is_empty()).map(|text| Text::from(text.to_owned()))
    };
    let mut reasoning = Reasoning { id: own(id), ..Reasoning::default() };
    if let Some(format) = head.strip_prefix('d') {
        reasoning.data = own(value);
        reasoning.format = own(format);
    } else {
        reasoning.signature = own(value);
        reasoning.format = own(head.strip_prefix('s')?);
    }
    Some(reasoning)
}

fn standard_alphabet(character: char) -> char {
    match character {
        '-' => '+',
        '_' => '/',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_travels_in_the_id_of_its_call() {
        let signed = sign_call("call_7", "Ab+/cdEFgh0123456789AA==");
        assert_eq!(signed, "call_7_ts_Ab-_cdEFgh0123456789AA");
        assert_eq!(split_call(&signed), ("call_7", Some("Ab-_cdEFgh0123456789AA")));
        assert_eq!(padded("Ab-_cdEFgh0123456789AA"), "Ab-_cdEFgh0123456789AA==");
        assert_eq!(padded("Ab-_cdEFgh01234567890"), "Ab-_cdEFgh01234567890");
    }

    #[test]
    fn ids_that_only_look_signed_stay_as_they_are() {
        for id in ["call_ts_1", "points_ts_", "a_ts_0123456789abcde", "x_ts_0123456789abcdef.", ""]
        {
            assert_eq!(split_call(id), (id, None), "{id}");
        }
    }

    #[test]
    fn an_envelope_opens_again_in_either_alphabet() {
        let sealed = Reasoning {
            signature: Some("Er?>~~sig/+==".into()),
            id: Some("rs_1".into()),
            format: Some("anthropic-claude-v1".into()),
            ..Reasoning::default()
        };
        let standard = seal(&sealed).expect("has a signature");
        let url: String = standard.trim_end_matches('=').chars().map(url_safe).collect();
        for spelling in [standard, url] {
            let opened = open(&spelling).expect("is an envelope");
            assert_eq!(opened.signature, sealed.signature);
            assert_eq!(opened.format, sealed.format);
            assert_eq!(opened.id, sealed.id);
            assert!(opened.data.is_none());
        }
        for other in ["CpYBAY89a1", "", ENVELOPE_ENCODED, "YmYvc2ln****", "YmYvc2lnZGE"] {
            assert!(open(other).is_none(), "{other}");
        }
    }

    #[test]
    fn marks_tell_whose_it_is() {
        let mut google = Reasoning {
            data: Some("abc".into()),
            format: Some(GEMINI_FORMAT.into()),
            ..Reasoning::default()
        };
        let marked = google.data.as_ref().map(|data| mark(&google, data).into_owned());
        assert_eq!(marked, Some("google-gemini-v1:abc".into()));
        google = Reasoning { data: marked, ..Reasoning::default() };
        unmark(&mut google);
        assert_eq!(google.data, Some("abc".into()));
        assert!(google.is_gemini());
        let claude = Reasoning { signature: Some("abc".into()), ..Reasoning::default() };
        let signature = claude.signature.as_ref().map(|signature| mark(&claude, signature));
        assert_eq!(signature, Some("abc".into()));
    }
}
