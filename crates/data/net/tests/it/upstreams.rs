//! Pools: which connection comes back, which never does, and how many there are.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use net::{ConnectError, Settings};
use snapshot::{Address, Endpoint};

use crate::support::*;

#[test]
fn the_connection_used_last_comes_first() {
    for driver in DRIVERS {
        let endpoint = Arc::new(endpoint(counting_server()));
        on_worker(on(driver), move || async move {
            let mut upstreams = Vec::new();
            for _ in 0..3 {
                upstreams.push(net::checkout(&endpoint, patience()).await.unwrap());
            }
            let mut numbers = Vec::new();
            for mut upstream in upstreams {
                assert!(!upstream.reused());
                numbers.push(exchange(&mut upstream.connection).await.unwrap());
                upstream.checkin();
            }
            for _ in 0..2 {
                let mut upstream = net::checkout(&endpoint, patience()).await.unwrap();
                assert!(upstream.reused());
                assert_eq!(exchange(&mut upstream.connection).await.unwrap(), numbers[2]);
                upstream.checkin();
            }
            let fresh = net::connect_fresh(&endpoint, patience()).await.unwrap();
            assert!(!fresh.reused());
            assert_eq!(endpoint.connections_open.load(Ordering::Relaxed), 4);
        });
    }
}

/// Makes one exchange with a peer that then does `after`, and returns whether the next checkout got
/// another connection.
fn is_replaced_after(
    driver: net::Driver,
    after: impl Fn(std::net::TcpStream) -> Option<std::net::TcpStream> + Send + 'static,
) -> bool {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = Arc::new(endpoint(listener.local_addr().unwrap()));
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.read_exact(&mut [0; 4]).unwrap();
            stream.write_all(&[0; 4]).unwrap();
            kept.extend(after(stream));
        }
    });
    on_worker(on(driver), move || async move {
        let mut upstream = net::checkout(&endpoint, patience()).await.unwrap();
        exchange(&mut upstream.connection).await.unwrap();
        upstream.checkin();
        net::sleep(Duration::from_millis(100)).await;
        let upstream = net::checkout(&endpoint, patience()).await.unwrap();
        assert_eq!(endpoint.connections_open.load(Ordering::Relaxed), 1);
        !upstream.reused()
    })
}

#[test]
fn a_connection_that_the_server_closed_is_not_used() {
    for driver in DRIVERS {
        assert!(is_replaced_after(driver, |_| None), "{driver:?}");
        assert!(!is_replaced_after(driver, Some), "{driver:?}: replaced without a reason");
    }
}

#[test]
fn a_connection_with_unasked_bytes_is_not_used() {
    for driver in DRIVERS {
        let replaced = is_replaced_after(driver, |mut stream| {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            Some(stream)
        });
        assert!(replaced, "{driver:?}");
    }
}

#[test]
fn unread_input_keeps_a_connection_out_of_the_pool() {
    for driver in DRIVERS {
        let (address, _peer) = peer(|mut stream| {
            stream.read_exact(&mut [0; 4]).unwrap();
            stream.write_all(&[0; 5]).unwrap();
            stream.read(&mut [0; 1]).unwrap_or(0)
        });
        let endpoint = Arc::new(endpoint(address));
        on_worker(on(driver), move || async move {
            let mut upstream = net::checkout(&endpoint, patience()).await.unwrap();
            upstream.connection.write(buffer(b"ping")).await.unwrap();
            while upstream.connection.input().len() < 5 {
                upstream.connection.fill().await.unwrap();
            }
            upstream.connection.consume(4);
            upstream.checkin();
            assert_eq!(endpoint.connections_open.load(Ordering::Relaxed), 0);
        });
    }
}

#[test]
fn idle_connections_are_closed_after_their_time() {
    for driver in DRIVERS {
        let idle_timeout = Duration::from_millis(300);
        let endpoint = Arc::new(Endpoint { idle_timeout, ..endpoint(counting_server()) });
        on_worker(on(driver), move || async move {
            for wait in [Duration::from_millis(500), Duration::from_secs(4)] {
                let mut upstream = net::checkout(&endpoint, patience()).await.unwrap();
                assert!(!upstream.reused());
                exchange(&mut upstream.connection).await.unwrap();
                upstream.checkin();
                net::sleep(wait).await;
            }
            // The second wait was long enough for a sweep, and nobody asked.
            assert_eq!(endpoint.connections_open.load(Ordering::Relaxed), 0);
        });
    }
}

#[test]
fn old_connections_are_not_kept() {
    for driver in DRIVERS {
        let endpoint =
            Arc::new(Endpoint { age_max: Duration::ZERO, ..endpoint(counting_server()) });
        on_worker(on(driver), move || async move {
            let mut upstream = net::checkout(&endpoint, patience()).await.unwrap();
            exchange(&mut upstream.connection).await.unwrap();
            upstream.checkin();
            assert_eq!(endpoint.connections_open.load(Ordering::Relaxed), 0);
        });
    }
}

