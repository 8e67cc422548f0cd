//! Sound comes as a file, and a file has a name.

use net::Buffer;
use wire::ResponseHead;

use crate::reply_head::push_header;
use crate::stages::open::Reply;

/// Subtypes of `audio/`, and how names of such files end.
const EXTENSIONS: &[(&[u8], &str)] = &[
    (b"mpeg", "mp3"),
    (b"wav", "wav"),
    (b"x-wav", "wav"),
    (b"flac", "flac"),
    (b"aac", "aac"),
    (b"ogg", "ogg"),
    (b"opus", "opus"),
    (b"pcm", "pcm"),
];

/// Names the file where the reply is one: sound in one piece. `head` is the provider's.
pub(crate) fn push_name(reply: &Reply, head: &ResponseHead, lines: &mut Buffer) {
    let content_type = match reply {
        Reply::Ready(ready) => Some(ready.content_type.as_slice()),
        Reply::Passing(passing) if passing.stream.is_none() => {
            head.header(passing.answering.upstream.connection.input(), "content-type")
        }
        Reply::Passing(_) | Reply::Gone => None,
    };
    let Some(subtype) = content_type.and_then(|it| it.strip_prefix(b"audio/")) else { return };
    let known = EXTENSIONS.iter().find(|(known, _)| {
        let rest = subtype.strip_prefix(*known);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b";"))
    });
    let extension = known.map_or("bin", |(_, extension)| *extension);
    let value = ["attachment; filename=speech.", extension].concat();
    push_header(lines, "content-disposition", value.as_bytes());
}
