//! Stages 4 and 8 for bodies that are forms with files: what routing needs is read where it stands, and only those parts
//! are changed that are meant for the gateway. Files pass by untouched.

use std::borrow::Cow;

use dialect::Dialect;
use wire::{FormError, FormFault, FormPart, FormReader, RequestHead, form_boundary};

use super::peek::{self, Ask, Member};
use super::splice::Edits;
use crate::limits::FALLBACKS_MAX;
use crate::reject::{Kind, Reject};

/// A form's content type and boundary.
#[derive(Debug)]
pub(crate) struct FormType<'r> {
    content_type: &'r [u8],
    boundary: Cow<'r, [u8]>,
}

/// What the content type says of a form; `None`: the body is something else.
pub(crate) fn form_type<'r>(
    head: &RequestHead,
    bytes: &'r [u8],
) -> Result<Option<FormType<'r>>, Reject> {
    let content_type = head.header(bytes, "content-type").unwrap_or_default();
    let boundary = form_boundary(content_type).map_err(|error| unreadable(&error))?;
    Ok(boundary.map(|boundary| FormType { content_type, boundary }))
}

/// Reads a form, which must be complete and have the files its dialect needs. `meant` gets the parts that are for the
/// gateway alone, each as a whole, as the value of a member.
pub(crate) fn peek_form<'b>(
    form: &FormType<'b>,
    dialect: Dialect,
    body: &'b [u8],
    meant: &mut Vec<Member>,
) -> Result<Ask<'b>, Reject> {
    let mut seen = Seen::default();
    let ask = scan(form, body, meant, &mut seen)?;
    match seen.fault {
        Some(error) => Err(unreadable(&error)),
        None => seen.check(dialect).map(|()| ask),
    }
}

/// Reads the beginning of a form as far as its parts are complete.
pub(crate) fn peek_form_beginning<'b>(
    form: &FormType<'b>,
    body: &'b [u8],
    meant: &mut Vec<Member>,
) -> Result<Ask<'b>, Reject> {
    scan(form, body, meant, &mut Seen::default())
}

fn scan<'b>(
    form: &FormType<'b>,
    body: &'b [u8],
    meant: &mut Vec<Member>,
    seen: &mut Seen,
) -> Result<Ask<'b>, Reject> {
    meant.clear();
    let mut ask = Ask { form_type: Some(form.content_type), ..Ask::default() };
    let mut reader = FormReader::new(&form.boundary, body);
    loop {
        match reader.next_part() {
            Ok(None) => return Ok(ask),
            Ok(Some(part)) => {
                seen.note(&part.name);
                take(&mut ask, body, part, meant)?;
            }
            Err(error) if error.what == FormFault::Incomplete => {
                seen.fault = Some(error);
                return Ok(ask);
            }
            Err(error) => return Err(unreadable(&error)),
        }
    }
}

fn take<'b>(
    ask: &mut Ask<'b>,
    body: &'b [u8],
    part: FormPart<'b>,
    meant: &mut Vec<Member>,
) -> Result<(), Reject> {
    let text = || {
        let value = body.get(part.value.clone()).unwrap_or_default();
        std::str::from_utf8(value).map_err(|_| peek::wrong_type("a field of the form", "UTF-8"))
    };
    match &*part.name {
        "model" if ask.model_at.is_some() => return Err(peek::twice("model")),
        "model" => {
            let model = text()?;
            peek::check_model_length(model)?;
            ask.model = model.into();
            ask.model_at = Some(part.value);
        }
        "stream" => {
            ask.is_streaming = match text()?.trim() {
                "true" | "True" => true,
                "false" | "False" | "" => false,
                _ => return Err(peek::wrong_type("stream", "true or false")),
            };
        }
        "fallbacks" | "fallbacks[]" => {
            let fallback = text()?;
            peek::check_model_length(fallback)?;
            if ask.fallbacks.len() < FALLBACKS_MAX {
                ask.fallbacks.push(fallback.to_owned());
            }
            // Its line break goes with it.
            let whole = part.head.start..part.value.end + 2;
            meant.push(Member { key: 0..0, value: whole });
        }
        _ => {}
    }
    Ok(())
}

/// Which parts there are, as far as that matters.
#[derive(Default)]
struct Seen {
    has_recording: bool,
    has_picture: bool,
    has_instruction: bool,
    /// Why the form ended early, if it did.
    fault: Option<FormError>,
}

impl Seen {
    fn note(&mut self, name: &str) {
        match name.strip_suffix("[]").unwrap_or(name) {
            // Some providers fetch recordings, or have them already.
            "file" | "file_url" | "file_id" | "cloud_storage_url" => self.has_recording = true,
            "image" => self.has_picture = true,
            // To take a background away nobody has to say anything else.
            "prompt" | "type" => self.has_instruction = true,
            _ => {}
        }
    }

    /// Refuses a form without what is asked about, by name.
    fn check(&self, dialect: Dialect) -> Result<(), Reject> {
        let (has_file, file) = match dialect {
            Dialect::OpenAiTranscription => (self.has_recording, "file"),
            Dialect::OpenAiImageEdits | Dialect::OpenAiImageVariations => {
                (self.has_picture, "image")
            }
            _ => return Ok(()),
        };
        if !has_file {
            return Err(missing(file));
        }
        if dialect == Dialect::OpenAiImageEdits && !self.has_instruction {
            return Err(missing("prompt"));
        }
        Ok(())
    }
}

