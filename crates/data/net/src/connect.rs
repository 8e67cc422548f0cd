//! Makes a connection to an upstream: address by address, through a proxy, up to the end of the handshake.

use std::borrow::Cow;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use rustls::pki_types::ServerName;
use snapshot::{Address, Endpoint, Resolved, Tls};
use socket2::{Domain, SockAddr, Socket, TcpKeepalive, Type};

use crate::runtime::{Interest, Watch};
use crate::tls::client_config;
use crate::tls::layers::Layers;
use crate::{ConnectError, Connection, Tick, clock, hop, is_link_local, worker};

/// Time between two looks whether the control plane has resolved a name.
const RESOLVE_WAIT: Duration = Duration::from_millis(5);

/// Silence after which the kernel asks whether the upstream is still there. A model may think for minutes
/// while address translators on the way forget connections that say nothing.
const KEEPALIVE_TIME: Duration = Duration::from_secs(30);

/// Time between two such questions.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Time between two tries when a Unix socket's queue is full, which nothing announces the end of.
const QUEUE_WAIT: Duration = Duration::from_millis(5);

/// Addresses tried of one name. More would leave each too little time.
const ADDRESSES_MAX: usize = 8;

/// Connects to `endpoint`, ready to send a request, by `deadline` or within its `connect_timeout`,
/// whichever is shorter.
pub(crate) async fn connect(
    endpoint: &Endpoint,
    deadline: Tick,
) -> Result<Connection, ConnectError> {
    let deadline = deadline.min(clock::now() + endpoint.connect_timeout);
    let mut connection = match &endpoint.proxy {
        None => dial(&endpoint.address, deadline).await?,
        Some(proxy) => {
            let mut connection = dial(&proxy.address, deadline).await?;
            connection.set_deadline(Some(deadline));
            if let Some(tls) = &proxy.tls {
                start_tls(&mut connection, tls, &proxy.address).await?;
            }
            hop::open_tunnel(&mut connection, proxy, &endpoint.address).await?;
            connection
        }
    };
    if let Some(tls) = &endpoint.tls {
        connection.set_deadline(Some(deadline));
        start_tls(&mut connection, tls, &endpoint.address).await?;
    }
    connection.set_deadline(None);
    Ok(connection)
}

/// `host:port` or the path of the socket: what errors call an address.
pub(crate) fn name_of(address: &Address) -> String {
    match address {
        Address::Ip(address) => address.to_string(),
        Address::Name { host, port, .. } => format!("{host}:{port}"),
        Address::Unix(path) => path.display().to_string(),
    }
}

async fn dial(address: &Address, deadline: Tick) -> Result<Connection, ConnectError> {
    let addresses: Cow<'_, [SocketAddr]> = match address {
        Address::Unix(path) => return dial_unix(path, deadline).await,
        Address::Ip(ip) => Cow::Borrowed(std::slice::from_ref(ip)),
        Address::Name { resolved, .. } => Cow::Owned(resolve(address, resolved, deadline).await?),
    };
    dial_in_turn(address, &addresses, deadline).await
}

/// Waits for the control plane's answer where there is none yet.
async fn resolve(
    address: &Address,
    resolved: &Resolved,
    deadline: Tick,
) -> Result<Vec<SocketAddr>, ConnectError> {
    loop {
        match resolved.answer.load().as_deref() {
            Some(Ok(addresses)) => return Ok(addresses.clone()),
            Some(Err(cause)) => {
                return Err(ConnectError::Dns(format!("{}: {cause}", name_of(address))));
            }
            None if clock::now() >= deadline => {
                let name = name_of(address);
                return Err(ConnectError::Dns(format!("{name}: no answer in time")));
            }
            None => worker::sleep(RESOLVE_WAIT).await,
        }
    }
}

