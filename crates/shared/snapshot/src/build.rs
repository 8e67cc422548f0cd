//! Checked configuration → snapshot. Pure but for what must outlive a reload, which the builder
//! keeps: resolved names, connection counts, and limits in force.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use config::{
    Alias, Config, Login, ModelList, PathOverride, Place, ProviderConfig, ProxyServer, Scheme,
    Secret, Url,
};
use dialect::Operation;
use meter::Gate;
use provider::{Auth, BaseUrl, BodyRules};

use crate::kept::Kept;
use crate::keys::{KeyEndpoint, ModelFilter};
use crate::likeness;
use crate::models::Models;
use crate::roots::Roots;
use crate::sign::{NoSigners, WithLines};
use crate::virtual_keys::{Value, VirtualKeys};
use crate::{
    Address, Client, Cors, Endpoint, HeaderFilter, HeaderLine, Key, KeyAuth, KeyHeader, KeyLabel,
    KeyTable, ModelList as List, Path, ProxyHop, ProxyKind, Resolved, Retry, Service, Services,
    Signers, Snapshot, Task, Tls, Upstream, Variant, VirtualKey,
};

/// Time for connect, proxy and TLS handshakes together. A SYN lost twice is still answered in it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// An unused connection is closed after this.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection is not reused beyond this age, so that changed names take effect.
const AGE_MAX: Duration = Duration::from_secs(300);

/// Connections to the control plane are as many as there are requests for it.
const CONTROL_CONNECTIONS_MAX: usize = 4096;

/// Path in front of the built-in provider's operations on the control plane's socket.
const INTERNAL_BASE_PATH: &str = "/mock";

/// Providers whose models may be named with a region in front.
const REGIONAL: &[&str] = &["bedrock", "bedrock_mantle"];

/// Headers that authenticate: `extra_headers` never sets them.
const AUTH_HEADERS: &[&str] = &[
    "authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "xi-api-key",
    "api-subscription-key",
];

/// Builds snapshots, one after the other.
#[derive(Debug)]
pub struct Builder {
    control_socket: PathBuf,
    signers: Box<dyn Signers>,
    names: Kept<(String, u16), Resolved>,
    connections: Kept<u64, AtomicUsize>,
    gates: Kept<String, Gate>,
}

impl Builder {
    /// A builder for a control plane that listens on `control_socket`. Keys that log in have no
    /// credentials.
    pub fn new(control_socket: PathBuf) -> Self {
        Self::with_signers(control_socket, Box::new(NoSigners))
    }

    /// The same, with credentials from `signers` for keys that log in.
    pub fn with_signers(control_socket: PathBuf, signers: Box<dyn Signers>) -> Self {
        Self {
            control_socket,
            signers,
            names: Kept::default(),
            connections: Kept::default(),
            gates: Kept::default(),
        }
    }

    /// The tables for `config`.
    pub fn build(&mut self, config: &Config) -> Snapshot {
        let control = self.control();
        let mut upstreams: Vec<Arc<Upstream>> = config
            .providers
            .iter()
            .map(|provider| Arc::new(self.upstream(provider, &control)))
            .collect();
        upstreams.sort_by(|a, b| a.name.cmp(&b.name));
        self.names.drop_unused();
        self.connections.drop_unused();
        self.gates.drop_unused();
        Snapshot {
            client: client(config),
            models: Models::new(&upstreams),
            upstreams,
            control,
            virtual_keys: virtual_keys(config),
        }
    }

    fn control(&mut self) -> Arc<Endpoint> {
        let address = Address::Unix(self.control_socket.clone());
        let authority = "localhost".to_owned();
        let id = identity(&(&self.control_socket, "control"));
        Arc::new(Endpoint {
            id,
            address,
            tls: None,
            proxy: None,
            authority,
            connections_max: CONTROL_CONNECTIONS_MAX,
            connections_open: self.open_connections(id),
            connect_timeout: CONNECT_TIMEOUT,
            idle_timeout: IDLE_TIMEOUT,
            age_max: AGE_MAX,
        })
    }

    fn upstream(&mut self, provider: &ProviderConfig, control: &Arc<Endpoint>) -> Upstream {
        let row = provider.row;
        let key_header = key_header(row.auth);
        let (endpoint, base_path) = self.base(provider, control);
        let base_path: Box<str> = base_path.into();
        let headers: Arc<[HeaderLine]> = header_lines(provider, row.headers).into();
        let roots = Roots::new(row);
        let own = Surface {
            endpoints: row.endpoints,
            kept: row.kept,
            headers: Arc::clone(&headers),
            body: &row.body,
            roots: &roots,
        };
        let services = self.services(provider, &own);
        let variants = row.variants.iter().map(|variant| {
            let headers = header_lines(provider, variant.headers).into();
            let endpoints = variant.endpoints;
            let body = &variant.body;
            let surface = Surface { endpoints, kept: &[], headers, body, roots: &roots };
            Variant { models: variant.models, services: self.services(provider, &surface) }
        });
        let variants = variants.collect();
        let keys = provider.keys.iter().filter(|key| is_usable(provider, key));
        let keys = keys.flat_map(|key| self.keys(provider, key, &roots)).collect();
        Upstream {
            name: provider.name.as_str().into(),
            services,
            variants,
            list: self.list(provider, &roots),
            endpoint,
            base_path,
            keys: KeyTable::new(keys),
            is_keyless: provider.is_keyless(),
            direct_key: key_header,
            takes_region: REGIONAL.contains(&row.name),
            headers,
            openai: row.openai,
            // What a custom provider does unasked is not known.
            tells_usage_when_asked: row.tells_usage_when_asked && provider.custom.is_none(),
            disable_store: provider.disable_store,
            beta_overrides: beta_overrides(provider),
            models: row.models,
            retry: Retry {
                max: provider.network.max_retries,
                backoff_initial: provider.network.backoff_initial,
                backoff_max: provider.network.backoff_max,
            },
            request_timeout: provider.network.request_timeout,
            stream_idle_timeout: provider.network.stream_idle_timeout,
            gate: self.gate(provider),
            send_back_raw_request: provider.send_back_raw_request,
            send_back_raw_response: provider.send_back_raw_response,
        }
    }

