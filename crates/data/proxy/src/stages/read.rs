//! Stage 1: connection → [`Request`]. The head is parsed where it was received; the body stays
//! behind it in the same buffer where it can.

use std::io;
use std::ops::Range;
use std::time::Duration;

use net::{Buffer, Connection, now};
use snapshot::Client;
use wire::{BodyLength, BodyReader, HeadErrorKind, HeadLimits, Progress, RequestHead};

use crate::limits::{BODY_BYTES_PER_SECOND_MIN, BODY_PREFIX_BYTES, HEADERS_MAX};
use crate::reject::{Kind, Reject};

/// A request with its body, as far as it is held.
#[derive(Debug)]
pub(crate) struct Request {
    /// The head, and behind it the body unless that is held apart.
    pub(crate) bytes: Buffer,
    head_len: usize,
    /// The body where it had to be put together: from chunks, or decompressed.
    apart: Option<Buffer>,
    /// `Some(total)`: only the beginning of the body is held; the rest is still on the connection.
    pub(crate) total_bytes: Option<u64>,
}

impl Request {
    /// The body, or its beginning when `total_bytes` is set.
    pub(crate) fn body(&self) -> &[u8] {
        match &self.apart {
            Some(body) => body.as_slice(),
            None => self.bytes.as_slice().get(self.head_len..).unwrap_or_default(),
        }
    }

    /// Puts a decompressed body in place of the one received.
    pub(crate) fn replace_body(&mut self, body: Vec<u8>) {
        self.apart = Some(Buffer::from(body));
    }
}

/// Reads a request head. `None`: the caller closed, or sent nothing for too long.
pub(crate) async fn head(
    client: &mut Connection,
    head: &mut RequestHead,
    settings: &Client,
) -> Result<Option<()>, Reject> {
    let limits = HeadLimits { bytes_max: settings.head_bytes_max, headers_max: HEADERS_MAX };
    let mut unseen = 0;
    let mut deadline = None;
    loop {
        let is_waiting = client.input().is_empty();
        // Only a line end can complete a head or make a broken one certain.
        if unseen == 0
            || memchr::memchr(b'\n', client.input().get(unseen..).unwrap_or_default()).is_some()
        {
            match head.parse(client.input(), &limits) {
                Ok(Progress::Complete) => return Ok(Some(())),
                Ok(Progress::Partial) => {}
                Err(error) => return Err(bad_head(error)),
            }
        }
        unseen = client.input().len();
        if unseen > settings.head_bytes_max {
            return Err(Reject::new(Kind::HeadTooLarge, "the request head is too large"));
        }
        if is_waiting {
            client.set_idle(true);
            client.set_deadline(Some(now() + settings.keep_alive_timeout));
        } else if deadline.is_none() {
            deadline = Some(now() + settings.head_timeout);
            client.set_deadline(deadline);
        }
        let received = client.fill().await;
        client.set_idle(false);
        match received {
            Ok(1..) => {}
            Err(error) if error.kind() == io::ErrorKind::TimedOut && !is_waiting => {
                return Err(Reject::new(Kind::CallerTimedOut, "the request head took too long"));
            }
            Ok(0) | Err(_) => return Ok(None),
        }
    }
}

#[cold]
fn bad_head(error: wire::HeadError) -> Reject {
    let kind = match error.kind() {
        HeadErrorKind::Malformed => Kind::Malformed,
        HeadErrorKind::TooLarge => Kind::HeadTooLarge,
        HeadErrorKind::UnsupportedVersion => Kind::VersionUnsupported,
        HeadErrorKind::NotOffered => Kind::CodingUnsupported,
    };
    Reject::new(kind, error.to_string())
}

/// Reads the body that `head` announces. `may_stream`: a large one of fixed length may be left on
/// the connection but for its beginning.
pub(crate) async fn body(
    client: &mut Connection,
    head: &RequestHead,
    settings: &Client,
    may_stream: bool,
) -> Result<Request, Reject> {
    let length = head.body();
    if let BodyLength::Fixed(bytes) = length
        && bytes > settings.body_bytes_max
    {
        return Err(too_large(settings));
    }
    let is_here = matches!(length, BodyLength::None)
        || client.input().len() > head.len() && head.expects_continue();
    if head.expects_continue() && !is_here {
        let mut interim = Buffer::new();
        interim.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        client.write(interim).await.map_err(|_| gone())?;
    }
    match length {
        BodyLength::None => Ok(split(client, head.len(), 0, None)),
        BodyLength::Fixed(bytes) => {
            let is_streamed = may_stream && bytes > settings.body_buffer_bytes_max;
            fixed(client, head.len(), bytes, is_streamed, settings).await
        }
        BodyLength::Chunked | BodyLength::UntilClose => {
            Box::pin(chunked(client, head, settings)).await
        }
    }
}

