//! How to check the certificates of upstreams and proxies.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Once, OnceLock};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use snapshot::Tls;

use super::{ALPN_HTTP_1_1, TlsError};
use crate::worker;

/// Time between two looks whether the helper thread has read the system's roots, which takes about 20 ms.
const ROOTS_WAIT: Duration = Duration::from_millis(2);

/// Configurations kept per worker. They differ by custom authority, of which there are a handful; beyond
/// the limit all are dropped, and with them the sessions to resume.
const CONFIGS_MAX: usize = 256;

static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
static ROOTS_LOADING: Once = Once::new();

thread_local! {
    static CONFIGS: RefCell<HashMap<Trust, Arc<ClientConfig>>> = RefCell::default();
}

/// All that configurations differ in.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Trust {
    verify: bool,
    ca_pem: Option<String>,
}

/// Starts reading the system's certificate authorities on a thread of their own, unless that has been
/// done. Without this call it happens at the first TLS connection, which waits for it.
pub fn load_system_roots() {
    ROOTS_LOADING.call_once(|| {
        let load = || drop(ROOTS.set(read_system_roots()));
        let started = std::thread::Builder::new().name("tls-roots".to_owned()).spawn(load);
        if started.is_err() {
            load();
        }
    });
}

/// The configuration for an upstream, made once per worker and kept with its sessions.
pub(crate) async fn client_config(tls: &Tls) -> Result<Arc<ClientConfig>, TlsError> {
    let trust = Trust { verify: tls.verify, ca_pem: tls.ca_pem.clone() };
    if let Some(config) = CONFIGS.with_borrow(|configs| configs.get(&trust).cloned()) {
        return Ok(config);
    }
    let config = Arc::new(build(&trust, system_roots(tls.verify).await)?);
    CONFIGS.with_borrow_mut(|configs| {
        if configs.len() >= CONFIGS_MAX {
            configs.clear();
        }
        configs.insert(trust, Arc::clone(&config));
    });
    Ok(config)
}

/// Waits for the roots where they are needed at all.
async fn system_roots(verify: bool) -> RootCertStore {
    if !verify {
        return RootCertStore::empty();
    }
    load_system_roots();
    loop {
        match ROOTS.get() {
            Some(roots) => return roots.clone(),
            None => worker::sleep(ROOTS_WAIT).await,
        }
    }
}

/// A system without roots, or with some that cannot be read, still has the ones that can.
fn read_system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn build(trust: &Trust, mut roots: RootCertStore) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError(error.to_string()))?;
    let mut config = if trust.verify {
        if let Some(pem) = &trust.ca_pem {
            add_authorities(&mut roots, pem)?;
        }
        builder.with_root_certificates(roots).with_no_client_auth()
    } else {
        let accept = Arc::new(AcceptAny { provider });
        builder.dangerous().with_custom_certificate_verifier(accept).with_no_client_auth()
    };
    config.alpn_protocols = vec![ALPN_HTTP_1_1.to_vec()];
    Ok(config)
}

fn add_authorities(roots: &mut RootCertStore, pem: &str) -> Result<(), TlsError> {
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let added = certificate
            .map_err(|error| error.to_string())
            .and_then(|certificate| roots.add(certificate).map_err(|error| error.to_string()));
        added.map_err(|error| TlsError(format!("ca_cert_pem: {error}")))?;
    }
    Ok(())
}

/// `insecure_skip_verify`: any certificate will do, but the peer must hold the key to the one it shows.
#[derive(Debug)]
struct AcceptAny {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
