//! Asks a proxy for a tunnel: HTTP CONNECT (RFC 9110 §9.3.6) or SOCKS5 (RFC 1928, RFC 1929).

use std::io;
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use snapshot::{Address, ProxyHop, ProxyKind};

use crate::connect::name_of;
use crate::{Buffer, ConnectError, Connection, is_link_local};

/// Most bytes of the head that answers CONNECT.
const REPLY_HEAD_BYTES_MAX: usize = 8 * 1024;

/// Most bytes of a user name, a password or a host name in SOCKS5: their lengths are one byte.
const SOCKS_FIELD_BYTES_MAX: usize = 255;

/// Why there is no tunnel.
enum Failure {
    Io(io::Error),
    Refused(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Makes `connection`, which leads to the proxy, lead to `target`. Its deadline covers this.
pub(crate) async fn open_tunnel(
    connection: &mut Connection,
    proxy: &ProxyHop,
    target: &Address,
) -> Result<(), ConnectError> {
    let target = Target::of(target)?;
    let opened = match proxy.kind {
        ProxyKind::HttpConnect => http_connect(connection, proxy, &target).await,
        ProxyKind::Socks5 => socks5(connection, proxy, &target).await,
    };
    opened.map_err(|failure| report(failure, &proxy.address))
}

#[cold]
fn report(failure: Failure, proxy: &Address) -> ConnectError {
    let name = name_of(proxy);
    match failure {
        Failure::Refused(cause) => ConnectError::Proxy(format!("{name}: {cause}")),
        Failure::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
            ConnectError::TimedOut(name)
        }
        Failure::Io(error) => ConnectError::Proxy(format!("{name}: {error}")),
    }
}

/// What the proxy is asked for. Names are resolved by the proxy.
struct Target<'a> {
    host: Host<'a>,
    port: u16,
}

enum Host<'a> {
    Ip(IpAddr),
    Name(&'a str),
}

impl<'a> Target<'a> {
    fn of(address: &'a Address) -> Result<Self, ConnectError> {
        let target = match address {
            Address::Ip(socket) => Self { host: Host::Ip(socket.ip()), port: socket.port() },
            Address::Name { host, port, .. } => match host.parse::<IpAddr>() {
                Ok(ip) => Self { host: Host::Ip(ip), port: *port },
                Err(_) => Self { host: Host::Name(host), port: *port },
            },
            Address::Unix(_) => {
                let name = name_of(address);
                return Err(ConnectError::Proxy(format!("{name}: not reachable by a proxy")));
            }
        };
        match target.host {
            Host::Ip(ip) if is_link_local(ip) => Err(ConnectError::LinkLocal(name_of(address))),
            Host::Ip(_) | Host::Name(_) => Ok(target),
        }
    }

    fn authority(&self) -> String {
        match self.host {
            Host::Ip(IpAddr::V6(ip)) => format!("[{ip}]:{}", self.port),
            Host::Ip(IpAddr::V4(ip)) => format!("{ip}:{}", self.port),
            Host::Name(name) => format!("{name}:{}", self.port),
        }
    }
}

