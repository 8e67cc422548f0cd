//! Reads along while frames pass by: what each response used, and where one frame ends.

use std::io::Cursor;

use dialect::Usage;
use sonic_rs::{JsonValueTrait, LazyValue};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::limits::USAGE_BODY_BYTES_MAX;

/// What providers call the event that ends a response, in realtime sessions and elsewhere.
const LAST_EVENTS: [&str; 4] =
    ["response.done", "response.completed", "response.incomplete", "response.failed"];

/// What passes from a provider to a caller.
#[derive(Debug, Default)]
pub(super) struct Watch {
    frames: Frames,
    usage: Usage,
}

impl Watch {
    /// Takes the next bytes.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let usage = &mut self.usage;
        self.frames.take(bytes, &mut |message| note(message, usage));
    }

    /// What all responses used up to now.
    pub(super) fn usage(&self) -> Usage {
        self.usage
    }

    /// Whether another frame may begin here.
    pub(super) fn is_between_frames(&self) -> bool {
        self.frames.is_between()
    }
}

fn note(message: &[u8], usage: &mut Usage) {
    if memchr::memmem::find(message, b"\"usage\"").is_none() {
        return;
    }
    let Ok(event) = sonic_rs::from_slice::<LazyValue<'_>>(message) else { return };
    let kind = event.get("type");
    let is_last = kind.is_some_and(|kind| kind.as_str().is_some_and(|k| LAST_EVENTS.contains(&k)));
    if let Some(used) = event.pointer(["response", "usage"]).filter(|_| is_last)
        && used.is_object()
    {
        add(&used, usage);
    }
}

/// Adds what one response used to what the ones before it did.
fn add(used: &LazyValue<'_>, usage: &mut Usage) {
    let count = |path: &[&str]| used.pointer(path).and_then(|value| value.as_u64()).unwrap_or(0);
    // Realtime sessions and all others name them differently.
    let detail =
        |one: &str, other: &str, name: &str| count(&[one, name]).max(count(&[other, name]));
    let asked = |name| detail("input_token_details", "input_tokens_details", name);
    let said = |name| detail("output_token_details", "output_tokens_details", name);
    let (input, output) = (count(&["input_tokens"]), count(&["output_tokens"]));
    usage.reported = true;
    usage.input += input;
    usage.output += output;
    usage.total += count(&["total_tokens"]).max(input + output);
    usage.cached_read += asked("cached_tokens");
    usage.audio_input += asked("audio_tokens");
    usage.image_input += asked("image_tokens");
    usage.audio_output += said("audio_tokens");
    usage.reasoning += said("reasoning_tokens");
}

/// Longest header of a frame: 2 bytes, 8 of length and 4 of mask (RFC 6455 §5.2).
const HEADER_BYTES_MAX: usize = 14;

/// The frames of one direction.
#[derive(Debug, Default)]
struct Frames {
    /// The beginning of a header.
    header: Vec<u8>,
    /// Bytes to come of the current frame.
    left: u64,
    /// The text so far; nothing while one passes that is no text, or is too long to be looked at.
    text: Option<Vec<u8>>,
    /// The current frame belongs to `text`.
    is_text: bool,
    /// It is the last of its message.
    is_final: bool,
    /// What came was no frame, so nothing is known from there on.
    is_lost: bool,
}

impl Frames {
    /// Reads `bytes` and hands every text that is complete to `on_text`.
    fn take(&mut self, mut bytes: &[u8], on_text: &mut impl FnMut(&[u8])) {
        while !bytes.is_empty() && !self.is_lost {
            if self.left > 0 {
                let length = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
                let (payload, rest) = bytes.split_at(length);
                self.left -= length as u64;
                bytes = rest;
                self.keep(payload);
            } else {
                let (first, rest) = bytes.split_at(1);
                self.header.extend_from_slice(first);
                bytes = rest;
                if !self.begin_frame() {
                    continue;
                }
            }
            if self.left == 0 {
                self.end_frame(on_text);
            }
        }
    }

    fn is_between(&self) -> bool {
        self.left == 0 && self.header.is_empty() && !self.is_lost
    }