#[test]
fn one_that_waits_gets_the_connection_that_is_freed() {
    for driver in DRIVERS {
        let endpoint = Arc::new(Endpoint { connections_max: 1, ..endpoint(counting_server()) });
        on_worker(on(driver), move || async move {
            let mut first = net::checkout(&endpoint, patience()).await.unwrap();
            exchange(&mut first.connection).await.unwrap();
            net::spawn(async move {
                net::sleep(Duration::from_millis(50)).await;
                first.checkin();
            });
            let second = net::checkout(&endpoint, patience()).await.unwrap();
            assert!(second.reused());
            drop(second);
            assert_eq!(endpoint.connections_open.load(Ordering::Relaxed), 0);
        });
    }
}

#[test]
fn waiting_for_a_connection_ends_at_the_deadline() {
    for driver in DRIVERS {
        let endpoint = Arc::new(Endpoint { connections_max: 1, ..endpoint(counting_server()) });
        let (error, waited) = on_worker(on(driver), move || async move {
            let _held = net::checkout(&endpoint, patience()).await.unwrap();
            let start = Instant::now();
            let deadline = net::now() + Duration::from_millis(200);
            let error = net::checkout(&endpoint, deadline).await.err();
            (error, start.elapsed())
        });
        assert!(matches!(error, Some(ConnectError::Exhausted(_))), "{driver:?}: {error:?}");
        assert!(waited >= Duration::from_millis(150), "{driver:?}: {waited:?}");
        assert!(waited < Duration::from_secs(2), "{driver:?}: {waited:?}");
    }
}

