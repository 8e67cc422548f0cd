//! Puts a member in front of the first one of a JSON object while its bytes pass by.

use net::Buffer;

/// Watches for the opening brace of the objects to extend, over arbitrary cuts.
#[derive(Debug)]
pub(crate) struct Injector {
    state: State,
    /// Whether objects stand behind `data:` at the start of a line (SSE) or alone (JSON).
    is_stream: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Matched so many bytes of `data:` since the line began.
    Field(usize),
    /// Before the value; white space may come.
    Value,
    /// Behind the brace, looking whether the object is empty.
    Opened,
    /// Up to the end of the line (SSE) or of everything (JSON) nothing is added.
    Pass,
}

const FIELD: &[u8] = b"data:";

impl Injector {
    /// For a body that is one JSON object.
    pub(crate) fn for_object() -> Self {
        Self { state: State::Value, is_stream: false }
    }

    /// For a stream of events whose data are JSON objects.
    pub(crate) fn for_stream() -> Self {
        Self { state: State::Field(0), is_stream: true }
    }

    /// Writes `input` to `out` with the members added. `member` writes `"key":value` without a
    /// comma and is called once per object.
    pub(crate) fn push(
        &mut self,
        input: &[u8],
        out: &mut Buffer,
        mut member: impl FnMut(&mut Buffer),
    ) {
        let mut copied = 0;
        let mut at = 0;
        while let Some(byte) = input.get(at) {
            match self.state {
                State::Pass => {
                    at = self.line_end(input, at);
                    continue;
                }
                State::Opened if !byte.is_ascii_whitespace() => {
                    out.extend_from_slice(&input[copied..at]);
                    copied = at;
                    member(out);
                    if *byte != b'}' {
                        out.extend_from_slice(b",");
                    }
                    self.state = State::Pass;
                    continue;
                }
                State::Opened => {}
                // Mostly the whole of it is there.
                State::Field(0) if input[at..].starts_with(FIELD) => {
                    self.state = State::Value;
                    at += FIELD.len();
                    continue;
                }
                State::Field(_) | State::Value => self.state = self.look(*byte),
            }
            at += 1;
        }
        out.extend_from_slice(&input[copied..]);
    }

    /// The state behind a byte that comes before an object.
    fn look(&self, byte: u8) -> State {
        let is_line_end = self.is_stream && matches!(byte, b'\n' | b'\r');
        match self.state {
            _ if is_line_end => State::Field(0),
            State::Field(matched) if FIELD.get(matched) == Some(&byte) => {
                if matched + 1 == FIELD.len() { State::Value } else { State::Field(matched + 1) }
            }
            State::Value if byte.is_ascii_whitespace() => State::Value,
            State::Value if byte == b'{' => State::Opened,
            _ => State::Pass,
        }
    }

    /// Where the line that is passed over ends in `input`.
    fn line_end(&mut self, input: &[u8], from: usize) -> usize {
        if !self.is_stream {
            return input.len();
        }
        let rest = &input[from..];
        match memchr::memchr2(b'\n', b'\r', rest) {
            Some(end) => {
                self.state = State::Field(0);
                from + end + 1
            }
            None => input.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn injected(mut injector: Injector, pieces: &[&[u8]]) -> String {
        let (mut out, mut count) = (Buffer::new(), 0);
        for piece in pieces {
            injector.push(piece, &mut out, |out| {
                out.extend_from_slice(format!("\"x\":{count}").as_bytes());
                count += 1;
            });
        }
        String::from_utf8(out.as_slice().to_vec()).unwrap()
    }

    #[test]
    fn every_event_gets_the_member_and_nothing_else_changes() {
        let stream = "\u{feff}: hi {\n\ndata: {\"a\":1}\n\nevent: e\ndata:{ }\r\n\r\ndata: [DONE]\n\nid: data: {\ndata:  {\n";
        let expected = "\u{feff}: hi {\n\ndata: {\"x\":0,\"a\":1}\n\nevent: e\ndata:{ \"x\":1}\r\n\r\ndata: [DONE]\n\nid: data: {\ndata:  {\n";
        assert_eq!(injected(Injector::for_stream(), &[stream.as_bytes()]), expected);
        for cut in 0..=stream.len() {
            let (head, tail) = stream.as_bytes().split_at(cut);
            assert_eq!(injected(Injector::for_stream(), &[head, tail]), expected, "cut at {cut}");
        }
    }

    #[test]
    fn an_object_gets_the_member_once() {
        let body = b" {\n\"data\": {\"a\":{}}}";
        let expected = " {\n\"x\":0,\"data\": {\"a\":{}}}";
        for cut in 0..=body.len() {
            let (head, tail) = body.split_at(cut);
            assert_eq!(injected(Injector::for_object(), &[head, tail]), expected, "cut at {cut}");
        }
    }

    #[test]
    fn what_is_no_object_passes_unchanged() {
        for body in ["[1]", "", "null", "text {"] {
            assert_eq!(injected(Injector::for_object(), &[body.as_bytes()]), body);
        }
    }
}