    /// The provider's own address, unless each key has one, and the path in front of its paths.
    fn base(
        &mut self,
        provider: &ProviderConfig,
        control: &Arc<Endpoint>,
    ) -> (Option<Arc<Endpoint>>, String) {
        if let Some(url) = &provider.network.base_url {
            return (Some(self.endpoint(provider, url)), url.path.clone());
        }
        match provider.row.base_url {
            BaseUrl::Fixed(text) => match Url::parse(text) {
                Ok(url) => (Some(self.endpoint(provider, &url)), url.path),
                Err(_) => (None, String::new()),
            },
            BaseUrl::Internal => (Some(Arc::clone(control)), INTERNAL_BASE_PATH.to_owned()),
            BaseUrl::PerKey | BaseUrl::Template(_) => (None, String::new()),
        }
    }

    fn services(&mut self, provider: &ProviderConfig, surface: &Surface<'_>) -> Services {
        Operation::all().map(|operation| self.service(provider, surface, operation)).collect()
    }

    fn service(
        &mut self,
        provider: &ProviderConfig,
        surface: &Surface<'_>,
        operation: Operation,
    ) -> Option<Service> {
        let row = surface.endpoint(operation)?;
        let dialect = row.dialect?;
        if !may_be_asked(provider, operation) {
            return None;
        }
        let (endpoint, path) = self.path(provider, row);
        Some(Service {
            dialect,
            method: row.method,
            path,
            endpoint,
            headers: with_headers(&surface.headers, row.headers),
            body: row.body.unwrap_or(surface.body),
            root: surface.roots.position(row.root),
            model_name: row.model_name,
            task: row.task.map(|task| Arc::new(self.task(provider, task))),
        })
    }

    fn task(&mut self, provider: &ProviderConfig, row: &provider::Task) -> Task {
        let hosts = row.stream_hosts.iter().filter_map(|url| Url::parse(url).ok());
        Task {
            path: Path::new(row.path),
            cancel_path: Path::new(row.cancel_path),
            stream_hosts: hosts.map(|url| self.endpoint(provider, &url)).collect(),
        }
    }

    fn list(&mut self, provider: &ProviderConfig, roots: &Roots) -> Option<List> {
        let row = provider.row.endpoint(Operation::ListModels)?;
        if !may_be_asked(provider, Operation::ListModels) {
            return None;
        }
        let (endpoint, path) = self.path(provider, row);
        let root = roots.position(row.root);
        Some(List { path, endpoint, root, shape: provider.row.listing })
    }

    /// The path of an endpoint, and its server where that is another than the provider's.
    fn path(
        &mut self,
        provider: &ProviderConfig,
        row: &provider::Endpoint,
    ) -> (Option<Arc<Endpoint>>, Path) {
        let overrides = provider.custom.iter().flat_map(|custom| &custom.path_overrides);
        let changed = overrides.into_iter().find(|(changed, _)| *changed == row.operation);
        match changed.map(|(_, path)| path) {
            Some(PathOverride::Url(url)) => {
                let path = if url.path.is_empty() { "/" } else { url.path.as_str() };
                (Some(self.endpoint(provider, url)), Path::new(path))
            }
            Some(PathOverride::Path(path)) => (None, Path::new(path)),
            None => (None, Path::new(row.path)),
        }
    }

    /// A key with its model filter, and beside it one more for each alias that lies elsewhere: the
    /// same key at another address.
    fn keys(
        &mut self,
        provider: &ProviderConfig,
        key: &config::Key,
        roots: &Roots,
    ) -> Vec<(Key, ModelFilter)> {
        let own = Site { place: key.place.clone(), url: key.url.clone(), is_alias: false };
        let mut filter = filter(key);
        let mut keys = Vec::new();
        for (name, alias) in key.aliases.iter().filter(|(_, alias)| is_elsewhere(alias)) {
            let name = name.to_ascii_lowercase();
            let site = Site {
                place: alias.place.or(&own.place),
                url: alias.url.clone().or_else(|| own.url.clone()),
                is_alias: true,
            };
            if let Some(elsewhere) = filter.split_off(&name) {
                keys.push((self.key(provider, key, &site, roots), elsewhere));
            }
        }
        keys.insert(0, (self.key(provider, key, &own, roots), filter));
        keys
    }

    fn key(
        &mut self,
        provider: &ProviderConfig,
        key: &config::Key,
        site: &Site,
        roots: &Roots,
    ) -> Key {
        let aliases = key.aliases.iter().map(|(name, alias)| {
            (name.to_ascii_lowercase().into(), Arc::from(alias.model_id.as_str()))
        });
        let likenesses = key.aliases.iter().filter_map(|(name, alias)| {
            let likeness = likeness::of(provider.row, name, alias)?;
            Some((name.to_ascii_lowercase().into(), likeness))
        });
        Key {
            label: Arc::new(KeyLabel { id: key.id.clone(), name: key.name.clone() }),
            auth: self.auth(key, key_header(provider.row.auth), site),
            region: site.place.region.as_deref().map(Into::into),
            weight: (key.weight * 100.0) as u32,
            serves_batches: key.use_for_batch_api,
            is_elsewhere: site.is_alias,
            aliases: aliases.collect(),
            likenesses: likenesses.collect(),
            endpoints: self.key_endpoints(provider, key, site, roots),
        }
    }

    fn auth(&self, key: &config::Key, header: Option<KeyHeader>, site: &Site) -> KeyAuth {
        let more: String =
            key.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        if let Some(login) = &key.login {
            let signer = self.signers.signer(&login_at(login, &site.place));
            return KeyAuth::Signer(match more.is_empty() {
                true => signer,
                false => Arc::new(WithLines { signer, lines: more }),
            });
        }
        let value = key.value.expose();
        let line = header.filter(|_| !value.is_empty()).map(|header| header.line(value));
        KeyAuth::Line(Secret::new(line.unwrap_or_default() + &more))
    }

