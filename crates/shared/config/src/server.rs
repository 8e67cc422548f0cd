//! Section `server`: listening, workers, limits and TLS. All but `read_buffer_size` is this gateway's own.

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use crate::member::{Fallback, Member, Object, Shape, joined, member, switch};
use crate::secret::Secret;
use crate::view::{Context, View};

/// Section `server`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Largest request head, in bytes.
    pub read_buffer_size: usize,
    /// Worker threads; none means one per core.
    pub workers: Option<NonZeroU16>,
    /// Whether each worker stays on one core.
    pub pin_cores: bool,
    /// How workers wait for sockets.
    pub driver: Driver,
    /// Submission entries of each worker's ring.
    pub ring_entries: u32,
    /// Size of a pooled buffer, in bytes: whole pages of 4 KiB.
    pub buffer_bytes: usize,
    /// How long a worker polls before it sleeps; nothing means not at all.
    pub busy_poll: Option<Duration>,
    /// How long requests under way may go on after SIGTERM.
    pub drain: Duration,
    /// Time for a request head to arrive, from its first byte (or from the handshake).
    pub head_timeout: Duration,
    /// Longest silence within a request body.
    pub body_idle_timeout: Duration,
    /// Longest time a caller may leave a reply unread.
    pub send_idle_timeout: Duration,
    /// How long an idle connection is kept.
    pub keep_alive_timeout: Duration,
    /// Most client connections of the process.
    pub connections_max: u32,
    /// A longer request body is streamed through where that is possible.
    pub body_buffer_bytes_max: u64,
    /// Budget of buffered bodies of the whole process; beyond it requests get 503.
    pub buffered_bytes_max: u64,
    /// TLS towards callers.
    pub tls: Option<ServerTls>,
}

impl Default for Server {
    fn default() -> Self {
        read_values(&View::empty(&SERVER))
    }
}

/// How workers wait for sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// io_uring where the kernel allows it, else epoll.
    Auto,
    /// io_uring or nothing.
    IoUring,
    /// epoll.
    Epoll,
}

/// Certificate and key of the listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTls {
    /// Certificate chain.
    pub certificate: Pem,
    /// Its private key.
    pub private_key: Pem,
}

/// PEM text, or the file that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pem {
    /// The text itself.
    Text(Secret),
    /// A file to read it from.
    File(PathBuf),
}

pub(crate) const SERVER: Object = Object::closed("Listening, workers, limits and TLS.", MEMBERS);

const HOUR_SECONDS: u64 = 3600;

/// Buffers are parts of one mapping whose memory is given back page by page.
const PAGE_BYTES: usize = 4096;

const MEMBERS: &[Member] = &joined::<{ TUNABLE.len() + 1 }>(&[
    TUNABLE,
    &[member("tls", Shape::Object(&TLS), "TLS towards callers.")],
]);

/// What a tuning profile may set too: everything but TLS.
pub(crate) const TUNABLE: &[Member] = &[
    member(
        "read_buffer_size",
        Shape::Integer { min: 1024, max: 16 << 20 },
        "Largest request head, in bytes.",
    )
    .or(Fallback::Integer(65_536)),
    member(
        "workers",
        Shape::Integer { min: 1, max: 1024 },
        "Worker threads; one per core unless set.",
    ),
    switch("pin_cores", "Keep each worker on one core."),
    member(
        "driver",
        Shape::Choice(&["auto", "io_uring", "epoll"]),
        "How workers wait for sockets.",
    )
    .or(Fallback::Text("auto")),
    member(
        "ring_entries",
        Shape::Integer { min: 64, max: 32_768 },
        "Submission entries of each worker's ring.",
    )
    .or(Fallback::Integer(1024)),
    member(
        "buffer_bytes",
        Shape::Integer { min: PAGE_BYTES as u64, max: 1 << 20 },
        "Size of a pooled buffer, in bytes; a multiple of 4096.",
    )
    .or(Fallback::Integer(16 * 1024)),
    member(
        "busy_poll_us",
        Shape::Integer { min: 0, max: 10_000 },
        "Microseconds a worker polls before it sleeps: less latency for more CPU time.",
    )
    .or(Fallback::Integer(0)),
    seconds("drain_seconds", 0, "Seconds that requests under way may go on after SIGTERM.", 30),
    seconds("head_timeout_seconds", 1, "Seconds for a request head to arrive.", 15),
    seconds(
        "body_idle_timeout_seconds",
        1,
        "Longest silence within a request body, in seconds.",
        30,
    ),
    seconds("send_idle_timeout_seconds", 1, "Seconds a caller may leave a reply unread.", 60),
    seconds("keep_alive_timeout_seconds", 1, "Seconds an idle connection is kept.", 75),
    member(
        "connections_max",
        Shape::Integer { min: 1, max: 10_000_000 },
        "Most client connections.",
    )
    .or(Fallback::Integer(100_000)),
    member(
        "body_buffer_bytes_max",
        Shape::from(4096),
        "A longer request body is streamed through where possible.",
    )
    .or(Fallback::Integer(10 << 20)),
    member(
        "buffered_bytes_max",
        Shape::from(1 << 20),
        "Budget of buffered bodies of the whole process; beyond it requests get 503.",
    )
    .or(Fallback::Integer(1 << 30)),
];

