//! Reading members of things that are kept. What a vendor leaves out, or spells as another type, is no mistake here.

use crate::error::Error;
use crate::json::{Index, Raw};
use crate::ollama_chat::timestamp::read_timestamp;

/// Reads `body`, which may be empty, and hands its root to `read`.
pub(super) fn with_root<T>(
    body: &[u8],
    read: impl FnOnce(Raw<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut index = Index::new();
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    read(index.read(body)?)
}

/// A text; nothing for an empty one.
pub(super) fn text(parent: Raw<'_>, name: &str) -> Option<String> {
    let text = parent.member(name)?.as_str()?.into_owned();
    Some(text).filter(|text| !text.is_empty())
}

/// A number, or a text that is one.
pub(super) fn number(parent: Raw<'_>, name: &str) -> Option<u64> {
    let value = parent.member(name)?;
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// A point in time, spelt out.
pub(super) fn time(parent: Raw<'_>, name: &str) -> Option<u64> {
    read_timestamp(&parent.member(name)?.as_str()?)
}

/// An object as it is spelt.
pub(super) fn object(parent: Raw<'_>, name: &str) -> Option<String> {
    let value = parent.member(name).filter(Raw::is_object)?;
    Some(value.text().to_owned())
}

/// The elements of a list.
pub(super) fn list<T>(parent: Raw<'_>, name: &str, mut read: impl FnMut(Raw<'_>) -> T) -> Vec<T> {
    parent.member(name).iter().flat_map(Raw::elements).map(&mut read).collect()
}

/// The lines of JSON Lines that are not empty.
pub(super) fn lines(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty())
}
