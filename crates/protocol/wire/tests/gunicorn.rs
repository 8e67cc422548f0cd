//! The request corpus of gunicorn, read from where it lies: `ci/vectors` fetches it and names the
//! folder for `BIFROST_GUNICORN_VECTORS`.
#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::{env, ffi::OsStr, fs, path::Path};

use wire::{BodyReader, HeadLimits, Progress, RequestHead};

/// Invalid there, and not a fault of the bytes.
const INVALID_READ: &[&str] = &[
    // Over gunicorn's own limits.
    "006",
    "007",
    "008",
    "010",
    "011",
    "012",
    "017",
    "limit_header_default_01",
    // A method may be any token.
    "003c",
    // Headers that say where a request came from mean nothing here.
    "019",
    // Content-Type says nothing about framing.
    "041",
    // Trailers are dropped, whatever their names.
    "rfc9110_trailer_forbidden_cl_01",
    "rfc9110_trailer_forbidden_host_01",
    "rfc9110_trailer_forbidden_te_01",
];

/// Invalid there because the connection closes too early.
const INVALID_UNFINISHED: &[&str] = &["001", "rfc9112_chunked_missing_final_crlf_01"];

/// Valid there with lenient settings, or by a rule that isn't followed here.
const VALID_REFUSED: &[&str] = &[
    // A fragment in the target.
    "005",
    // Transfer codings beside chunked.
    "025",
    "025_line",
    "029",
    "030",
    "rfc9112_smuggle_gzip_chunked_01",
    "rfc9112_smuggle_te_identity_chunked_01",
    // White space before the colon, underscored framing names, folded headers.
    "028",
    "040",
    "040_compat",
    "compat_obs_fold",
    "compat_obs_fold_huge",
    // The PROXY protocol.
    "pp_01",
    "pp_02",
    "pp_04",
    "pp_05",
    // User information in the target; RFC 9110 §4.2.4 advises to refuse it.
    "rfc9112_target_absolute_userinfo_01",
    // CONNECT.
    "rfc9112_target_authority_connect_01",
    "rfc9112_target_authority_ipv6_01",
    // HTTP/1.0 is kept alive, and the HTTP/1.1 request behind it has no Host.
    "022",
];

/// Valid there with less of a body than it announces.
const VALID_UNFINISHED: &[&str] = &["099"];

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Read,
    Unfinished,
    Refused,
}

#[test]
fn the_corpus_is_refused_where_it_is_invalid_and_read_where_it_is_valid() {
    let Some(folder) = env::var_os("BIFROST_GUNICORN_VECTORS") else {
        println!("SKIPPED: BIFROST_GUNICORN_VECTORS isn't set; `ci/vectors FOLDER` says how");
        return;
    };
    let invalid = check(&Path::new(&folder).join("invalid"), |name| match name {
        _ if INVALID_READ.contains(&name) => Verdict::Read,
        _ if INVALID_UNFINISHED.contains(&name) => Verdict::Unfinished,
        _ => Verdict::Refused,
    });
    let valid = check(&Path::new(&folder).join("valid"), |name| match name {
        _ if VALID_REFUSED.contains(&name) => Verdict::Refused,
        _ if VALID_UNFINISHED.contains(&name) => Verdict::Unfinished,
        _ => Verdict::Read,
    });
    println!("{invalid} invalid and {valid} valid cases");
    assert_eq!((invalid, valid), (81, 62), "version 27.0.1 has that many");
}

fn check(folder: &Path, expected: impl Fn(&str) -> Verdict) -> usize {
    let mut checked = 0;
    let mut faults = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension() == Some(OsStr::new("http")) {
            let name = path.file_stem().unwrap().to_str().unwrap();
            let bytes = with_host(decode(&fs::read(&path).unwrap()));
            let (verdict, expected) = (read(&bytes), expected(name));
            if verdict != expected {
                faults.push(format!("{name} is {verdict:?}, not {expected:?}"));
            }
            checked += 1;
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    checked
}

/// Reads requests until the bytes or the connection end, or one is refused.
fn read(mut bytes: &[u8]) -> Verdict {
    let mut head = RequestHead::new();
    while !bytes.is_empty() {
        match head.parse(bytes, &HeadLimits::default()) {
            Err(_) => return Verdict::Refused,
            Ok(Progress::Partial) => return Verdict::Unfinished,
            Ok(Progress::Complete) => bytes = &bytes[head.len()..],
        }
        let mut body = BodyReader::new(head.body());
        loop {
            match body.next(bytes) {
                Err(_) => return Verdict::Refused,
                Ok(step) if step.is_end && !head.keeps_alive() => return Verdict::Read,
                Ok(step) if step.is_end => {
                    bytes = &bytes[step.consumed..];
                    break;
                }
                Ok(_) if bytes.is_empty() => return Verdict::Unfinished,
                Ok(step) => bytes = &bytes[step.consumed..],
            }
        }
    }
    Verdict::Read
}

/// The files spell line ends and control characters out; their own line breaks mean nothing.
fn decode(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((byte, behind)) = rest.split_first() {
        let (decoded, behind) = match rest {
            [b'\n', ..] => (None, behind),
            [b'\\', b'r', behind @ ..] => (Some(b'\r'), behind),
            [b'\\', b'n', behind @ ..] => (Some(b'\n'), behind),
            [b'\\', b't', behind @ ..] => (Some(b'\t'), behind),
            [b'\\', b'0', behind @ ..] => (Some(0), behind),
            [b'\\', b'x', high, low, behind @ ..] => (Some(hex(*high) << 4 | hex(*low)), behind),
            _ => (Some(*byte), behind),
        };
        bytes.extend(decoded);
        rest = behind;
    }
    bytes
}

fn hex(digit: u8) -> u8 {
    u8::try_from(char::from(digit).to_digit(16).unwrap()).unwrap()
}

/// Gives each HTTP/1.1 request of a case without `Host` one, so that its absence isn't what is
/// found. Behind an HTTP/1.0 head they may be a body, whose length is not to change.
fn with_host(bytes: Vec<u8>) -> Vec<u8> {
    let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    let is_http11 = text.lines().next().is_some_and(|line| line.ends_with(" HTTP/1.1"));
    if !is_http11 || text.contains("Host:") {
        return bytes;
    }
    let text = text.replace(" HTTP/1.1\r\n", " HTTP/1.1\r\nHost: a\r\n");
    text.chars().map(|character| u8::try_from(u32::from(character)).unwrap()).collect()
}