const fn seconds(name: &'static str, min: u64, doc: &'static str, default: u64) -> Member {
    member(name, Shape::Integer { min, max: HOUR_SECONDS }, doc).or(Fallback::Integer(default))
}

const TLS: Object = Object::closed(
    "TLS towards callers.",
    &[
        member("certificate", Shape::Secret, "Certificate chain: PEM text, `env.NAME` or a file.")
            .required(),
        member("private_key", Shape::Secret, "Private key: PEM text, `env.NAME` or a file.")
            .required(),
    ],
);

/// Reads the section and checks what its table cannot.
pub(crate) fn read(view: &View<'_>, context: &mut Context<'_>) -> Server {
    let server = Server { tls: read_tls(&view.object("tls", &TLS), context), ..read_values(view) };
    if server.body_buffer_bytes_max > server.buffered_bytes_max {
        let message = format!(
            "one body (`body_buffer_bytes_max`, {}) must fit into the budget of all \
             (`buffered_bytes_max`, {})",
            server.body_buffer_bytes_max, server.buffered_bytes_max
        );
        context.problem(view.here(), message);
    }
    if !server.buffer_bytes.is_multiple_of(PAGE_BYTES) {
        let message = format!("must be a multiple of {PAGE_BYTES}, not {}", server.buffer_bytes);
        context.problem(view.at("buffer_bytes"), message);
    }
    server
}

fn read_values(view: &View<'_>) -> Server {
    Server {
        read_buffer_size: view.count("read_buffer_size") as usize,
        workers: view
            .optional_integer("workers")
            .and_then(|count| NonZeroU16::new(u16::try_from(count).unwrap_or(u16::MAX))),
        pin_cores: view.boolean("pin_cores"),
        driver: match view.choice("driver") {
            "io_uring" => Driver::IoUring,
            "epoll" => Driver::Epoll,
            _ => Driver::Auto,
        },
        ring_entries: view.count("ring_entries"),
        buffer_bytes: view.count("buffer_bytes") as usize,
        busy_poll: Some(Duration::from_micros(view.integer("busy_poll_us")))
            .filter(|busy_poll| !busy_poll.is_zero()),
        drain: view.seconds("drain_seconds"),
        head_timeout: view.seconds("head_timeout_seconds"),
        body_idle_timeout: view.seconds("body_idle_timeout_seconds"),
        send_idle_timeout: view.seconds("send_idle_timeout_seconds"),
        keep_alive_timeout: view.seconds("keep_alive_timeout_seconds"),
        connections_max: view.count("connections_max"),
        body_buffer_bytes_max: view.integer("body_buffer_bytes_max"),
        buffered_bytes_max: view.integer("buffered_bytes_max"),
        tls: None,
    }
}

fn read_tls(view: &View<'_>, context: &mut Context<'_>) -> Option<ServerTls> {
    if !view.is_present() {
        return None;
    }
    let certificate = read_pem(view, "certificate", context);
    let private_key = read_pem(view, "private_key", context);
    Some(ServerTls { certificate: certificate?, private_key: private_key? })
}

/// Without its certificate the gateway would serve in clear where TLS was asked for, so an empty one
/// is a mistake and not a warning.
fn read_pem(view: &View<'_>, name: &str, context: &mut Context<'_>) -> Option<Pem> {
    let text = view.needed_reference(name, context)?;
    Some(if text.contains("-----BEGIN ") {
        Pem::Text(Secret::new(text))
    } else {
        Pem::File(PathBuf::from(text))
    })
}
