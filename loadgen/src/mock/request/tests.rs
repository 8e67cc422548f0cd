//! Requests cut at every byte, and framing that must not pass.

use super::{Malformed, Progress, Request, RequestReader};

const PLAIN: &[u8] =
    b"POST /v1/chat/completions?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
const CHUNKED: &[u8] = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
    3\r\nhel\r\n2;ext=1\r\nlo\r\n0\r\nTrailer: 1\r\n\r\n";

/// Feeds `pieces` and returns the requests read, with the bytes left over.
fn read_all(pieces: &[&[u8]]) -> Result<(Vec<Request>, Vec<u8>), Malformed> {
    let mut reader = RequestReader::default();
    let (mut buffer, mut requests) = (Vec::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while let Progress::Request(request) = reader.next(&mut buffer)? {
            requests.push(request);
        }
    }
    Ok((requests, buffer))
}

#[test]
fn a_request_cut_anywhere_is_the_same_request() {
    for bytes in [PLAIN, CHUNKED] {
        for cut in 0..bytes.len() {
            let (first, second) = bytes.split_at(cut);
            let (requests, rest) = read_all(&[first, second]).unwrap();
            let [request] = requests.as_slice() else { panic!("cut at {cut}: {requests:?}") };
            assert_eq!((request.body(), request.raw.as_slice()), (b"hello".as_slice(), bytes));
            assert!(rest.is_empty());
        }
        let (first, _) = bytes.split_at(bytes.len() - 1);
        assert!(read_all(&[first]).unwrap().0.is_empty());
    }
}

#[test]
fn the_parts_of_a_request_can_be_asked_for() {
    let (requests, _) = read_all(&[PLAIN]).unwrap();
    let request = &requests[0];
    assert_eq!((request.method(), request.target()), ("POST", "/v1/chat/completions?x=1"));
    assert_eq!(request.path(), "/v1/chat/completions");
    assert_eq!(request.header("host"), Some("a"));
    assert_eq!(request.headers().count(), 2);
    assert!(request.keeps_alive() && !request.is_http10());
}

#[test]
fn pipelined_requests_are_told_apart_and_the_rest_is_kept() {
    let stream = [PLAIN, CHUNKED, b"GET /ha"].concat();
    let (requests, rest) = read_all(&[&stream]).unwrap();
    assert_eq!((requests.len(), rest.as_slice()), (2, b"GET /ha".as_slice()));
}

#[test]
fn hostile_framing_is_refused() {
    let head = |fields: &str| format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n");
    let chunk = |body: &str| format!("{}{body}", head("Transfer-Encoding: chunked"));
    let cases = [
        (head("Content-Length: 1\r\nContent-Length: 1"), Malformed::ContentLength),
        (head("Content-Length: +1"), Malformed::ContentLength),
        (head("Content-Length: 1, 1"), Malformed::ContentLength),
        (head("Content-Length: 99999999999"), Malformed::BodyTooLong),
        (head("Content-Length: 1\r\nTransfer-Encoding: chunked"), Malformed::LengthAndChunked),
        (head("Transfer-Encoding: gzip, chunked"), Malformed::TransferEncoding),
        (
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".into(),
            Malformed::TransferEncoding,
        ),
        ("GET / HTTP/1.1\nHost: a\n\n".into(), Malformed::BareLineFeed),
        (chunk("0x1\r\na\r\n"), Malformed::ChunkSize),
        (chunk("\r\n"), Malformed::ChunkSize),
        (chunk("1\r\nab\r\n"), Malformed::ChunkEnd),
        (chunk("1\na"), Malformed::BareLineFeed),
        (chunk("ffffffffffffffffffff\r\n"), Malformed::ChunkSize),
        (chunk("7fffffff\r\n"), Malformed::BodyTooLong),
    ];
    for (bytes, expected) in cases {
        assert_eq!(read_all(&[bytes.as_bytes()]).err(), Some(expected), "{bytes:?}");
    }
    assert!(matches!(read_all(&[b"\x16\x03\x01\x02"]).err(), Some(Malformed::Head(_))));
    let endless = format!("GET /{} HTTP/1.1", "a".repeat(300 << 10));
    assert_eq!(read_all(&[endless.as_bytes()]).err(), Some(Malformed::HeadTooLong));
}

#[test]
fn a_caller_that_waits_to_go_on_is_told_once() {
    let mut reader = RequestReader::default();
    let head = b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    let mut buffer = head.to_vec();
    let first = reader.next(&mut buffer).unwrap();
    assert!(matches!(first, Progress::More { expects_continue: true }));
    let second = reader.next(&mut buffer).unwrap();
    assert!(matches!(second, Progress::More { expects_continue: false }));
    buffer.extend_from_slice(b"ok");
    assert!(matches!(reader.next(&mut buffer), Ok(Progress::Request(_))));
}
