//! Looks up the host names of all endpoints, so that the data plane never does.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use snapshot::{Address, Endpoint, Resolved};
use tokio::net::lookup_host;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use crate::current::{Current, Watch};

/// Between two rounds: providers move their addresses within minutes.
const INTERVAL: Duration = Duration::from_secs(30);

/// Longest look-up; resolvers give up after 5 s to 10 s themselves.
const LOOKUP_MAX: Duration = Duration::from_secs(5);

/// Addresses kept per name. A connect tries them in turn, and more than a few are never reached.
const ADDRESSES_MAX: usize = 16;

/// Looks up at once, whenever the configuration changes, and every [`INTERVAL`].
pub(crate) async fn run(mut watch: Watch) {
    loop {
        let current = Arc::clone(&watch.borrow_and_update());
        look_up_all(names(&current)).await;
        tokio::select! {
            () = sleep(INTERVAL) => {}
            changed = watch.changed() => if changed.is_err() { return },
        }
    }
}

/// A name with everything that decides about its answer.
struct Name {
    resolved: Arc<Resolved>,
    /// Whether some provider that uses it may be in a private network.
    may_be_private: bool,
}

type Names = BTreeMap<(String, u16), Name>;

/// Every host name in use, proxies included.
fn names(current: &Current) -> Names {
    let mut names = Names::new();
    for upstream in &current.snapshot.upstreams {
        let may_be_private = current.allows_private(&upstream.name);
        let by_variant = upstream.variants.iter().flat_map(|variant| &variant.services);
        let services = upstream.services.iter().chain(by_variant).flatten();
        let by_task = services.clone().flat_map(|service| &service.task);
        let by_task = by_task.flat_map(|task| &task.stream_hosts);
        let by_service = services.flat_map(|service| &service.endpoint);
        let by_list = upstream.list.iter().flat_map(|list| &list.endpoint);
        let by_key = upstream.keys.keys.iter().flat_map(|key| key.endpoints.iter().flatten());
        let endpoints = upstream.endpoint.iter().chain(by_service).chain(by_task).chain(by_list);
        for endpoint in endpoints.chain(by_key.map(|key| &key.endpoint)) {
            add(&mut names, endpoint, may_be_private);
        }
    }
    names
}

fn add(names: &mut Names, endpoint: &Endpoint, may_be_private: bool) {
    match &endpoint.proxy {
        // The proxy resolves the target. It is the operator's own, so it may be anywhere.
        Some(proxy) => add_address(names, &proxy.address, true),
        None => add_address(names, &endpoint.address, may_be_private),
    }
}

fn add_address(names: &mut Names, address: &Address, may_be_private: bool) {
    let Address::Name { host, port, resolved } = address else { return };
    let name = names
        .entry((host.clone(), *port))
        .or_insert_with(|| Name { resolved: Arc::clone(resolved), may_be_private });
    name.may_be_private |= may_be_private;
}

async fn look_up_all(names: Names) {
    let mut lookups = JoinSet::new();
    for ((host, port), name) in names {
        lookups.spawn(async move { look_up(&host, port, &name).await });
    }
    lookups.join_all().await;
}

async fn look_up(host: &str, port: u16, name: &Name) {
    let answer = match timeout(LOOKUP_MAX, lookup_host((host, port))).await {
        Ok(found) => judge(found.map(Iterator::collect), name.may_be_private),
        Err(_) => Err(format!("no answer within {} s", LOOKUP_MAX.as_secs())),
    };
    match &answer {
        Ok(addresses) => debug!(host, ?addresses, "resolved"),
        Err(reason) => warn!(host, reason, "cannot resolve"),
    }
    store(&name.resolved, answer);
}

/// Keeps the last good answer when a later look-up fails.
fn store(resolved: &Resolved, answer: Result<Vec<SocketAddr>, String>) {
    let has_good = resolved.answer.load().as_ref().is_some_and(|standing| standing.is_ok());
    if answer.is_ok() || !has_good {
        resolved.answer.store(Some(Arc::new(answer)));
    }
}

