//! Forms as programs send them, cut anywhere, and as nobody should.

use super::*;

const FORM: &str = "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nopenai/whisper-1\r\n\
     --b\r\ncontent-type: audio/wav\r\nCONTENT-DISPOSITION: form-data; filename=\"a \\\"b\\\" c:\\d.wav\"; name=file\r\n\
     Content-Transfer-Encoding: binary\r\n\r\nRIFF\r\n--\r\n\r\n--b\r\n\
     Content-Disposition: form-data; name=\"fallbacks[]\"\r\n\r\n\r\n--b--\r\n";

/// Names and values of the parts, as far as they can be read, and why there are no more.
fn parts(body: &[u8]) -> (Vec<(String, String)>, Option<FormFault>) {
    let mut reader = FormReader::new(b"b", body);
    let mut found = Vec::new();
    loop {
        match reader.next_part() {
            Ok(None) => return (found, None),
            Err(error) => return (found, Some(error.what)),
            Ok(Some(part)) => {
                let value = String::from_utf8_lossy(&body[part.value.clone()]).into_owned();
                found.push((part.name.into_owned(), value));
            }
        }
    }
}

fn fault(body: &str) -> Option<FormFault> {
    parts(body.as_bytes()).1
}

#[test]
fn parts_are_found_with_what_their_headers_say() {
    let form = FORM;
    let (found, fault) = parts(form.as_bytes());
    assert_eq!(fault, None);
    let expected = [("model", "openai/whisper-1"), ("file", "RIFF\r\n--\r\n"), ("fallbacks[]", "")];
    assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));

    let mut reader = FormReader::new(b"b", form.as_bytes());
    let model = reader.next_part().unwrap().unwrap();
    assert_eq!((model.file_name, model.content_type), (None, None));
    assert!(form[model.head.clone()].starts_with("--b\r\nContent-D"));
    assert_eq!(model.head.end, model.value.start);
    let file = reader.next_part().unwrap().unwrap();
    assert_eq!(file.file_name.as_deref(), Some("a \"b\" c:\\d.wav"));
    assert_eq!(file.content_type, Some("audio/wav"));
    assert_eq!(file.head.start, model.value.end + 2);
}

#[test]
fn a_form_cut_anywhere_is_incomplete_and_its_complete_parts_are_found() {
    let form = FORM;
    let whole = parts(form.as_bytes()).0;
    let end = form.rfind("--b--").unwrap() + "--b--".len();
    for cut in 0..end {
        let (found, fault) = parts(&form.as_bytes()[..cut]);
        assert_eq!(fault, Some(FormFault::Incomplete), "{cut}");
        assert!(whole.starts_with(&found), "{cut}");
    }
    assert_eq!(parts(&form.as_bytes()[..end]), (whole, None));
}

