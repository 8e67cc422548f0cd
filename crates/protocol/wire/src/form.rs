//! Forms with files (`multipart/form-data`, RFC 7578 over RFC 2046): found in place and written.
//!
//! A form that two readers could take apart in two ways is refused: a second name, a line that only begins like a
//! boundary, text in front of the first part or behind the last one, an encoded part.

mod header;
mod writer;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use memchr::memmem::Finder;

pub use writer::FormWriter;

/// Bytes of a boundary, by RFC 2046.
pub const FORM_BOUNDARY_BYTES_MAX: usize = 70;

/// Bytes of the headers of one part.
pub const FORM_PART_HEAD_BYTES_MAX: usize = 8 * 1024;

/// Parts of one form.
pub const FORM_PARTS_MAX: usize = 256;

const _: () = assert!(FORM_BOUNDARY_BYTES_MAX < FORM_PART_HEAD_BYTES_MAX);

/// One part of a form. Ranges count from the start of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormPart<'b> {
    /// The name of the field.
    pub name: Cow<'b, str>,
    /// What the file is called, where the field is a file.
    pub file_name: Option<Cow<'b, str>>,
    /// The media type, where the part names it.
    pub content_type: Option<&'b str>,
    /// From the boundary in front of the part up to its value.
    pub head: Range<usize>,
    /// The value. A line break and the next boundary follow.
    pub value: Range<usize>,
}

/// Finds the parts of a form one after the other.
#[derive(Debug)]
pub struct FormReader<'b> {
    body: &'b [u8],
    /// Line break, two hyphens, boundary.
    delimiter: Finder<'static>,
    /// Where the next boundary's hyphens stand.
    at: usize,
    parts: usize,
}

/// Why a body is not a form that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormError {
    /// The place, in bytes from the start of the body, or of the content type.
    pub offset: usize,
    /// What is wrong there.
    pub what: FormFault,
}

/// What is wrong with a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormFault {
    /// The content type names no boundary, or one that RFC 2046 does not allow.
    Boundary,
    /// The body goes on behind what is there.
    Incomplete,
    /// The boundary does not stand where it must, or not alone on its line.
    BoundaryLine,
    /// A header of a part is not one.
    PartHeader,
    /// The headers of a part take more than [`FORM_PART_HEAD_BYTES_MAX`].
    PartHeadTooLarge,
    /// A part is no form field: it has no `Content-Disposition: form-data` with a name, or several.
    Disposition,
    /// A part is encoded; forms carry bytes as they are.
    Encoded,
    /// There are more than [`FORM_PARTS_MAX`] parts.
    TooManyParts,
    /// There is something behind the last part.
    Trailing,
}

/// The boundary of the form that a content type announces; `Ok(None)`: it announces something else.
pub fn form_boundary(content_type: &[u8]) -> Result<Option<Cow<'_, [u8]>>, FormError> {
    const FORM: &[u8] = b"multipart/form-data";
    let is_form = content_type.get(..FORM.len()).is_some_and(|it| it.eq_ignore_ascii_case(FORM));
    let rest = content_type.get(FORM.len()..).unwrap_or_default().trim_ascii_start();
    if !is_form || !(rest.is_empty() || rest.starts_with(b";")) {
        return Ok(None);
    }
    let fault = FormError { offset: FORM.len(), what: FormFault::Boundary };
    let boundary = header::parameter(rest, b"boundary").map_err(|_| fault)?.ok_or(fault)?;
    let is_sound = (1..=FORM_BOUNDARY_BYTES_MAX).contains(&boundary.len())
        && boundary.iter().all(|byte| is_boundary_byte(*byte))
        && boundary.last() != Some(&b' ');
    if is_sound { Ok(Some(boundary)) } else { Err(fault) }
}

fn is_boundary_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte)
}

impl<'b> FormReader<'b> {
    /// Reads `body`, or the beginning of one, by the boundary of its content type.
    pub fn new(boundary: &[u8], body: &'b [u8]) -> Self {
        let delimiter = [b"\r\n--", boundary].concat();
        // Some programs begin with the line break that belongs to the boundary.
        let at = if body.starts_with(b"\r\n") { 2 } else { 0 };
        Self { body, delimiter: Finder::new(&delimiter).into_owned(), at, parts: 0 }
    }

