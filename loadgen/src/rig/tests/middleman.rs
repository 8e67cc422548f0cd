//! Forwarders between caller and upstream that do something wrong. They run in threads that end
//! when both sides have closed.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What a middleman does to the bytes that come back from upstream.
#[derive(Clone, Copy)]
pub(super) enum Manner {
    /// Nothing.
    Pass,
    /// Changes one letter of the filler in one event.
    Corrupt,
    /// Holds back what comes within so long of the first piece, then sends it as one.
    Coalesce(Duration),
    /// Stands still for so long, once, at the so-manieth read from upstream.
    Stall { after_reads: u32, time: Duration },
    /// Gives every reply but the first the number of the one before it.
    Renumber,
    /// Answers every request itself, with this.
    Refuse(&'static str),
}

/// Listens on a free port and forwards to `upstream`.
pub(super) fn middleman(upstream: SocketAddr, manner: Manner) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let reads = Arc::new(AtomicU32::new(0));
    thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            client.set_nodelay(true).unwrap();
            let reads = Arc::clone(&reads);
            thread::spawn(move || serve(client, upstream, manner, &reads));
        }
    });
    address
}

fn serve(mut client: TcpStream, upstream: SocketAddr, manner: Manner, reads: &AtomicU32) {
    if let Manner::Refuse(reply) = manner {
        let mut buffer = vec![0; 64 << 10];
        while matches!(client.read(&mut buffer), Ok(count) if count > 0) {
            if client.write_all(reply.as_bytes()).is_err() {
                return;
            }
        }
        return;
    }
    let provider = TcpStream::connect(upstream).unwrap();
    provider.set_nodelay(true).unwrap();
    let there = (client.try_clone().unwrap(), provider.try_clone().unwrap());
    thread::spawn(move || forward(there.0, there.1, |_, _| ()));
    let mut last_number = None;
    forward(provider, client, |bytes, source| match manner {
        Manner::Pass | Manner::Refuse(_) => {}
        Manner::Corrupt => corrupt(bytes),
        Manner::Coalesce(time) => gather(bytes, source, time),
        Manner::Stall { after_reads, time } => {
            if reads.fetch_add(1, Ordering::Relaxed) == after_reads {
                thread::sleep(time);
            }
        }
        Manner::Renumber => renumber(bytes, &mut last_number),
    });
}

fn forward(
    mut source: TcpStream,
    mut sink: TcpStream,
    mut change: impl FnMut(&mut Vec<u8>, &mut TcpStream),
) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = source.read(&mut buffer) {
        let mut bytes = buffer[..count].to_vec();
        change(&mut bytes, &mut source);
        if sink.write_all(&bytes).is_err() {
            break;
        }
    }
    // The other direction ends by it too.
    let _ = sink.shutdown(Shutdown::Both);
    let _ = source.shutdown(Shutdown::Both);
}

fn find(bytes: &[u8], needle: &str) -> Option<usize> {
    memchr::memmem::find(bytes, needle.as_bytes())
}

fn corrupt(bytes: &mut [u8]) {
    if let Some(at) = find(bytes, "seq:0000002") {
        let filler = at + find(&bytes[at..], "gateway").unwrap();
        bytes[filler] = b'G';
    }
}

fn gather(bytes: &mut Vec<u8>, source: &mut TcpStream, time: Duration) {
    let until = Instant::now() + time;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        source.set_read_timeout(Some(left)).unwrap();
        match source.read(&mut buffer) {
            Ok(count @ 1..) => bytes.extend_from_slice(&buffer[..count]),
            Ok(_) | Err(_) => break,
        }
    }
    source.set_read_timeout(None).unwrap();
}

fn renumber(bytes: &mut [u8], last: &mut Option<Vec<u8>>) {
    let Some(at) = find(bytes, "@no:") else { return };
    let slot = at + 4..at + 16;
    let own = bytes[slot.clone()].to_vec();
    if let Some(last) = last.replace(own) {
        bytes[slot].copy_from_slice(&last);
    }
}
