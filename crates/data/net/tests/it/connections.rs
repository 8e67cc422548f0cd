//! Reading and writing: everything arrives, and nothing waits for ever.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use net::{Budget, Buffer, Connection, Settings};

use crate::support::*;

#[test]
fn what_is_sent_comes_back_whole() {
    for driver in DRIVERS {
        let rig = Rig::start(on(driver), |_| Serve(echo));
        let mut client = rig.connect();
        let sent = pattern(3_000_000);
        let mut writer = client.try_clone().unwrap();
        let copy = sent.clone();
        let writing = std::thread::spawn(move || {
            writer.write_all(&copy).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut received = Vec::new();
        client.read_to_end(&mut received).unwrap();
        writing.join().unwrap();
        assert!(received == sent, "{driver:?}: {} of {} bytes", received.len(), sent.len());
    }
}

#[test]
fn two_small_writes_do_not_wait_for_an_acknowledgement() {
    async fn answer_in_halves(mut connection: Connection) {
        while let Ok(1..) = connection.fill().await {
            let length = connection.input().len();
            connection.consume(length);
            for half in [b"he", b"ad"] {
                connection.write(buffer(half)).await.unwrap();
            }
        }
    }
    for driver in DRIVERS {
        let rig = Rig::start(on(driver), |_| Serve(answer_in_halves));
        let mut client = rig.connect();
        let mut slow = 0;
        for _ in 0..50 {
            let start = Instant::now();
            client.write_all(b"x").unwrap();
            client.read_exact(&mut [0; 4]).unwrap();
            // A delayed acknowledgement takes 40 ms.
            slow += usize::from(start.elapsed() >= Duration::from_millis(35));
        }
        assert!(slow < 5, "{driver:?}: {slow} of 50 exchanges waited");
    }
}

#[test]
fn a_read_that_waits_past_the_deadline_times_out() {
    for driver in DRIVERS {
        let (address, peer) = peer(|mut stream| stream.read(&mut [0; 1]).unwrap_or(0));
        let endpoint = Arc::new(endpoint(address));
        let (kind, waited) = on_worker(on(driver), move || async move {
            let mut upstream = net::checkout(&endpoint, patience()).await.unwrap();
            let start = Instant::now();
            let at = net::now() + Duration::from_millis(300);
            upstream.connection.set_deadline(Some(at));
            let error = upstream.connection.fill().await.unwrap_err();
            // Nothing may be done with it any more.
            let again = upstream.connection.write(buffer(b"x")).await.unwrap_err();
            assert_eq!(again.kind(), io::ErrorKind::TimedOut);
            (error.kind(), start.elapsed())
        });
        assert_eq!(kind, io::ErrorKind::TimedOut, "{driver:?}");
        assert!(waited >= Duration::from_millis(280), "{driver:?}: after {waited:?}");
        assert!(waited < Duration::from_secs(2), "{driver:?}: after {waited:?}");
        assert_eq!(peer.join().unwrap(), 0);
    }
}

#[test]
fn a_client_that_sends_too_slowly_is_still_told_so() {
    for driver in DRIVERS {
        let rig = Rig::start(on(driver), |_| Serve(refuse_late));
        let mut client = rig.connect();
        let mut writer = client.try_clone().unwrap();
        // It never stops, so the deadline finds a read pending that has input in its buffer already,
        // and bytes come in after the answer.
        let (answered, waiting) = std::sync::mpsc::channel::<()>();
        let dribble = std::thread::spawn(move || {
            while waiting.try_recv().is_err() && writer.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        assert_eq!(answer, b"too slow", "{driver:?}");
        drop(answered);
        dribble.join().unwrap();
        assert_eq!(rig.stats[0].panics.load(Ordering::Relaxed), 0, "{driver:?}");
    }
}

#[test]
fn a_client_that_does_not_read_its_refusal_is_cut_off() {
    async fn refuse_at_length(mut connection: Connection) {
        connection.set_deadline(Some(net::now() + Duration::from_millis(200)));
        assert_eq!(connection.fill().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        connection.set_deadline(Some(net::now() + Duration::from_millis(200)));
        // Far more than the socket buffers of both sides hold.
        let error = connection.write(Buffer::from(vec![7; 64 << 20])).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        connection.set_deadline(Some(patience()));
        assert!(connection.write(buffer(b"x")).await.is_err());
        assert!(connection.fill().await.is_err());
    }
    for driver in DRIVERS {
        let rig = Rig::start(on(driver), |_| Serve(refuse_at_length));
        let client = rig.connect();
        let connections = || rig.stats[0].connections_open.load(Ordering::Relaxed);
        eventually("accepted", || connections() == 1);
        eventually("cut off", || connections() == 0);
        assert_eq!(rig.stats[0].panics.load(Ordering::Relaxed), 0, "{driver:?}");
        drop(client);
    }
}

#[test]
fn a_write_to_a_peer_that_does_not_read_times_out() {
    for driver in DRIVERS {
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (address, peer) = peer(move |stream| {
            let _ = held.recv();
            drop(stream);
        });
        let endpoint = Arc::new(endpoint(address));
        let (kind, waited) = on_worker(on(driver), move || async move {
            let mut upstream = net::checkout(&endpoint, patience()).await.unwrap();
            let start = Instant::now();
            let at = net::now() + Duration::from_millis(300);
            upstream.connection.set_deadline(Some(at));
            // Far more than the socket buffers of both sides hold.
            let error = upstream.connection.write(Buffer::from(vec![7; 64 << 20])).await;
            (error.unwrap_err().kind(), start.elapsed())
        });
        drop(release);
        peer.join().unwrap();
        assert_eq!(kind, io::ErrorKind::TimedOut, "{driver:?}");
        assert!(waited < Duration::from_secs(3), "{driver:?}: after {waited:?}");
    }
}

#[test]
fn a_deadline_in_the_future_does_not_disturb() {
    for driver in DRIVERS {
        let (address, _peer) = peer(|mut stream| {
            std::thread::sleep(Duration::from_millis(500));
            stream.write_all(b"late").unwrap();
        });
        let endpoint = Arc::new(endpoint(address));
        let input = on_worker(on(driver), move || async move {
            let mut upstream = net::checkout(&endpoint, patience()).await.unwrap();
            upstream.connection.set_deadline(Some(patience()));
            assert_eq!(upstream.connection.fill().await.unwrap(), 4);
            upstream.connection.input().to_vec()
        });
        assert_eq!(input, b"late");
    }
}

#[test]
fn a_body_is_held_in_one_piece_as_far_as_the_budget_goes() {
    for driver in DRIVERS {
        let (address, _peer) = peer(|mut stream| {
            stream.write_all(&pattern(200_000)).unwrap();
            stream.read(&mut [0; 1]).unwrap_or(0)
        });
        let endpoint = Arc::new(endpoint(address));
        let budget = Arc::new(Budget::new(300_000));
        let settings = Settings { budget: Arc::clone(&budget), ..on(driver) };
        let watched = Arc::clone(&budget);
        let held = on_worker(settings, move || async move {
            let mut upstream = net::checkout(&endpoint, patience()).await.unwrap();
            let connection = &mut upstream.connection;
            assert!(connection.reserve_input(300_001).is_err());
            connection.reserve_input(200_000).unwrap();
            assert_eq!(watched.bytes_used(), 200_000);
            while connection.input().len() < 200_000 {
                connection.fill().await.unwrap();
            }
            let held = connection.input().to_vec();
            connection.consume(200_000);
            assert_eq!(watched.bytes_used(), 0);
            held
        });
        assert!(held == pattern(200_000), "{driver:?}");
        assert_eq!(budget.bytes_used(), 0, "{driver:?}");
    }
}

#[test]
fn input_does_not_grow_past_a_spent_budget() {
    for driver in DRIVERS {
        let (address, _peer) = peer(|mut stream| stream.write_all(&[1; 100_000]));
        let endpoint = Arc::new(endpoint(address));
        let settings = Settings { budget: Arc::new(Budget::new(40_000)), ..on(driver) };
        let (length, kind) = on_worker(settings, move || async move {
            let mut upstream = net::checkout(&endpoint, patience()).await.unwrap();
            loop {
                if let Err(error) = upstream.connection.fill().await {
                    return (upstream.connection.input().len(), error.kind());
                }
            }
        });
        assert_eq!(kind, io::ErrorKind::OutOfMemory, "{driver:?}");
        assert!((16_384..=40_000).contains(&length), "{driver:?}: {length}");
    }
}

#[test]
fn a_dropped_read_spoils_the_connection() {
    for driver in DRIVERS {
        let (address, _peer) = peer(|mut stream| stream.read(&mut [0; 1]).unwrap_or(0));
        let endpoint = Arc::new(endpoint(address));
        let open = Arc::clone(&endpoint.connections_open);
        let kind = on_worker(on(driver), move || async move {
            let mut upstream = net::checkout(&endpoint, patience()).await.unwrap();
            {
                let mut reading = std::pin::pin!(upstream.connection.fill());
                let once = std::future::poll_fn(|context| {
                    assert!(reading.as_mut().poll(context).is_pending());
                    std::task::Poll::Ready(())
                });
                once.await;
            }
            let error = upstream.connection.fill().await.unwrap_err();
            upstream.checkin();
            assert_eq!(endpoint.connections_open.load(Ordering::Relaxed), 0);
            error.kind()
        });
        assert_eq!(kind, io::ErrorKind::BrokenPipe, "{driver:?}");
        assert_eq!(open.load(Ordering::Relaxed), 0);
    }
}

#[test]
fn a_reply_outlives_the_unread_rest_of_the_request() {
    async fn refuse(mut connection: Connection) {
        connection.fill().await.unwrap();
        connection.write(buffer(b"no")).await.unwrap();
        connection.close_unread().await;
    }
    for driver in DRIVERS {
        let rig = Rig::start(on(driver), |_| Serve(refuse));
        let mut client = rig.connect();
        client.write_all(&[0; 20_000]).unwrap();
        client.write_all(&[0; 20_000]).unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        assert_eq!(answer, b"no", "{driver:?}");
    }
}

#[test]
fn an_aborted_connection_is_reset() {
    async fn abort(mut connection: Connection) {
        connection.fill().await.unwrap();
        connection.abort();
    }
    for driver in DRIVERS {
        let rig = Rig::start(on(driver), |_| Serve(abort));
        let mut client = rig.connect();
        client.write_all(b"x").unwrap();
        let error = client.read(&mut [0; 1]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{driver:?}");
    }
}

#[test]
fn yielding_lets_other_tasks_and_input_come_in() {
    for driver in DRIVERS {
        let (address, _peer) = peer(|mut stream| stream.write_all(b"done"));
        let endpoint = Arc::new(endpoint(address));
        let rounds = on_worker(on(driver), move || async move {
            let is_done = std::rc::Rc::new(std::cell::Cell::new(false));
            let flag = std::rc::Rc::clone(&is_done);
            net::spawn(async move {
                let mut upstream = net::checkout(&endpoint, patience()).await.unwrap();
                upstream.connection.fill().await.unwrap();
                flag.set(true);
            });
            let mut rounds = 0_u64;
            while !is_done.get() {
                net::yield_now().await;
                rounds += 1;
            }
            rounds
        });
        assert!(rounds > 0, "{driver:?}");
    }
}

#[test]
fn another_thread_can_wake_a_task() {
    struct Signal(std::sync::Mutex<(bool, Option<std::task::Waker>)>);
    for driver in DRIVERS {
        let signal = Arc::new(Signal(Default::default()));
        let remote = Arc::clone(&signal);
        let waited = on_worker(on(driver), move || async move {
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(30));
                let mut state = remote.0.lock().unwrap();
                state.0 = true;
                state.1.take().unwrap().wake();
            });
            let start = Instant::now();
            std::future::poll_fn(|context| {
                let mut state = signal.0.lock().unwrap();
                if state.0 {
                    return std::task::Poll::Ready(());
                }
                state.1 = Some(context.waker().clone());
                std::task::Poll::Pending
            })
            .await;
            start.elapsed()
        });
        // Not by the tick, which would be up to 100 ms later.
        assert!(waited < Duration::from_secs(5), "{driver:?}: {waited:?}");
    }
}