    /// The next part; `Ok(None)`: the form is complete. Where only the beginning of a body is there, reading ends with
    /// [`FormFault::Incomplete`] behind the last part that is complete.
    pub fn next_part(&mut self) -> Result<Option<FormPart<'b>>, FormError> {
        let line = self.at;
        let start = self.behind_boundary()?;
        let rest = self.from(start);
        if let Some(end) = rest.strip_prefix(b"--") {
            let is_end = end.iter().all(|byte| byte.is_ascii_whitespace());
            return if is_end { Ok(None) } else { Err(self.fault(start + 2, FormFault::Trailing)) };
        }
        if self.parts == FORM_PARTS_MAX {
            return Err(self.fault(line, FormFault::TooManyParts));
        }
        match rest {
            [b'\r', b'\n', ..] => {}
            [] | [b'\r' | b'-'] => return Err(self.fault(start, FormFault::Incomplete)),
            _ => return Err(self.fault(start, FormFault::BoundaryLine)),
        }
        let value_start = self.behind_head(start)?;
        let head = header::read(self.body, start + 2..value_start - 2)?;
        // The empty line in front could be taken for the line break of a boundary.
        if self.from(value_start).starts_with(self.boundary()) {
            return Err(self.fault(value_start, FormFault::BoundaryLine));
        }
        let value_len = self.delimiter.find(self.from(value_start));
        let value_len = value_len.ok_or(self.fault(value_start, FormFault::Incomplete))?;
        self.at = value_start + value_len + 2;
        self.parts += 1;
        Ok(Some(FormPart {
            name: head.name,
            file_name: head.file_name,
            content_type: head.content_type,
            head: line..value_start,
            value: value_start..value_start + value_len,
        }))
    }

    /// The place behind the boundary that must stand at `at`.
    fn behind_boundary(&self) -> Result<usize, FormError> {
        let boundary = self.boundary();
        let there = self.from(self.at);
        if there.starts_with(boundary) {
            return Ok(self.at + boundary.len());
        }
        let is_cut = there.len() < boundary.len() && boundary.starts_with(there);
        let what = if is_cut { FormFault::Incomplete } else { FormFault::BoundaryLine };
        Err(self.fault(self.at, what))
    }

    /// With its hyphens in front.
    fn boundary(&self) -> &[u8] {
        self.delimiter.needle().get(2..).unwrap_or_default()
    }

    /// The place behind the empty line that ends the headers, which begin with a line break.
    fn behind_head(&self, start: usize) -> Result<usize, FormError> {
        let rest = self.from(start);
        let searched = rest.get(..FORM_PART_HEAD_BYTES_MAX).unwrap_or(rest);
        match memchr::memmem::find(searched, b"\r\n\r\n") {
            Some(length) => Ok(start + length + 4),
            None if searched.len() == FORM_PART_HEAD_BYTES_MAX => {
                Err(self.fault(start, FormFault::PartHeadTooLarge))
            }
            None => Err(self.fault(start, FormFault::Incomplete)),
        }
    }

    fn from(&self, start: usize) -> &'b [u8] {
        self.body.get(start..).unwrap_or_default()
    }

    fn fault(&self, offset: usize, what: FormFault) -> FormError {
        FormError { offset, what }
    }
}

impl fmt::Display for FormError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.what {
            FormFault::Boundary => {
                return formatter.write_str("the content type names no boundary");
            }
            FormFault::Incomplete => "the form is cut short",
            FormFault::BoundaryLine => "the boundary is missing, or not alone on its line",
            FormFault::PartHeader => "a part has a malformed header",
            FormFault::PartHeadTooLarge => "the headers of a part are too large",
            FormFault::Disposition => {
                "a part is no form field with one name (content-disposition: form-data; name=…)"
            }
            FormFault::Encoded => {
                "a part has a content-transfer-encoding; send its bytes as they are"
            }
            FormFault::TooManyParts => "the form has too many parts",
            FormFault::Trailing => "something follows the last part",
        };
        write!(formatter, "{text} (at byte {})", self.offset)
    }
}

impl std::error::Error for FormError {}

#[cfg(test)]
mod tests;