#[test]
fn what_is_no_form_is_refused() {
    let part = |head: &str| format!("--b\r\n{head}\r\n\r\nx\r\n--b--");
    for (head, expected) in [
        ("Content-Disposition: form-data", FormFault::Disposition),
        ("Content-Disposition: attachment; name=\"a\"", FormFault::Disposition),
        ("Content-Disposition: form-data; name=\"a\"; name=\"b\"", FormFault::Disposition),
        ("Content-Disposition: form-data; name=\"a", FormFault::Disposition),
        ("Content-Disposition: form-data; name=\"a\" x", FormFault::Disposition),
        ("Content-Disposition: form-data; name=", FormFault::Disposition),
        (
            "Content-Disposition: form-data; name=\"a\"\r\nContent-Disposition: form-data; name=\"a\"",
            FormFault::Disposition,
        ),
        ("Content-Type: text/plain", FormFault::Disposition),
        ("Content-Disposition: form-data;\r\n name=\"a\"", FormFault::PartHeader),
        ("Content-Disposition", FormFault::PartHeader),
        ("Content-Disposition: form-data; name=\"a\nb\"", FormFault::PartHeader),
        (
            "Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64",
            FormFault::Encoded,
        ),
    ] {
        assert_eq!(fault(&part(head)), Some(expected), "{head}");
    }
    let good = part("Content-Disposition: form-data; name=\"a\"");
    assert_eq!(fault(&good), None);
    assert_eq!(fault(&format!("\r\n{good}")), None);
    assert_eq!(fault(&good.replace("\r\n\r\nx", "\r\n\r\n--bx")), Some(FormFault::BoundaryLine));
    assert_eq!(fault(&format!("{good}x")), Some(FormFault::Trailing));
    assert_eq!(fault(&format!("preamble\r\n{good}")), Some(FormFault::BoundaryLine));
    assert_eq!(fault(&good.replace("--b\r\n", "--bc\r\n")), Some(FormFault::BoundaryLine));
    assert_eq!(fault(&good.replace("\r\n--b--", "\r\n--bc")), Some(FormFault::BoundaryLine));
    let long = format!("X-A: {}\r\nContent-Disposition: form-data; name=a", "x".repeat(8192));
    assert_eq!(fault(&part(&long)), Some(FormFault::PartHeadTooLarge));
    let field = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n";
    let form = |count: usize| format!("{}--b--", field.repeat(count));
    assert_eq!(fault(&form(FORM_PARTS_MAX)), None);
    assert_eq!(fault(&form(FORM_PARTS_MAX + 1)), Some(FormFault::TooManyParts));
}

#[test]
fn the_boundary_comes_from_the_content_type() {
    let boundary = |content_type: &str| {
        form_boundary(content_type.as_bytes())
            .map(|it| it.map(|it| String::from_utf8(it.into_owned()).unwrap()))
            .map_err(|error| error.what)
    };
    for (content_type, expected) in [
        ("multipart/form-data; boundary=abc", Ok(Some("abc"))),
        ("Multipart/Form-Data;charset=utf-8 ; BOUNDARY=\"a b'c\"", Ok(Some("a b'c"))),
        ("application/json", Ok(None)),
        ("multipart/form-datax; boundary=a", Ok(None)),
        ("multipart/form-data", Err(FormFault::Boundary)),
        ("multipart/form-data; boundary=", Err(FormFault::Boundary)),
        ("multipart/form-data; boundary=\"\"", Err(FormFault::Boundary)),
        ("multipart/form-data; boundary=a; boundary=b", Err(FormFault::Boundary)),
        ("multipart/form-data; boundary=\"a \"", Err(FormFault::Boundary)),
        ("multipart/form-data; boundary=a\u{e9}", Err(FormFault::Boundary)),
    ] {
        assert_eq!(
            boundary(content_type),
            expected.map(|it| it.map(str::to_owned)),
            "{content_type}"
        );
    }
    let long = |length| format!("multipart/form-data; boundary={}", "x".repeat(length));
    assert!(boundary(&long(FORM_BOUNDARY_BYTES_MAX)).is_ok());
    assert!(boundary(&long(FORM_BOUNDARY_BYTES_MAX + 1)).is_err());
}

#[test]
fn what_is_written_is_read_again() {
    let mut body = Vec::new();
    let mut form = FormWriter::new(&mut body);
    form.text("model", "é\r\n--form-");
    form.file("file", "a\"b\r\n.wav", "audio/wav", b"\r\n--\0\xff");
    let content_type = form.end();
    let boundary = form_boundary(content_type.as_bytes()).unwrap().unwrap();
    let mut reader = FormReader::new(&boundary, &body);
    let text = reader.next_part().unwrap().unwrap();
    assert_eq!((&*text.name, &body[text.value]), ("model", "é\r\n--form-".as_bytes()));
    let file = reader.next_part().unwrap().unwrap();
    assert_eq!(file.file_name.as_deref(), Some("a%22b%0D%0A.wav"));
    assert_eq!((file.content_type, &body[file.value]), (Some("audio/wav"), &b"\r\n--\0\xff"[..]));
    assert_eq!(reader.next_part(), Ok(None));
}
