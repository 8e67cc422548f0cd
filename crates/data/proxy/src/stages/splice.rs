//! Edits to a JSON object's members, applied while copying: everything else stays byte for byte.

use std::ops::Range;

use super::peek::Member;

/// The edits of one request body, in the order of the body.
#[derive(Debug, Default)]
pub(crate) struct Edits {
    /// Ranges of the body and what stands there instead, sorted by position.
    changes: Vec<Change>,
    /// Texts of the changes, one behind the other.
    texts: String,
    /// Positions of members to be removed.
    removed: Vec<usize>,
    /// No member of the body is left.
    leaves_none: bool,
    /// Members added at the end, each `"key":value`.
    added: Vec<u8>,
}

#[derive(Debug)]
struct Change {
    at: Range<usize>,
    text: Text,
}

#[derive(Debug)]
enum Text {
    None,
    Static(&'static [u8]),
    Number(u64),
    /// A plain text, which stands in `Edits::texts`.
    Plain(Range<usize>),
    /// A JSON string made from a plain one, which stands in `Edits::texts`.
    Quoted(Range<usize>),
}

impl Edits {
    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.changes.clear();
        self.texts.clear();
        self.removed.clear();
        self.leaves_none = false;
        self.added.clear();
    }

    /// Puts the JSON string of `text` in place of `at`.
    pub(crate) fn replace_string(&mut self, at: Range<usize>, text: &str) {
        let start = self.texts.len();
        self.texts.push_str(text);
        self.changes.push(Change { at, text: Text::Quoted(start..self.texts.len()) });
    }

    /// Puts `text` as it is in place of `at`, for bodies that are no JSON.
    pub(crate) fn replace_text(&mut self, at: Range<usize>, text: &str) {
        let start = self.texts.len();
        self.texts.push_str(text);
        self.changes.push(Change { at, text: Text::Plain(start..self.texts.len()) });
    }

    /// Puts `text` in place of `at`.
    pub(crate) fn replace(&mut self, at: Range<usize>, text: &'static str) {
        self.changes.push(Change { at, text: Text::Static(text.as_bytes()) });
    }

    /// Puts a number in place of `at`.
    pub(crate) fn replace_number(&mut self, at: Range<usize>, number: u64) {
        self.changes.push(Change { at, text: Text::Number(number) });
    }

    /// Takes `at` out: the caller has seen to the commas.
    pub(crate) fn cut(&mut self, at: Range<usize>) {
        self.changes.push(Change { at, text: Text::None });
    }

    /// Adds a member at the end.
    pub(crate) fn add(&mut self, key: &str, value: &[u8]) {
        self.added.extend_from_slice(b",\"");
        self.added.extend_from_slice(key.as_bytes());
        self.added.extend_from_slice(b"\":");
        self.added.extend_from_slice(value);
    }

    /// Removes the member at `index` with one of its commas.
    pub(crate) fn remove(&mut self, index: usize) {
        self.removed.push(index);
    }

    /// Writes `body` with all edits into `out`.
    pub(crate) fn apply(&mut self, body: &[u8], members: &[Member], out: &mut impl FnMut(&[u8])) {
        self.place_removals(body, members);
        self.changes.sort_by_key(|change| change.at.start);
        let mut done = 0;
        for change in &self.changes {
            // A replacement inside a removed member has nothing left to replace.
            if change.at.start < done {
                continue;
            }
            out(body.get(done..change.at.start).unwrap_or_default());
            match &change.text {
                Text::None => {}
                Text::Static(text) => out(text),
                Text::Number(number) => out(itoa::Buffer::new().format(*number).as_bytes()),
                Text::Plain(at) => {
                    out(self.texts.get(at.clone()).unwrap_or_default().as_bytes());
                }
                Text::Quoted(at) => {
                    let text = self.texts.get(at.clone()).unwrap_or_default();
                    crate::json::write_string(text, out);
                }
            }
            done = change.at.end;
        }
        let rest = body.get(done..).unwrap_or_default();
        let close = || rest.iter().rposition(|byte| *byte == b'}');
        match (!self.added.is_empty()).then(close).flatten() {
            Some(close) => {
                out(&rest[..close]);
                // The comma in front of the first is left out where it would stand alone.
                out(&self.added[usize::from(self.leaves_none)..]);
                out(&rest[close..]);
            }
            None => out(rest),
        }
    }

