//! The workers' settings, from options and configuration.

use std::fs;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::available_parallelism;

use config::{Config, Driver, Pem, Server};
use net::{Budget, ServerTls, Settings};

use crate::{Options, StartError};

/// How many workers there will be: as asked for, else one per core that the process may use (the
/// limits of a container count).
pub(crate) fn workers(options: &Options, server: &Server) -> usize {
    let configured = || server.workers.map(|workers| usize::from(workers.get()));
    let cores = || available_parallelism().map_or(1, usize::from);
    options.workers.map(usize::from).or_else(configured).unwrap_or_else(cores)
}

/// Everything the workers are started with.
pub(crate) fn settings(
    options: &Options,
    config: &Config,
    listen: Vec<SocketAddr>,
    inherited: Vec<OwnedFd>,
) -> Result<Settings, StartError> {
    let server = &config.server;
    let workers = workers(options, server);
    let budget_bytes = usize::try_from(server.buffered_bytes_max).unwrap_or(usize::MAX);
    Ok(Settings {
        listen,
        tls: server.tls.as_ref().map(tls).transpose()?,
        workers,
        pin_cores: server.pin_cores.then(allowed_cores).flatten(),
        driver: driver(options.driver.unwrap_or(server.driver)),
        ring_entries: server.ring_entries,
        buffer_bytes: server.buffer_bytes,
        busy_poll: server.busy_poll,
        buffers: (config.client.initial_pool_size as usize).div_ceil(workers),
        budget: Arc::new(Budget::new(budget_bytes)),
        connections_max: (server.connections_max as usize).div_ceil(workers),
        inherited,
        ..Settings::default()
    })
}

fn driver(driver: Driver) -> net::Driver {
    match driver {
        Driver::Auto => net::Driver::Auto,
        Driver::IoUring => net::Driver::IoUring,
        Driver::Epoll => net::Driver::Epoll,
    }
}

fn tls(tls: &config::ServerTls) -> Result<ServerTls, StartError> {
    let certificate = pem(&tls.certificate)?;
    let private_key = pem(&tls.private_key)?;
    ServerTls::from_pem(&certificate, &private_key)
        .map_err(|error| StartError::Tls { path: None, reason: error.to_string() })
}

fn pem(pem: &Pem) -> Result<Vec<u8>, StartError> {
    match pem {
        Pem::Text(text) => Ok(text.expose().as_bytes().to_vec()),
        Pem::File(path) => fs::read(path).map_err(|error| StartError::Tls {
            path: Some(path.clone()),
            reason: error.to_string(),
        }),
    }
}

/// The cores this process may run on; `None` where the system does not tell.
fn allowed_cores() -> Option<Vec<usize>> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    parse_cores(list.trim())
}

/// A list like `0-2,5`.
fn parse_cores(list: &str) -> Option<Vec<usize>> {
    let mut cores = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        cores.extend(first..=last);
    }
    (!cores.is_empty()).then_some(cores)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cores_are_understood() {
        assert_eq!(parse_cores("0-2,5"), Some(vec![0, 1, 2, 5]));
        assert_eq!(parse_cores("3"), Some(vec![3]));
        for bad in ["", "x", "1-", "-"] {
            assert_eq!(parse_cores(bad), None, "{bad}");
        }
        assert!(allowed_cores().is_some());
    }
}
