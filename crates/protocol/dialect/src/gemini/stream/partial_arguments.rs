//! Arguments of a call that come value by value, each with its path, as the JSON text they make up. Values come in the
//! order they are written in.

use crate::gemini::spelling::member;
use crate::json::{DEPTH_MAX, Raw, Text, write_str};

/// Arguments that are being written.
#[derive(Debug, Default)]
pub(super) struct PartialArguments {
    /// Where the last value stands.
    path: Vec<Step>,
    is_in_string: bool,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Name(String),
    Index(u64),
}

/// A path that no document in writing can go on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutOfPlace;

impl PartialArguments {
    /// Appends the text of one value, or of one piece of a string.
    pub(super) fn feed(&mut self, value: Raw<'_>, out: &mut Vec<u8>) -> Result<(), OutOfPlace> {
        let path = member(value, "jsonPath").and_then(|path| path.as_str()).unwrap_or_default();
        let path = parse_path(&path).ok_or(OutOfPlace)?;
        let text = member(value, "stringValue").and_then(|text| text.as_text());
        let goes_on = member(value, "willContinue").and_then(|it| it.as_bool()) == Some(true);
        if path != self.path {
            self.close_string(out);
            self.move_to(path, out)?;
        } else if !self.is_in_string {
            // The end of a string that has ended already.
            return if text.is_some_and(|text| text.is_empty()) { Ok(()) } else { Err(OutOfPlace) };
        }
        match text {
            Some(text) => self.string(&text, goes_on, out),
            None if self.is_in_string => return Err(OutOfPlace),
            None => {
                let scalars = ["numberValue", "boolValue"];
                let scalar = scalars.iter().find_map(|name| member(value, name));
                out.extend_from_slice(scalar.map_or("null", |scalar| scalar.text()).as_bytes());
            }
        }
        Ok(())
    }

    /// Appends what closes the document.
    pub(super) fn finish(mut self, out: &mut Vec<u8>) {
        self.close_string(out);
        if self.path.is_empty() {
            out.push(b'{');
        }
        self.close_containers(1, out);
        out.push(b'}');
    }

    fn string(&mut self, text: &Text<'_>, goes_on: bool, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.is_in_string, true) {
            out.push(b'"');
        }
        text.write_inner(out);
        if !goes_on {
            self.close_string(out);
        }
    }

    fn close_string(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.is_in_string, false) {
            out.push(b'"');
        }
    }

    /// Closes and opens what lies between the last value and the next, and writes the name of the next.
    fn move_to(&mut self, path: Vec<Step>, out: &mut Vec<u8>) -> Result<(), OutOfPlace> {
        let shared = self.path.iter().zip(&path).take_while(|(one, other)| one == other).count();
        if self.path.is_empty() {
            out.push(b'{');
        } else {
            // Both must be members of one object or elements of one array.
            match (self.path.get(shared), path.get(shared)) {
                (Some(Step::Name(_)), Some(Step::Name(_)))
                | (Some(Step::Index(_)), Some(Step::Index(_))) => {}
                _ => return Err(OutOfPlace),
            }
            self.close_containers(shared + 1, out);
            out.push(b',');
        }
        for (position, step) in path.iter().enumerate().skip(shared) {
            if position > shared {
                out.push(if matches!(step, Step::Name(_)) { b'{' } else { b'[' });
            }
            if let Step::Name(name) = step {
                out.push(b'"');
                write_str(name, out);
                out.extend_from_slice(b"\":");
            }
        }
        self.path = path;
        Ok(())
    }

    /// Closes the containers of the last value that hold a step from this one on, the innermost first.
    fn close_containers(&self, from: usize, out: &mut Vec<u8>) {
        for step in self.path.iter().skip(from).rev() {
            out.push(if matches!(step, Step::Name(_)) { b'}' } else { b']' });
        }
    }
}

