//! What the runtime promises: nothing is lost, reordered, held or leaked, whatever is dropped when.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, Instant};

use net::{Connection, Settings};

use crate::support::*;

#[test]
fn many_more_readers_than_blocks_are_all_served() {
    const BLOCKS: usize = 8;
    const ROUNDS: usize = 20;
    for driver in DRIVERS {
        let rig = Rig::start(Settings { buffers: BLOCKS, ..on(driver) }, |_| Serve(echo));
        let mut clients: Vec<_> = (0..10 * BLOCKS).map(|_| rig.connect()).collect();
        for round in 0..ROUNDS {
            let piece = |number: usize| pattern(3_000 + 7 * number + round);
            for (number, client) in clients.iter_mut().enumerate() {
                client.write_all(&piece(number)).unwrap();
            }
            for (number, client) in clients.iter_mut().enumerate() {
                let mut answer = piece(number);
                client.read_exact(&mut answer).unwrap();
                assert!(answer == piece(number), "{driver:?}: client {number}");
            }
        }
        let in_use = || rig.stats[0].buffers_in_use.load(Ordering::Relaxed);
        eventually("all blocks are back", || in_use() == 0);
    }
}

#[test]
fn a_connection_dropped_while_it_reads_gives_its_buffer_back() {
    /// Drops the second read, which has the first one's bytes in its buffer.
    async fn leave(mut connection: Connection) {
        connection.fill().await.unwrap();
        let mut reading = pin!(connection.fill());
        std::future::poll_fn(|context| {
            assert!(reading.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
    }
    for driver in DRIVERS {
        let rig = Rig::start(on(driver), |_| Serve(leave));
        for _ in 0..20 {
            let mut client = rig.connect();
            client.write_all(b"half").unwrap();
            assert_eq!(client.read(&mut [0; 1]).unwrap_or(0), 0, "{driver:?}");
        }
        let in_use = || rig.stats[0].buffers_in_use.load(Ordering::Relaxed);
        eventually("the blocks are back", || in_use() == 0);
        assert_eq!(rig.stats[0].panics.load(Ordering::Relaxed), 0, "{driver:?}");
    }
}

/// Writes `total` bytes in pieces of uneven small sizes and closes.
async fn pour(mut connection: Connection, total: usize) {
    let bytes = pattern(total);
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(rest.len().min(1 + (rest.len() * 7) % 9_000));
        connection.write(buffer(piece)).await.unwrap();
        rest = behind;
    }
    connection.close().await;
}

#[test]
fn small_writes_to_a_slow_reader_keep_their_order() {
    const TOTAL: usize = 10_000_000;
    for driver in DRIVERS {
        let rig = Rig::start(on(driver), |_| Serve(|connection| pour(connection, TOTAL)));
        let mut client = rig.connect();
        let mut received = Vec::new();
        let mut piece = vec![0; 100_000];
        loop {
            // Now and then the sender finds everything full.
            if received.len() % 7 == 0 {
                std::thread::sleep(Duration::from_millis(5));
            }
            match client.read(&mut piece).unwrap() {
                0 => break,
                count => received.extend_from_slice(&piece[..count]),
            }
        }
        assert!(received == pattern(TOTAL), "{driver:?}: {} bytes", received.len());
    }
}

#[test]
fn closing_sends_what_was_queued() {
    for driver in DRIVERS {
        for total in [1, 60_000, 300_000] {
            let rig =
                Rig::start(on(driver), move |_| Serve(move |connection| pour(connection, total)));
            let mut received = Vec::new();
            rig.connect().read_to_end(&mut received).unwrap();
            assert!(received == pattern(total), "{driver:?}: {} of {total}", received.len());
        }
    }
}

#[test]
fn a_queued_write_leaves_even_when_its_connection_is_dropped() {
    async fn say(mut connection: Connection) {
        connection.write(buffer(b"said")).await.unwrap();
    }
    for driver in DRIVERS {
        let rig = Rig::start(on(driver), |_| Serve(say));
        let mut received = Vec::new();
        let start = Instant::now();
        rig.connect().read_to_end(&mut received).unwrap();
        assert_eq!(received, b"said", "{driver:?}");
        assert!(start.elapsed() < Duration::from_secs(5), "{driver:?}: {:?}", start.elapsed());
    }
}

#[test]
fn a_failed_write_is_told_by_the_next() {
    for driver in DRIVERS {
        let (address, peer) = peer(|mut stream| {
            stream.read_exact(&mut [0; 4]).unwrap();
            let socket = socket2::SockRef::from(&stream);
            socket.set_linger(Some(Duration::ZERO)).unwrap();
        });
        let endpoint = Arc::new(endpoint(address));
        let (flushed, written, is_written) = on_worker(on(driver), move || async move {
            let mut upstream = net::checkout(&endpoint, patience()).await.unwrap();
            let connection = &mut upstream.connection;
            // Until the reset has come, writing succeeds.
            let start = Instant::now();
            let flushed = loop {
                assert!(start.elapsed() < PATIENCE);
                let written = connection.write(buffer(b"anyone?")).await;
                if let Err(error) = written.and(connection.flush().await) {
                    break error.kind();
                }
                net::yield_now().await;
            };
            let written = connection.write(buffer(b"anyone?")).await.unwrap_err().kind();
            (flushed, written, connection.is_written())
        });
        use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
        assert!(matches!(flushed, ConnectionReset | BrokenPipe), "{driver:?}: {flushed:?}");
        assert_eq!(written, flushed, "{driver:?}");
        assert!(!is_written, "{driver:?}");
        peer.join().unwrap();
    }
}

#[test]
fn what_an_upstream_said_is_read_after_a_write_to_it_failed() {
    for driver in DRIVERS {
        let name = format!("net-test-refuses-{}-{driver:?}.sock", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_file(&path);
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"refused").unwrap();
            stream.shutdown(Shutdown::Read).unwrap();
            stream
        });
        let endpoint = Arc::new(endpoint_at(snapshot::Address::Unix(path.clone())));
        let (said, after) = on_worker(on(driver), move || async move {
            let mut upstream = net::checkout(&endpoint, patience()).await.unwrap();
            let connection = &mut upstream.connection;
            connection.set_deadline(Some(patience()));
            while connection.write(buffer(b"request")).await.and(connection.flush().await).is_ok() {
            }
            connection.fill().await.unwrap();
            let said = connection.take_input().as_slice().to_vec();
            // It says no more, does not close, and is not waited for.
            (said, connection.fill().await.unwrap_err().kind())
        });
        assert_eq!(said, b"refused", "{driver:?}");
        assert_eq!(after, std::io::ErrorKind::BrokenPipe, "{driver:?}");
        drop(server.join().unwrap());
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn ten_thousand_tasks_sleep_at_once() {
    const TASKS: usize = 10_000;
    for driver in DRIVERS {
        let waited = on_worker(on(driver), || async {
            let start = Instant::now();
            let awake = Rc::new(Cell::new(0));
            for number in 0..TASKS {
                let awake = Rc::clone(&awake);
                net::spawn(async move {
                    net::sleep(Duration::from_millis(100 + (number % 100) as u64)).await;
                    awake.set(awake.get() + 1);
                });
            }
            while awake.get() < TASKS {
                net::sleep(Duration::from_millis(1)).await;
            }
            start.elapsed()
        });
        assert!(waited >= Duration::from_millis(199), "{driver:?}: {waited:?}");
        assert!(waited < Duration::from_secs(10), "{driver:?}: {waited:?}");
    }
}

/// Time the calling thread has run.
fn own_run_time() -> Duration {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(statistics.split(' ').next().unwrap().parse().unwrap())
}

#[test]
fn a_busy_worker_asks_instead_of_sleeping() {
    for driver in DRIVERS {
        for (busy_poll, is_busy) in [(None, false), (Some(Duration::from_secs(1)), true)] {
            let settings = Settings { busy_poll, ..on(driver) };
            let ran = on_worker(settings, || async {
                let before = own_run_time();
                net::sleep(Duration::from_millis(500)).await;
                own_run_time() - before
            });
            // A busy machine gives the thread less than the whole time.
            assert_eq!(ran > Duration::from_millis(60), is_busy, "{driver:?}: {ran:?}");
        }
        let settings = Settings { busy_poll: Some(Duration::from_millis(20)), ..on(driver) };
        let rig = Rig::start(settings, |_| Serve(echo));
        let mut client = rig.connect();
        for pause in [0, 1, 30, 60] {
            std::thread::sleep(Duration::from_millis(pause));
            client.write_all(b"ping").unwrap();
            client.read_exact(&mut [0; 4]).unwrap();
        }
    }
}

/// Runs in a process of its own, where nobody else opens descriptors.
#[test]
fn an_end_with_everything_under_way_leaves_no_descriptor_open() {
    const MARK: &str = "NET_TEST_LEAKS";
    if std::env::var_os(MARK).is_some() {
        return DRIVERS.into_iter().for_each(end_in_the_middle);
    }
    let name = "runtime::an_end_with_everything_under_way_leaves_no_descriptor_open";
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--test-threads", "1"])
        .env(MARK, "1")
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && output.contains("1 passed"), "{output}");
}

fn end_in_the_middle(driver: net::Driver) {
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let (address, peer) = peer(|mut stream| {
        let mut sink = [0; 64];
        while let Ok(1..) = stream.read(&mut sink) {}
    });
    let before = open();
    let endpoint = Arc::new(endpoint(address));
    let mut rig = Rig::start(on(driver), move |_| {
        let endpoint = Arc::clone(&endpoint);
        net::spawn(async move {
            // Reads for ever, and writes what nobody takes.
            let mut upstream = net::checkout(&endpoint, patience()).await.unwrap();
            let _ = upstream.connection.write(buffer(b"ask!")).await;
            let _ = upstream.connection.fill().await;
        });
        Serve(|mut connection: Connection| async move {
            if let Ok(1..) = connection.fill().await {
                let _ = connection.write(vec![7; 8 << 20].into()).await;
            }
        })
    });
    let mut clients: Vec<_> = (0..20).map(|_| rig.connect()).collect();
    clients.iter_mut().take(10).for_each(|client| client.write_all(b"go").unwrap());
    eventually("all are served", || rig.stats[0].connections_open.load(Ordering::Relaxed) == 20);
    rig.stop.advance(seam::Stage::Closing);
    let start = Instant::now();
    rig.join();
    assert!(start.elapsed() < Duration::from_secs(3), "{driver:?}: {:?}", start.elapsed());
    drop(clients);
    peer.join().unwrap();
    // The kernel closes a ring a little later.
    eventually("all is closed", || open() <= before);
}
