//! Every fixture gives what its golden file says, and gives it however its bytes are cut.
//!
//! `UPDATE_GOLDEN=1` rewrites the golden files.
#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod support;

use std::{env, fs, path::PathBuf};

use support::Stream;

/// Fixtures up to this length are cut in every two places; the number of ways is its square.
const TWO_CUTS_BYTES_MAX: usize = 160;

#[test]
fn requests_are_read_the_same_however_they_are_cut() {
    check("requests", Stream::Requests);
}

#[test]
fn responses_are_read_the_same_however_they_are_cut() {
    check("responses", Stream::Responses);
}

#[test]
fn chunked_bodies_are_read_the_same_however_they_are_cut() {
    check("chunked", Stream::Chunked);
}

#[test]
fn event_streams_are_read_the_same_however_they_are_cut() {
    check("sse", Stream::Sse);
}

#[test]
fn event_stream_messages_are_read_the_same_however_they_are_cut() {
    check("event_stream", Stream::AwsMessages);
}

fn check(folder: &str, stream: Stream) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(folder);
    let mut checked = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "golden") {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let uncut = stream.read(&bytes, &[]);
        check_golden(path.with_extension("golden"), &uncut);
        let name = path.display();
        for cuts in ways_to_cut(bytes.len()) {
            assert_eq!(stream.read(&bytes, &cuts), uncut, "{name} cut at {cuts:?}");
        }
        checked += 1;
    }
    assert!(checked > 0, "{} has no fixtures", folder.display());
}

fn check_golden(path: PathBuf, actual: &str) {
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, actual).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(actual, golden, "{} differs; UPDATE_GOLDEN=1 rewrites it", path.display());
}

fn ways_to_cut(len: usize) -> Vec<Vec<usize>> {
    let mut ways = vec![(1..len).collect()];
    for first in 1..len {
        ways.push(vec![first]);
        if len <= TWO_CUTS_BYTES_MAX {
            ways.extend((first + 1..len).map(|second| vec![first, second]));
        }
    }
    ways
}
