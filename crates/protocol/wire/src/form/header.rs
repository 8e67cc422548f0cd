//! The headers of one part.

use std::borrow::Cow;
use std::ops::Range;

use super::{FormError, FormFault};

/// What the headers of a part say.
pub(super) struct PartHead<'b> {
    pub(super) name: Cow<'b, str>,
    pub(super) file_name: Option<Cow<'b, str>>,
    pub(super) content_type: Option<&'b str>,
}

/// Reads the lines of `body` in `at`, each of which ends with a line break.
pub(super) fn read(body: &[u8], at: Range<usize>) -> Result<PartHead<'_>, FormError> {
    let (mut disposition, mut content_type) = (None, None);
    let mut start = at.start;
    while start < at.end {
        let fault = |what| FormError { offset: start, what };
        let rest = body.get(start..at.end).unwrap_or_default();
        let length = memchr::memmem::find(rest, b"\r\n").ok_or(fault(FormFault::PartHeader))?;
        let line = rest.get(..length).unwrap_or_default();
        let (name, value) = field(line).ok_or(fault(FormFault::PartHeader))?;
        if name.eq_ignore_ascii_case(b"content-disposition") {
            if disposition.replace((start, value)).is_some() {
                return Err(fault(FormFault::Disposition));
            }
        } else if name.eq_ignore_ascii_case(b"content-type") {
            let value = std::str::from_utf8(value).map_err(|_| fault(FormFault::PartHeader))?;
            content_type = Some(value);
        } else if name.eq_ignore_ascii_case(b"content-transfer-encoding") && !is_plain(value) {
            return Err(fault(FormFault::Encoded));
        }
        start += length + 2;
    }
    let (offset, value) =
        disposition.ok_or(FormError { offset: at.start, what: FormFault::Disposition })?;
    let fault = FormError { offset, what: FormFault::Disposition };
    let rest = strip_form_data(value).ok_or(fault)?;
    let text = |name: &[u8]| parameter(rest, name).map_err(|()| fault);
    Ok(PartHead {
        name: text(b"name")?.and_then(utf8).ok_or(fault)?,
        file_name: text(b"filename")?.map(|name| utf8(name).ok_or(fault)).transpose()?,
        content_type,
    })
}

/// Name and value of `name: value`; folded lines and bytes that belong into no header are none.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    let (name, value) = (line.get(..colon)?, line.get(colon + 1..)?);
    let is_name = !name.is_empty() && name.iter().all(|byte| is_token_byte(*byte));
    let is_value = value.iter().all(|byte| *byte == b'\t' || !byte.is_ascii_control());
    (is_name && is_value).then(|| (name, value.trim_ascii()))
}

fn is_plain(encoding: &[u8]) -> bool {
    [&b"binary"[..], b"8bit", b"7bit"].iter().any(|plain| encoding.eq_ignore_ascii_case(plain))
}

fn strip_form_data(value: &[u8]) -> Option<&[u8]> {
    const KIND: &[u8] = b"form-data";
    let (kind, rest) = value.split_at_checked(KIND.len())?;
    let rest = rest.trim_ascii_start();
    (kind.eq_ignore_ascii_case(KIND) && rest.starts_with(b";")).then_some(rest)
}

fn utf8(bytes: Cow<'_, [u8]>) -> Option<Cow<'_, str>> {
    match bytes {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    }
}

/// The parameter of that name among `; name=value; name="value"`; an error where they cannot be read or name it twice.
pub(super) fn parameter<'b>(
    mut rest: &'b [u8],
    wanted: &[u8],
) -> Result<Option<Cow<'b, [u8]>>, ()> {
    let mut found = None;
    loop {
        rest = rest.trim_ascii_start();
        let Some(behind) = rest.strip_prefix(b";") else {
            return if rest.is_empty() { Ok(found) } else { Err(()) };
        };
        rest = behind.trim_ascii_start();
        if rest.is_empty() {
            return Ok(found);
        }
        let equals = memchr::memchr(b'=', rest).ok_or(())?;
        let (name, behind) = rest.split_at(equals);
        let name = name.trim_ascii();
        if name.is_empty() || !name.iter().all(|byte| is_token_byte(*byte)) {
            return Err(());
        }
        let (value, behind) = value(behind.get(1..).unwrap_or_default().trim_ascii_start())?;
        rest = behind;
        if name.eq_ignore_ascii_case(wanted) && found.replace(value).is_some() {
            return Err(());
        }
    }
}

/// A value with or without quotes, and what is behind it.
fn value(text: &[u8]) -> Result<(Cow<'_, [u8]>, &[u8]), ()> {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let end = memchr::memchr(b';', text).unwrap_or(text.len());
        let (value, behind) = text.split_at(end);
        let value = value.trim_ascii_end();
        let is_bare = !value.is_empty() && !value.iter().any(|byte| b"\" \t".contains(byte));
        return if is_bare { Ok((Cow::Borrowed(value), behind)) } else { Err(()) };
    };
    let mut from = 0;
    loop {
        let at = memchr::memchr2(b'"', b'\\', quoted.get(from..).ok_or(())?).ok_or(())? + from;
        if quoted.get(at) == Some(&b'"') {
            let behind = quoted.get(at + 1..).unwrap_or_default();
            return Ok((unescape(quoted.get(..at).unwrap_or_default()), behind));
        }
        from = at + if is_escape(quoted.get(at + 1)) { 2 } else { 1 };
    }
}

/// Old programs send paths with backslashes as they are, so that only two characters can be escaped.
fn is_escape(next: Option<&u8>) -> bool {
    matches!(next, Some(b'"' | b'\\'))
}

fn unescape(quoted: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', quoted).is_none() {
        return Cow::Borrowed(quoted);
    }
    let mut plain = Vec::with_capacity(quoted.len());
    let mut bytes = quoted.iter().peekable();
    while let Some(byte) = bytes.next() {
        let escaped = if *byte == b'\\' { bytes.next_if(|it| is_escape(Some(it))) } else { None };
        plain.push(*escaped.unwrap_or(byte));
    }
    Cow::Owned(plain)
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
