//! Writing forms.

use std::hash::{BuildHasher, RandomState};

/// A form being written.
#[derive(Debug)]
pub struct FormWriter<'o> {
    boundary: String,
    out: &'o mut Vec<u8>,
}

impl<'o> FormWriter<'o> {
    /// Begins a form behind what is in `out`, with a boundary that nobody can guess, so that no value can contain it.
    pub fn new(out: &'o mut Vec<u8>) -> Self {
        let (one, other) = (RandomState::new().hash_one(0), RandomState::new().hash_one(1));
        Self::with_boundary(format!("form-{one:016x}{other:016x}"), out)
    }

    /// The same with a boundary of the caller's, which no value may contain and RFC 2046 must allow.
    pub fn with_boundary(boundary: String, out: &'o mut Vec<u8>) -> Self {
        Self { boundary, out }
    }

    /// Adds a field with a text.
    pub fn text(&mut self, name: &str, value: &str) {
        self.begin(name);
        self.out.extend_from_slice(b"\r\n\r\n");
        self.out.extend_from_slice(value.as_bytes());
        self.out.extend_from_slice(b"\r\n");
    }

    /// Adds a field with a file.
    pub fn file(&mut self, name: &str, file_name: &str, content_type: &str, bytes: &[u8]) {
        self.begin(name);
        self.out.extend_from_slice(b"; filename=\"");
        push_quoted(file_name, self.out);
        self.out.extend_from_slice(b"\"\r\nContent-Type: ");
        // A line break in it would end the header.
        let content_type = content_type.bytes().filter(|byte| !byte.is_ascii_control());
        self.out.extend(content_type);
        self.out.extend_from_slice(b"\r\n\r\n");
        self.out.extend_from_slice(bytes);
        self.out.extend_from_slice(b"\r\n");
    }

    /// Ends the form; the content type it goes by.
    pub fn end(self) -> String {
        self.out.extend_from_slice(b"--");
        self.out.extend_from_slice(self.boundary.as_bytes());
        self.out.extend_from_slice(b"--\r\n");
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    fn begin(&mut self, name: &str) {
        self.out.extend_from_slice(b"--");
        self.out.extend_from_slice(self.boundary.as_bytes());
        self.out.extend_from_slice(b"\r\nContent-Disposition: form-data; name=\"");
        push_quoted(name, self.out);
        self.out.push(b'"');
    }
}

/// Appends a name as browsers do: quotes and line breaks percent-encoded.
fn push_quoted(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"%22"),
            b'\r' => out.extend_from_slice(b"%0D"),
            b'\n' => out.extend_from_slice(b"%0A"),
            byte => out.push(byte),
        }
    }
}
