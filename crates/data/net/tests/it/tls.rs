//! TLS on both sides, and what an unannounced end means.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use net::{ConnectError, Connection, ServerTls, Settings};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    SupportedProtocolVersion,
};
use snapshot::{Endpoint, Tls};

use crate::support::*;

pub(crate) const VERSIONS: [&SupportedProtocolVersion; 2] =
    [&rustls::version::TLS12, &rustls::version::TLS13];

/// An authority, and a certificate for `localhost` and 127.0.0.1 signed by it.
pub(crate) struct Certificates {
    pub(crate) ca_pem: String,
    pub(crate) certificate_pem: String,
    pub(crate) key_pem: String,
}

pub(crate) fn certificates() -> Certificates {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
    Certificates {
        ca_pem: authority.pem(),
        certificate_pem: leaf.pem(),
        key_pem: key.serialize_pem(),
    }
}

impl Certificates {
    pub(crate) fn server(
        &self,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Arc<ServerConfig> {
        let chain = CertificateDer::pem_slice_iter(self.certificate_pem.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain.collect::<Result<_, _>>().unwrap(), key)
            .unwrap();
        Arc::new(config)
    }

    pub(crate) fn client(
        &self,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.ca_pem.as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }

    /// What an endpoint of this server says about TLS.
    pub(crate) fn tls(&self, server_name: &str) -> Tls {
        Tls { server_name: server_name.to_owned(), verify: true, ca_pem: Some(self.ca_pem.clone()) }
    }
}

type ServerStream = StreamOwned<ServerConnection, TcpStream>;

/// A TLS server that accepts once.
pub(crate) fn tls_peer<T: Send + 'static>(
    config: Arc<ServerConfig>,
    script: impl FnOnce(ServerStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    peer(move |stream| script(StreamOwned::new(ServerConnection::new(config).unwrap(), stream)))
}

fn over_tls(address: SocketAddr, tls: Tls) -> Arc<Endpoint> {
    Arc::new(Endpoint { tls: Some(tls), ..endpoint(address) })
}

#[test]
fn both_versions_work_towards_upstreams() {
    let certificates = certificates();
    for driver in DRIVERS {
        for version in VERSIONS {
            for name in ["localhost", "127.0.0.1"] {
                let (address, server) = tls_peer(certificates.server(&[version]), |mut stream| {
                    let mut received = vec![0; 300_000];
                    stream.read_exact(&mut received).unwrap();
                    stream.write_all(&received).unwrap();
                    stream.flush().unwrap();
                    received
                });
                let endpoint = over_tls(address, certificates.tls(name));
                let echoed = on_worker(on(driver), move || async move {
                    let mut upstream = net::checkout(&endpoint, patience()).await.unwrap();
                    let connection = &mut upstream.connection;
                    assert!(connection.is_tls());
                    connection.write(pattern(300_000).into()).await.unwrap();
                    while connection.input().len() < 300_000 {
                        assert_ne!(connection.fill().await.unwrap(), 0);
                    }
                    connection.input().to_vec()
                });
                assert!(echoed == pattern(300_000), "{driver:?} {version:?}");
                assert!(server.join().unwrap() == pattern(300_000), "{driver:?} {version:?}");
            }
        }
    }
}

#[test]
fn both_versions_work_towards_clients() {
    let certificates = certificates();
    for driver in DRIVERS {
        let tls = ServerTls::from_pem(
            certificates.certificate_pem.as_bytes(),
            certificates.key_pem.as_bytes(),
        );
        let settings = Settings { tls: Some(tls.unwrap()), ..on(driver) };
        let rig = Rig::start(settings, |_| Serve(echo));
        for version in VERSIONS {
            let name = ServerName::try_from("localhost").unwrap();
            let session = ClientConnection::new(certificates.client(&[version]), name).unwrap();
            let mut client = StreamOwned::new(session, rig.connect());
            for size in [1, 20_000, 5] {
                client.write_all(&pattern(size)).unwrap();
                let mut answer = vec![0; size];
                client.read_exact(&mut answer).unwrap();
                assert!(answer == pattern(size), "{driver:?} {version:?} {size}");
            }
            client.conn.send_close_notify();
            client.flush().unwrap();
            // The end is announced: without the announcement this would be an error.
            assert_eq!(client.read(&mut [0; 1]).unwrap(), 0, "{driver:?} {version:?}");
        }
    }
}

#[test]
fn a_client_that_sends_too_slowly_is_told_so_over_tls() {
    let certificates = certificates();
    for driver in DRIVERS {
        let tls = ServerTls::from_pem(
            certificates.certificate_pem.as_bytes(),
            certificates.key_pem.as_bytes(),
        );
        let settings = Settings { tls: Some(tls.unwrap()), ..on(driver) };
        let rig = Rig::start(settings, |_| Serve(refuse_late));
        let name = ServerName::try_from("localhost").unwrap();
        let session = ClientConnection::new(certificates.client(&VERSIONS), name).unwrap();
        let mut client = StreamOwned::new(session, rig.connect());
        client.write_all(b"GET / HT").unwrap();
        let mut received = Vec::new();
        client.read_to_end(&mut received).unwrap();
        assert_eq!(received, b"too slow", "{driver:?}");
    }
}

#[test]
fn a_server_may_speak_first() {
    let certificates = certificates();
    async fn greet(mut connection: Connection) {
        connection.write(pattern(200_000).into()).await.unwrap();
        connection.close().await;
    }
    for driver in DRIVERS {
        let tls = ServerTls::from_pem(
            certificates.certificate_pem.as_bytes(),
            certificates.key_pem.as_bytes(),
        );
        let settings = Settings { tls: Some(tls.unwrap()), ..on(driver) };
        let rig = Rig::start(settings, |_| Serve(greet));
        let name = ServerName::try_from("localhost").unwrap();
        let session = ClientConnection::new(certificates.client(&VERSIONS), name).unwrap();
        let mut client = StreamOwned::new(session, rig.connect());
        let mut received = Vec::new();
        client.read_to_end(&mut received).unwrap();
        assert!(received == pattern(200_000), "{driver:?}: {}", received.len());
    }
}

#[test]
fn a_plain_text_client_does_not_disturb_a_tls_listener() {
    let certificates = certificates();
    for driver in DRIVERS {
        let tls = ServerTls::from_pem(
            certificates.certificate_pem.as_bytes(),
            certificates.key_pem.as_bytes(),
        );
        let settings = Settings { tls: Some(tls.unwrap()), ..on(driver) };
        async fn expect_garbage(mut connection: Connection) {
            let error = connection.fill().await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
        let rig = Rig::start(settings, |_| Serve(expect_garbage));
        let mut client = rig.connect();
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        // An alert, and then the end; which may be a reset.
        let mut alert = Vec::new();
        let _ = client.read_to_end(&mut alert);
        assert_eq!(alert.first(), Some(&21), "{driver:?}: {alert:?}");
        assert_eq!(rig.stats[0].panics.load(std::sync::atomic::Ordering::Relaxed), 0);
    }
}

fn fill_to_end(
    driver: net::Driver,
    script: impl FnOnce(ServerStream) + Send + 'static,
) -> (Vec<u8>, io::Result<usize>) {
    let certificates = certificates();
    let config = certificates.server(&[&rustls::version::TLS13]);
    let (address, server) = tls_peer(config, script);
    let endpoint = over_tls(address, certificates.tls("localhost"));
    let outcome = on_worker(on(driver), move || async move {
        let mut upstream = net::checkout(&endpoint, patience()).await.unwrap();
        loop {
            match upstream.connection.fill().await {
                Ok(1..) => {}
                end => return (upstream.connection.input().to_vec(), end),
            }
        }
    });
    server.join().unwrap();
    outcome
}

#[test]
fn an_announced_end_is_an_end() {
    for driver in DRIVERS {
        let (input, end) = fill_to_end(driver, |mut stream| {
            stream.write_all(b"all of it").unwrap();
            stream.conn.send_close_notify();
            stream.flush().unwrap();
        });
        assert_eq!(input, b"all of it");
        assert_eq!(end.unwrap(), 0, "{driver:?}");
    }
}

#[test]
fn an_unannounced_end_is_a_truncation() {
    for driver in DRIVERS {
        let (input, end) = fill_to_end(driver, |mut stream| {
            stream.write_all(b"some of it").unwrap();
            stream.flush().unwrap();
        });
        assert_eq!(input, b"some of it");
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::UnexpectedEof, "{driver:?}");
    }
}

fn connect_error(driver: net::Driver, tls: Tls, config: Arc<ServerConfig>) -> Option<ConnectError> {
    let (address, server) = tls_peer(config, |mut stream| drop(stream.read(&mut [0; 1])));
    let endpoint = over_tls(address, tls);
    let error =
        on_worker(
            on(driver),
            move || async move { net::checkout(&endpoint, patience()).await.err() },
        );
    server.join().unwrap();
    error
}

#[test]
fn certificates_are_checked_unless_told_otherwise() {
    let (certificates, stranger) = (certificates(), certificates_of_a_stranger());
    let config = || certificates.server(&VERSIONS);
    for driver in DRIVERS {
        let unknown = connect_error(driver, stranger.tls("localhost"), config());
        assert!(matches!(unknown, Some(ConnectError::Tls(_))), "{driver:?}: {unknown:?}");
        let other_name = connect_error(driver, certificates.tls("example.com"), config());
        assert!(matches!(other_name, Some(ConnectError::Tls(_))), "{driver:?}: {other_name:?}");
        let broken = Tls { ca_pem: Some(BROKEN_PEM.to_owned()), ..certificates.tls("localhost") };
        let broken = connect_broken(driver, broken);
        assert!(matches!(broken, Some(ConnectError::Tls(_))), "{driver:?}: {broken:?}");
        let unchecked = Tls { verify: false, ca_pem: None, server_name: "example.com".to_owned() };
        assert_eq!(connect_error(driver, unchecked, config()), None, "{driver:?}");
    }
}

const BROKEN_PEM: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

fn connect_broken(driver: net::Driver, tls: Tls) -> Option<ConnectError> {
    let (address, _server) = peer(|mut stream| stream.read(&mut [0; 1]).unwrap_or(0));
    let endpoint = over_tls(address, tls);
    on_worker(on(driver), move || async move { net::checkout(&endpoint, patience()).await.err() })
}

fn certificates_of_a_stranger() -> Certificates {
    certificates()
}

#[test]
fn a_handshake_that_hangs_times_out() {
    let certificates = certificates();
    for driver in DRIVERS {
        let (address, server) = peer(|mut stream| {
            let mut sink = [0; 4096];
            while let Ok(1..) = stream.read(&mut sink) {}
        });
        let endpoint = Arc::new(Endpoint {
            tls: Some(certificates.tls("localhost")),
            connect_timeout: Duration::from_millis(300),
            ..endpoint(address)
        });
        let error = on_worker(on(driver), move || async move {
            net::checkout(&endpoint, patience()).await.err()
        });
        assert!(matches!(error, Some(ConnectError::TimedOut(_))), "{driver:?}: {error:?}");
        server.join().unwrap();
    }
}

#[test]
fn sessions_are_resumed_and_connections_reused() {
    let certificates = certificates();
    let config = certificates.server(&[&rustls::version::TLS13]);
    for driver in DRIVERS {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let config = Arc::clone(&config);
        let server = std::thread::spawn(move || {
            (0..2)
                .map(|_| {
                    let (stream, _) = listener.accept().unwrap();
                    let session = ServerConnection::new(Arc::clone(&config)).unwrap();
                    let mut stream = StreamOwned::new(session, stream);
                    while stream.read_exact(&mut [0; 4]).is_ok() {
                        stream.write_all(&[0; 4]).unwrap();
                    }
                    stream.conn.handshake_kind()
                })
                .collect::<Vec<_>>()
        });
        let endpoint = over_tls(address, certificates.tls("localhost"));
        on_worker(on(driver), move || async move {
            for is_reused in [false, true] {
                let mut upstream = net::checkout(&endpoint, patience()).await.unwrap();
                assert_eq!(upstream.reused(), is_reused);
                exchange(&mut upstream.connection).await.unwrap();
                exchange(&mut upstream.connection).await.unwrap();
                if !is_reused {
                    upstream.checkin();
                }
            }
            let mut upstream = net::checkout(&endpoint, patience()).await.unwrap();
            assert!(!upstream.reused());
            exchange(&mut upstream.connection).await.unwrap();
        });
        let kinds = server.join().unwrap();
        let expected = [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed];
        assert_eq!(kinds, expected.map(Some), "{driver:?}");
    }
}

#[test]
fn bad_server_certificates_are_refused_without_quoting_the_key() {
    let certificates = certificates();
    let key = certificates.key_pem.as_bytes();
    let certificate = certificates.certificate_pem.as_bytes();
    for (certificate, key) in
        [(&b""[..], key), (certificate, b"secret-but-no-key"), (BROKEN_PEM.as_bytes(), key)]
    {
        let error = ServerTls::from_pem(certificate, key).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
