//! Quiet connections hold no buffer, and lose nothing by it.

use std::io::{Read, Write};
use std::sync::atomic::Ordering;
use std::time::Duration;

use net::Connection;

use crate::support::*;

#[test]
fn a_quiet_connection_gives_its_buffer_back() {
    for driver in DRIVERS {
        let rig = Rig::start(on(driver), |_| Serve(echo));
        let mut clients: Vec<_> = (0..50).map(|_| rig.connect()).collect();
        for client in &mut clients {
            client.write_all(b"once").unwrap();
            client.read_exact(&mut [0; 4]).unwrap();
        }
        let in_use = || rig.stats[0].buffers_in_use.load(Ordering::Relaxed);
        eventually("buffers come back", || in_use() == 0);
        for client in &mut clients {
            client.write_all(b"more").unwrap();
            let mut answer = [0; 4];
            client.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"more", "{driver:?}");
        }
    }
}

#[test]
fn bytes_that_come_while_parking_arrive_whole() {
    for driver in DRIVERS {
        let rig = Rig::start(on(driver), |_| Serve(echo));
        let address = rig.address();
        // Pauses around the length of a tick, so that many cancellations meet bytes on their way.
        let clients: Vec<_> = (0..40)
            .map(|number| {
                std::thread::spawn(move || {
                    let mut client = connect(address);
                    let sent = pattern(10_000 + number * 97);
                    let mut received = Vec::new();
                    for (index, piece) in sent.chunks(sent.len() / 12).enumerate() {
                        client.write_all(piece).unwrap();
                        let mut answer = vec![0; piece.len()];
                        client.read_exact(&mut answer).unwrap();
                        received.extend(answer);
                        let pause = 150 + (number * 7 + index * 13) % 120;
                        std::thread::sleep(Duration::from_millis(pause as u64));
                    }
                    assert!(received == sent);
                })
            })
            .collect();
        for client in clients {
            client.join().unwrap();
        }
    }
}

#[test]
fn the_end_of_the_stream_is_seen_while_parked() {
    async fn wait_for_end(mut connection: Connection) {
        assert_eq!(connection.fill().await.unwrap(), 0);
        connection.write(buffer(b"bye")).await.unwrap();
    }
    for driver in DRIVERS {
        let rig = Rig::start(on(driver), |_| Serve(wait_for_end));
        let mut client = rig.connect();
        let in_use = || rig.stats[0].buffers_in_use.load(Ordering::Relaxed);
        eventually("accepted", || rig.stats[0].connections_open.load(Ordering::Relaxed) == 1);
        eventually("parked", || in_use() == 0);
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        assert_eq!(answer, b"bye", "{driver:?}");
    }
}

#[test]
fn a_deadline_is_kept_while_parked() {
    async fn wait(mut connection: Connection) {
        connection.set_deadline(Some(net::now() + Duration::from_millis(600)));
        let error = connection.fill().await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    }
    for driver in DRIVERS {
        let rig = Rig::start(on(driver), |_| Serve(wait));
        let mut client = rig.connect();
        assert_eq!(client.read(&mut [0; 1]).unwrap(), 0, "{driver:?}");
        drop(client);
        assert_eq!(rig.stats[0].panics.load(Ordering::Relaxed), 0, "{driver:?}");
    }
}

#[test]
fn a_client_that_fell_silent_is_still_told_so() {
    for driver in DRIVERS {
        let rig = Rig::start(on(driver), |_| Serve(refuse_late));
        let mut client = rig.connect();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        assert_eq!(answer, b"too slow", "{driver:?}");
        assert_eq!(rig.stats[0].panics.load(Ordering::Relaxed), 0, "{driver:?}");
    }
}

#[test]
fn a_partial_input_keeps_its_buffer() {
    async fn collect(mut connection: Connection) {
        while connection.input().len() < 8 {
            assert_ne!(connection.fill().await.unwrap(), 0);
        }
        let input = connection.take_input();
        connection.write(input).await.unwrap();
    }
    for driver in DRIVERS {
        let rig = Rig::start(on(driver), |_| Serve(collect));
        let mut client = rig.connect();
        client.write_all(b"half").unwrap();
        std::thread::sleep(Duration::from_millis(400));
        client.write_all(b"rest").unwrap();
        let mut answer = [0; 8];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"halfrest", "{driver:?}");
    }
}