    /// Begins a frame if its header is complete.
    fn begin_frame(&mut self) -> bool {
        let parsed = FrameHeader::parse(&mut Cursor::new(&self.header));
        let (header, length) = match parsed {
            Ok(Some(parsed)) => parsed,
            Ok(None) if self.header.len() < HEADER_BYTES_MAX => return false,
            Ok(None) | Err(_) => {
                self.is_lost = true;
                return false;
            }
        };
        self.header.clear();
        self.left = length;
        self.is_final = header.is_final;
        self.is_text = match header.opcode {
            OpCode::Data(Data::Text) => {
                // A masked text is a caller's, and one with a reserved bit has an extension's form.
                let is_plain = header.mask.is_none() && !header.rsv1;
                self.text = is_plain.then(Vec::new);
                true
            }
            OpCode::Data(Data::Continue) => true,
            OpCode::Data(Data::Binary | Data::Reserved(_)) => {
                self.text = None;
                false
            }
            OpCode::Control(_) => false,
        };
        true
    }

    fn keep(&mut self, payload: &[u8]) {
        if !self.is_text {
            return;
        }
        let fits = |text: &Vec<u8>| text.len() + payload.len() <= USAGE_BODY_BYTES_MAX;
        self.text = self.text.take().filter(fits);
        if let Some(text) = &mut self.text {
            text.extend_from_slice(payload);
        }
    }

    fn end_frame(&mut self, on_text: &mut impl FnMut(&[u8])) {
        if self.is_text
            && self.is_final
            && let Some(text) = self.text.take()
        {
            on_text(&text);
        }
    }
}

#[cfg(test)]
mod tests {
    use tungstenite::protocol::frame::Frame;

    use super::*;

    fn frame(opcode: OpCode, payload: &[u8], is_final: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        Frame::message(payload.to_vec(), opcode, is_final).format(&mut bytes).unwrap();
        bytes
    }

    const TEXT: OpCode = OpCode::Data(Data::Text);
    const MORE: OpCode = OpCode::Data(Data::Continue);

    const DONE: &[u8] = br#"{"type":"response.done","response":{"usage":{"total_tokens":9,
        "input_tokens":5,"output_tokens":4,"input_token_details":{"cached_tokens":1,
        "audio_tokens":2},"output_token_details":{"audio_tokens":3}}}}"#;

    fn conversation() -> Vec<u8> {
        let mut ping = Vec::new();
        Frame::ping(Vec::new()).format(&mut ping).unwrap();
        let (first, second) = DONE.split_at(70);
        [
            frame(TEXT, br#"{"type":"session.created"}"#, true),
            frame(TEXT, first, false),
            ping,
            frame(MORE, second, true),
            frame(OpCode::Data(Data::Binary), DONE, true),
            frame(TEXT, br#"{"type":"x","delta":"response.done","response":{"usage":{}}}"#, true),
            frame(TEXT, &[b'x'; 70_000], true),
            frame(TEXT, DONE, true),
        ]
        .concat()
    }

    #[test]
    fn usage_is_summed_over_responses_wherever_the_bytes_are_cut() {
        let bytes = conversation();
        for size in [1, 2, 3, 7, 100, bytes.len()] {
            let mut watch = Watch::default();
            bytes.chunks(size).for_each(|piece| watch.take(piece));
            let usage = watch.usage();
            assert_eq!((usage.input, usage.output, usage.total), (10, 8, 18), "by {size}");
            assert_eq!((usage.cached_read, usage.audio_input, usage.audio_output), (2, 4, 6));
            assert!(watch.is_between_frames());
        }
    }

    #[test]
    fn a_frame_that_is_cut_short_is_no_place_for_another() {
        let bytes = frame(TEXT, DONE, true);
        for end in 1..bytes.len() {
            let mut watch = Watch::default();
            watch.take(&bytes[..end]);
            assert!(!watch.is_between_frames(), "{end}");
            assert!(!watch.usage().reported, "{end}");
        }
    }

    #[test]
    fn what_is_no_frame_ends_the_reading() {
        let mut watch = Watch::default();
        // A reserved opcode is read by nobody.
        watch.take(&[0x83, 0x00]);
        watch.take(&frame(TEXT, DONE, true));
        assert!(!watch.is_between_frames() && !watch.usage().reported);
    }

    #[test]
    fn a_text_too_long_to_be_looked_at_is_passed_over() {
        let mut long = DONE.to_vec();
        long.resize(USAGE_BODY_BYTES_MAX + 1, b' ');
        let mut watch = Watch::default();
        watch.take(&frame(TEXT, &long, true));
        assert!(!watch.usage().reported);
        watch.take(&frame(TEXT, DONE, true));
        assert_eq!(watch.usage().total, 9);
    }
}