    /// Turns removed members into ranges. Members removed from the front take the commas behind
    /// them, all others the comma before.
    fn place_removals(&mut self, body: &[u8], members: &[Member]) {
        self.removed.sort_unstable();
        self.removed.dedup();
        self.leaves_none |= self.removed.len() >= members.len();
        let from_front = (0..).zip(&self.removed).take_while(|(i, removed)| i == *removed).count();
        for index in self.removed.drain(..).skip(from_front) {
            if let (Some(before), Some(member)) = (members.get(index - 1), members.get(index)) {
                let at = before.value.end..member.value.end;
                self.changes.push(Change { at, text: Text::None });
            }
        }
        let Some(last) = from_front.checked_sub(1).and_then(|last| members.get(last)) else {
            return;
        };
        let start = body.iter().position(|byte| *byte == b'{').map_or(0, |open| open + 1);
        let is_all = from_front == members.len();
        let end = if is_all { last.value.end } else { after_comma(body, last.value.end) };
        self.changes.push(Change { at: start..end, text: Text::None });
    }
}

fn after_comma(body: &[u8], from: usize) -> usize {
    let rest = body.get(from..).unwrap_or_default();
    rest.iter().position(|byte| *byte == b',').map_or(from, |comma| from + comma + 1)
}

#[cfg(test)]
mod tests {
    use super::super::peek::peek;
    use super::*;

    fn edited(body: &str, edit: impl Fn(&mut Edits, &[Member])) -> String {
        let mut members = Vec::new();
        peek(body.as_bytes(), &mut members).unwrap();
        let mut edits = Edits::default();
        edit(&mut edits, &members);
        let mut out = Vec::new();
        // Applied twice, as the pipeline does: once to count, once to write.
        let mut counted = 0;
        edits.apply(body.as_bytes(), &members, &mut |piece| counted += piece.len());
        edits.apply(body.as_bytes(), &members, &mut |piece| out.extend_from_slice(piece));
        assert_eq!(counted, out.len());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn without_edits_nothing_changes() {
        let body = " { \"a\" : 1.0e3 , \"b\":\"\\u00e9\" }\n";
        assert_eq!(edited(body, |_, _| {}), body);
    }

    #[test]
    fn replaces_and_adds_in_place() {
        let body = r#"{"model":"openai/m","x":1}"#;
        let done = edited(body, |edits, members| {
            edits.replace_string(members[0].value.clone(), "m\"2");
            edits.add("store", b"false");
        });
        assert_eq!(done, r#"{"model":"m\"2","x":1,"store":false}"#);
    }

    #[test]
    fn any_subset_of_members_can_be_removed() {
        let body = r#"{ "a":1, "b":[2,3] , "c":{"d":4}, "e":"5" }"#;
        for subset in 0..16_u32 {
            let done = edited(body, |edits, _| {
                for index in (0..4).filter(|index| subset & (1 << index) != 0) {
                    edits.remove(index);
                }
            });
            let mut members = Vec::new();
            peek(done.as_bytes(), &mut members).unwrap_or_else(|_| panic!("{subset:04b}: {done}"));
            assert_eq!(members.len(), 4 - subset.count_ones() as usize, "{subset:04b}: {done}");
        }
    }

    #[test]
    fn members_can_be_added_when_all_others_go() {
        let body = r#"{"a":1}"#;
        let done = edited(body, |edits, _| {
            edits.remove(0);
            edits.add("b", b"2");
        });
        assert!(peek(done.as_bytes(), &mut Vec::new()).is_ok(), "{done}");
    }
}