/// Notes the edits of a form that stays in its dialect: `model` by its name on the wire, and without what is meant for
/// the gateway. `is_model_in_path`: the provider finds the model there.
pub(crate) fn edit(
    body: &[u8],
    model_at: Option<&std::ops::Range<usize>>,
    model: &str,
    meant: &[Member],
    is_model_in_path: bool,
    edits: &mut Edits,
) {
    match model_at {
        Some(at) if body.get(at.clone()) == Some(model.as_bytes()) => {}
        Some(at) => edits.replace_text(at.clone(), model),
        None if is_model_in_path => {}
        None => add_model(body, model, edits),
    }
    for part in meant {
        edits.cut(part.value.clone());
    }
}

/// Puts a part with the model in front of the first one, whose boundary shows what one looks like.
fn add_model(body: &[u8], model: &str, edits: &mut Edits) {
    let start = if body.starts_with(b"\r\n") { 2 } else { 0 };
    let line = body.get(start..).unwrap_or_default();
    let length = memchr::memchr(b'\r', line).unwrap_or(line.len());
    let boundary = String::from_utf8_lossy(line.get(..length).unwrap_or_default());
    let head = "Content-Disposition: form-data; name=\"model\"";
    edits.replace_text(start..start, &[&boundary, head, "", model, ""].join("\r\n"));
}

#[cold]
pub(crate) fn unreadable(error: &FormError) -> Reject {
    Reject::new(Kind::Malformed, format!("Invalid form: {error}"))
}

#[cold]
fn missing(name: &str) -> Reject {
    Reject::new(Kind::Malformed, format!("{name} is required"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: FormType<'static> = FormType {
        content_type: b"multipart/form-data; boundary=b",
        boundary: Cow::Borrowed(b"b"),
    };

    fn form(parts: &[(&str, &str)]) -> String {
        let part = |(name, value): &(&str, &str)| {
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        parts.iter().map(part).collect::<String>() + "--b--\r\n"
    }

    fn edited(body: &str, model: &str) -> String {
        let mut meant = Vec::new();
        let dialect = Dialect::OpenAiTranscription;
        let ask = peek_form(&TYPE, dialect, body.as_bytes(), &mut meant).unwrap();
        let mut edits = Edits::default();
        edit(body.as_bytes(), ask.model_at.as_ref(), model, &meant, false, &mut edits);
        let mut out = Vec::new();
        edits.apply(body.as_bytes(), &[], &mut |piece| out.extend_from_slice(piece));
        String::from_utf8(out).unwrap()
    }

    fn refusal(dialect: Dialect, body: &str) -> String {
        let ask = peek_form(&TYPE, dialect, body.as_bytes(), &mut Vec::new());
        ask.unwrap_err().public.into_owned()
    }

    #[test]
    fn finds_what_routing_needs_in_any_order() {
        let body = form(&[
            ("file", "RIFF"),
            ("fallbacks", "groq/whisper"),
            ("stream", "true"),
            ("model", "openai/whisper-1"),
            ("fallbacks[]", "a/b"),
        ]);
        let mut meant = Vec::new();
        let dialect = Dialect::OpenAiTranscription;
        let ask = peek_form(&TYPE, dialect, body.as_bytes(), &mut meant).unwrap();
        assert_eq!((&*ask.model, ask.is_streaming), ("openai/whisper-1", true));
        assert_eq!(ask.fallbacks, ["groq/whisper", "a/b"]);
        assert_eq!(meant.len(), 2);
    }

    #[test]
    fn only_what_is_meant_for_the_gateway_changes() {
        let sent = [("x", "1"), ("model", "openai/m"), ("fallbacks", "a/b"), ("file", "}\"{")];
        let expected = [("x", "1"), ("model", "m"), ("file", "}\"{")];
        assert_eq!(edited(&form(&sent), "m"), form(&expected));
        let last = [("file", "a"), ("model", "m"), ("fallbacks", "a/b"), ("fallbacks", "c/d")];
        assert_eq!(edited(&form(&last), "m"), form(&last[..2]));
    }

    #[test]
    fn a_form_without_model_gets_one() {
        let expected = form(&[("model", "m"), ("file", "a")]);
        assert_eq!(edited(&form(&[("file", "a")]), "m"), expected);
        assert_eq!(
            edited(&format!("\r\n{}", form(&[("file", "a")])), "m"),
            format!("\r\n{expected}")
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        for (dialect, parts, message) in [
            (Dialect::OpenAiTranscription, &[("model", "m")][..], "file is required"),
            (Dialect::OpenAiImageEdits, &[("prompt", "p")], "image is required"),
            (Dialect::OpenAiImageEdits, &[("image[]", "p")], "prompt is required"),
            (Dialect::OpenAiImageVariations, &[("prompt", "p")], "image is required"),
        ] {
            assert_eq!(refusal(dialect, &form(parts)), message);
        }
        let twice = form(&[("file", ""), ("model", "a"), ("model", "b")]);
        assert_eq!(refusal(Dialect::OpenAiTranscription, &twice), "model is given twice");
        let wrong = form(&[("file", ""), ("stream", "yes")]);
        assert_eq!(refusal(Dialect::OpenAiTranscription, &wrong), "stream must be true or false");
        let cut = form(&[("file", "abc")]);
        let message = refusal(Dialect::OpenAiTranscription, &cut[..cut.len() - 8]);
        assert!(message.starts_with("Invalid form: the form is cut short"), "{message}");
    }

    #[test]
    fn the_beginning_of_a_form_says_as_much_as_is_there() {
        let body = form(&[("model", "m"), ("stream", "true"), ("file", "abc")]);
        let cut = body.find("abc").unwrap();
        let mut meant = Vec::new();
        let ask = peek_form_beginning(&TYPE, &body.as_bytes()[..cut], &mut meant).unwrap();
        assert_eq!((&*ask.model, ask.is_streaming), ("m", true));
        let ask = peek_form_beginning(&TYPE, &body.as_bytes()[..40], &mut meant).unwrap();
        assert!(ask.model_at.is_none());
    }
}
