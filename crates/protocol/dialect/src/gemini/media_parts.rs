//! Replies of models that answer with pictures or sound, as far as operations of their own need them.

use super::spelling::member;
use super::usage::read_usage;
use crate::canonical::Usage;
use crate::json::{Cursor, Raw, Text};

/// The parts of every candidate.
fn parts<'a>(root: Raw<'a>) -> impl Iterator<Item = Raw<'a>> {
    let candidates = root.member("candidates");
    let candidates = candidates.into_iter().flat_map(|candidates| candidates.elements());
    let parts = candidates.filter_map(|candidate| candidate.member("content")?.member("parts"));
    parts.flat_map(|parts| parts.elements())
}

/// Media type and bytes, in base64, of all that is neither text nor thought.
pub(crate) fn inline<'a>(root: Raw<'a>) -> impl Iterator<Item = (Text<'a>, Text<'a>)> {
    parts(root).filter(|part| !is_thought(*part)).filter_map(|part| {
        let data = member(part, "inlineData")?;
        Some((member(data, "mimeType")?.as_text()?, member(data, "data")?.as_text()?))
    })
}

/// The texts of the answer; thoughts are none.
pub(crate) fn texts<'a>(root: Raw<'a>) -> impl Iterator<Item = Text<'a>> {
    parts(root).filter(|part| !is_thought(*part)).filter_map(|part| part.member("text")?.as_text())
}

fn is_thought(part: Raw<'_>) -> bool {
    part.member("thought").and_then(|thought| thought.as_bool()) == Some(true)
}

/// Whether the answer ends with this.
pub(crate) fn is_last(root: Raw<'_>) -> bool {
    let candidates = root.member("candidates");
    let mut candidates = candidates.into_iter().flat_map(|candidates| candidates.elements());
    candidates.any(|candidate| member(candidate, "finishReason").is_some())
}

/// What was used.
pub(crate) fn usage(root: Raw<'_>) -> Usage {
    let mut usage = Usage::default();
    if let Some(counts) = member(root, "usageMetadata") {
        read_usage(&mut Cursor::new(counts.text().as_bytes()), &mut usage);
    }
    usage
}