    /// The key's own addresses; none where the provider's are the same for all.
    fn key_endpoints(
        &mut self,
        provider: &ProviderConfig,
        key: &config::Key,
        site: &Site,
        roots: &Roots,
    ) -> Vec<Option<KeyEndpoint>> {
        if site.url.is_none() && !roots.are_by_key(provider.row) {
            return Vec::new();
        }
        let given = site.url.as_ref().or(provider.network.base_url.as_ref());
        let urls = roots.urls(provider.row, given, &site.place);
        let mut endpoint = |url: Url, service| KeyEndpoint {
            endpoint: self.endpoint(provider, &url),
            base_path: url.path.as_str().into(),
            auth: self.auth_of_service(key, site, service),
        };
        let urls = urls.zip(roots.aws_services());
        urls.map(|(url, service)| url.map(|url| endpoint(url, service))).collect()
    }

    /// AWS signs for a service: one beside the provider's own has a signer of its own.
    fn auth_of_service(
        &self,
        key: &config::Key,
        site: &Site,
        service: Option<&'static str>,
    ) -> Option<KeyAuth> {
        let (Some(Login::Aws(login)), Some(service)) = (&key.login, service) else { return None };
        let login = Login::Aws(config::AwsLogin { service, ..login.clone() });
        Some(KeyAuth::Signer(self.signers.signer(&login_at(&login, &site.place))))
    }

    fn endpoint(&mut self, provider: &ProviderConfig, url: &Url) -> Arc<Endpoint> {
        let network = &provider.network;
        let proxy = provider.proxy.on_the_way_to(url);
        let proxy_ca = proxy.and_then(|proxy| proxy.ca_cert_pem.clone());
        let tls = (url.scheme == Scheme::Https).then(|| Tls {
            server_name: bare_host(&url.host).to_owned(),
            verify: !network.insecure_skip_verify,
            ca_pem: network.ca_cert_pem.clone().or(proxy_ca),
        });
        let tls_settings = tls.as_ref().map(|tls| (&tls.server_name, tls.verify, &tls.ca_pem));
        let proxy_settings = proxy.map(|proxy| {
            let password = proxy.password.as_ref().map(|password| password.expose());
            let address = (proxy.scheme == Scheme::Https, proxy.host.as_str(), proxy.port);
            let is_socks = proxy.kind == config::ProxyKind::Socks5;
            (is_socks, address, proxy.username.as_deref(), password, &proxy.ca_cert_pem)
        });
        let id = identity(&(&url.host, url.port, tls_settings, proxy_settings));
        Arc::new(Endpoint {
            id,
            address: self.address(&url.host, url.port),
            authority: url.authority(),
            proxy: proxy.map(|proxy| self.hop(proxy)),
            connections_max: network.connections_max as usize,
            connections_open: self.open_connections(id),
            connect_timeout: CONNECT_TIMEOUT,
            idle_timeout: IDLE_TIMEOUT,
            age_max: AGE_MAX,
            tls,
        })
    }

    fn hop(&mut self, proxy: &ProxyServer) -> ProxyHop {
        ProxyHop {
            kind: match proxy.kind {
                config::ProxyKind::Http => ProxyKind::HttpConnect,
                config::ProxyKind::Socks5 => ProxyKind::Socks5,
            },
            address: self.address(&proxy.host, proxy.port),
            username: proxy.username.clone(),
            password: proxy.password.clone(),
            tls: (proxy.scheme == Scheme::Https).then(|| Tls {
                server_name: bare_host(&proxy.host).to_owned(),
                verify: true,
                ca_pem: proxy.ca_cert_pem.clone(),
            }),
        }
    }

    fn address(&mut self, host: &str, port: u16) -> Address {
        if let Ok(ip) = bare_host(host).parse::<IpAddr>() {
            return Address::Ip(SocketAddr::new(ip, port));
        }
        let resolved = self.names.get((host.to_owned(), port), Resolved::default);
        Address::Name { host: host.to_owned(), port, resolved }
    }

    fn open_connections(&mut self, id: u64) -> Arc<AtomicUsize> {
        self.connections.get(id, AtomicUsize::default)
    }

    fn gate(&mut self, provider: &ProviderConfig) -> Arc<Gate> {
        let (concurrency, line_max) = (provider.concurrency, provider.buffer_size);
        let gate = self.gates.get(provider.name.clone(), || Gate::new(concurrency, line_max));
        gate.resize(concurrency, line_max);
        gate
    }
}

fn virtual_keys(config: &Config) -> VirtualKeys {
    // A key whose environment variable is unset has no value, and nobody may match it.
    let named = config.virtual_keys.iter().filter(|key| !key.value.is_empty());
    let keys = named.map(|key| {
        let known =
            VirtualKey { id: key.id.clone(), name: key.name.clone(), is_active: key.is_active };
        (Value::new(key.value.expose()), Arc::new(known))
    });
    keys.collect()
}

fn client(config: &Config) -> Client {
    let (client, server) = (&config.client, &config.server);
    Client {
        drop_excess_requests: client.drop_excess_requests,
        enforce_auth: client.enforce_auth_on_inference,
        allow_direct_keys: client.allow_direct_keys,
        allow_raw_override: client.allow_per_request_raw_override,
        body_bytes_max: client.request_body_bytes_max(),
        required_headers: client.required_headers.clone(),
        header_filter: HeaderFilter::new(
            &client.header_filter.allowlist,
            &client.header_filter.denylist,
        ),
        cors: Cors::new(&client.allowed_origins, &client.allowed_headers),
        head_bytes_max: server.read_buffer_size,
        head_timeout: server.head_timeout,
        body_timeout: server.body_idle_timeout,
        send_timeout: server.send_idle_timeout,
        keep_alive_timeout: server.keep_alive_timeout,
        body_buffer_bytes_max: server.body_buffer_bytes_max,
        websocket: config.websocket,
    }
}

