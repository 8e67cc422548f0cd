//! What is refused, and by what name.

use http::Method;
use wire::{
    BodyError, ChunkedReader, HeadError, HeadErrorKind, HeadLimits, Progress, RequestHead,
    ResponseHead,
};

use HeadError::{
    BareCarriageReturn, BareLineFeed, ConnectMethod, ContentLength, EmptyHeaderName, FoldedHeader,
    FramingLookalike, HeadTooLarge, HeaderName, HeaderValue, HostMismatch, Http2Preface,
    LeadingEmptyLines, LengthAndTransferEncoding, MalformedHost, MalformedVersion, MissingHost,
    MissingVersion, RepeatedContentLength, RepeatedHost, RequestLine, SpaceBeforeColon, StatusLine,
    StatusRange, TargetByte, TargetForm, TargetFragment, TargetUserInformation, TlsRecord,
    TooManyHeaders, TransferEncoding, TransferEncodingInHttp10, UnsupportedTransferCoding,
    UnsupportedVersion,
};

/// Heads as they come, without the closing empty line where they have lines at all.
const REQUESTS: &[(&str, &[u8], HeadError)] = &[
    ("two empty lines first", b"\r\n\r\nGET / HTTP/1.1\r\nHost: a", LeadingEmptyLines),
    ("line feed first", b"\nGET / HTTP/1.1\r\nHost: a", BareLineFeed),
    ("carriage return first", b"\rGET / HTTP/1.1\r\nHost: a", BareCarriageReturn),
    ("space first", b" GET / HTTP/1.1\r\nHost: a", HeadError::Method),
    ("TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01", TlsRecord),
    ("binary", b"\x00\x00\x00\x00", HeadError::Method),
    ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM", Http2Preface),
    ("method with a colon", b"GET: / HTTP/1.1\r\nHost: a", HeadError::Method),
    ("method with a control", b"GE\x01T / HTTP/1.1\r\nHost: a", HeadError::Method),
    ("method with UTF-8", b"GET\xc3\x9f / HTTP/1.1\r\nHost: a", HeadError::Method),
    ("two spaces before the target", b"GET  / HTTP/1.1\r\nHost: a", RequestLine),
    ("two spaces behind the target", b"GET /  HTTP/1.1\r\nHost: a", RequestLine),
    ("tab for a space", b"GET\t/ HTTP/1.1\r\nHost: a", HeadError::Method),
    ("tab behind the target", b"GET /\tHTTP/1.1\r\nHost: a", TargetByte),
    ("space behind the version", b"GET / HTTP/1.1 \r\nHost: a", RequestLine),
    ("four words", b"GET / x HTTP/1.1\r\nHost: a", RequestLine),
    ("no target", b"GET HTTP/1.1\r\nHost: a", RequestLine),
    ("control in the target", b"GET /\x01 HTTP/1.1\r\nHost: a", TargetByte),
    ("NUL in the target", b"GET /\0 HTTP/1.1\r\nHost: a", TargetByte),
    ("UTF-8 in the target", b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a", TargetByte),
    ("other bytes in the target", b"GET /\xe9 HTTP/1.1\r\nHost: a", TargetByte),
    ("DEL in the target", b"GET /\x7f HTTP/1.1\r\nHost: a", TargetByte),
    ("CR in the target", b"GET /\r HTTP/1.1\r\nHost: a", BareCarriageReturn),
    ("LF in the target", b"GET /\n HTTP/1.1\r\nHost: a", BareLineFeed),
    ("fragment", b"GET /a#b HTTP/1.1\r\nHost: a", TargetFragment),
    ("relative target", b"GET a/b HTTP/1.1\r\nHost: a", TargetForm),
    ("host and port for a target", b"GET a:80 HTTP/1.1\r\nHost: a:80", TargetForm),
    ("asterisk without OPTIONS", b"GET * HTTP/1.1\r\nHost: a", TargetForm),
    ("another scheme", b"GET ftp://a/ HTTP/1.1\r\nHost: a", TargetForm),
    ("URL without a host", b"GET http:///a HTTP/1.1\r\nHost: a", TargetForm),
    ("URL with a bad port", b"GET http://a:b/ HTTP/1.1\r\nHost: a", TargetForm),
    ("URL with a user", b"GET http://u:p@a/ HTTP/1.1\r\nHost: a", TargetUserInformation),
    ("CONNECT", b"CONNECT a:443 HTTP/1.1\r\nHost: a:443", ConnectMethod),
    ("HTTP/0.9", b"GET /", MissingVersion),
    ("HTTP/0.9 named", b"GET / HTTP/0.9\r\nHost: a", UnsupportedVersion),
    ("HTTP/1.2", b"GET / HTTP/1.2\r\nHost: a", UnsupportedVersion),
    ("HTTP/2.0", b"GET / HTTP/2.0\r\nHost: a", UnsupportedVersion),
    ("long version", b"GET / HTTP/1.10\r\nHost: a", MalformedVersion),
    ("small letters", b"GET / http/1.1\r\nHost: a", MalformedVersion),
    ("another protocol", b"GET / FTP/1.1\r\nHost: a", MalformedVersion),
    ("LF behind the request line", b"GET / HTTP/1.1\nHost: a", BareLineFeed),
    ("LF behind a header", b"GET / HTTP/1.1\r\nHost: a\nX: b", BareLineFeed),
    ("LF behind the last header", b"GET / HTTP/1.1\r\nHost: a\n\n", BareLineFeed),
    ("CR in a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb", BareCarriageReturn),
    ("two CR", b"GET / HTTP/1.1\r\nHost: a\r\r\nX: b", BareCarriageReturn),
    ("folded header", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b", FoldedHeader),
    ("folded by a tab", b"GET / HTTP/1.1\r\nHost: a\r\nX:\r\n\tb", FoldedHeader),
    ("folded request line", b"GET / HTTP/1.1\r\n Host: a", FoldedHeader),
    ("no header name", b"GET / HTTP/1.1\r\nHost: a\r\n: b", EmptyHeaderName),
    ("no colon", b"GET / HTTP/1.1\r\nHost: a\r\nX", HeaderName),
    ("space before the colon", b"GET / HTTP/1.1\r\nHost: a\r\nX : b", SpaceBeforeColon),
    ("tab before the colon", b"GET / HTTP/1.1\r\nHost: a\r\nX\t: b", SpaceBeforeColon),
    ("space in a name", b"GET / HTTP/1.1\r\nHost: a\r\nX Y: b", HeaderName),
    ("NUL in a name", b"GET / HTTP/1.1\r\nHost: a\r\nX\0: b", HeaderName),
    ("UTF-8 in a name", b"GET / HTTP/1.1\r\nHost: a\r\nX\xc3\xa9: b", HeaderName),
    ("NUL in a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: \0", HeaderValue),
    ("bell in a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x07", HeaderValue),
    ("DEL in a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x7f", HeaderValue),
    (
        "two lengths",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\ncontent-length: 2",
        RepeatedContentLength,
    ),
    (
        "equal lengths",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1",
        RepeatedContentLength,
    ),
    ("list of lengths", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1", ContentLength),
    ("empty length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ", ContentLength),
    ("negative length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1", ContentLength),
    ("signed length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1", ContentLength),
    ("hexadecimal length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1", ContentLength),
    ("fractional length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1.0", ContentLength),
    (
        "length with an underscore",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1_0",
        ContentLength,
    ),
    ("length with a space", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1 0", ContentLength),
    (
        "length over 64 bits",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616",
        ContentLength,
    ),
    (
        "length and coding",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
        LengthAndTransferEncoding,
    ),
    (
        "coding and length",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1",
        LengthAndTransferEncoding,
    ),
    (
        "coding that isn't chunked",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked",
        TransferEncoding,
    ),
    (
        "identity alone",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity",
        TransferEncoding,
    ),
    (
        "chunked twice",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked",
        TransferEncoding,
    ),
    (
        "chunked in two headers",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        TransferEncoding,
    ),
    (
        "chunked not last",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip",
        TransferEncoding,
    ),
    (
        "chunked with a parameter",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;q=1",
        TransferEncoding,
    ),
    (
        "chunked in quotes",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"",
        TransferEncoding,
    ),
    (
        "chunked and a comma",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked,",
        TransferEncoding,
    ),
    ("empty coding", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:", TransferEncoding),
    (
        "vertical tab before chunked",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked",
        HeaderValue,
    ),
    (
        "no-break space before chunked",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \xa0chunked",
        TransferEncoding,
    ),
    (
        "gzip, then chunked",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked",
        UnsupportedTransferCoding,
    ),
    (
        "identity, then chunked",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        UnsupportedTransferCoding,
    ),
    (
        "coding in HTTP/1.0",
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked",
        TransferEncodingInHttp10,
    ),
    (
        "length with an underscored name",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent_Length: 1",
        FramingLookalike,
    ),
    (
        "coding with an underscored name",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked",
        FramingLookalike,
    ),
    (
        "length without the hyphen",
        b"POST / HTTP/1.1\r\nHost: a\r\nContentLength: 1",
        FramingLookalike,
    ),
    (
        "coding with three hyphens",
        b"POST / HTTP/1.1\r\nHost: a\r\n-Transfer--Encoding: chunked",
        FramingLookalike,
    ),
    (
        "space behind a framing name",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 1",
        SpaceBeforeColon,
    ),
    ("no host", b"GET / HTTP/1.1\r\nX: a", MissingHost),
    ("no headers", b"GET / HTTP/1.1", MissingHost),
    ("two hosts", b"GET / HTTP/1.1\r\nHost: a\r\nhost: a", RepeatedHost),
    ("empty host", b"GET / HTTP/1.1\r\nHost:", MalformedHost),
    ("host with a path", b"GET / HTTP/1.1\r\nHost: a/b", MalformedHost),
    ("host with a user", b"GET / HTTP/1.1\r\nHost: u@a", MalformedHost),
    ("list of hosts", b"GET / HTTP/1.1\r\nHost: a,b", MalformedHost),
    ("host with a space", b"GET / HTTP/1.1\r\nHost: a b", MalformedHost),
    ("host with a bad port", b"GET / HTTP/1.1\r\nHost: a:8x", MalformedHost),
    ("host with a long port", b"GET / HTTP/1.1\r\nHost: a:123456", MalformedHost),
    ("unclosed address", b"GET / HTTP/1.1\r\nHost: [::1", MalformedHost),
    ("text behind an address", b"GET / HTTP/1.1\r\nHost: [::1]a", MalformedHost),
    ("other host than the URL's", b"GET http://a/ HTTP/1.1\r\nHost: b", HostMismatch),
    ("other port than the URL's", b"GET http://a/ HTTP/1.1\r\nHost: a:443", HostMismatch),
];

#[test]
fn requests_are_refused_by_the_name_of_what_is_wrong() {
    for (name, request, expected) in REQUESTS {
        let request = [request, &b"\r\n\r\n"[..]].concat();
        let verdict = RequestHead::new().parse(&request, &HeadLimits::default());
        assert_eq!(verdict, Err(*expected), "{name}");
    }
}

const RESPONSES: &[(&str, &[u8], HeadError)] = &[
    ("not HTTP", b"SSH-2.0", StatusLine),
    ("empty line first", b"\r\nHTTP/1.1 200 OK", StatusLine),
    ("request", b"GET / HTTP/1.1\r\nHost: a", StatusLine),
    ("HTTP/2", b"HTTP/2.0 200 OK", UnsupportedVersion),
    ("short version", b"HTTP/2 200 OK", MalformedVersion),
    ("two digits", b"HTTP/1.1 20 OK", StatusLine),
    ("four digits", b"HTTP/1.1 2000 OK", StatusLine),
    ("no status", b"HTTP/1.1", StatusLine),
    ("two spaces", b"HTTP/1.1  200 OK", StatusLine),
    ("control in the reason", b"HTTP/1.1 200 O\x01K", StatusLine),
    ("status below the range", b"HTTP/1.1 099 OK", StatusRange),
    ("status above the range", b"HTTP/1.1 600 OK", StatusRange),
    ("LF behind the status line", b"HTTP/1.1 200 OK\nX: a", BareLineFeed),
    ("LF behind a header", b"HTTP/1.1 200 OK\r\nX: a\nY: b", BareLineFeed),
    ("folded header", b"HTTP/1.1 200 OK\r\nX: a\r\n b", FoldedHeader),
    ("space before the colon", b"HTTP/1.1 200 OK\r\nX : a", SpaceBeforeColon),
    (
        "two lengths",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2",
        RepeatedContentLength,
    ),
    (
        "equal lengths",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1",
        RepeatedContentLength,
    ),
    (
        "length and coding",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
        LengthAndTransferEncoding,
    ),
    ("bad length", b"HTTP/1.1 200 OK\r\nContent-Length: 1a", ContentLength),
    ("bad length where no body is", b"HTTP/1.1 304 OK\r\nContent-Length: 1a", ContentLength),
    ("bad coding", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunkedd", TransferEncoding),
    (
        "gzip, then chunked",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked",
        UnsupportedTransferCoding,
    ),
    (
        "coding in HTTP/1.0",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked",
        TransferEncodingInHttp10,
    ),
    ("lookalike", b"HTTP/1.1 200 OK\r\nTransfer_Encoding: chunked", FramingLookalike),
];

#[test]
fn responses_are_refused_by_the_name_of_what_is_wrong() {
    for (name, response, expected) in RESPONSES {
        let response = [response, &b"\r\n\r\n"[..]].concat();
        let verdict = ResponseHead::new().parse(&response, &HeadLimits::default());
        assert_eq!(verdict, Err(*expected), "{name}");
    }
}

const CHUNKED: &[(&str, &[u8], BodyError)] = &[
    ("no digit", b"\r\n", BodyError::ChunkSize),
    ("sign", b"+5\r\nhello\r\n", BodyError::ChunkSize),
    ("negative", b"-5\r\nhello\r\n", BodyError::ChunkSize),
    ("prefix", b"0x5\r\nhello\r\n", BodyError::ChunkSize),
    ("underscore", b"1_0\r\n", BodyError::ChunkSize),
    ("space first", b" 5\r\nhello\r\n", BodyError::ChunkSize),
    ("space behind", b"5 \r\nhello\r\n", BodyError::ChunkSize),
    ("no digits but an extension", b";a\r\n", BodyError::ChunkSize),
    ("17 digits", b"00000000000000005\r\n", BodyError::ChunkSizeOverflow),
    ("LF behind the size", b"5\nhello", BodyError::BareLineFeed),
    ("CR behind the size", b"5\rhello", BodyError::BareCarriageReturn),
    ("LF in an extension", b"5;a\nhello", BodyError::BareLineFeed),
    ("CR in an extension", b"5;a\rb\r\nhello", BodyError::BareCarriageReturn),
    ("control in an extension", b"5;a\x01\r\n", BodyError::ChunkExtension),
    ("data too long", b"5\r\nhello!\r\n", BodyError::ChunkEnd),
    ("LF behind data", b"5\r\nhello\n", BodyError::ChunkEnd),
    ("CR behind data", b"5\r\nhello\r0", BodyError::BareCarriageReturn),
    ("trailer without a colon", b"0\r\nX\r\n\r\n", BodyError::Trailer),
    ("trailer without a name", b"0\r\n: a\r\n\r\n", BodyError::Trailer),
    ("folded trailer", b"0\r\nX: a\r\n b\r\n\r\n", BodyError::Trailer),
    ("space before the colon of a trailer", b"0\r\nX : a\r\n\r\n", BodyError::Trailer),
    ("control in a trailer", b"0\r\nX: \0\r\n\r\n", BodyError::Trailer),
    ("LF behind a trailer", b"0\r\nX: a\n\r\n", BodyError::BareLineFeed),
    ("CR in a trailer", b"0\r\nX: a\rb\r\n\r\n", BodyError::BareCarriageReturn),
    ("CR at the end", b"0\r\n\r0", BodyError::BareCarriageReturn),
];

#[test]
fn chunked_bodies_are_refused_by_the_name_of_what_is_wrong() {
    for (name, body, expected) in CHUNKED {
        assert_eq!(chunked_fault(body), Some(*expected), "{name}");
    }
}

fn chunked_fault(mut body: &[u8]) -> Option<BodyError> {
    let mut reader = ChunkedReader::new();
    while !body.is_empty() {
        match reader.next(body) {
            Ok(step) if step.is_end => return None,
            Ok(step) => body = &body[step.consumed..],
            Err(error) => return Some(error),
        }
    }
    None
}

#[test]
fn chunked_framing_is_bounded() {
    let extension = |bytes: usize| [b"1;", &vec![b'x'; bytes][..], b"\r\na\r\n"].concat();
    let fits = wire::CHUNK_SIZE_LINE_BYTES_MAX - "1".len() - "\r".len();
    assert_eq!(chunked_fault(&extension(fits)), None);
    assert_eq!(chunked_fault(&extension(fits + 1)), Some(BodyError::ChunkSizeLineTooLong));

    let many = extension(500).repeat(wire::CHUNK_EXTENSION_BYTES_MAX / 500 + 1);
    assert_eq!(chunked_fault(&many), Some(BodyError::ChunkExtensionsTooLong));

    let trailer = |bytes: usize| [b"0\r\nX:", &vec![b'x'; bytes][..], b"\r\n\r\n"].concat();
    let fits = wire::TRAILER_BYTES_MAX - "X:\r".len();
    assert_eq!(chunked_fault(&trailer(fits)), None);
    assert_eq!(chunked_fault(&trailer(fits + 1)), Some(BodyError::TrailersTooLong));
}

#[test]
fn limits_count_exactly() {
    let request = b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\r\n";
    let verdict = |bytes_max, headers_max| {
        RequestHead::new().parse(request, &HeadLimits { bytes_max, headers_max })
    };
    assert_eq!(verdict(request.len(), 2), Ok(Progress::Complete));
    assert_eq!(verdict(request.len() - 1, 2), Err(HeadTooLarge));
    assert_eq!(verdict(request.len(), 1), Err(TooManyHeaders));

    let unfinished = &request[..request.len() - 1];
    let limits = HeadLimits { bytes_max: unfinished.len(), headers_max: 2 };
    assert_eq!(RequestHead::new().parse(unfinished, &limits), Err(HeadTooLarge));
}

#[test]
fn more_headers_than_there_is_room_for_are_refused_whatever_the_limit() {
    let limits = HeadLimits { bytes_max: usize::MAX, headers_max: usize::MAX };
    let request = |headers| {
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "a: b\r\n".repeat(headers - 1));
        RequestHead::new().parse(head.as_bytes(), &limits)
    };
    assert_eq!(request(wire::HEADERS_CAPACITY), Ok(Progress::Complete));
    assert_eq!(request(wire::HEADERS_CAPACITY + 1), Err(TooManyHeaders));
}

#[test]
fn a_refused_head_leaves_the_reader_ready_for_another_connection() {
    let mut head = RequestHead::new();
    let limits = HeadLimits::default();
    assert_eq!(head.parse(b"GET / HTTP/1.1\r\nX", &limits), Ok(Progress::Partial));
    assert_eq!(head.parse(b"GET / HTTP/1.1\r\nX Y: b\r\n", &limits), Err(HeaderName));
    assert_eq!(head.parse(b"GET / HTTP/1.0\r\n\r\n", &limits), Ok(Progress::Complete));
    assert_eq!(head.parse(b"GET / HTTP/1.0\r\n\r", &limits), Ok(Progress::Partial));
    head.clear();
    assert_eq!(head.parse(b"GET / HTTP/1.0\r\n\r\n..", &limits), Ok(Progress::Complete));
}

#[test]
fn refusals_are_told_apart_by_kind() {
    let kinds = [
        (ContentLength, HeadErrorKind::Malformed),
        (HeadTooLarge, HeadErrorKind::TooLarge),
        (TooManyHeaders, HeadErrorKind::TooLarge),
        (UnsupportedVersion, HeadErrorKind::UnsupportedVersion),
        (Http2Preface, HeadErrorKind::UnsupportedVersion),
        (ConnectMethod, HeadErrorKind::NotOffered),
        (UnsupportedTransferCoding, HeadErrorKind::NotOffered),
    ];
    for (error, kind) in kinds {
        assert_eq!(error.kind(), kind, "{error:?}");
    }
}

#[test]
fn a_response_to_head_has_no_body_whatever_it_announces() {
    let mut head = ResponseHead::new();
    for framing in ["Content-Length: 5", "Transfer-Encoding: chunked", "X: y"] {
        let response = format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n");
        let verdict = head.parse(response.as_bytes(), &HeadLimits::default());
        assert_eq!(verdict, Ok(Progress::Complete));
        assert_eq!(head.body(&Method::HEAD), wire::BodyLength::None, "{framing}");
        assert_ne!(head.body(&Method::GET), wire::BodyLength::None, "{framing}");
        assert!(head.keeps_alive());
    }
}
