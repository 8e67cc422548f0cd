//! Threads and listeners: one runtime and one listener per thread, all on the same port.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;

use monoio::net::{ListenerOpts, TcpListener, UnixListener};
use monoio::time::sleep;
use monoio::utils::is_legacy;
use monoio::{FusionDriver, RuntimeBuilder};
use rustls::ServerConfig;

use super::connection::serve;
use super::limits::{ACCEPT_BACKLOG, ACCEPT_PAUSE};
use super::world::World;

/// Serves until the process ends; returns only when a worker cannot go on.
pub(crate) fn run(world: Arc<World>, tls: Option<Arc<ServerConfig>>) -> io::Result<()> {
    let (ended, first_end) = mpsc::channel();
    let (bound, first_address) = mpsc::channel();
    let worker = |bound| Worker { world: Arc::clone(&world), tls: tls.clone(), bound };
    spawn(worker(Some(bound)), world.args.listen, ended.clone())?;
    if let Ok(address) = first_address.recv() {
        for _ in 1..world.args.threads {
            spawn(worker(None), address, ended.clone())?;
        }
        let scheme = if tls.is_some() { "https" } else { "http" };
        announce(&world, scheme, address)?;
    }
    first_end.recv().map_err(io::Error::other)?
}

/// Runs a worker on a thread of its own and tells how it ended.
fn spawn(worker: Worker, address: SocketAddr, ended: Sender<io::Result<()>>) -> io::Result<()> {
    let run = move || {
        let result = panic::catch_unwind(AssertUnwindSafe(|| worker.run(address)));
        let panicked = |_| Err(io::Error::other("a worker thread panicked"));
        // Nobody listens any more once another worker has ended.
        let _ = ended.send(result.unwrap_or_else(panicked));
    };
    thread::Builder::new().spawn(run).map(drop)
}

fn announce(world: &World, scheme: &str, address: SocketAddr) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "listening on {scheme}://{address}")?;
    if let Some(path) = &world.args.unix {
        writeln!(output, "listening on unix:{}", path.display())?;
    }
    output.flush()
}

/// One thread's share of the mock.
struct Worker {
    world: Arc<World>,
    tls: Option<Arc<ServerConfig>>,
    /// Present on the first worker: it is told the address the listener got. That worker serves
    /// the Unix socket too.
    bound: Option<Sender<SocketAddr>>,
}

impl Worker {
    fn run(self, address: SocketAddr) -> io::Result<()> {
        RuntimeBuilder::<FusionDriver>::new()
            .enable_timer()
            .build()?
            .block_on(self.accept_all(address))
    }

    async fn accept_all(self, address: SocketAddr) -> io::Result<()> {
        let options = ListenerOpts::new().reuse_port(true).backlog(ACCEPT_BACKLOG);
        let listener = TcpListener::bind_with_config(address, &options)?;
        if let Some(bound) = self.bound {
            if let Some(path) = &self.world.args.unix {
                let listener = bind_unix(path)?;
                monoio::spawn(accept_unix(Arc::clone(&self.world), self.tls.clone(), listener));
            }
            bound.send(listener.local_addr()?).map_err(io::Error::other)?;
        }
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                sleep(ACCEPT_PAUSE).await;
                continue;
            };
            // Without it a reply in two writes waits for the peer's delayed acknowledgement.
            if stream.set_nodelay(true).is_ok() {
                monoio::spawn(serve(Arc::clone(&self.world), stream, self.tls.clone()));
            }
        }
    }
}

async fn accept_unix(world: Arc<World>, tls: Option<Arc<ServerConfig>>, listener: UnixListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                monoio::spawn(serve(Arc::clone(&world), stream, tls.clone()));
            }
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Binds a Unix socket, in place of one an earlier process left behind.
fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(path)?,
        Ok(_) => return Err(io::Error::new(ErrorKind::AlreadyExists, path.display().to_string())),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = std::os::unix::net::UnixListener::bind(path)?;
    // epoll asks again after it was told to; io_uring waits by itself, but only on a blocking one.
    listener.set_nonblocking(is_legacy())?;
    UnixListener::from_std(listener)
}
