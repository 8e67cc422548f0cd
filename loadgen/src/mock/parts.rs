//! Forms with files, as JSON: fields are texts, lists where their names say so, and files objects that tell their name,
//! their type and their size.
//!
//! An implementation of its own on purpose, as for requests.

use serde_json::{Map, Value, json};

/// The boundary where the content type is that of a form.
pub(crate) fn boundary(content_type: &str) -> Option<&str> {
    let (essence, parameters) = content_type.split_once(';')?;
    let boundary = parameters.split(';').find_map(|it| it.trim().strip_prefix("boundary="))?;
    let is_form = essence.trim().eq_ignore_ascii_case("multipart/form-data");
    is_form.then_some(boundary.trim_matches('"'))
}

/// A form as an object; `None` where it is none.
pub(crate) fn object(boundary: &str, body: &[u8]) -> Option<Value> {
    let delimiter = format!("--{boundary}").into_bytes();
    let mut rest = body.strip_prefix(delimiter.as_slice())?;
    let mut object = Map::new();
    let delimiter = [b"\r\n", delimiter.as_slice()].concat();
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let end = find(part, &delimiter)?;
        let (part, behind) = part.split_at(end);
        add(part, &mut object)?;
        rest = &behind[delimiter.len()..];
    }
    (rest == b"--" || rest == b"--\r\n").then_some(Value::Object(object))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn add(part: &[u8], object: &mut Map<String, Value>) -> Option<()> {
    let end = find(part, b"\r\n\r\n")?;
    let (head, value) = (std::str::from_utf8(&part[..end]).ok()?, &part[end + 4..]);
    let header = |name: &str| {
        let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    };
    let disposition = header("content-disposition")?;
    let parameter = |name: &str| {
        let mut parameters = disposition.split(';').filter_map(|it| it.trim().split_once('='));
        parameters.find(|(found, _)| *found == name).map(|(_, value)| value.trim_matches('"'))
    };
    let name = parameter("name")?;
    let value = match parameter("filename") {
        Some(file) => {
            json!({"filename": file, "type": header("content-type"), "bytes": value.len()})
        }
        None => Value::from(std::str::from_utf8(value).ok()?),
    };
    match name.strip_suffix("[]") {
        None => drop(object.insert(name.to_owned(), value)),
        Some(list) => {
            let list = object.entry(list).or_insert_with(|| json!([]));
            list.as_array_mut()?.push(value);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_an_object() {
        let boundary = boundary("multipart/form-data; boundary=\"b\"").unwrap();
        let part = |head: &str, value: &str| {
            format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n")
        };
        let body = part("name=\"model\"", "m")
            + &part("name=\"a[]\"", "1")
            + &part("name=\"a[]\"", "2")
            + &part("name=\"file\"; filename=\"x.mp3\"\r\nContent-Type: audio/mpeg", "\r\n--")
            + "--b--\r\n";
        let expected = json!({"model": "m", "a": ["1", "2"],
            "file": {"filename": "x.mp3", "type": "audio/mpeg", "bytes": 4}});
        assert_eq!(object(boundary, body.as_bytes()), Some(expected));
        for cut in 0..body.len() - 2 {
            assert_eq!(object(boundary, &body.as_bytes()[..cut]), None, "{cut}");
        }
    }
}
