//! Everything a measurement needs beside the rig: the upstream's address, the forwarders and gateways that are
//! started for it, and the peers that run already, all in their places.

use std::net::SocketAddr;

use super::settings::{Cores, GatewaySettings, Settings, Upstream};
use super::target_file::{CHAT_MODEL, CHAT_PATH, Peer};
use super::upstream;
use crate::host::limits;
use crate::host::processes::Group;
use crate::host::schedule::{Moved, Place, Placement};
use crate::launch::child::Child;
use crate::launch::gateway::{Gateway, GatewayPlan, find_binary};
use crate::launch::{Forwarder, keep_awake};
use crate::rig::plan::{Listener, RequestTemplate, TargetPlan};

/// A target that is to be measured.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// What stands between the rig and its upstream.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Nothing.
    Direct,
    /// The bare forwarder.
    Forwarder,
    /// Our gateway, started like this.
    Gateway(Box<GatewaySettings>),
    /// What a word of `--targets` names.
    Peer,
}

impl Wanted {
    /// The targets that words of `--targets` mean.
    pub(crate) fn of(settings: &Settings) -> Vec<Self> {
        let kind = |word: &str| match word {
            "direct" => Kind::Direct,
            "l4" | "l4-again" => Kind::Forwarder,
            "gateway" => Kind::Gateway(Box::new(settings.gateway.clone())),
            _ => Kind::Peer,
        };
        let wanted = |word: &String| Self { name: word.clone(), kind: kind(word) };
        settings.targets.iter().map(wanted).collect()
    }
}

/// What runs while it is measured. Dropping it ends what was started and puts back what was moved.
#[derive(Debug)]
pub(crate) struct Scene {
    /// The upstream that the rig plays itself; `None` when it is another process.
    pub(crate) listener: Option<Listener>,
    pub(crate) targets: Vec<TargetPlan>,
    /// The processes of each target, in the same order.
    pub(crate) groups: Vec<Option<Group>>,
    /// What each target says of itself, in the same order.
    pub(crate) versions: Vec<Option<String>>,
    children: Vec<Child>,
    /// Threads of others, put back when this is dropped.
    _moved: Vec<Moved>,
}

/// What one kind of target brings with it.
struct Prepared {
    name: String,
    address: SocketAddr,
    request: RequestTemplate,
    group: Option<Group>,
    version: Option<String>,
    child: Option<Child>,
    moved: Option<Moved>,
}

impl Scene {
    /// Starts what is wanted and waits until it answers.
    pub(crate) fn start(settings: &Settings, wanted: &[Wanted]) -> Result<Self, String> {
        limits::raise();
        limits::reserve_open_files();
        let mut scene = Self {
            listener: None,
            targets: Vec::new(),
            groups: Vec::new(),
            versions: Vec::new(),
            children: Vec::new(),
            _moved: Vec::new(),
        };
        let upstream = scene.start_upstream(settings)?;
        if let Cores { harness, target: Some(target), is_realtime: true, .. } = settings.cores {
            scene.children.push(keep_awake(&[harness, target])?);
        }
        for wanted in wanted {
            let prepared = prepare(wanted, settings, upstream)
                .map_err(|problem| format!("target {}: {problem}", wanted.name))?;
            scene.add(prepared);
        }
        Ok(scene)
    }

    fn start_upstream(&mut self, settings: &Settings) -> Result<SocketAddr, String> {
        match settings.upstream {
            Upstream::Own { listen, is_apart: false } => {
                let listener = Listener::bind(listen).map_err(|error| error.to_string())?;
                let address = listener.address();
                self.listener = Some(listener);
                Ok(address)
            }
            Upstream::Own { listen, is_apart: true } => {
                let place = settings.harness_place();
                let (child, address) =
                    upstream::start(settings, settings.stream_plan(), listen, place)?;
                self.children.push(child);
                Ok(address)
            }
            Upstream::Elsewhere(address) => Ok(address),
        }
    }

    fn add(&mut self, prepared: Prepared) {
        let Prepared { name, address, request, group, version, child, moved } = prepared;
        self.targets.push(TargetPlan { name, address, request });
        self.groups.push(group);
        self.versions.push(version);
        self.children.extend(child);
        self._moved.extend(moved);
    }

    /// An error, with what it printed last, when something that was started has ended.
    pub(crate) fn check(&mut self) -> Result<(), String> {
        self.children.iter_mut().try_for_each(Child::check)
    }

    /// Where everything really runs, in one sentence.
    pub(crate) fn placement(&self, harness: Option<Placement>) -> String {
        let of_group = |group: &Group| group.pids().first().and_then(|pid| Placement::of(*pid));
        let names = self.targets.iter().map(|target| target.name.as_str());
        let targets = names
            .zip(&self.groups)
            .filter_map(|(name, group)| Some((name, group.as_ref().and_then(of_group)?)));
        let all = harness.map(|placement| ("harness", placement)).into_iter().chain(targets);
        let parts: Vec<String> =
            all.map(|(name, placement)| format!("{name}: {placement}")).collect();
        parts.join("; ")
    }
}

