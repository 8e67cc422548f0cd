//! A request body written with another model name and all else as it was.

use std::hint::black_box;
use std::io;

use proxy::bench::Body;

use super::must;
use crate::{Case, Step, fixtures};

pub(super) const CASES: &[Case] = &[
    Case::on_caller("splice/model/1k", 10_000, || splice(1024)),
    Case::on_caller("splice/model/100k", 1000, || splice(100 * 1024)),
];

fn splice(bytes: usize) -> io::Result<Step> {
    const CUT_BYTES: usize = "openai/".len();

    let text = fixtures::chat_request(bytes, "openai/gpt-4o-mini", false);
    let (mut body, mut out) = (Body::default(), Vec::new());
    must(body.peek(text.as_bytes()).is_some())?;
    Ok(Box::new(move || {
        out.clear();
        body.splice(black_box(text.as_bytes()), "model", black_box("gpt-4o-mini"), &mut out);
        must(black_box(&out).len() + CUT_BYTES == text.len())
    }))
}
