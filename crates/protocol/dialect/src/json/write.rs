//! Writing: objects and arrays that put their own commas and close themselves when dropped.

use super::raw::Raw;
use super::string::plain_run;
use super::text::Text;

/// An object being written; closed when dropped.
pub(crate) struct Object<'w> {
    out: &'w mut Vec<u8>,
    is_empty: bool,
}

impl<'w> Object<'w> {
    pub(crate) fn new(out: &'w mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, is_empty: true }
    }

    /// Writes a name and gives the place of its value, which the caller must write.
    pub(crate) fn key(&mut self, name: &str) -> &mut Vec<u8> {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        self.out.push(b'"');
        write_str(name, self.out);
        self.out.extend_from_slice(b"\":");
        self.out
    }

    pub(crate) fn str(&mut self, name: &str, value: &str) {
        let out = self.key(name);
        out.push(b'"');
        write_str(value, out);
        out.push(b'"');
    }

    pub(crate) fn text(&mut self, name: &str, value: &Text<'_>) {
        value.write(self.key(name));
    }

    pub(crate) fn text_if(&mut self, name: &str, value: Option<&Text<'_>>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    pub(crate) fn raw(&mut self, name: &str, value: Raw<'_>) {
        self.verbatim(name, value.text());
    }

    pub(crate) fn raw_if(&mut self, name: &str, value: Option<Raw<'_>>) {
        if let Some(value) = value {
            self.raw(name, value);
        }
    }

    /// Writes JSON text that is known to be valid.
    pub(crate) fn verbatim(&mut self, name: &str, json: &str) {
        self.key(name).extend_from_slice(json.as_bytes());
    }

    pub(crate) fn u64(&mut self, name: &str, value: u64) {
        let mut digits = itoa::Buffer::new();
        self.verbatim(name, digits.format(value));
    }

    pub(crate) fn bool(&mut self, name: &str, value: bool) {
        self.verbatim(name, if value { "true" } else { "false" });
    }

    pub(crate) fn null(&mut self, name: &str) {
        self.verbatim(name, "null");
    }

    pub(crate) fn object(&mut self, name: &str) -> Object<'_> {
        Object::new(self.key(name))
    }

    pub(crate) fn array(&mut self, name: &str) -> Array<'_> {
        Array::new(self.key(name))
    }

    /// Appends members that are written already, without the brackets around them; nothing when there are none.
    pub(crate) fn members(&mut self, members: &[u8]) {
        if members.is_empty() {
            return;
        }
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        self.out.extend_from_slice(members);
    }
}

impl Drop for Object<'_> {
    fn drop(&mut self) {
        self.out.push(b'}');
    }
}

/// An array being written; closed when dropped.
pub(crate) struct Array<'w> {
    out: &'w mut Vec<u8>,
    is_empty: bool,
}

impl<'w> Array<'w> {
    pub(crate) fn new(out: &'w mut Vec<u8>) -> Self {
        out.push(b'[');
        Self { out, is_empty: true }
    }

    /// Gives the place of the next element, which the caller must write.
    pub(crate) fn element(&mut self) -> &mut Vec<u8> {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        self.out
    }

    pub(crate) fn text(&mut self, value: &Text<'_>) {
        value.write(self.element());
    }

    pub(crate) fn raw(&mut self, value: Raw<'_>) {
        self.element().extend_from_slice(value.text().as_bytes());
    }

    pub(crate) fn object(&mut self) -> Object<'_> {
        Object::new(self.element())
    }
}

impl Drop for Array<'_> {
    fn drop(&mut self) {
        self.out.push(b']');
    }
}

/// Appends characters escaped for a JSON string, without quotes.
pub(crate) fn write_str(plain: &str, out: &mut Vec<u8>) {
    let mut rest = plain.as_bytes();
    loop {
        let (run, tail) = rest.split_at(plain_run(rest).min(rest.len()));
        out.extend_from_slice(run);
        let Some((special, after)) = tail.split_first() else { return };
        write_escape(*special, out);
        rest = after;
    }
}

fn write_escape(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        other => {
            out.extend_from_slice(b"\\u00");
            out.push(HEX[usize::from(other >> 4)]);
            out.push(HEX[usize::from(other & 15)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_and_brackets_take_care_of_themselves() {
        let mut out = Vec::new();
        let mut object = Object::new(&mut out);
        object.str("a", "x\"\u{1}\n");
        object.u64("b", 7);
        {
            let mut array = object.array("c");
            array.object().bool("d", true);
            array.object();
        }
        object.members(b"\"e\":null");
        drop(object);
        let text = String::from_utf8(out).expect("UTF-8");
        assert_eq!(text, r#"{"a":"x\"\u0001\n","b":7,"c":[{"d":true},{}],"e":null}"#);
    }
}