/// Whether a custom provider may be asked for it; the product's own may be for all they have.
fn may_be_asked(provider: &ProviderConfig, operation: Operation) -> bool {
    let allowed = provider.custom.as_ref().and_then(|custom| custom.allowed.as_ref());
    allowed.is_none_or(|allowed| allowed.contains(&operation))
}

/// One way of asking a provider: its own, or that of some of its models.
struct Surface<'r> {
    endpoints: &'static [provider::Endpoint],
    kept: &'static [provider::Endpoint],
    headers: Arc<[HeaderLine]>,
    body: &'static BodyRules,
    roots: &'r Roots,
}

impl Surface<'_> {
    /// The endpoint for an operation. What is only another form of a chat goes out as one.
    fn endpoint(&self, operation: Operation) -> Option<&'static provider::Endpoint> {
        let all = || self.endpoints.iter().chain(self.kept);
        let find = |wanted| all().find(|it| it.operation == wanted);
        find(operation).or_else(|| {
            let (_, stand_in) = STAND_INS.iter().find(|(wanted, _)| *wanted == operation)?;
            find(*stand_in)
        })
    }
}

/// Operations that another does as well, by translation, where a provider has none of its own.
const STAND_INS: [(Operation, Operation); 3] = [
    (Operation::Decisions, Operation::ChatCompletion),
    (Operation::Responses, Operation::ChatCompletion),
    (Operation::ResponsesStream, Operation::ChatCompletionStream),
];

/// Where a key, or one of its aliases, is.
struct Site {
    place: Place,
    url: Option<Url>,
    /// It is that of an alias.
    is_alias: bool,
}

fn is_elsewhere(alias: &Alias) -> bool {
    alias.url.is_some() || alias.place != Place::default()
}

/// The login for requests to a place: AWS signs for a region.
fn login_at(login: &Login, place: &Place) -> Login {
    match (login, &place.region) {
        (Login::Aws(login), Some(region)) => {
            Login::Aws(config::AwsLogin { region: region.clone(), ..login.clone() })
        }
        (login, _) => login.clone(),
    }
}

/// A key that can serve a request: switched on and complete.
fn is_usable(provider: &ProviderConfig, key: &config::Key) -> bool {
    let needs_none = matches!(provider.row.auth, Auth::OptionalBearer | Auth::None);
    let is_complete = !key.value.is_empty() || key.login.is_some() || needs_none;
    let has_address = provider.row.base_url != BaseUrl::PerKey
        || provider.network.base_url.is_some()
        || key.url.is_some();
    key.is_enabled && is_complete && has_address
}

fn filter(key: &config::Key) -> ModelFilter {
    let lower = |names: &[String]| names.iter().map(|name| name.to_ascii_lowercase()).collect();
    let allowed = match (&key.models, &key.model_name) {
        (_, Some(model)) => Some(vec![model.to_ascii_lowercase()]),
        (ModelList::All, None) => None,
        (ModelList::Only(names), None) => Some(lower(names)),
    };
    let denied = match &key.blacklisted_models {
        ModelList::All => None,
        ModelList::Only(names) => Some(lower(names)),
    };
    ModelFilter { allowed, denied }
}

fn key_header(auth: Auth) -> Option<KeyHeader> {
    match auth {
        Auth::Bearer | Auth::OptionalBearer => Some(KeyHeader::Bearer),
        Auth::Header(name) => Some(KeyHeader::Named(name)),
        Auth::BearerAndHeader(name) => Some(KeyHeader::BearerAndNamed(name)),
        Auth::None => None,
    }
}

/// The headers of every request: those of the row, and the configured ones that do not contradict them.
fn header_lines(provider: &ProviderConfig, own: &[(&str, &str)]) -> Vec<HeaderLine> {
    let lines = own.iter().map(|(name, value)| line(name, value));
    let is_free =
        |name: &str| !AUTH_HEADERS.contains(&name) && !own.iter().any(|(own, _)| *own == name);
    let extra = provider.network.extra_headers.iter().filter_map(|(name, value)| {
        let name = name.to_ascii_lowercase();
        is_free(&name).then(|| line(&name, value.expose()))
    });
    lines.chain(extra).collect()
}

fn line(name: &str, value: &str) -> HeaderLine {
    HeaderLine { name: name.into(), line: Secret::new(format!("{name}: {value}\r\n")) }
}

/// The headers of a surface with those of one endpoint, which come first where both have one.
fn with_headers(of_surface: &Arc<[HeaderLine]>, own: &[(&str, &str)]) -> Arc<[HeaderLine]> {
    if own.is_empty() {
        return Arc::clone(of_surface);
    }
    let is_other = |known: &&HeaderLine| !own.iter().any(|(name, _)| *name == &*known.name);
    let lines = own.iter().map(|(name, value)| line(name, value));
    let others = of_surface.iter().filter(is_other);
    lines
        .chain(
            others.map(|known| HeaderLine { name: known.name.clone(), line: known.line.clone() }),
        )
        .collect()
}

/// The longest prefix first, so that the first that fits is the one that is meant.
fn beta_overrides(provider: &ProviderConfig) -> Vec<(Box<str>, bool)> {
    let given = provider.network.beta_header_overrides.iter();
    let mut overrides: Vec<(Box<str>, bool)> =
        given.map(|(prefix, is_taken)| (prefix.as_str().into(), *is_taken)).collect();
    overrides.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
    overrides
}