async fn http_connect(
    connection: &mut Connection,
    proxy: &ProxyHop,
    target: &Target<'_>,
) -> Result<(), Failure> {
    let authority = target.authority();
    let mut head = Buffer::new();
    head.extend_from_slice(format!("CONNECT {authority} HTTP/1.1\r\n").as_bytes());
    head.extend_from_slice(format!("Host: {authority}\r\n").as_bytes());
    if let Some((username, password)) = credentials(proxy) {
        let encoded = STANDARD.encode(format!("{username}:{password}"));
        head.extend_from_slice(format!("Proxy-Authorization: Basic {encoded}\r\n").as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    connection.write(head).await?;
    let head_bytes = read_reply_head(connection).await?;
    let status = reply_status(connection.input().get(..head_bytes).unwrap_or_default());
    connection.consume(head_bytes);
    match status {
        Some(200..=299) if connection.input().is_empty() => Ok(()),
        Some(200..=299) => Err(Failure::Refused("it sent data of its own".to_owned())),
        Some(status) => Err(Failure::Refused(format!("it answered {status} to CONNECT"))),
        None => Err(Failure::Refused("it does not speak HTTP".to_owned())),
    }
}

/// Reads up to and including the empty line that ends a head, and returns its length.
async fn read_reply_head(connection: &mut Connection) -> Result<usize, Failure> {
    loop {
        let end = connection.input().windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            return Ok(end + 4);
        }
        if connection.input().len() >= REPLY_HEAD_BYTES_MAX {
            return Err(Failure::Refused("its reply has no end".to_owned()));
        }
        if connection.fill().await? == 0 {
            return Err(Failure::Refused("it hung up".to_owned()));
        }
    }
}

/// The status of a head that starts like `HTTP/1.1 200`.
fn reply_status(head: &[u8]) -> Option<u16> {
    let rest = head.strip_prefix(b"HTTP/1.")?;
    let digits = rest.get(1..)?.strip_prefix(b" ")?.get(..3)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn credentials(proxy: &ProxyHop) -> Option<(&str, &str)> {
    let username = proxy.username.as_deref()?;
    Some((username, proxy.password.as_ref().map_or("", |password| password.expose())))
}

/// The version byte of SOCKS5.
const SOCKS_VERSION: u8 = 5;
/// The version byte of the user name and password exchange.
const SOCKS_LOGIN_VERSION: u8 = 1;
const SOCKS_METHOD_NONE: u8 = 0;
const SOCKS_METHOD_LOGIN: u8 = 2;
const SOCKS_COMMAND_CONNECT: u8 = 1;
const SOCKS_ADDRESS_V4: u8 = 1;
const SOCKS_ADDRESS_NAME: u8 = 3;
const SOCKS_ADDRESS_V6: u8 = 4;

async fn socks5(
    connection: &mut Connection,
    proxy: &ProxyHop,
    target: &Target<'_>,
) -> Result<(), Failure> {
    let login = credentials(proxy);
    let methods: &[u8] = match login {
        Some(_) => &[SOCKS_VERSION, 2, SOCKS_METHOD_NONE, SOCKS_METHOD_LOGIN],
        None => &[SOCKS_VERSION, 1, SOCKS_METHOD_NONE],
    };
    send(connection, methods).await?;
    match (receive::<2>(connection).await?, login) {
        ([SOCKS_VERSION, SOCKS_METHOD_NONE], _) => {}
        ([SOCKS_VERSION, SOCKS_METHOD_LOGIN], Some(login)) => log_in(connection, login).await?,
        ([SOCKS_VERSION, _], _) => {
            return Err(Failure::Refused("it accepts none of our logins".to_owned()));
        }
        _ => return Err(Failure::Refused("it does not speak SOCKS5".to_owned())),
    }
    send(connection, &socks_request(target)?).await?;
    read_socks_reply(connection).await
}

async fn log_in(
    connection: &mut Connection,
    (username, password): (&str, &str),
) -> Result<(), Failure> {
    let mut request = vec![SOCKS_LOGIN_VERSION];
    push_field(&mut request, username.as_bytes())?;
    push_field(&mut request, password.as_bytes())?;
    send(connection, &request).await?;
    match receive::<2>(connection).await? {
        [_, 0] => Ok(()),
        _ => Err(Failure::Refused("it refused user name and password".to_owned())),
    }
}

fn socks_request(target: &Target<'_>) -> Result<Vec<u8>, Failure> {
    let mut request = vec![SOCKS_VERSION, SOCKS_COMMAND_CONNECT, 0];
    match target.host {
        Host::Ip(IpAddr::V4(ip)) => {
            request.push(SOCKS_ADDRESS_V4);
            request.extend_from_slice(&ip.octets());
        }
        Host::Ip(IpAddr::V6(ip)) => {
            request.push(SOCKS_ADDRESS_V6);
            request.extend_from_slice(&ip.octets());
        }
        Host::Name(name) => {
            request.push(SOCKS_ADDRESS_NAME);
            push_field(&mut request, name.as_bytes())?;
        }
    }
    request.extend_from_slice(&target.port.to_be_bytes());
    Ok(request)
}

fn push_field(request: &mut Vec<u8>, field: &[u8]) -> Result<(), Failure> {
    let too_long =
        || Failure::Refused(format!("a SOCKS5 field is longer than {SOCKS_FIELD_BYTES_MAX} bytes"));
    request.push(u8::try_from(field.len()).map_err(|_| too_long())?);
    request.extend_from_slice(field);
    Ok(())
}

/// Reads the reply and the address in it, which says nothing of interest.
async fn read_socks_reply(connection: &mut Connection) -> Result<(), Failure> {
    let [version, code, _, address_kind] = receive::<4>(connection).await?;
    if version != SOCKS_VERSION || code != 0 {
        return Err(Failure::Refused(socks_refusal(code).to_owned()));
    }
    let address_bytes = match address_kind {
        SOCKS_ADDRESS_V4 => 4,
        SOCKS_ADDRESS_V6 => 16,
        SOCKS_ADDRESS_NAME => usize::from(receive::<1>(connection).await?[0]),
        _ => return Err(Failure::Refused("its reply makes no sense".to_owned())),
    };
    receive_bytes(connection, address_bytes + size_of::<u16>()).await?;
    connection.consume(address_bytes + size_of::<u16>());
    if connection.input().is_empty() {
        Ok(())
    } else {
        Err(Failure::Refused("it sent data of its own".to_owned()))
    }
}

/// RFC 1928 §6.
fn socks_refusal(code: u8) -> &'static str {
    match code {
        1 => "general failure",
        2 => "not allowed by its rules",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "time to live expired",
        7 => "command not supported",
        8 => "address type not supported",
        _ => "unknown failure",
    }
}

async fn send(connection: &mut Connection, bytes: &[u8]) -> Result<(), Failure> {
    let mut buffer = Buffer::new();
    buffer.extend_from_slice(bytes);
    connection.write(buffer).await?;
    Ok(())
}

/// Takes exactly `N` bytes.
async fn receive<const N: usize>(connection: &mut Connection) -> Result<[u8; N], Failure> {
    receive_bytes(connection, N).await?;
    let mut bytes = [0; N];
    bytes.copy_from_slice(connection.input().get(..N).expect("received just now"));
    connection.consume(N);
    Ok(bytes)
}

/// Waits until the input holds `count` bytes.
async fn receive_bytes(connection: &mut Connection, count: usize) -> Result<(), Failure> {
    while connection.input().len() < count {
        if connection.fill().await? == 0 {
            return Err(Failure::Refused("it hung up".to_owned()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_from_http_1_heads_only() {
        assert_eq!(reply_status(b"HTTP/1.1 200 Connection established\r\n\r\n"), Some(200));
        assert_eq!(reply_status(b"HTTP/1.0 407\r\n\r\n"), Some(407));
        for head in [&b"HTTP/1.1 20"[..], b"HTTP/2 200 OK", b"HTTP/1.1\t200", b"", b"SSH-2.0-x"] {
            assert_eq!(reply_status(head), None, "{}", head.escape_ascii());
        }
    }

    #[test]
    fn link_local_targets_are_refused_before_the_proxy_is_asked() {
        let address = Address::Ip("169.254.169.254:80".parse().unwrap());
        assert!(matches!(Target::of(&address), Err(ConnectError::LinkLocal(_))));
        let address = Address::Name {
            host: "169.254.169.254".to_owned(),
            port: 80,
            resolved: Default::default(),
        };
        assert!(matches!(Target::of(&address), Err(ConnectError::LinkLocal(_))));
    }
}
