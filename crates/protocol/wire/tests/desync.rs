//! The request-smuggling cases of the `http_desync_guardian` crate, read from where they lie:
//! `ci/vectors` fetches them and names the folder for `BIFROST_DESYNC_VECTORS`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

use std::{collections::BTreeMap, env, fs, path::Path};

use wire::{BodyLength, HeadError, HeadErrorKind, HeadLimits, Progress, RequestHead};

/// Cases by tier in version 0.1.3 of the crate; fewer would mean that they were not all read.
const CASES: [(&str, usize); 4] =
    [("Severe", 58), ("Ambiguous", 58), ("Acceptable", 15), ("Compliant", 28)];

/// Compliant cases that are refused here, and why.
const REFUSED_COMPLIANT: &[(&str, HeadError)] = &[
    ("Correct TE OK", HeadError::UnsupportedTransferCoding),
    ("Transfer-Encoding: identity and chunked OK", HeadError::UnsupportedTransferCoding),
    (
        "Multiple transfer encoding headers in a single request OK",
        HeadError::UnsupportedTransferCoding,
    ),
    ("Different Transfer-Encoding headers", HeadError::UnsupportedTransferCoding),
    ("Different Transfer-Encoding headers combined", HeadError::UnsupportedTransferCoding),
    // Servers disagree on what a parameter of `chunked` means.
    ("TE with custom parameters OK", HeadError::TransferEncoding),
    ("Transfer-Encoding with a param: chunked;custom_param", HeadError::TransferEncoding),
    // Invalid by RFC 9112 §3.2.
    ("Compliant URL", HeadError::TargetFragment),
    ("International in URI", HeadError::TargetByte),
    ("Empty URI", HeadError::RequestLine),
];

#[test]
fn desync_cases_are_refused_or_read_in_one_way() {
    let Some(folder) = env::var_os("BIFROST_DESYNC_VECTORS") else {
        println!("SKIPPED: BIFROST_DESYNC_VECTORS isn't set; `ci/vectors FOLDER` says how");
        return;
    };
    let cases = read_cases(Path::new(&folder));
    let mut counts = BTreeMap::new();
    for case in &cases {
        let verdict = case.verdict();
        let counted = counts.entry(case.tier.as_str()).or_insert((0, 0));
        counted.0 += 1;
        counted.1 += usize::from(verdict.is_err());
        check(case, verdict);
    }
    for (tier, expected) in CASES {
        let (read, refused) = counts.get(tier).copied().unwrap_or_default();
        println!("{tier}: {refused} of {read} refused");
        assert_eq!(read, expected, "{tier}");
    }
}

fn check(case: &Case, verdict: Result<BodyLength, HeadError>) {
    let name = &case.name;
    match case.tier.as_str() {
        "Severe" => {
            let error = verdict.expect_err(name);
            assert_eq!(error.kind(), HeadErrorKind::Malformed, "{name}");
        }
        "Compliant" => {
            let refused = REFUSED_COMPLIANT.iter().find(|(refused, _)| refused == name);
            assert_eq!(verdict.err(), refused.map(|(_, error)| *error), "{name}");
        }
        // The one ambiguity that is none here: the body of a GET is read as that of any request.
        "Ambiguous" if matches!(case.method.as_str(), "GET" | "HEAD") && verdict.is_ok() => {
            assert!(case.reason.ends_with("Semantics"), "{name}: {}", case.reason);
            assert_ne!(verdict, Ok(BodyLength::None), "{name}");
        }
        "Ambiguous" => assert!(verdict.is_err(), "{name}"),
        "Acceptable" if case.reason == "GetHeadZeroContentLength" => {
            assert_eq!(verdict, Ok(BodyLength::Fixed(0)), "{name}");
        }
        // What remains departs from the standard, and so gets no further.
        "Acceptable" => assert!(verdict.is_err(), "{name}"),
        tier => panic!("{name}: unknown tier {tier}"),
    }
}

#[derive(Default)]
struct Case {
    name: String,
    uri: Vec<u8>,
    method: String,
    method_bytes: Vec<u8>,
    version: Vec<u8>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    tier: String,
    reason: String,
}

impl Case {
    fn verdict(&self) -> Result<BodyLength, HeadError> {
        let request = self.render();
        let mut head = RequestHead::new();
        match head.parse(&request, &HeadLimits::default())? {
            Progress::Complete => Ok(head.body()),
            Progress::Partial => panic!("{}: waits for more", self.name),
        }
    }

    /// The case as bytes, with a `Host` so that its absence isn't what is found.
    fn render(&self) -> Vec<u8> {
        let mut request = [&self.method_bytes[..], b" ", &self.uri].concat();
        if !self.version.is_empty() {
            request.extend([b" ", &self.version[..]].concat());
        }
        request.extend(b"\r\n");
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(b"host")) {
            request.extend(b"Host: localhost\r\n");
        }
        for (name, value) in &self.headers {
            request.extend([&name[..], b": ", value, b"\r\n"].concat());
        }
        request.extend(b"\r\n");
        request
    }
}

fn read_cases(folder: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            read_file(&fs::read_to_string(&path).unwrap(), &mut cases);
        }
    }
    cases
}

/// Reads the few shapes of YAML the files have: one `key: scalar` to a line, told apart by their
/// indentation.
fn read_file(text: &str, cases: &mut Vec<Case>) {
    for line in text.lines() {
        let content = line.trim_start();
        let indentation = line.len() - content.len();
        let Some((key, value)) = content.split_once(':') else { continue };
        let value = scalar(value.trim());
        let text = || String::from_utf8_lossy(&value).into_owned();
        match (indentation, key) {
            _ if key.starts_with('#') => {}
            (0, "- name") => cases.push(Case { name: text(), ..Case::default() }),
            _ => {
                let Some(case) = cases.last_mut() else { continue };
                match (indentation, key) {
                    (2, "uri") => case.uri = value,
                    (2, "method") => (case.method, case.method_bytes) = (text(), value),
                    (2, "version") => case.version = value,
                    (4, "- name") => case.headers.push((value, Vec::new())),
                    (6, "value") => case.headers.last_mut().unwrap().1 = value,
                    (4, "tier") => case.tier = text(),
                    (4, "reason") => case.reason = text(),
                    _ => {}
                }
            }
        }
    }
}

/// A plain, single-quoted or double-quoted scalar as bytes.
fn scalar(text: &str) -> Vec<u8> {
    let quoted = |quote| text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
    if let Some(text) = quoted('\'') {
        return text.replace("''", "'").into_bytes();
    }
    let Some(text) = quoted('"') else { return text.as_bytes().to_vec() };
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        if *byte != b'\\' {
            bytes.push(*byte);
            continue;
        }
        let (escape, behind) = rest.split_first().unwrap();
        rest = behind;
        bytes.push(match escape {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'x' => {
                let digits = str::from_utf8(&rest[..2]).unwrap();
                rest = &rest[2..];
                u8::from_str_radix(digits, 16).unwrap()
            }
            b'"' | b'\\' => *escape,
            other => panic!("unknown escape {}", other.escape_ascii()),
        });
    }
    bytes
}
