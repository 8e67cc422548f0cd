//! Broken documents: every fixture cut at every byte (large ones at every few), and with single bytes replaced. Each is
//! read once and written to one dialect, to the next one in turn, so that all meet all kinds of damage. Nothing may
//! panic, and what is written must be JSON.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use dialect::Dialect;
use support::{error, reply, request, stream};

/// Bytes put in place of others: structure, escapes, and half a UTF-8 character.
const REPLACEMENTS: &[u8] = b"\"\\{}[]:,0-\n\xc3";

/// Every how many bytes one is replaced; a prime, so that all kinds of places are met.
const STRIDE: usize = 13;

/// Most places a document is cut at.
const CUTS_MAX: usize = 1500;

#[test]
fn broken_documents_are_refused_or_translated_but_never_panic() {
    let mut documents = 0;
    for from in Dialect::ALL.into_iter().filter(|dialect| dialect.peers().next().is_some()) {
        for case in paths(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(from.name()))
        {
            for document in paths(&case) {
                let name = document.file_name().and_then(|name| name.to_str()).unwrap_or("");
                let text = fs::read(&document).expect("fixture can be read");
                let check = match name {
                    "request.json" => request,
                    "reply.json" => reply,
                    "stream.sse" | "stream.ndjson" => stream,
                    "error.json" | "error.txt" => error,
                    _ => continue,
                };
                documents += 1;
                let mut targets = from.peers().collect::<Vec<_>>().into_iter().cycle();
                mutate(&text, |broken| {
                    let to = targets.next().expect("a cycle of at least one");
                    check(from, to, broken);
                });
            }
        }
    }
    assert!(documents >= 30, "only {documents} documents were found");
}

fn paths(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("folder can be listed");
    entries.map(|entry| entry.expect("entry").path()).collect()
}

fn mutate(text: &[u8], mut check: impl FnMut(&[u8])) {
    for end in (0..=text.len()).step_by(1 + text.len() / CUTS_MAX) {
        check(&text[..end]);
    }
    let mut broken = text.to_vec();
    for (turn, position) in (0..text.len()).step_by(STRIDE).enumerate() {
        broken[position] = REPLACEMENTS[turn % REPLACEMENTS.len()];
        check(&broken);
        broken[position] = text[position];
    }
}
