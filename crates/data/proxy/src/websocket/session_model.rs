//! Where the body of a realtime call names the model: in JSON, or in a part of a form that is JSON.

use std::borrow::Cow;
use std::ops::Range;

use sonic_rs::{JsonValueTrait, LazyValue};
use wire::{FormReader, form_boundary};

use crate::reject::{Kind, Reject};
use crate::stages::form::unreadable;
use crate::stages::peek::check_model_length;

/// Where JSON that describes a session may name the model.
const PLACES: [&[&str]; 2] = [&["model"], &["session", "model"]];

/// The part of a form that describes the session.
const SESSION_PART: &str = "session";

/// A model in a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found<'b> {
    pub(super) model: Cow<'b, str>,
    /// Where it stands, quotes included.
    pub(super) at: Range<usize>,
}

/// The model that `body` names, if it names one.
pub(super) fn find<'b>(content_type: &[u8], body: &'b [u8]) -> Result<Option<Found<'b>>, Reject> {
    let boundary = form_boundary(content_type).map_err(|error| unreadable(&error))?;
    let found = match boundary {
        Some(boundary) => {
            let Some(part) = session_part(&boundary, body)? else { return Ok(None) };
            let found = in_json(body.get(part.clone()).unwrap_or_default())?;
            found.map(|found| Found {
                at: part.start + found.at.start..part.start + found.at.end,
                ..found
            })
        }
        None if is_json(content_type) => in_json(body)?,
        None => None,
    };
    if let Some(found) = &found {
        check_model_length(&found.model)?;
    }
    Ok(found)
}

/// `body` with another model in the place of the one that was found.
pub(super) fn replace(body: &[u8], found: &Found<'_>, model: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + model.len());
    out.extend_from_slice(body.get(..found.at.start).unwrap_or_default());
    crate::json::write_string(model, &mut |piece| out.extend_from_slice(piece));
    out.extend_from_slice(body.get(found.at.end..).unwrap_or_default());
    out
}

fn is_json(content_type: &[u8]) -> bool {
    let kind = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

fn in_json(text: &[u8]) -> Result<Option<Found<'_>>, Reject> {
    let invalid = |_| Reject::new(Kind::Malformed, "Invalid JSON: the session must be one object");
    if text.trim_ascii().is_empty() {
        return Ok(None);
    }
    let _: LazyValue<'_> = sonic_rs::from_slice(text).map_err(invalid)?;
    let named = PLACES.iter().find_map(|place| sonic_rs::get(text, *place).ok());
    Ok(named.and_then(|named| found(text, &named)))
}

fn found<'t>(text: &'t [u8], value: &LazyValue<'t>) -> Option<Found<'t>> {
    let model = value.as_str()?.to_owned();
    let raw = value.as_raw_str();
    let start = raw.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    let at = start..start + raw.len();
    (text.get(at.clone())? == raw.as_bytes()).then_some(Found { model: model.into(), at })
}

/// The value of the part that describes the session, as far as the form was read for it.
fn session_part(boundary: &[u8], body: &[u8]) -> Result<Option<Range<usize>>, Reject> {
    let mut reader = FormReader::new(boundary, body);
    while let Some(part) = reader.next_part().map_err(|error| unreadable(&error))? {
        if part.name == SESSION_PART {
            return Ok(Some(part.value));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &[u8] = b"--xyz\r\nContent-Disposition: form-data; name=\"sdp\"\r\n\r\nv=0\r\nsession\r\n\
        --xyz\r\ncontent-disposition: form-data; name=\"session\"\r\ncontent-type: application/json\r\n\r\n\
        {\"type\":\"realtime\",\"model\":\"openai\\/gpt\"}\r\n--xyz--\r\n";

    fn model(content_type: &str, body: &[u8]) -> Option<String> {
        let found = find(content_type.as_bytes(), body).unwrap()?;
        Some(found.model.into_owned())
    }

    #[test]
    fn json_names_it_at_the_top_or_in_the_session() {
        const JSON: &str = "application/json; charset=utf-8";
        assert_eq!(model(JSON, br#"{"model":"a"}"#).unwrap(), "a");
        assert_eq!(model(JSON, br#"{"session":{"model":"b","x":1}}"#).unwrap(), "b");
        assert_eq!(model(JSON, br#"{"session":{}}"#), None);
        assert_eq!(model(JSON, b""), None);
        assert_eq!(model("application/sdp", b"v=0"), None);
        assert!(find(b"application/json", b"{\"model\":").is_err());
        let long = format!(r#"{{"model":"{}"}}"#, "m".repeat(10_000));
        assert!(find(b"application/json", long.as_bytes()).is_err());
    }

    #[test]
    fn a_form_names_it_in_its_session_and_the_rest_stays_as_it_is() {
        const KIND: &str = "multipart/form-data; boundary=\"xyz\"";
        let found = find(KIND.as_bytes(), FORM).unwrap().unwrap();
        assert_eq!(found.model, "openai/gpt");
        let replaced = String::from_utf8(replace(FORM, &found, "gpt")).unwrap();
        let expected = String::from_utf8_lossy(FORM).replace("openai\\/gpt", "gpt");
        assert_eq!(replaced, expected);
    }

    #[test]
    fn a_form_cut_anywhere_names_nothing_wrong() {
        for end in 0..FORM.len() {
            let found = find(b"multipart/form-data; boundary=xyz", &FORM[..end]);
            assert!(
                found.is_err() || found.unwrap().is_none_or(|found| found.model == "openai/gpt")
            );
        }
    }
}
