//! One client's connection: its handshakes, its streams as there is room for them, and its end.

use std::future::poll_fn;
use std::io::{self, Cursor};
use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use h2::server::{self, Builder, SendResponse};
use h2::{Ping, PingPong, RecvStream};
use http::Request;
use seam::{Arrived, Seam};
use snapshot::Client as Settings;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, join};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tracing::debug;

use crate::hop::Hops;
use crate::limits::{
    CONNECTION_WINDOW_BYTES, FRAME_BYTES_MAX, GENEROUS_CONNECTIONS_MAX, NARROW_WINDOW_BYTES,
    PING_INTERVAL, PING_TIMEOUT, RESET_FOR_FAULTS_MAX, RESET_REMEMBERED_MAX, RESET_UNSEEN_MAX,
    SEND_BUFFER_BYTES_MAX, STREAM_WINDOW_BYTES, STREAMS_MAX,
};
use crate::{Open, Order, Shared, ordered, stream};

/// What the streams of a connection share.
pub(crate) struct Client {
    pub(crate) hops: Hops,
    seam: Seam,
    /// When the last stream ended.
    ended: Mutex<Instant>,
}

impl Client {
    /// How long the client may take nothing of what waits for it.
    pub(crate) fn send_timeout(&self) -> Duration {
        self.seam.published.load().client.send_timeout
    }

    fn note_end(&self) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn ended(&self) -> Instant {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves the connection to its end.
pub(crate) async fn serve(shared: Arc<Shared>, arrived: Arrived, _open: Open) {
    let Arrived { socket, peer, received, is_tls } = arrived;
    let served = async {
        let stream = StdTcpStream::from(socket);
        stream.set_nonblocking(true)?;
        let (reader, writer) = TcpStream::from_std(stream)?.into_split();
        let stream = join(Cursor::new(received).chain(reader), writer);
        let began = Began { shared: &shared, peer, deadline: deadline(&shared), is_tls };
        match &shared.tls {
            Some(tls) if is_tls => {
                let secured = timeout_at(began.deadline, tls.accept(stream)).await??;
                speak(began, secured).await
            }
            Some(_) | None => speak(began, stream).await,
        }
    };
    // Whose fault it was cannot be told, and nothing depends on it.
    if let Err(error) = served.await {
        debug!(%error, "an HTTP/2 connection ended");
    }
}

/// A connection on which nothing was said yet.
struct Began<'s> {
    shared: &'s Arc<Shared>,
    peer: Option<SocketAddr>,
    /// When the handshakes have to be over.
    deadline: Instant,
    is_tls: bool,
}

fn deadline(shared: &Shared) -> Instant {
    Instant::now() + shared.seam.published.load().client.head_timeout
}

async fn speak<T>(began: Began<'_>, stream: T) -> io::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let Began { shared, peer, deadline, is_tls } = began;
    let snapshot = shared.seam.published.load();
    let handshake = builder(&snapshot.client, shared.open()).handshake::<_, Bytes>(stream);
    let connection = timeout_at(deadline, handshake).await?.map_err(io::Error::other)?;
    let hops = Hops::new(shared.seam.clone(), peer, is_tls, snapshot.client.keep_alive_timeout);
    let client = Client { hops, seam: shared.seam.clone(), ended: Mutex::new(Instant::now()) };
    drop(snapshot);
    take_streams(shared, connection, &Arc::new(client)).await.map_err(io::Error::other)
}

fn builder(settings: &Settings, open: usize) -> Builder {
    let head_bytes_max = u32::try_from(settings.head_bytes_max).unwrap_or(u32::MAX);
    let (stream_bytes, connection_bytes) = match open > GENEROUS_CONNECTIONS_MAX {
        true => (NARROW_WINDOW_BYTES, NARROW_WINDOW_BYTES),
        false => (STREAM_WINDOW_BYTES, CONNECTION_WINDOW_BYTES),
    };
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(STREAMS_MAX)
        .max_pending_accept_reset_streams(RESET_UNSEEN_MAX)
        .max_local_error_reset_streams(Some(RESET_FOR_FAULTS_MAX))
        .max_concurrent_reset_streams(RESET_REMEMBERED_MAX)
        .max_header_list_size(head_bytes_max)
        .max_frame_size(FRAME_BYTES_MAX)
        .max_send_buffer_size(SEND_BUFFER_BYTES_MAX)
        .initial_window_size(stream_bytes)
        .initial_connection_window_size(connection_bytes);
    builder
}

/// Takes streams while there is room for them, until the connection ends. A stream whose worker has not
/// let go of it yet takes room too, and one that is not taken can be reset only so often.
async fn take_streams<T>(
    shared: &Arc<Shared>,
    mut connection: server::Connection<T, Bytes>,
    client: &Arc<Client>,
) -> Result<(), h2::Error>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let room = Arc::new(Semaphore::new(STREAMS_MAX as usize));
    let pings = connection.ping_pong();
    let mut lost = pin!(until_lost(pings));
    let mut leaving = pin!(until_leaving(shared, client, &room));
    let mut is_leaving = false;
    loop {
        let place = tokio::select! {
            biased;
            place = Arc::clone(&room).acquire_owned() => place,
            ended = poll_fn(|context| connection.poll_closed(context)) => return ended,
        };
        // Nobody closes it.
        let Ok(place) = place else { return Ok(()) };
        tokio::select! {
            accepted = connection.accept() => match accepted {
                Some(accepted) => begin(client, accepted?, place),
                None => return Ok(()),
            },
            () = &mut leaving, if !is_leaving => {
                is_leaving = true;
                connection.graceful_shutdown();
            }
            () = &mut lost => return Ok(()),
        }
    }
}

fn begin(
    client: &Arc<Client>,
    (request, respond): (Request<RecvStream>, SendResponse<Bytes>),
    place: OwnedSemaphorePermit,
) {
    let client = Arc::clone(client);
    tokio::spawn(async move {
        stream::serve(&client, request, respond).await;
        client.note_end();
        drop(place);
    });
}

/// Ready when the client does not answer any more.
async fn until_lost(pings: Option<PingPong>) {
    let Some(mut pings) = pings else { return std::future::pending().await };
    loop {
        sleep(PING_INTERVAL).await;
        let Ok(Ok(_)) = timeout(PING_TIMEOUT, pings.ping(Ping::opaque())).await else { return };
    }
}

/// Ready when the connection should take no further streams: by order, or because it has carried none for
/// as long as a connection may.
async fn until_leaving(shared: &Shared, client: &Client, room: &Semaphore) {
    tokio::select! {
        () = ordered(&shared.orders, Order::Leave) => {}
        () = until_idle(shared, client, room) => {}
    }
}

async fn until_idle(shared: &Shared, client: &Client, room: &Semaphore) {
    let idle_max = || shared.seam.published.load().client.keep_alive_timeout;
    let mut look = client.ended() + idle_max();
    loop {
        sleep_until(look).await;
        // One place is held for the next stream.
        let is_idle = room.available_permits() + 1 >= STREAMS_MAX as usize;
        let over = client.ended() + idle_max();
        look = match is_idle {
            true if over <= Instant::now() => return,
            true => over,
            false => Instant::now() + idle_max(),
        };
    }
}
