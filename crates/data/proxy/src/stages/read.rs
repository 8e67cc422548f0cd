//! Stage 1: connection → [`Request`]. The head is parsed where it was received; the body stays
//! behind it in the same buffer where it can.

use std::io;
use std::time::Duration;

use net::{Buffer, Connection, Tick, now};
use snapshot::Client;
use wire::{BodyLength, BodyReader, HeadErrorKind, HeadLimits, Progress, RequestHead};

use crate::limits::{
    BODY_BYTES_PER_SECOND_MIN, BODY_PREFIX_BYTES, BODY_RESERVE_BYTES, BODY_RESERVE_GROWTH,
    HEADERS_MAX,
};
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
    pub(crate) fn replace_body(&mut self, body: Buffer) {
        self.apart = Some(body);
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

/// Reads the body that `head` announces, up to `bytes_max`. `may_stream`: a large one of fixed length may be left on
/// the connection but for its beginning.
pub(crate) async fn body(
    client: &mut Connection,
    head: &RequestHead,
    settings: &Client,
    bytes_max: u64,
    may_stream: bool,
) -> Result<Request, Reject> {
    let length = head.body();
    if let BodyLength::Fixed(bytes) = length
        && bytes > bytes_max
    {
        return Err(too_large(bytes_max));
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
            Box::pin(chunked(client, head, settings, bytes_max)).await
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
    let held = usize::try_from(held).map_err(|_| too_large(settings.body_bytes_max))?;
    let total = head_len + held;
    if client.input().len() < total {
        let mut pace = Pace::new(settings.body_timeout);
        let mut room = 0;
        while client.input().len() < total {
            if client.input().len() >= room {
                room = total.min(head_len + BODY_RESERVE_BYTES.max(room * BODY_RESERVE_GROWTH));
                client.reserve_input(room).map_err(|_| memory_spent())?;
            }
            pace.receive(client).await?;
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
    let total = usize::try_from(total).map_err(|_| too_large(settings.body_bytes_max))?;
    let mut pace = Pace::new(settings.body_timeout);
    while request.body().len() < total {
        if client.input().is_empty() {
            pace.receive(client).await?;
        }
        let wanted = total - request.body().len();
        let taken = client.input().len().min(wanted);
        make_room(&mut request.bytes, taken)?;
        request.bytes.extend_from_slice(client.input().get(..taken).unwrap_or_default());
        client.consume(taken);
    }
    Ok(())
}

/// Makes room for `more` bytes, doubling, charged to the budget.
pub(crate) fn make_room(buffer: &mut Buffer, more: usize) -> Result<(), Reject> {
    if buffer.spare() >= more {
        return Ok(());
    }
    buffer.try_reserve(more.max(buffer.len())).map_err(|_| memory_spent())
}

async fn chunked(
    client: &mut Connection,
    head: &RequestHead,
    settings: &Client,
    bytes_max: u64,
) -> Result<Request, Reject> {
    let mut request = split(client, head.len(), 0, None);
    let mut reader = BodyReader::new(head.body());
    let mut body = Buffer::new();
    let mut pace = Pace::new(settings.body_timeout);
    loop {
        let step = reader.next(client.input()).map_err(|error| {
            Reject::new(Kind::Malformed, format!("invalid request body: {error}"))
        })?;
        if (body.len() + step.data.len()) as u64 > bytes_max {
            return Err(too_large(bytes_max));
        }
        make_room(&mut body, step.data.len())?;
        body.extend_from_slice(client.input().get(step.data).unwrap_or_default());
        client.consume(step.consumed);
        if step.is_end {
            body.shrink();
            request.apart = Some(body);
            return Ok(request);
        }
        if client.input().is_empty() || step.consumed == 0 {
            pace.receive(client).await?;
        }
    }
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
    // It is kept until there is a reply, and its block serves others meanwhile.
    bytes.shrink();
    Request { bytes, head_len, apart: None, total_bytes }
}

/// Receives a body piece by piece: none may take too long, and all together must keep up a
/// minimum rate from the start.
pub(crate) struct Pace {
    piece_timeout: Duration,
    began: Tick,
    received: u64,
}

impl Pace {
    pub(crate) fn new(piece_timeout: Duration) -> Self {
        Self { piece_timeout, began: now(), received: 0 }
    }

    /// Reads the next piece into the caller's input.
    pub(crate) async fn receive(&mut self, client: &mut Connection) -> Result<(), Reject> {
        let earned = Duration::from_secs(self.received / BODY_BYTES_PER_SECOND_MIN);
        let slowest = self.began + self.piece_timeout + earned;
        client.set_deadline(Some(slowest.min(now() + self.piece_timeout)));
        let received = client.fill().await;
        client.set_deadline(None);
        match received {
            Ok(bytes @ 1..) => {
                self.received += bytes as u64;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                Err(Reject::new(Kind::CallerTimedOut, "the request body took too long"))
            }
            Err(error) if error.kind() == io::ErrorKind::OutOfMemory => Err(memory_spent()),
            Ok(0) | Err(_) => Err(gone()),
        }
    }
}

#[cold]
fn too_large(bytes_max: u64) -> Reject {
    let mebibytes = bytes_max / (1024 * 1024);
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