/// `$.name.other[0]['third']`; the first step is a name, since arguments are an object.
fn parse_path(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let (step, behind) = parse_step(rest)?;
        steps.push(step);
        rest = behind;
        if steps.len() > DEPTH_MAX {
            return None;
        }
    }
    matches!(steps.first(), Some(Step::Name(_))).then_some(steps)
}

fn parse_step(path: &str) -> Option<(Step, &str)> {
    if let Some(name) = path.strip_prefix('.') {
        let end = name.find(['.', '[']).unwrap_or(name.len());
        let (name, behind) = name.split_at_checked(end)?;
        return Some((Step::Name(name.to_owned()), behind));
    }
    let inner = path.strip_prefix('[')?;
    for quote in ["'", "\""] {
        if let Some(name) = inner.strip_prefix(quote) {
            let (name, behind) = name.split_once(&*format!("{quote}]"))?;
            return Some((Step::Name(name.to_owned()), behind));
        }
    }
    let (index, behind) = inner.split_once(']')?;
    Some((Step::Index(index.parse().ok()?), behind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Index;

    fn build(values: &[&str]) -> Result<String, OutOfPlace> {
        let mut arguments = PartialArguments::default();
        let mut out = Vec::new();
        for value in values {
            let mut index = Index::new();
            arguments.feed(index.read(value.as_bytes()).expect("JSON"), &mut out)?;
        }
        arguments.finish(&mut out);
        Ok(String::from_utf8(out).expect("UTF-8"))
    }

    #[test]
    fn values_make_up_a_document() {
        let cases: &[(&[&str], &str)] = &[
            (&[], "{}"),
            (
                &[
                    r#"{"jsonPath":"$.id","stringValue":"A\"","willContinue":true}"#,
                    r#"{"jsonPath":"$.id","stringValue":"b","willContinue":true}"#,
                    r#"{"jsonPath":"$.id","stringValue":""}"#,
                    r#"{"jsonPath":"$.count","numberValue":-1.5}"#,
                ],
                r#"{"id":"A\"b","count":-1.5}"#,
            ),
            (
                &[
                    r#"{"jsonPath":"$.list[0].name","stringValue":"x"}"#,
                    r#"{"jsonPath":"$.list[0].is_new","boolValue":true}"#,
                    r#"{"jsonPath":"$.list[1].name","nullValue":null}"#,
                    r#"{"jsonPath":"$['odd.name'].deep","stringValue":"y","willContinue":true}"#,
                ],
                r#"{"list":[{"name":"x","is_new":true},{"name":null}],"odd.name":{"deep":"y"}}"#,
            ),
            (
                &[
                    r#"{"jsonPath":"$.rows[0][0]","numberValue":1}"#,
                    r#"{"jsonPath":"$.rows[0][1]","numberValue":2}"#,
                    r#"{"jsonPath":"$.rows[1][0]","numberValue":3}"#,
                ],
                r#"{"rows":[[1,2],[3]]}"#,
            ),
        ];
        for (values, expected) in cases {
            assert_eq!(build(values).as_deref(), Ok(*expected));
        }
    }

    #[test]
    fn what_cannot_go_on_is_refused() {
        for values in [
            &[r#"{"jsonPath":"id","stringValue":"a"}"#][..],
            &[r#"{"jsonPath":"$[0]","stringValue":"a"}"#],
            &[r#"{"jsonPath":"$.a[x]","stringValue":"a"}"#],
            &[r#"{"jsonPath":"$.a","numberValue":1}"#, r#"{"jsonPath":"$.a","numberValue":2}"#],
            &[r#"{"jsonPath":"$.a","numberValue":1}"#, r#"{"jsonPath":"$.a.b","numberValue":2}"#],
            &[
                r#"{"jsonPath":"$.a.b","numberValue":1}"#,
                r#"{"jsonPath":"$.a[0]","numberValue":2}"#,
            ],
            &[
                r#"{"jsonPath":"$.a","stringValue":"x","willContinue":true}"#,
                r#"{"jsonPath":"$.a","numberValue":2}"#,
            ],
        ] {
            assert_eq!(build(values), Err(OutOfPlace), "{values:?}");
        }
    }
}