/// What of an answer may be connected to.
fn judge(
    found: io::Result<Vec<SocketAddr>>,
    may_be_private: bool,
) -> Result<Vec<SocketAddr>, String> {
    let found = found.map_err(|error| error.to_string())?;
    let is_allowed = |address: &SocketAddr| match reach(address.ip()) {
        Reach::Public | Reach::Loopback => true,
        Reach::Private => may_be_private,
        Reach::LinkLocal => false,
    };
    let is_private = found.iter().any(|address| reach(address.ip()) == Reach::Private);
    let allowed: Vec<SocketAddr> = found.into_iter().filter(is_allowed).collect();
    match allowed.len() {
        0 if is_private && !may_be_private => Err(
            "resolves to a private network; set network_config.allow_private_network to allow it"
                .to_owned(),
        ),
        0 => Err("resolves to nothing that may be connected to".to_owned()),
        _ => Ok(allowed.into_iter().take(ADDRESSES_MAX).collect()),
    }
}

/// Whether an address is of the local link, where cloud machines serve their credentials.
pub(crate) fn is_link_local(address: IpAddr) -> bool {
    reach(address) == Reach::LinkLocal
}

/// From where an address can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Public,
    Loopback,
    /// Private, shared or reserved ranges.
    Private,
    /// Never a provider.
    LinkLocal,
}

fn reach(address: IpAddr) -> Reach {
    match address.to_canonical() {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => reach_v6(address),
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    let [first, second, ..] = address.octets();
    let is_shared = first == 100 && (64..128).contains(&second);
    let is_unusable = first == 0 || first >= 224;
    match () {
        () if address.is_loopback() => Reach::Loopback,
        () if address.is_link_local() => Reach::LinkLocal,
        () if address.is_private() || is_shared || is_unusable => Reach::Private,
        () => Reach::Public,
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    match () {
        () if address.is_loopback() => Reach::Loopback,
        () if address.is_unicast_link_local() => Reach::LinkLocal,
        () if address.is_unique_local() || address.is_unspecified() || address.is_multicast() => {
            Reach::Private
        }
        () => Reach::Public,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|ip| SocketAddr::new(ip.parse().expect("an address"), 443)).collect()
    }

    #[test]
    fn private_addresses_need_permission_and_link_local_ones_never_get_it() {
        let private = ["10.1.2.3", "172.31.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "0.0.0.0"];
        for ip in private {
            assert!(judge(Ok(addresses(&[ip])), false).is_err(), "{ip}");
            assert!(judge(Ok(addresses(&[ip])), true).is_ok(), "{ip}");
        }
        for ip in ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254"] {
            assert!(judge(Ok(addresses(&[ip])), true).is_err(), "{ip}");
        }
        for ip in ["127.0.0.1", "::1", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111"] {
            assert!(judge(Ok(addresses(&[ip])), false).is_ok(), "{ip}");
        }
    }

    #[test]
    fn of_a_mixed_answer_the_allowed_part_is_kept() {
        let found = addresses(&["10.0.0.1", "1.1.1.1", "169.254.1.1"]);
        assert_eq!(judge(Ok(found.clone()), false), Ok(addresses(&["1.1.1.1"])));
        assert_eq!(judge(Ok(found), true), Ok(addresses(&["10.0.0.1", "1.1.1.1"])));
    }

    #[test]
    fn a_refused_private_address_names_the_setting() {
        let refused = judge(Ok(addresses(&["10.0.0.1"])), false).expect_err("refused");
        assert!(refused.contains("network_config.allow_private_network"));
    }

    #[test]
    fn a_failure_does_not_undo_a_good_answer() {
        let resolved = Resolved::default();
        store(&resolved, Err("no server".to_owned()));
        assert!(resolved.answer.load().as_ref().is_some_and(|answer| answer.is_err()));
        store(&resolved, Ok(addresses(&["1.1.1.1"])));
        store(&resolved, Err("no server".to_owned()));
        assert_eq!(**resolved.answer.load().as_ref().expect("stored"), Ok(addresses(&["1.1.1.1"])));
    }

    #[tokio::test]
    async fn names_are_looked_up_into_the_cell_the_data_plane_reads() {
        let name = Name { resolved: Arc::default(), may_be_private: false };
        look_up("localhost", 8080, &name).await;
        let answer = name.resolved.answer.load();
        let addresses = answer.as_ref().expect("an answer").as_ref().as_ref().expect("addresses");
        assert!(
            addresses.iter().all(|address| address.ip().is_loopback() && address.port() == 8080)
        );
    }
}
