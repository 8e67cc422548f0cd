//! Replies made once at start, for benchmarks: a request is only looked at for its path and for
//! whether it asks for a stream.

use std::io;
use std::time::Duration;

use memchr::memmem;
use serde_json::{Value, json};

use super::answer::Size;
use super::args::Args;
use super::fault::Fault;
use super::plan::{Manner, Step, plan};
use super::reply::Reply;
use super::request::Request;
use super::{anthropic, openai};

/// The replies of both shapes.
#[derive(Debug)]
pub(crate) struct Prerendered {
    chat: Rendered,
    messages: Rendered,
}

#[derive(Debug)]
struct Rendered {
    whole: Vec<Step>,
    stream: Vec<Step>,
}

impl Prerendered {
    /// Makes the replies in the sizes of the flags.
    pub(crate) fn new(args: &Args) -> io::Result<Self> {
        let size = Size { reply_bytes: args.reply_bytes, chunks: args.stream_chunks, usage: None };
        let gap = args.stream_gap;
        Ok(Self {
            chat: Rendered::new(gap, |request| openai::chat(request, "mock", 0, &size))?,
            messages: Rendered::new(gap, |request| anthropic::messages(request, "mock", 0, &size))?,
        })
    }

    /// The steps that answer a plain inference request on a connection that stays open.
    pub(crate) fn steps(&self, request: &Request) -> Option<&[Step]> {
        let path = request.path();
        let rendered = if path.ends_with("/chat/completions") {
            &self.chat
        } else if path.ends_with("/messages") {
            &self.messages
        } else {
            return None;
        };
        let is_plain = request.method() == "POST" && request.keeps_alive();
        (is_plain && !request.is_http10()).then(|| rendered.steps(request.body()))
    }
}

impl Rendered {
    fn new(gap: Duration, reply: impl Fn(&Value) -> Reply) -> io::Result<Self> {
        let render = |is_stream: bool| {
            let reply = reply(&json!({"stream": is_stream}));
            let manner = Manner { gap, keeps_alive: true, ..Manner::default() };
            plan(reply, &Fault::default(), manner)
        };
        Ok(Self { whole: render(false)?, stream: render(true)? })
    }

    fn steps(&self, body: &[u8]) -> &[Step] {
        let asks = |spelling: &[u8]| memmem::find(body, spelling).is_some();
        match asks(br#""stream":true"#) || asks(br#""stream": true"#) {
            true => &self.stream,
            false => &self.whole,
        }
    }
}