fn prepare(wanted: &Wanted, settings: &Settings, upstream: SocketAddr) -> Result<Prepared, String> {
    match &wanted.kind {
        Kind::Direct => prepare_direct(wanted, settings, upstream),
        Kind::Forwarder => prepare_forwarder(wanted, settings, upstream),
        Kind::Gateway(gateway) => prepare_gateway(wanted, settings, gateway, upstream),
        Kind::Peer => prepare_peer(wanted, settings, upstream),
    }
}

fn prepare_direct(
    wanted: &Wanted,
    settings: &Settings,
    upstream: SocketAddr,
) -> Result<Prepared, String> {
    Ok(Prepared {
        name: wanted.name.clone(),
        address: upstream,
        request: chat(settings, &upstream.to_string())?,
        group: None,
        version: None,
        child: None,
        moved: None,
    })
}

fn prepare_forwarder(
    wanted: &Wanted,
    settings: &Settings,
    upstream: SocketAddr,
) -> Result<Prepared, String> {
    let forwarder = Forwarder::start(&wanted.name, upstream, settings.target_place())?;
    Ok(Prepared {
        name: wanted.name.clone(),
        address: forwarder.address,
        request: chat(settings, &forwarder.address.to_string())?,
        group: Some(Group::of(forwarder.child.pid())),
        version: Some(format!("loadgen {}", env!("CARGO_PKG_VERSION"))),
        child: Some(forwarder.child),
        moved: None,
    })
}

fn prepare_gateway(
    wanted: &Wanted,
    settings: &Settings,
    gateway: &GatewaySettings,
    upstream: SocketAddr,
) -> Result<Prepared, String> {
    let plan = GatewayPlan {
        binary: find_binary(gateway.binary.as_deref()).map_err(|error| error.to_string())?,
        workers: gateway.workers,
        place: settings.target_place(),
        profile: gateway.profile.clone(),
        config: gateway.config.clone(),
        upstream: gateway.upstream.clone().unwrap_or_else(|| format!("http://{upstream}")),
        arguments: gateway.arguments.clone(),
    };
    let started = Gateway::start(&wanted.name, &plan)?;
    let host = started.address.to_string();
    Ok(Prepared {
        name: wanted.name.clone(),
        address: started.address,
        request: settings.request(&host, &gateway.path, &[], &gateway.model)?,
        group: Some(Group::of(started.child.pid())),
        version: started.version,
        child: Some(started.child),
        moved: None,
    })
}

/// A peer is somebody else's process: it is found by its port and moved beside the others for the time of the
/// run.
fn prepare_peer(
    wanted: &Wanted,
    settings: &Settings,
    upstream: SocketAddr,
) -> Result<Prepared, String> {
    let peer = Peer::read(&wanted.name, upstream).map_err(|error| error.to_string())?;
    let is_near = peer.address.ip().is_loopback();
    let group = is_near.then(|| Group::listening_on(peer.address)).flatten();
    if is_near && group.is_none() {
        return Err(format!("nothing listens on {}: start it first", peer.address));
    }
    let threads = group.as_ref().map(Group::threads);
    Ok(Prepared {
        request: settings.request(&peer.host, &peer.path, &peer.headers, &peer.model)?,
        name: peer.name,
        address: peer.address,
        moved: threads.map(|threads| Moved::threads(&threads, settings.target_place())),
        group,
        version: peer.version,
        child: None,
    })
}

fn chat(settings: &Settings, host: &str) -> Result<RequestTemplate, String> {
    settings.request(host, CHAT_PATH, &[], CHAT_MODEL)
}

impl Settings {
    /// Where the thread of the rig runs.
    pub(crate) fn harness_place(&self) -> Place {
        let Cores { harness, target, is_realtime, .. } = self.cores;
        Place { core: target.and(Some(harness)), is_realtime }
    }

    /// Where everything that is measured runs.
    fn target_place(&self) -> Place {
        let Cores { target, is_realtime, .. } = self.cores;
        Place { core: target, is_realtime: is_realtime && target.is_some() }
    }

    /// What a target is sent.
    pub(crate) fn request(
        &self,
        host: &str,
        path: &str,
        headers: &[(String, String)],
        model: &str,
    ) -> Result<RequestTemplate, String> {
        RequestTemplate::chat(
            host,
            path,
            headers,
            model,
            self.body_bytes,
            self.stream_plan().is_some(),
        )
        .map_err(|error| error.to_string())
    }
}
