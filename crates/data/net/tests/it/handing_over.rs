//! Connections that leave a worker, and those that come to one from inside of the process.

use std::any::Any;
use std::io::{Cursor, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, channel};

use net::{Connection, ServerTls, Settings};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, ServerConnection, StreamOwned};
use seam::{Arrived, Carried, Inbox};

use crate::support::*;
use crate::tls::{VERSIONS, certificates};

/// Puts a connection for `peer` into the only inbox of `settings`, once that is open; our end of it.
fn carry(inbox: &Inbox<Carried>, peer: SocketAddr, token: Box<dyn Any + Send>) -> UnixStream {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut carried = Carried { socket: theirs.into(), peer: Some(peer), is_secure: true, token };
    while let Err(refused) = inbox.put(carried) {
        carried = refused;
        std::thread::yield_now();
    }
    ours
}

#[test]
fn a_carried_connection_is_served_as_that_of_its_peer() {
    async fn describe(mut connection: Connection) {
        let (peer, is_tls) = (connection.peer().unwrap(), connection.is_tls());
        connection.write(buffer(format!("{peer} {is_tls}").as_bytes())).await.unwrap();
        connection.close().await;
    }
    for driver in DRIVERS {
        let inbox = Inbox::default();
        let settings = Settings { carried: Arc::new([inbox.clone()]), ..on(driver) };
        let rig = Rig::start(settings, |_| Serve(describe));
        let (token, released) = channel::<()>();
        let mut stream = carry(&inbox, "192.0.2.1:7".parse().unwrap(), Box::new(token));
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        assert_eq!(said, "192.0.2.1:7 true");
        assert!(released.recv_timeout(PATIENCE).is_err(), "nothing is ever sent");
        eventually("it is let go of", || {
            rig.stats[0].connections_open.load(Ordering::Relaxed) == 0
        });
        assert_eq!(rig.stats[0].connections_accepted.load(Ordering::Relaxed), 1);
    }
}

#[test]
fn a_token_lives_as_long_as_its_connection() {
    for driver in DRIVERS {
        let inbox = Inbox::default();
        let settings = Settings { carried: Arc::new([inbox.clone()]), ..on(driver) };
        let _rig = Rig::start(settings, |_| Serve(echo));
        let token = Arc::new(());
        let watched = Arc::downgrade(&token);
        let mut stream = carry(&inbox, "192.0.2.1:7".parse().unwrap(), Box::new(token));
        stream.write_all(b"ping").unwrap();
        stream.read_exact(&mut [0; 4]).unwrap();
        assert!(watched.upgrade().is_some());
        drop(stream);
        eventually("the token is dropped", || watched.upgrade().is_none());
    }
}

#[test]
fn a_full_worker_takes_no_carried_connection_either() {
    let inbox = Inbox::default();
    let settings =
        Settings { carried: Arc::new([inbox.clone()]), connections_max: 1, ..Settings::default() };
    let rig = Rig::start(settings, |_| Serve(echo));
    let mut first = rig.connect();
    first.write_all(b"ping").unwrap();
    first.read_exact(&mut [0; 4]).unwrap();
    let mut second = carry(&inbox, "192.0.2.1:7".parse().unwrap(), Box::new(()));
    assert_eq!(second.read(&mut [0; 4]).unwrap(), 0);
    assert_eq!(rig.stats[0].connections_refused.load(Ordering::Relaxed), 1);
}

/// A worker that gives away its connections after the first read, and where they go.
fn giving_away(settings: Settings) -> (Rig, Receiver<(bool, Arrived)>) {
    let (send, receive) = channel();
    let rig = Rig::start(settings, move |_| {
        let send = send.clone();
        Serve(move |mut connection: Connection| {
            let send = send.clone();
            async move {
                let is_unsupported = connection
                    .fill()
                    .await
                    .is_err_and(|e| e.kind() == std::io::ErrorKind::Unsupported);
                assert_eq!(is_unsupported, connection.offers_http2());
                send.send((is_unsupported, connection.detach().unwrap())).unwrap();
            }
        })
    });
    (rig, receive)
}

