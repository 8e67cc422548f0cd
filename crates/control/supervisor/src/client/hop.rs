//! The proxy on the way to a provider: HTTP `CONNECT` or SOCKS5.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use snapshot::{Address, ProxyHop, ProxyKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Stream, connect_tcp, tls};

/// Longest reply head of a proxy.
const HEAD_BYTES_MAX: usize = 8192;

/// SOCKS5, RFC 1928: version, methods, the one command, the address type of names, success.
const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const USERNAME_PASSWORD: u8 = 2;
const CONNECT: u8 = 1;
const DOMAIN_NAME: u8 = 3;
const SUCCEEDED: u8 = 0;

/// Of the negotiation of RFC 1929.
const USERNAME_PASSWORD_VERSION: u8 = 1;

/// A connection to `target` through `proxy`, which resolves the name itself.
pub(super) async fn connect(proxy: &ProxyHop, target: &Address) -> Result<Box<dyn Stream>, String> {
    let tcp = connect_tcp(&proxy.address).await?;
    let mut stream: Box<dyn Stream> = match &proxy.tls {
        Some(tls) => Box::new(tls::connect(tls, Box::new(tcp)).await?),
        None => Box::new(tcp),
    };
    let (host, port) = match target {
        Address::Ip(address) => (address.ip().to_string(), address.port()),
        Address::Name { host, port, .. } => (host.clone(), *port),
        Address::Unix(_) => return Err("a local socket is not reached through a proxy".to_owned()),
    };
    match proxy.kind {
        ProxyKind::HttpConnect => http(&mut stream, proxy, &host, port).await?,
        ProxyKind::Socks5 => socks5(&mut stream, proxy, &host, port).await?,
    }
    Ok(stream)
}

async fn http(
    stream: &mut Box<dyn Stream>,
    proxy: &ProxyHop,
    host: &str,
    port: u16,
) -> Result<(), String> {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let mut head = format!("CONNECT {host}:{port} HTTP/1.1\r\nhost: {host}:{port}\r\n");
    if let Some((username, password)) = credentials(proxy) {
        let encoded = STANDARD.encode(format!("{username}:{password}"));
        head.push_str(&format!("proxy-authorization: Basic {encoded}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await.map_err(broken)?;
    let reply = read_head(stream).await?;
    match reply.split(' ').nth(1) {
        Some(status) if status.starts_with('2') && status.len() == 3 => Ok(()),
        Some(status) => Err(format!("the proxy answered {status}")),
        None => Err("the proxy's answer is not HTTP".to_owned()),
    }
}

/// Byte by byte: what follows the head belongs to the target already.
async fn read_head(stream: &mut Box<dyn Stream>) -> Result<String, String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= HEAD_BYTES_MAX {
            return Err("the proxy's answer is too long".to_owned());
        }
        head.push(stream.read_u8().await.map_err(broken)?);
    }
    String::from_utf8(head).map_err(|_| "the proxy's answer is not HTTP".to_owned())
}

async fn socks5(
    stream: &mut Box<dyn Stream>,
    proxy: &ProxyHop,
    host: &str,
    port: u16,
) -> Result<(), String> {
    let credentials = credentials(proxy);
    let method = if credentials.is_some() { USERNAME_PASSWORD } else { NO_AUTHENTICATION };
    stream.write_all(&[VERSION, 1, method]).await.map_err(broken)?;
    let mut chosen = [0; 2];
    stream.read_exact(&mut chosen).await.map_err(broken)?;
    if chosen != [VERSION, method] {
        return Err("the proxy wants another kind of login".to_owned());
    }
    if let Some((username, password)) = credentials {
        log_in(stream, username, password).await?;
    }
    let mut request = vec![VERSION, CONNECT, 0, DOMAIN_NAME];
    push_short(&mut request, host)?;
    request.extend(port.to_be_bytes());
    stream.write_all(&request).await.map_err(broken)?;
    read_socks_reply(stream).await
}

async fn log_in(
    stream: &mut Box<dyn Stream>,
    username: &str,
    password: &str,
) -> Result<(), String> {
    let mut login = vec![USERNAME_PASSWORD_VERSION];
    push_short(&mut login, username)?;
    push_short(&mut login, password)?;
    stream.write_all(&login).await.map_err(broken)?;
    let mut verdict = [0; 2];
    stream.read_exact(&mut verdict).await.map_err(broken)?;
    if verdict[1] == SUCCEEDED { Ok(()) } else { Err("the proxy refused the login".to_owned()) }
}

/// Version, verdict, reserved; then the address the proxy connects from, of no interest.
async fn read_socks_reply(stream: &mut Box<dyn Stream>) -> Result<(), String> {
    let mut start = [0; 4];
    stream.read_exact(&mut start).await.map_err(broken)?;
    let [version, verdict, _, address_type] = start;
    if version != VERSION || verdict != SUCCEEDED {
        return Err(format!("the proxy refused the connection (code {verdict})"));
    }
    let address_bytes = match address_type {
        1 => 4,
        4 => 16,
        DOMAIN_NAME => usize::from(stream.read_u8().await.map_err(broken)?),
        _ => return Err("the proxy's answer is not SOCKS5".to_owned()),
    };
    let mut address_and_port = vec![0; address_bytes + 2];
    stream.read_exact(&mut address_and_port).await.map_err(broken)?;
    Ok(())
}

/// One byte of length, then the text.
fn push_short(bytes: &mut Vec<u8>, text: &str) -> Result<(), String> {
    let length = u8::try_from(text.len())
        .map_err(|_| "SOCKS5 has no room for names of more than 255 bytes".to_owned())?;
    bytes.push(length);
    bytes.extend_from_slice(text.as_bytes());
    Ok(())
}

fn credentials(proxy: &ProxyHop) -> Option<(&str, &str)> {
    let username = proxy.username.as_deref()?;
    Some((username, proxy.password.as_ref().map_or("", |password| password.expose())))
}

fn broken(error: std::io::Error) -> String {
    format!("the proxy broke the connection off: {error}")
}
