//! What is written is read back as it was.

use wire::{BodyLength, BodyReader, ChunkedWriter, SseReader, write_event};

#[test]
fn written_chunks_are_read_back() {
    let pieces: [&[u8]; 4] = [b"a", b"", b"\r\n0\r\n\r\n", &[b'x'; 300]];
    let mut out = Vec::new();
    for piece in pieces {
        ChunkedWriter::write_chunk(piece, &mut out);
    }
    out.extend_from_slice(ChunkedWriter::END);

    let mut reader = BodyReader::new(BodyLength::Chunked);
    let (mut rest, mut payload) = (&out[..], Vec::new());
    while !reader.is_complete() {
        let step = reader.next(rest).unwrap();
        payload.extend_from_slice(&rest[step.data]);
        rest = &rest[step.consumed..];
    }
    assert_eq!(payload, pieces.concat());
    assert!(rest.is_empty());
    assert_eq!(reader.close(), Ok(()));
}

#[test]
fn written_events_are_read_back() {
    let events: [(Option<&str>, &[u8]); 5] = [
        (None, b"{}"),
        (Some("message_start"), b"{\"type\":\"message_start\"}"),
        (None, b""),
        (None, b" two\n\n lines "),
        (Some("x"), b"\n"),
    ];
    let mut out = Vec::new();
    for (name, data) in events {
        write_event(name, data, &mut out);
    }
    assert!(out.starts_with(b"data: {}\n\nevent: message_start\ndata: {\"type\""));

    let (mut reader, mut rest) = (SseReader::new(), &out[..]);
    for (name, data) in events {
        let event = reader.next(&mut rest).unwrap().unwrap();
        assert_eq!((event.event, event.data), (name, data));
    }
    assert_eq!(reader.next(&mut rest), Ok(None));
}

#[test]
fn every_line_end_in_written_data_starts_a_line() {
    let mut out = Vec::new();
    write_event(None, b"a\rb\r\nc\nd", &mut out);
    assert_eq!(out, b"data: a\ndata: b\ndata: c\ndata: d\n\n");
}

#[test]
fn an_event_that_lies_whole_in_the_input_is_not_copied() {
    let input = b"event: a\ndata: b\n\nevent: c\ndata: d\n\n";
    let mut reader = SseReader::new();
    let mut rest = &input[..];
    for (start, end) in [(0, 18), (18, 36)] {
        let event = reader.next(&mut rest).unwrap().unwrap();
        assert!(std::ptr::eq(event.raw, &input[start..end]));
        assert!(input.as_ptr_range().contains(&event.data.as_ptr()));
    }
}
