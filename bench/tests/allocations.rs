//! How often a warm request allocates on the worker thread, counted by the allocator itself.
#![expect(unsafe_code, reason = "an allocator that counts is an unsafe trait")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use seam::{Published, Seam, Stage};

/// Counts the allocations of threads that asked to be counted.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static IS_COUNTED: Cell<bool> = const { Cell::new(false) };
}

fn count() {
    if IS_COUNTED.with(Cell::get) {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: everything is passed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const WARM_UP: u64 = 300;
const MEASURED: u64 = 1000;

/// A provider that gives every request the same reply, on a thread per connection.
fn provider(reply: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let (mut connection, reply) = (connection.unwrap(), reply.clone());
            thread::spawn(move || {
                let mut buffer = vec![0; 65_536];
                while read_request(&mut connection, &mut buffer).is_some() {
                    connection.write_all(&reply).unwrap();
                }
            });
        }
    });
    address
}

/// Reads one message with a `content-length`; `None` at the end of the connection.
fn read_request(connection: &mut TcpStream, buffer: &mut [u8]) -> Option<usize> {
    let mut length = 0;
    loop {
        let count = connection.read(&mut buffer[length..]).ok().filter(|count| *count > 0)?;
        length += count;
        let text = String::from_utf8_lossy(&buffer[..length]).to_lowercase();
        let Some(head) = text.find("\r\n\r\n") else { continue };
        let body: usize = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |value| value.trim().parse().unwrap());
        if length >= head + 4 + body {
            return Some(length);
        }
    }
}

/// Allocations per warm request of `path` with `body`, answered by `reply`.
fn allocations(path: &str, body: &str, reply: &str) -> f64 {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: r1";
    let reply = format!("{head}\r\ncontent-length: {}\r\n\r\n{reply}", reply.len());
    let provider = provider(reply.into_bytes());
    let config = format!(
        r#"{{"providers":{{"openai":{{"keys":[{{"name":"k","value":"sk","models":["*"],"weight":1}}],
            "network_config":{{"base_url":"http://{provider}"}}}}}}}}"#
    );
    let config = config::parse(config.as_bytes(), &|_| None).unwrap();
    let first = snapshot::Builder::new("unused.sock".into()).build(&config);
    let seam = Seam::new(Published::new(first), 1);
    let counted = seam.clone();
    let workers = net::Workers::start(
        net::Settings::default(),
        seam.stop.clone(),
        seam.stats.clone(),
        move |index| {
            IS_COUNTED.with(|is_counted| is_counted.set(true));
            proxy::Worker::new(index, &counted)
        },
    )
    .unwrap();
    let mut client = TcpStream::connect(workers.addresses()[0]).unwrap();
    client.set_nodelay(true).unwrap();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         authorization: Bearer dummy\r\nuser-agent: test\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut buffer = vec![0; 65_536];
    let mut exchange = || {
        client.write_all(request.as_bytes()).unwrap();
        read_request(&mut client, &mut buffer).unwrap();
        while seam.events[0].pop().is_some() {}
    };
    (0..WARM_UP).for_each(|_| exchange());
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    (0..MEASURED).for_each(|_| exchange());
    let made = ALLOCATIONS.load(Ordering::Relaxed) - before;
    seam.stop.advance(Stage::Closing);
    drop(client);
    workers.join();
    made as f64 / MEASURED as f64
}

const BODY: &str =
    r#"{"model":"openai/gpt-4o-mini","messages":[{"role":"user","content":"hello"}]}"#;
const REPLY: &str = r#"{"id":"c","object":"chat.completion","created":1,"model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;

/// The limit of a warm relayed request.
const RELAYED_MAX: f64 = 4.0;

#[test]
fn a_warm_relayed_request_hardly_allocates() {
    // One test, one after the other: the count is the process's.
    for path in ["/openai/v1/chat/completions", "/v1/chat/completions"] {
        let made = allocations(path, BODY, REPLY);
        println!("{path}: {made} allocations per warm request");
        assert!(made <= RELAYED_MAX, "{path}: {made} allocations per warm request");
    }
}
