//! `loadgen l4`: forwards TCP bytes and understands none of them. One thread, io_uring where the kernel has
//! it, two copies per connection: the least that anything between two sockets costs, and so the floor that
//! gateways are compared with.

use std::error::Error;
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::thread;

use monoio::io::{AsyncReadRent, AsyncWriteRent, AsyncWriteRentExt, Splitable};
use monoio::net::{ListenerOpts, TcpListener, TcpStream};
use monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder};

use crate::host::limits;

/// Bytes of the buffer of each direction of a connection.
const BUFFER_BYTES: usize = 16 << 10;

/// Submission entries of the ring: two operations of each of 4,096 connections in one go; beyond that it
/// submits in between.
const RING_ENTRIES: u32 = 8192;

/// Connections that may wait to be accepted; the kernel caps it at `net.core.somaxconn`.
const ACCEPT_BACKLOG: i32 = 65_535;

/// Flags of `loadgen l4`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Address that every connection is forwarded to
    #[arg(long, value_name = "ADDRESS")]
    to: SocketAddr,
}

/// Forwards until the process is ended; returns only with an error.
pub(crate) fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    limits::raise_open_files();
    if is_ring_available() {
        let mut flags = io_uring::IoUring::builder();
        flags.setup_single_issuer().setup_coop_taskrun().setup_defer_taskrun();
        let builder =
            RuntimeBuilder::<IoUringDriver>::new().with_entries(RING_ENTRIES).uring_builder(flags);
        if let Ok(mut runtime) = builder.build() {
            return Ok(runtime.block_on(accept_all(args))?);
        }
    }
    Ok(RuntimeBuilder::<LegacyDriver>::new().build()?.block_on(accept_all(args))?)
}

/// Asked on a thread of its own: taking the ring of the probe down interrupts the system calls of the
/// thread that made it.
fn is_ring_available() -> bool {
    thread::spawn(monoio::utils::detect_uring).join().unwrap_or(false)
}

async fn accept_all(args: &Args) -> io::Result<()> {
    let options = ListenerOpts::new().reuse_port(false).backlog(ACCEPT_BACKLOG);
    let listener = TcpListener::bind_with_config(args.listen, &options)?;
    announce(listener.local_addr()?)?;
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                monoio::spawn(forward(client, args.to));
            }
            // The client left before its turn came.
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
            // Out of descriptors or memory: what is measured from here on would mean nothing.
            Err(error) => return Err(error),
        }
    }
}

fn announce(address: SocketAddr) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "listening on tcp://{address}")?;
    output.flush()
}

/// The life of a connection. A client whose upstream cannot be reached is closed.
async fn forward(client: TcpStream, to: SocketAddr) {
    let Ok(upstream) = TcpStream::connect_addr(to).await else { return };
    if client.set_nodelay(true).and(upstream.set_nodelay(true)).is_err() {
        return;
    }
    let (client_reader, client_writer) = client.into_split();
    let (upstream_reader, upstream_writer) = upstream.into_split();
    monoio::join!(copy(client_reader, upstream_writer), copy(upstream_reader, client_writer));
}

/// Copies until one side ends, and passes the end on.
async fn copy(mut from: impl AsyncReadRent, mut to: impl AsyncWriteRent) {
    let mut buffer = Vec::with_capacity(BUFFER_BYTES);
    loop {
        let read;
        (read, buffer) = from.read(buffer).await;
        if !matches!(read, Ok(count) if count > 0) {
            break;
        }
        let written;
        (written, buffer) = to.write_all(buffer).await;
        if written.is_err() {
            break;
        }
    }
    // A peer that is gone already needs no farewell.
    let _ = to.shutdown().await;
}
