//! Checked configuration → snapshot. Pure but for what must outlive a reload, which the builder
//! keeps: resolved names, connection counts, and limits in force.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use config::{Config, ModelList, PathOverride, ProviderConfig, ProxyServer, Scheme, Secret, Url};
use dialect::Operation;
use meter::Gate;
use provider::{Auth, BaseUrl, BodyRules};

use crate::kept::Kept;
use crate::keys::{KeyEndpoint, ModelFilter};
use crate::models::Models;
use crate::virtual_keys::{Value, VirtualKeys};
use crate::{
    Address, Client, Cors, Endpoint, HeaderFilter, HeaderLine, Key, KeyAuth, KeyHeader, KeyLabel,
    KeyTable, Path, ProxyHop, ProxyKind, Resolved, Retry, Service, Services, Snapshot, Tls,
    Upstream, Variant, VirtualKey,
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

/// Headers that authenticate: `extra_headers` never sets them.
const AUTH_HEADERS: &[&str] =
    &["authorization", "x-api-key", "api-key", "x-goog-api-key", "xi-api-key"];

/// Builds snapshots, one after the other.
#[derive(Debug)]
pub struct Builder {
    control_socket: PathBuf,
    names: Kept<(String, u16), Resolved>,
    connections: Kept<u64, AtomicUsize>,
    gates: Kept<String, Gate>,
}

impl Builder {
    /// A builder for a control plane that listens on `control_socket`.
    pub fn new(control_socket: PathBuf) -> Self {
        Self {
            control_socket,
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
        let own =
            Surface { endpoints: row.endpoints, headers: Arc::clone(&headers), body: &row.body };
        let services = self.services(provider, &own);
        let variants = row.variants.iter().map(|variant| {
            let headers = header_lines(provider, variant.headers).into();
            let surface = Surface { endpoints: variant.endpoints, headers, body: &variant.body };
            Variant { models: variant.models, services: self.services(provider, &surface) }
        });
        let variants = variants.collect();
        let keys = provider.keys.iter().filter(|key| is_usable(provider, key));
        let keys = keys.map(|key| (self.key(provider, key, key_header), filter(key))).collect();
        Upstream {
            name: provider.name.as_str().into(),
            services,
            variants,
            endpoint,
            base_path,
            keys: KeyTable::new(keys),
            is_keyless: provider.is_keyless(),
            direct_key: key_header,
            headers,
            openai: row.openai,
            // What a custom provider does unasked is not known.
            tells_usage_when_asked: row.tells_usage_when_asked && provider.custom.is_none(),
            disable_store: provider.disable_store,
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
            BaseUrl::PerKey => (None, String::new()),
        }
    }

    fn services(&mut self, provider: &ProviderConfig, surface: &Surface) -> Services {
        Operation::all().map(|operation| self.service(provider, surface, operation)).collect()
    }

    fn service(
        &mut self,
        provider: &ProviderConfig,
        surface: &Surface,
        operation: Operation,
    ) -> Option<Service> {
        let custom = provider.custom.as_ref();
        let row = surface.endpoints.iter().find(|endpoint| endpoint.operation == operation)?;
        let dialect = row.dialect?;
        let is_allowed = custom
            .and_then(|custom| custom.allowed.as_ref())
            .is_none_or(|allowed| allowed.contains(&operation));
        if !is_allowed {
            return None;
        }
        let changed = custom.and_then(|custom| {
            custom.path_overrides.iter().find(|(changed, _)| *changed == operation)
        });
        let (endpoint, path) = match changed {
            Some((_, PathOverride::Url(url))) if url.path.is_empty() => {
                (Some(self.endpoint(provider, url)), "/")
            }
            Some((_, PathOverride::Url(url))) => {
                (Some(self.endpoint(provider, url)), url.path.as_str())
            }
            Some((_, PathOverride::Path(path))) => (None, path.as_str()),
            None => (None, row.path),
        };
        Some(Service {
            dialect,
            path: Path::new(path),
            endpoint,
            headers: Arc::clone(&surface.headers),
            body: surface.body,
        })
    }

    fn key(
        &mut self,
        provider: &ProviderConfig,
        key: &config::Key,
        header: Option<KeyHeader>,
    ) -> Key {
        let value = key.value.expose();
        let auth_line = header.filter(|_| !value.is_empty()).map(|header| header.line(value));
        let aliases = key.aliases.iter().map(|(name, alias)| {
            (name.to_ascii_lowercase().into(), Arc::from(alias.model_id.as_str()))
        });
        let endpoint = key.url.as_ref().map(|url| KeyEndpoint {
            endpoint: self.endpoint(provider, url),
            base_path: url.path.as_str().into(),
        });
        Key {
            label: Arc::new(KeyLabel { id: key.id.clone(), name: key.name.clone() }),
            auth: KeyAuth::Line(Secret::new(auth_line.unwrap_or_default())),
            weight: (key.weight * 100.0) as u32,
            aliases: aliases.collect(),
            endpoint,
        }
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
    }
}

/// One way of asking a provider: its own, or that of some of its models.
struct Surface {
    endpoints: &'static [provider::Endpoint],
    headers: Arc<[HeaderLine]>,
    body: &'static BodyRules,
}

/// A key that can serve a request: switched on and complete.
fn is_usable(provider: &ProviderConfig, key: &config::Key) -> bool {
    let is_complete = !key.value.is_empty() || provider.row.key_optional;
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
    fn keys_of_ones_own_servers_bring_their_address() {
        let snapshot = build(
            r#"{"providers":{"ollama":{"keys":[{"name":"k","models":["*"],"weight":1,
                "ollama_key_config":{"url":"http://127.0.0.1:11434/x"}}]}}}"#,
        );
        let upstream = snapshot.upstream("ollama").unwrap();
        assert!(upstream.endpoint.is_none());
        let own = upstream.keys.keys[0].endpoint.as_ref().unwrap();
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