/// A server that counts how many connections are open at once, at most.
fn crowded_server() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let most = Arc::new(AtomicUsize::new(0));
    let (open, record) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&most));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            record.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let open = Arc::clone(&open);
            std::thread::spawn(move || {
                while stream.read_exact(&mut [0; 4]).is_ok() {
                    std::thread::sleep(Duration::from_millis(2));
                    // Before the reply, because the client closes when it has it.
                    if stream.write_all(&[0; 4]).is_err() {
                        break;
                    }
                }
                open.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    (address, most)
}

#[test]
fn the_limit_of_connections_holds_over_two_workers() {
    for driver in DRIVERS {
        let (address, _) = crowded_server();
        let endpoint = Arc::new(Endpoint { connections_max: 3, ..endpoint(address) });
        let settings = Settings { workers: 2, ..on(driver) };
        let exchanges = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let (counted, watched, shared) =
            (Arc::clone(&exchanges), Arc::clone(&most), Arc::clone(&endpoint));
        let rig = Rig::start(settings, move |_| {
            for _ in 0..20 {
                let (endpoint, counted) = (Arc::clone(&shared), Arc::clone(&counted));
                let watched = Arc::clone(&watched);
                net::spawn(async move {
                    for _ in 0..10 {
                        let mut upstream = net::checkout(&endpoint, patience()).await.unwrap();
                        let open = endpoint.connections_open.load(Ordering::Relaxed);
                        watched.fetch_max(open, Ordering::Relaxed);
                        exchange(&mut upstream.connection).await.unwrap();
                        upstream.checkin();
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            Serve(echo)
        });
        eventually("all exchanges", || exchanges.load(Ordering::Relaxed) == 400);
        assert_eq!(most.load(Ordering::Relaxed), 3, "{driver:?}");
        drop(rig);
        assert_eq!(endpoint.connections_open.load(Ordering::Relaxed), 0, "{driver:?}");
    }
}

#[test]
fn a_full_backlog_times_out_as_a_connect() {
    // A listener with room for one waiting connection, which this one takes.
    let listener = socket2::Socket::new(
        socket2::Domain::IPV4,
        socket2::Type::STREAM,
        Some(socket2::Protocol::TCP),
    )
    .unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    listener.bind(&any.into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let _waiting = connect(address);
    for driver in DRIVERS {
        let connect_timeout = Duration::from_millis(300);
        let endpoint = Arc::new(Endpoint { connect_timeout, ..endpoint(address) });
        let (error, waited) = on_worker(on(driver), move || async move {
            let start = Instant::now();
            let error = net::checkout(&endpoint, patience()).await.err();
            assert_eq!(endpoint.connections_open.load(Ordering::Relaxed), 0);
            (error, start.elapsed())
        });
        assert!(matches!(error, Some(ConnectError::TimedOut(_))), "{driver:?}: {error:?}");
        assert!(waited >= Duration::from_millis(290), "{driver:?}: {waited:?}");
        assert!(waited < Duration::from_secs(2), "{driver:?}: {waited:?}");
    }
}

fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn named(addresses: Result<Vec<SocketAddr>, String>) -> Address {
    let resolved = Arc::new(snapshot::Resolved::default());
    resolved.answer.store(Some(Arc::new(addresses)));
    Address::Name { host: "models.test".to_owned(), port: 4433, resolved }
}

fn connect_error(driver: net::Driver, endpoint: Endpoint) -> Option<ConnectError> {
    let endpoint = Arc::new(endpoint);
    on_worker(on(driver), move || async move {
        net::checkout(&endpoint, net::now() + Duration::from_secs(1)).await.err()
    })
}

#[test]
fn a_refused_connection_says_so() {
    for driver in DRIVERS {
        let address = closed_port();
        let error = connect_error(driver, endpoint(address));
        assert_eq!(error, Some(ConnectError::Refused(address.to_string())), "{driver:?}");
    }
}

#[test]
fn a_missing_unix_socket_says_so() {
    for driver in DRIVERS {
        let path = std::env::temp_dir().join("net-test-nobody-listens-here.sock");
        let error = connect_error(driver, endpoint_at(Address::Unix(path)));
        assert!(matches!(error, Some(ConnectError::Local(_))), "{driver:?}: {error:?}");
    }
}

#[test]
fn the_next_address_is_tried_when_one_refuses() {
    for driver in DRIVERS {
        let addresses = vec![closed_port(), closed_port(), counting_server()];
        let endpoint = Arc::new(endpoint_at(named(Ok(addresses))));
        on_worker(on(driver), move || async move {
            let mut upstream = net::checkout(&endpoint, patience()).await.unwrap();
            exchange(&mut upstream.connection).await.unwrap();
        });
    }
}

#[test]
fn names_wait_for_the_control_plane() {
    for driver in DRIVERS {
        let resolved = Arc::new(snapshot::Resolved::default());
        let late = Arc::clone(&resolved);
        let server = counting_server();
        let address = Address::Name { host: "models.test".to_owned(), port: 1, resolved };
        let endpoint = Arc::new(endpoint_at(address));
        on_worker(on(driver), move || async move {
            let start = Instant::now();
            let short = net::now() + Duration::from_millis(60);
            let error = net::checkout(&endpoint, short).await.err();
            assert!(matches!(error, Some(ConnectError::Dns(_))), "{error:?}");
            assert!(start.elapsed() < Duration::from_secs(5));
            late.answer.store(Some(Arc::new(Ok(vec![server]))));
            net::checkout(&endpoint, patience()).await.unwrap();
        });
        let error = connect_error(driver, endpoint_at(named(Err("no such name".to_owned()))));
        let expected = ConnectError::Dns("models.test:4433: no such name".to_owned());
        assert_eq!(error, Some(expected), "{driver:?}");
    }
}

#[test]
fn link_local_addresses_are_never_connected_to() {
    for driver in DRIVERS {
        for literal in ["169.254.169.254:80", "[::ffff:169.254.169.254]:80", "[fe80::1]:80"] {
            let error = connect_error(driver, endpoint(literal.parse().unwrap()));
            assert!(matches!(error, Some(ConnectError::LinkLocal(_))), "{driver:?}: {error:?}");
        }
        let address = named(Ok(vec!["169.254.169.254:80".parse().unwrap()]));
        let error = connect_error(driver, endpoint_at(address));
        let expected = ConnectError::LinkLocal("models.test:4433".to_owned());
        assert_eq!(error, Some(expected), "{driver:?}");
    }
}

#[test]
fn a_unix_socket_is_just_another_upstream() {
    for driver in DRIVERS {
        let name = format!("net-test-{}-{driver:?}.sock", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_file(&path);
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            for _ in 0..2 {
                stream.read_exact(&mut [0; 4]).unwrap();
                stream.write_all(&9_u32.to_be_bytes()).unwrap();
            }
        });
        let endpoint = Arc::new(endpoint_at(Address::Unix(path.clone())));
        on_worker(on(driver), move || async move {
            for is_reused in [false, true] {
                let mut upstream = net::checkout(&endpoint, patience()).await.unwrap();
                assert_eq!(upstream.reused(), is_reused);
                assert_eq!(upstream.connection.peer(), None);
                assert_eq!(exchange(&mut upstream.connection).await.unwrap(), 9);
                upstream.checkin();
            }
        });
        server.join().unwrap();
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn waiters_on_one_worker_are_served_in_their_order() {
    for driver in DRIVERS {
        let endpoint = Arc::new(Endpoint { connections_max: 1, ..endpoint(counting_server()) });
        let order = on_worker(on(driver), move || async move {
            let mut held = net::checkout(&endpoint, patience()).await.unwrap();
            exchange(&mut held.connection).await.unwrap();
            let order: Rc<Cell<Vec<usize>>> = Rc::default();
            for number in 0..3 {
                let (endpoint, order) = (Arc::clone(&endpoint), Rc::clone(&order));
                net::spawn(async move {
                    let upstream = net::checkout(&endpoint, patience()).await.unwrap();
                    let mut sofar = order.take();
                    sofar.push(number);
                    order.set(sofar);
                    upstream.checkin();
                });
                net::yield_now().await;
            }
            held.checkin();
            loop {
                net::sleep(Duration::from_millis(5)).await;
                let sofar = order.take();
                if sofar.len() == 3 {
                    return sofar;
                }
                order.set(sofar);
            }
        });
        assert_eq!(order, [0, 1, 2], "{driver:?}");
    }
}
