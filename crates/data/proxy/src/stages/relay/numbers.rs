//! A stream whose chunks have their number for an id, as the editor Cursor gets them.

use dialect::Members;
use wire::SseReader;

use crate::framed::Framed;
use crate::json::write_string;

/// What an id begins with; the number follows.
const HEAD: &str = "chatcmpl-bifrost-";

/// Puts new ids into the events that pass by.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    reader: SseReader,
    count: u64,
}

impl Numbers {
    /// Adds the events that are complete with `bytes`.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Framed) {
        let mut rest = bytes;
        // What could not be read was refused where the provider's stream was read.
        while let Ok(Some(event)) = self.reader.next(&mut rest) {
            let (mut data, mut id) = (event.data, None);
            let mut members = Members::of(data);
            while let Ok(Some(member)) = members.next_member() {
                if data.get(member.key) == Some(b"id") {
                    id = Some(member.value);
                }
            }
            out.push(b"data: ");
            if let Some(at) = id {
                out.push(data.get(..at.start).unwrap_or_default());
                write_string(&format!("{HEAD}{}", self.count), &mut |piece| out.push(piece));
                data = data.get(at.end..).unwrap_or_default();
                self.count += 1;
            }
            out.push(data);
            out.push(b"\n\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply_head::Framing;

    #[test]
    fn each_chunk_gets_its_number_and_nothing_else_changes() {
        let stream = b"data: {\"id\":\"x\",\"a\":{\"id\":1}}\n\ndata: {\"b\":2, \"id\" : \"y\"}\n\ndata: {\"error\":{}}\n\ndata: [DONE]\n\n";
        let whole = "data: {\"id\":\"chatcmpl-bifrost-0\",\"a\":{\"id\":1}}\n\ndata: {\"b\":2, \"id\" : \"chatcmpl-bifrost-1\"}\n\ndata: {\"error\":{}}\n\ndata: [DONE]\n\n";
        for cut in 0..stream.len() {
            let (mut numbers, framing) = (Numbers::default(), Framing::UntilClose);
            let mut out = Framed { framing, ..Framed::default() };
            let (early, late) = stream.split_at(cut);
            numbers.push(early, &mut out);
            numbers.push(late, &mut out);
            assert_eq!(out.bytes.as_slice(), whole.as_bytes(), "{cut}");
        }
    }
}