async fn fixed(
    client: &mut Connection,
    head_len: usize,
    bytes: u64,
    is_streamed: bool,
    settings: &Client,
) -> Result<Request, Reject> {
    let held = if is_streamed { bytes.min(BODY_PREFIX_BYTES) } else { bytes };
    let held = usize::try_from(held).map_err(|_| too_large(settings))?;
    let total = head_len + held;
    if client.input().len() < total {
        client.reserve_input(total).map_err(|_| memory_spent())?;
        let slowest = now() + slowest_body(bytes, settings);
        while client.input().len() < total {
            receive(client, settings, slowest).await?;
        }
    }
    Ok(split(client, head_len, held, is_streamed.then_some(bytes)))
}

/// Reads the rest of a body of which the beginning was to be streamed, after all.
pub(crate) async fn rest(
    client: &mut Connection,
    request: &mut Request,
    settings: &Client,
) -> Result<(), Reject> {
    let Some(total) = request.total_bytes.take() else { return Ok(()) };
    let missing = total as usize - request.body().len();
    request.bytes.try_reserve(missing).map_err(|_| memory_spent())?;
    let slowest = now() + slowest_body(total, settings);
    while request.body().len() < total as usize {
        if client.input().is_empty() {
            receive(client, settings, slowest).await?;
        }
        let wanted = total as usize - request.body().len();
        let taken = client.input().len().min(wanted);
        request.bytes.extend_from_slice(client.input().get(..taken).unwrap_or_default());
        client.consume(taken);
    }
    Ok(())
}

async fn chunked(
    client: &mut Connection,
    head: &RequestHead,
    settings: &Client,
) -> Result<Request, Reject> {
    let mut request = split(client, head.len(), 0, None);
    let mut reader = BodyReader::new(head.body());
    let mut body = Buffer::new();
    let slowest = now() + slowest_body(settings.body_bytes_max, settings);
    loop {
        let step = reader.next(client.input()).map_err(|error| {
            Reject::new(Kind::Malformed, format!("invalid request body: {error}"))
        })?;
        if body.len() + step.data.len() > settings.body_bytes_max as usize {
            return Err(too_large(settings));
        }
        append(client, &mut body, step.data)?;
        client.consume(step.consumed);
        if step.is_end {
            request.apart = Some(body);
            return Ok(request);
        }
        if client.input().is_empty() || step.consumed == 0 {
            receive(client, settings, slowest).await?;
        }
    }
}

fn append(client: &Connection, body: &mut Buffer, data: Range<usize>) -> Result<(), Reject> {
    let data = client.input().get(data).unwrap_or_default();
    if body.spare() < data.len() {
        body.try_reserve(data.len().max(body.len())).map_err(|_| memory_spent())?;
    }
    body.extend_from_slice(data);
    Ok(())
}

/// Takes head and body off the connection; what lies behind is the next request's.
fn split(
    client: &mut Connection,
    head_len: usize,
    body_len: usize,
    total_bytes: Option<u64>,
) -> Request {
    let mut bytes = client.take_input();
    if let Some(behind) = bytes.as_slice().get(head_len + body_len..).filter(|b| !b.is_empty()) {
        let mut next = Buffer::with_capacity(behind.len());
        next.extend_from_slice(behind);
        client.put_input(next);
    }
    bytes.truncate(head_len + body_len);
    Request { bytes, head_len, apart: None, total_bytes }
}

async fn receive(
    client: &mut Connection,
    settings: &Client,
    slowest: net::Tick,
) -> Result<(), Reject> {
    let piece = now() + settings.body_timeout;
    client.set_deadline(Some(piece.min(slowest)));
    let received = client.fill().await;
    client.set_deadline(None);
    match received {
        Ok(1..) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            Err(Reject::new(Kind::CallerTimedOut, "the request body took too long"))
        }
        Err(error) if error.kind() == io::ErrorKind::OutOfMemory => Err(memory_spent()),
        Ok(0) | Err(_) => Err(gone()),
    }
}

/// The time a body of `bytes` may take altogether, however steadily it trickles in.
fn slowest_body(bytes: u64, settings: &Client) -> Duration {
    settings.body_timeout + Duration::from_secs(bytes / BODY_BYTES_PER_SECOND_MIN)
}

#[cold]
fn too_large(settings: &Client) -> Reject {
    let mebibytes = settings.body_bytes_max / (1024 * 1024);
    let message = format!("the request body is larger than {mebibytes} MB");
    Reject::new(Kind::BodyTooLarge, message)
}

#[cold]
pub(crate) fn memory_spent() -> Reject {
    let message = "the gateway holds as many request bytes as it may; try again later";
    Reject::new(Kind::MemorySpent, message)
}

#[cold]
pub(crate) fn gone() -> Reject {
    Reject::new(Kind::Cancelled, "the caller went away")
}