#[test]
fn a_detached_connection_goes_on_elsewhere() {
    for driver in DRIVERS {
        let (rig, detached) = giving_away(on(driver));
        let mut client = rig.connect();
        client.write_all(b"first").unwrap();
        let (is_http2, detached) = detached.recv_timeout(PATIENCE).unwrap();
        assert!(!is_http2 && !detached.is_tls);
        assert_eq!(detached.received, b"first");
        assert_eq!(detached.peer, Some(client.local_addr().unwrap()));
        eventually("the worker serves it no more", || {
            rig.stats[0].connections_open.load(Ordering::Relaxed) == 0
        });
        let mut elsewhere = TcpStream::from(detached.socket);
        elsewhere.set_nonblocking(false).unwrap();
        client.write_all(b"second").unwrap();
        let mut second = [0; 6];
        elsewhere.read_exact(&mut second).unwrap();
        elsewhere.write_all(&second).unwrap();
        client.read_exact(&mut second).unwrap();
        assert_eq!(&second, b"second");
    }
}

/// The socket of a detached connection, with what was read from it already in front.
struct Rewound(std::io::Chain<Cursor<Vec<u8>>, TcpStream>);

impl Read for Rewound {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Rewound {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        self.0.get_mut().1.write(data)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.get_mut().1.flush()
    }
}

#[test]
fn a_client_that_offers_http2_over_tls_is_given_away_before_the_handshake() {
    let certificates = certificates();
    let (pem, key) = (&certificates.certificate_pem, &certificates.key_pem);
    for driver in DRIVERS {
        let mut tls = ServerTls::from_pem(pem.as_bytes(), key.as_bytes()).unwrap();
        let config = tls.leave_http2();
        let (rig, detached) = giving_away(Settings { tls: Some(tls), ..on(driver) });
        let mut client_config = (*certificates.client(&VERSIONS)).clone();
        client_config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        let session = ClientConnection::new(Arc::new(client_config), name).unwrap();
        let mut client = StreamOwned::new(session, rig.connect());
        let elsewhere = std::thread::spawn(move || {
            let (is_http2, detached) = detached.recv_timeout(PATIENCE).unwrap();
            assert!(is_http2 && detached.is_tls);
            let socket = TcpStream::from(detached.socket);
            socket.set_nonblocking(false).unwrap();
            let received = Cursor::new(detached.received);
            let session = ServerConnection::new(config).unwrap();
            let mut stream = StreamOwned::new(session, Rewound(received.chain(socket)));
            let mut said = [0; 4];
            stream.read_exact(&mut said).unwrap();
            stream.write_all(&said).unwrap();
            stream.flush().unwrap();
        });
        client.write_all(b"ping").unwrap();
        client.read_exact(&mut [0; 4]).unwrap();
        assert_eq!(client.conn.alpn_protocol(), Some(&b"h2"[..]));
        elsewhere.join().unwrap();
    }
}

#[test]
fn other_clients_are_spoken_to_over_tls_as_ever() {
    let certificates = certificates();
    let (pem, key) = (&certificates.certificate_pem, &certificates.key_pem);
    for offered in [&[b"http/1.1".to_vec()][..], &[]] {
        let mut tls = ServerTls::from_pem(pem.as_bytes(), key.as_bytes()).unwrap();
        tls.leave_http2();
        let rig = Rig::start(Settings { tls: Some(tls), ..Settings::default() }, |_| Serve(echo));
        let mut client_config = (*certificates.client(&VERSIONS)).clone();
        client_config.alpn_protocols = offered.to_vec();
        let name = ServerName::try_from("localhost").unwrap();
        let session = ClientConnection::new(Arc::new(client_config), name).unwrap();
        let mut client = StreamOwned::new(session, rig.connect());
        client.write_all(b"ping").unwrap();
        client.read_exact(&mut [0; 4]).unwrap();
        assert_eq!(client.conn.alpn_protocol(), offered.first().map(Vec::as_slice));
    }
}