/// A host as written in a URL without the brackets of an IPv6 address.
fn bare_host(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn identity(parts: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(json: &str) -> Snapshot {
        let config = config::parse(json.as_bytes(), &|_| None).unwrap_or_else(|p| panic!("{p}"));
        Builder::new("/tmp/control.sock".into()).build(&config)
    }

    const KEY: &str = r#"{"name":"k","value":"sk-1","models":["*"],"weight":1}"#;

    #[test]
    fn a_provider_is_compiled_to_bytes() {
        let snapshot = build(&format!(
            r#"{{"providers":{{"anthropic":{{"keys":[{KEY}],"network_config":{{
                "base_url":"https://proxy.example:8443/base","extra_headers":{{"X-Team":"a","x-api-key":"no","anthropic-version":"no"}}}}}}}}}}"#
        ));
        let upstream = snapshot.upstream("anthropic").unwrap();
        let service = upstream.service(Operation::ChatCompletion, "m").unwrap();
        assert_eq!((&*upstream.base_path, &*service.path.text("m")), ("/base", "/v1/messages"));
        assert_eq!(upstream.endpoint.as_ref().unwrap().authority, "proxy.example:8443");
        assert_eq!(upstream.keys.keys[0].auth.line(), "x-api-key: sk-1\r\n");
        let lines: Vec<&str> = service.headers.iter().map(|line| line.line.expose()).collect();
        assert_eq!(lines, ["anthropic-version: 2023-06-01\r\n", "x-team: a\r\n"]);
    }

    #[test]
    fn an_alias_is_served_as_its_family_is() {
        let snapshot = build(
            r#"{"providers":{"azure":{"keys":[{"name":"k","value":"v","models":["*"],"weight":1,
                "azure_key_config":{"endpoint":"https://a.example"},
                "aliases":{"best":{"model_id":"deployment-1","model_family":"anthropic"}}}]}}}"#,
        );
        let upstream = snapshot.upstream("azure").unwrap();
        let key = &upstream.keys.keys[0];
        let id = key.alias("Best").unwrap();
        let service = |id: &str, likeness: &str| {
            let service = upstream.service_like(Operation::ChatCompletion, id, likeness);
            service.unwrap().dialect
        };
        assert_eq!(service(id, key.likeness("Best", id)), dialect::Dialect::AnthropicMessages);
        assert_eq!(service("d", key.likeness("d", "d")), dialect::Dialect::OpenAiChat);
        assert!(upstream.serves(Operation::ChatCompletion, "best"));
        assert!(!upstream.serves(Operation::Rerank, "best"));
    }

    #[test]
    fn keys_of_ones_own_servers_bring_their_address() {
        let snapshot = build(
            r#"{"providers":{"ollama":{"keys":[{"name":"k","models":["*"],"weight":1,
                "ollama_key_config":{"url":"http://127.0.0.1:11434/x"}}]}}}"#,
        );
        let upstream = snapshot.upstream("ollama").unwrap();
        assert!(upstream.endpoint.is_none());
        let own = upstream.keys.keys[0].endpoint(0).unwrap();
        assert_eq!((&*own.base_path, own.endpoint.authority.as_str()), ("/x", "127.0.0.1:11434"));
    }

    #[test]
    fn a_reload_keeps_limits_names_and_connections() {
        let mut builder = Builder::new("/tmp/control.sock".into());
        let json = format!(r#"{{"providers":{{"openai":{{"keys":[{KEY}]}}}}}}"#);
        let config = config::parse(json.as_bytes(), &|_| None).unwrap();
        let (first, second) = (builder.build(&config), builder.build(&config));
        let parts = |snapshot: &Snapshot| {
            let upstream = Arc::clone(snapshot.upstream("openai").unwrap());
            (Arc::clone(&upstream.gate), Arc::clone(upstream.endpoint.as_ref().unwrap()))
        };
        let ((gate, endpoint), (gate_2, endpoint_2)) = (parts(&first), parts(&second));
        assert!(Arc::ptr_eq(&gate, &gate_2));
        assert_eq!(endpoint.id, endpoint_2.id);
        assert!(Arc::ptr_eq(&endpoint.connections_open, &endpoint_2.connections_open));
        assert_eq!(builder.names.len(), 1);
    }

    #[test]
    fn what_a_reload_removed_is_forgotten() {
        let mut builder = Builder::new("/tmp/control.sock".into());
        let sizes = |builder: &Builder| {
            (builder.names.len(), builder.connections.len(), builder.gates.len())
        };
        let load = |builder: &mut Builder, names: &[&str]| {
            let providers: Vec<String> =
                names.iter().map(|name| format!(r#""{name}":{{"keys":[{KEY}]}}"#)).collect();
            let json = format!(r#"{{"providers":{{{}}}}}"#, providers.join(","));
            builder.build(&config::parse(json.as_bytes(), &|_| None).unwrap())
        };
        let before = load(&mut builder, &["openai", "groq"]);
        // The control plane has an endpoint too.
        assert_eq!(sizes(&builder), (2, 3, 2));
        let after = load(&mut builder, &["groq"]);
        assert_eq!(sizes(&builder), (1, 2, 1));
        let gate = |snapshot: &Snapshot| Arc::clone(&snapshot.upstream("groq").unwrap().gate);
        assert!(Arc::ptr_eq(&gate(&before), &gate(&after)));
    }

    #[test]
    fn bare_models_find_the_providers_that_list_them() {
        // Of Anthropic's kind, so that names beginning with `gpt-` are theirs only by a key.
        let custom = |name: &str, keys: &str| {
            format!(
                r#""{name}":{{"keys":[{keys}],"network_config":{{"base_url":"http://127.0.0.1:1"}},
                    "custom_provider_config":{{"base_provider_type":"anthropic"}}}}"#
            )
        };
        let key = |name: &str, models: &str| {
            format!(r#"{{"name":"{name}","value":"sk-1","weight":1,"models":{models}}}"#)
        };
        let two = [
            key("picky", r#"["*"],"blacklisted_models":["gpt-4o","private"]"#),
            key("any", r#"["*"]"#),
        ];
        let providers = [
            custom("allows", &key("k", r#"["Gpt-4o","private"]"#)),
            custom("denies", &two.join(",")),
            custom("renames", &key("k", r#"["*"],"aliases":{"Fast":"gpt-4o-mini"}"#)),
            format!(r#""openai":{{"keys":[{KEY}]}}"#),
        ];
        let snapshot = build(&format!(r#"{{"providers":{{{}}}}}"#, providers.join(",")));
        for (model, expected) in [
            ("GPT-4o", &["allows", "openai"][..]),
            ("gpt-4o-mini", &["openai"]),
            ("private", &["allows"]),
            ("fast", &["renames"]),
            ("claude-4", &["allows", "denies", "renames"]),
            ("nobodys", &[]),
        ] {
            let found: Vec<&str> = snapshot.resolve(model).map(|u| &*u.name).collect();
            assert_eq!(found, expected, "{model}");
            let listed = snapshot.upstreams.iter().filter(|u| u.lists_model(model));
            assert_eq!(listed.map(|u| &*u.name).collect::<Vec<_>>(), expected, "{model}");
        }
    }

    #[test]
    fn no_secret_is_printed() {
        let snapshot = build(&format!(
            r#"{{"providers":{{"openai":{{"keys":[{KEY}],
                "network_config":{{"extra_headers":{{"x-team":"hidden-1"}}}},
                "proxy_config":{{"type":"http","url":"http://proxy.example:1","username":"u","password":"hidden-2"}}}}}},
              "governance":{{"virtual_keys":[{{"id":"vk-1","name":"n","value":"sk-bf-hidden-3"}}]}}}}"#
        ));
        assert!(snapshot.virtual_key("sk-bf-hidden-3").is_some());
        let printed = format!("{snapshot:?}");
        assert!(printed.contains("vk-1") && printed.contains("***"));
        for secret in ["sk-1", "hidden-1", "hidden-2", "hidden-3"] {
            assert!(!printed.contains(secret), "{secret}");
        }
    }

    #[test]
    fn endpoints_differ_by_all_that_decides_how_a_connection_is_made() {
        let id = |proxy: &str| {
            let snapshot = build(&format!(
                r#"{{"providers":{{"openai":{{"keys":[{KEY}],"network_config":{{"base_url":"http://api.example"}},
                    "proxy_config":{proxy}}}}}}}"#
            ));
            snapshot.upstream("openai").unwrap().endpoint.as_ref().unwrap().id
        };
        let proxies = [
            r#"{"type":"none"}"#,
            r#"{"type":"http","url":"http://proxy.example:1080"}"#,
            r#"{"type":"http","url":"https://proxy.example:1080"}"#,
            r#"{"type":"http","url":"https://proxy.example:1080",
                "ca_cert_pem":"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"}"#,
            r#"{"type":"http","url":"http://proxy.example:1080","username":"u","password":"p"}"#,
            r#"{"type":"socks5","url":"socks5://proxy.example:1080"}"#,
        ];
        let ids: std::collections::BTreeSet<u64> = proxies.iter().map(|proxy| id(proxy)).collect();
        assert_eq!(ids.len(), proxies.len());
    }

    #[test]
    fn a_path_has_one_base_whatever_the_address_comes_from() {
        let snapshot = build(
            r#"{"providers":{
              "mine":{"keys":[{"name":"k","value":"sk","models":["*"],"weight":1}],
                "network_config":{"base_url":"http://127.0.0.1:1/base"},
                "custom_provider_config":{"base_provider_type":"openai","request_path_overrides":{
                  "chat_completion":"/chat","chat_completion_stream":"http://127.0.0.1:2/whole"}}},
              "root":{"keys":[{"name":"k","value":"sk","models":["*"],"weight":1}],
                "network_config":{"base_url":"http://127.0.0.1:1/base"},
                "custom_provider_config":{"base_provider_type":"openai","request_path_overrides":{
                  "chat_completion":"http://127.0.0.1:3/"}}},
              "vllm":{"network_config":{"base_url":"http://127.0.0.1:4/shared"},"keys":[
                {"name":"own","models":["*"],"weight":1,"vllm_key_config":{"url":"http://127.0.0.1:5/own"}},
                {"name":"none","value":"sk","models":["*"],"weight":1}]}}}"#,
        );
        let destination = |provider: &str, operation, key: usize| {
            let upstream = snapshot.upstream(provider).unwrap();
            let service = upstream.service(operation, "m")?;
            let to = upstream.destination(service, upstream.keys.keys.get(key))?;
            Some(format!("{}{}{}", to.endpoint.authority, to.base_path, to.path.text("m")))
        };
        for (provider, operation, key, expected) in [
            ("mine", Operation::ChatCompletion, 0, "127.0.0.1:1/base/chat"),
            ("mine", Operation::ChatCompletionStream, 0, "127.0.0.1:2/whole"),
            ("root", Operation::ChatCompletion, 0, "127.0.0.1:3/"),
            ("root", Operation::ChatCompletionStream, 0, "127.0.0.1:1/base/v1/chat/completions"),
            ("vllm", Operation::ChatCompletion, 0, "127.0.0.1:5/own/v1/chat/completions"),
            ("vllm", Operation::ChatCompletion, 1, "127.0.0.1:4/shared/v1/chat/completions"),
            ("vllm", Operation::ChatCompletion, 9, "127.0.0.1:4/shared/v1/chat/completions"),
        ] {
            let found = destination(provider, operation, key);
            assert_eq!(found.as_deref(), Some(expected));
        }
    }

    #[test]
    fn addresses_of_clouds_are_made_of_what_keys_and_aliases_say() {
        let snapshot = build(
            r#"{"providers":{
              "azure":{"keys":[{"name":"az","value":"sk","models":["*"],"weight":1,
                "azure_key_config":{"endpoint":"https://one.example"},
                "aliases":{"far":{"model_id":"gpt-4o","endpoint":"https://two.example"}}}]},
              "vertex":{"keys":[{"name":"ve","models":["*"],"weight":1,
                "vertex_key_config":{"project_id":"p","region":"us-central1"},
                "aliases":{"Far":{"model_id":"claude-opus-4","region":"global","project_id":"q"}}}]},
              "bedrock":{"keys":[{"name":"be","value":"sk","models":["*"],"weight":1,
                "bedrock_key_config":{"region":"eu-west-1"},
                "aliases":{"profile":{"model_id":"abc","region":"us-east-1","inference_profile_arn":"arn:aws:x"}}}]},
              "bedrock_mantle":{"network_config":{"base_url":"http://127.0.0.1:1/mock"},
                "keys":[{"name":"ma","value":"sk","models":["*"],"weight":1,
                "bedrock_mantle_key_config":{"region":"eu-west-1","project_id":"x"}}]},
              "databricks":{"keys":[{"name":"da","value":"sk","models":["*"],"weight":1,
                "databricks_key_config":{"workspace_url":"w.example","api_format":"ai_gateway"}}]}}}"#,
        );
        let destination = |provider: &str, model: &str| {
            let upstream = snapshot.upstream(provider).unwrap();
            let member = upstream.keys.pool(model).draw(0).unwrap();
            let key = &upstream.keys.keys[usize::from(member)];
            let wire = key.alias(model).map_or(model, |wire| wire);
            let service = upstream.service(Operation::ChatCompletion, wire).unwrap();
            let to = upstream.destination(service, Some(key)).unwrap();
            format!("{}{}{}", to.endpoint.authority, to.base_path, to.path.text(wire))
        };
        for (provider, model, expected) in [
            ("azure", "gpt-4o", "one.example/openai/v1/chat/completions"),
            ("azure", "claude-opus-4", "one.example/anthropic/v1/messages"),
            ("azure", "far", "two.example/openai/v1/chat/completions"),
            (
                "vertex",
                "claude-opus-4@1",
                "us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/publishers/anthropic/models/claude-opus-4%401:rawPredict",
            ),
            (
                "vertex",
                "far",
                "aiplatform.googleapis.com/v1/projects/q/locations/global/publishers/anthropic/models/claude-opus-4:rawPredict",
            ),
            (
                "vertex",
                "meta/llama-4",
                "us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/endpoints/openapi/chat/completions",
            ),
            (
                "vertex",
                "1234567890",
                "us-central1-aiplatform.googleapis.com/v1beta1/projects/p/locations/us-central1/endpoints/1234567890:generateContent",
            ),
            (
                "bedrock",
                "amazon.nova-pro-v1:0",
                "bedrock-runtime.eu-west-1.amazonaws.com/model/amazon.nova-pro-v1%3A0/converse",
            ),
            (
                "bedrock",
                "profile",
                "bedrock-runtime.us-east-1.amazonaws.com/model/arn%3Aaws%3Ax%2Fabc/converse",
            ),
            ("bedrock_mantle", "m", "127.0.0.1:1/mock/v1/chat/completions"),
            ("databricks", "m", "w.example/ai-gateway/mlflow/v1/chat/completions"),
        ] {
            assert_eq!(destination(provider, model), expected, "{provider}/{model}");
        }
        let bedrock = &snapshot.upstream("bedrock").unwrap().keys.keys[0];
        let servers: Vec<_> =
            bedrock.endpoints.iter().flatten().map(|it| it.endpoint.authority.clone()).collect();
        let expected =
            ["bedrock-runtime", "bedrock", "bedrock-runtime", "bedrock-agent-runtime", "s3"]
                .map(|name| format!("{name}.eu-west-1.amazonaws.com"));
        assert_eq!(servers, expected);
        let mantle = &snapshot.upstream("bedrock_mantle").unwrap().keys.keys[0];
        let expected =
            "authorization: Bearer sk\r\nopenai-project: x\r\nanthropic-workspace-id: x\r\n";
        assert_eq!(mantle.auth.line(), expected);
    }

    #[test]
    fn every_service_of_every_provider_has_an_address() {
        let block = |name: &str| match name {
            "azure" => r#","azure_key_config":{"endpoint":"https://h.example"}"#,
            "vertex" => r#","vertex_key_config":{"project_id":"p","region":"global"}"#,
            "bedrock_mantle" => r#","bedrock_mantle_key_config":{"region":"r"}"#,
            "databricks" => r#","databricks_key_config":{"workspace_url":"https://h.example"}"#,
            "ollama" | "sgl" | "vllm" => r#","{name}_key_config":{"url":"http://127.0.0.1:1"}"#,
            _ => "",
        };
        let configured = provider::PROVIDERS.iter().map(|row| {
            let name = row.name;
            let block = block(name).replace("{name}", name);
            let network = match name {
                "github-copilot" => r#""network_config":{"base_url":"https://h.example"},"#,
                _ => "",
            };
            let key =
                format!(r#"{{"name":"{name}","value":"sk-1","models":["*"],"weight":1{block}}}"#);
            format!(r#""{name}":{{{network}"keys":[{key}]}}"#)
        });
        let snapshot =
            build(&format!(r#"{{"providers":{{{}}}}}"#, configured.collect::<Vec<_>>().join(",")));
        assert_eq!(snapshot.upstreams.len(), provider::PROVIDERS.len());
        for upstream in &snapshot.upstreams {
            let key = &upstream.keys.keys[0];
            let by_variant = upstream.variants.iter().flat_map(|variant| &variant.services);
            for service in upstream.services.iter().chain(by_variant).flatten() {
                let to = upstream.destination(service, Some(key));
                let to = to.unwrap_or_else(|| panic!("{} {service:?}", upstream.name));
                let path = format!("{}{}", to.base_path, to.path.fill(|_| Some("m")));
                assert!(path.starts_with('/') && !path.contains(['{', '}']), "{path}");
                assert!(!path.contains("//"), "{path}");
            }
            let listed =
                upstream.list.as_ref().map(|list| upstream.list_destination(list, Some(key)));
            assert!(listed.is_none_or(|to| to.is_some()), "{}", upstream.name);
        }
    }

    #[test]
    fn an_alias_elsewhere_is_the_same_key_and_obeys_its_lists() {
        let snapshot = build(
            r#"{"providers":{"vertex":{"keys":[{"name":"v","weight":1,
                "models":["near","far"],
                "vertex_key_config":{"project_id":"p","region":"us-central1"},
                "aliases":{"far":{"model_id":"x","region":"global"},
                           "other":{"model_id":"x","region":"eu"}}}]}}}"#,
        );
        let table = &snapshot.upstream("vertex").unwrap().keys;
        let labels: Vec<_> = table.keys.iter().map(|key| key.label.name.as_str()).collect();
        assert_eq!(labels, ["v", "v"]);
        assert_eq!(table.pool("near").members(), [0]);
        assert_eq!(table.pool("FAR").members(), [1]);
        assert!(table.pool("other").is_empty());
        assert_eq!(table.named_models().collect::<Vec<_>>(), ["far", "near"]);
    }

    #[test]
    fn whoever_chats_answers_responses_too() {
        let snapshot = build(&format!(
            r#"{{"providers":{{"groq":{{"keys":[{KEY}]}},
              "mine":{{"keys":[{KEY}],"network_config":{{"base_url":"http://127.0.0.1:1"}},
                "custom_provider_config":{{"base_provider_type":"anthropic","allowed_requests":{{"chat_completion":true}}}}}}}}}}"#
        ));
        let groq = snapshot.upstream("groq").unwrap();
        for (operation, stand_in) in STAND_INS {
            let [wanted, chat] = [operation, stand_in].map(|it| groq.service(it, "m").unwrap());
            assert_eq!(wanted.path.text("m"), chat.path.text("m"));
            assert_eq!(wanted.dialect, chat.dialect);
        }
        let mine = snapshot.upstream("mine").unwrap();
        assert!(mine.service(Operation::Responses, "m").is_none());
    }

    #[test]
    fn keys_that_log_in_get_the_signer_of_their_login() {
        #[derive(Debug)]
        struct Named(Login);
        impl crate::Sign for Named {
            fn sign(&self, _: &crate::Unsigned<'_>, lines: &mut Vec<u8>) -> Result<(), String> {
                let Login::Aws(login) = &self.0 else { return Err("not of AWS".to_owned()) };
                let line = format!("signed: {} {}\r\n", login.service, login.region);
                lines.extend_from_slice(line.as_bytes());
                Ok(())
            }

            fn covers_body(&self) -> bool {
                matches!(self.0, Login::Aws(_))
            }
        }
        #[derive(Debug)]
        struct All;
        impl Signers for All {
            fn signer(&self, login: &Login) -> Arc<dyn crate::Sign> {
                Arc::new(Named(login.clone()))
            }
        }
        let config = config::parse(
            br#"{"providers":{
              "bedrock_mantle":{"keys":[{"name":"m","models":["*"],"weight":1,
                "bedrock_mantle_key_config":{"region":"eu-west-1","project_id":"x"},
                "aliases":{"far":{"model_id":"m","region":"us-east-1"}}}]},
              "bedrock":{"keys":[{"name":"b","models":["*"],"weight":1,
                "bedrock_key_config":{"region":"eu-west-1"}}]},
              "vertex":{"keys":[{"name":"v","models":["*"],"weight":1,
                "vertex_key_config":{"project_id":"p","region":"global"}}]}}}"#,
            &|_| None,
        )
        .unwrap();
        let snapshot = Builder::with_signers("unused".into(), Box::new(All)).build(&config);
        let sign = |key: &Key| {
            let KeyAuth::Signer(signer) = &key.auth else { panic!("{key:?}") };
            let unsigned = crate::Unsigned {
                method: "POST",
                authority: "h",
                path: "/",
                headers: &[],
                body: b"",
            };
            let mut lines = Vec::new();
            signer.sign(&unsigned, &mut lines).map(|()| String::from_utf8(lines).unwrap())
        };
        let mantle = &snapshot.upstream("bedrock_mantle").unwrap().keys;
        let project = "openai-project: x\r\nanthropic-workspace-id: x\r\n";
        for (key, region) in mantle.keys.iter().zip(["eu-west-1", "us-east-1"]) {
            let expected = format!("signed: bedrock-mantle {region}\r\n{project}");
            assert_eq!(sign(key), Ok(expected));
        }
        assert!(mantle.signs_bodies());
        let bedrock = snapshot.upstream("bedrock").unwrap();
        let signs_for = |operation| {
            let root = bedrock.service_for_all(operation).unwrap().root;
            let KeyAuth::Signer(signer) = bedrock.keys.keys[0].auth_at(root) else { panic!() };
            format!("{signer:?}").contains("service: \"s3\"")
        };
        assert!(signs_for(Operation::FileUpload) && !signs_for(Operation::BatchCreate));
        let vertex = &snapshot.upstream("vertex").unwrap().keys;
        assert!(sign(&vertex.keys[0]).is_err() && !vertex.signs_bodies());
    }

    #[test]
    fn models_are_split_from_known_providers_only() {
        let snapshot = build(&format!(r#"{{"providers":{{"openai":{{"keys":[{KEY}]}}}}}}"#));
        for (model, expected) in [
            ("openai/gpt-4o", (Some("openai"), "gpt-4o")),
            ("openrouter/meta-llama/Llama-3", (Some("openrouter"), "meta-llama/Llama-3")),
            ("meta-llama/Llama-3", (None, "meta-llama/Llama-3")),
            ("OpenAI/gpt-4o", (None, "OpenAI/gpt-4o")),
        ] {
            assert_eq!(snapshot.split_model(model), expected);
        }
    }

    #[test]
    fn custom_providers_do_only_what_they_are_allowed() {
        let snapshot = build(&format!(
            r#"{{"providers":{{"mine":{{"keys":[{KEY}],"network_config":{{"base_url":"http://127.0.0.1:1"}},
                "custom_provider_config":{{"base_provider_type":"openai","allowed_requests":{{"chat_completion":true}},
                "request_path_overrides":{{"chat_completion":"/my/chat"}}}}}}}}}}"#
        ));
        let upstream = snapshot.upstream("mine").unwrap();
        assert_eq!(
            upstream.service(Operation::ChatCompletion, "m").unwrap().path.text("m"),
            "/my/chat"
        );
        assert!(upstream.service(Operation::ChatCompletionStream, "m").is_none());
    }
}