/// Tries the addresses one after the other, each for its share of the time that is left.
async fn dial_in_turn(
    address: &Address,
    addresses: &[SocketAddr],
    deadline: Tick,
) -> Result<Connection, ConnectError> {
    let allowed = || addresses.iter().filter(|socket| !is_link_local(socket.ip()));
    let mut left = allowed().count().min(ADDRESSES_MAX);
    let mut last_error = nothing_to_dial(address, addresses);
    for socket in allowed().take(ADDRESSES_MAX) {
        let share = deadline.since(clock::now()) / u32::try_from(left).unwrap_or(u32::MAX).max(1);
        match dial_tcp(*socket, share).await {
            Ok(connection) => return Ok(connection),
            Err(error) => last_error = ConnectError::from_io(&name_of(address), &error),
        }
        left -= 1;
    }
    Err(last_error)
}

#[cold]
fn nothing_to_dial(address: &Address, addresses: &[SocketAddr]) -> ConnectError {
    let name = name_of(address);
    if addresses.is_empty() {
        ConnectError::Dns(format!("{name}: the name has no address"))
    } else {
        ConnectError::LinkLocal(name)
    }
}

async fn dial_tcp(address: SocketAddr, time: Duration) -> io::Result<Connection> {
    let domain = Domain::for_address(address);
    let socket = within(time, connect_socket(domain, &address.into())).await?;
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(
        &TcpKeepalive::new().with_time(KEEPALIVE_TIME).with_interval(KEEPALIVE_INTERVAL),
    )?;
    Connection::new(OwnedFd::from(socket), Some(address))
}

async fn dial_unix(path: &Path, deadline: Tick) -> Result<Connection, ConnectError> {
    let time = deadline.since(clock::now());
    let connected = async {
        let address = SockAddr::unix(path)?;
        let socket = within(time, connect_socket(Domain::UNIX, &address)).await?;
        Connection::new(OwnedFd::from(socket), None)
    };
    connected.await.map_err(|error| ConnectError::from_io(&path.display().to_string(), &error))
}

/// A connected socket. It waits for nothing while it is being connected, and blocks afterwards, as drivers
/// expect.
async fn connect_socket(domain: Domain, address: &SockAddr) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    loop {
        match socket.connect(address) {
            Ok(()) => break,
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {
                Watch::new(&socket, Interest::Writable)?.ready().await;
                if let Some(error) = socket.take_error()? {
                    return Err(error);
                }
                break;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                worker::sleep(QUEUE_WAIT).await;
            }
            Err(error) => return Err(error),
        }
    }
    socket.set_nonblocking(false)?;
    Ok(socket)
}

/// Connecting has no socket of ours that the tick could shut down, so it has a timer.
async fn within<T>(
    time: Duration,
    connecting: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let (mut connecting, mut timer) = (pin!(connecting), pin!(worker::sleep(time)));
    std::future::poll_fn(|context| {
        if let Poll::Ready(connected) = connecting.as_mut().poll(context) {
            return Poll::Ready(connected);
        }
        timer.as_mut().poll(context).map(|()| Err(io::Error::from(io::ErrorKind::TimedOut)))
    })
    .await
}

async fn start_tls(
    connection: &mut Connection,
    tls: &Tls,
    address: &Address,
) -> Result<(), ConnectError> {
    let failed =
        |cause: &dyn std::fmt::Display| ConnectError::Tls(format!("{}: {cause}", name_of(address)));
    let name = server_name(&tls.server_name).map_err(|error| failed(&error))?;
    let config = client_config(tls).await.map_err(|error| failed(&error))?;
    let layers = Layers::client(config, name).map_err(|error| failed(&error))?;
    match connection.start_client_tls(layers).await {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            Err(ConnectError::TimedOut(name_of(address)))
        }
        Err(error) => Err(failed(&error)),
    }
}

/// A name for SNI, or an IP literal, in brackets or not, which is checked without SNI.
fn server_name(name: &str) -> Result<ServerName<'static>, rustls::pki_types::InvalidDnsNameError> {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(ip) => Ok(ServerName::from(ip)),
        Err(_) => ServerName::try_from(name.to_owned()),
    }
}
