//! `providers.<name>.proxy_config`: what stands between the gateway and a provider.

use std::net::IpAddr;

use http::uri::Authority;

use crate::member::{Fallback, Member, Object, Shape, member};
use crate::network::read_certificates;
use crate::secret::Secret;
use crate::url::{Scheme, Url, given_port};
use crate::view::{Context, View};

/// How a provider is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyConfig {
    /// Without a proxy.
    Direct,
    /// Always through this one.
    Through(ProxyServer),
    /// As `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say.
    Environment(EnvironmentProxies),
}

impl ProxyConfig {
    /// The proxy on the way to `target`, if any.
    pub fn on_the_way_to(&self, target: &Url) -> Option<&ProxyServer> {
        match self {
            Self::Direct => None,
            Self::Through(server) => Some(server),
            Self::Environment(proxies) => proxies.on_the_way_to(target),
        }
    }
}

/// A proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyServer {
    /// How to speak to it.
    pub kind: ProxyKind,
    /// Whether it is itself spoken to over TLS.
    pub scheme: Scheme,
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// User name, where it wants one.
    pub username: Option<String>,
    /// Password, where it wants one.
    pub password: Option<Secret>,
    /// Certificates (PEM) that are trusted for it beside the system's.
    pub ca_cert_pem: Option<String>,
}

/// Proxy protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyKind {
    /// `CONNECT`.
    Http,
    /// SOCKS version 5.
    Socks5,
}

/// What the environment says about proxies, as curl and Go read it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvironmentProxies {
    /// For `http` targets.
    pub http: Option<ProxyServer>,
    /// For `https` targets.
    pub https: Option<ProxyServer>,
    /// Hosts reached directly: names with their subdomains, addresses, networks, or `*`.
    pub direct: Vec<String>,
}

impl EnvironmentProxies {
    fn on_the_way_to(&self, target: &Url) -> Option<&ProxyServer> {
        if is_loopback(&target.host) || self.direct.iter().any(|rule| covers(rule, target)) {
            return None;
        }
        match target.scheme {
            Scheme::Http => self.http.as_ref(),
            Scheme::Https => self.https.as_ref(),
        }
    }
}

pub(crate) const PROXY: Object =
    Object::closed("What stands between the gateway and the provider.", MEMBERS);

const MEMBERS: &[Member] = &[
    member("type", Shape::Choice(&["none", "http", "socks5", "environment"]), "Kind of proxy.")
        .required()
        .or(Fallback::Text("none")),
    member("url", Shape::Secret, "Address, for example http://proxy:3128."),
    member("username", Shape::Reference, "User name, where the proxy wants one."),
    member("password", Shape::Secret, "Password, where the proxy wants one."),
    member("ca_cert_pem", Shape::Secret, "Certificates (PEM) trusted for the proxy."),
];

/// Reads the section.
pub(crate) fn read(view: &View<'_>, context: &mut Context<'_>) -> ProxyConfig {
    let kind = match view.choice("type") {
        "http" => ProxyKind::Http,
        "socks5" => ProxyKind::Socks5,
        "environment" => return ProxyConfig::Environment(read_environment(view, context)),
        _ => return ProxyConfig::Direct,
    };
    match read_server(view, kind, context) {
        Some(server) => ProxyConfig::Through(server),
        // Unreachable for the caller: a proxy that cannot be read is a problem.
        None => ProxyConfig::Direct,
    }
}

fn read_server(view: &View<'_>, kind: ProxyKind, context: &mut Context<'_>) -> Option<ProxyServer> {
    if !view.has("url") {
        let hint = "or set `type` to \"none\"";
        context.hinted(view.at("url"), "the address of the proxy is missing", hint);
    }
    let text = view.needed_reference("url", context)?;
    let server = match parse_server(&text, kind) {
        Ok(server) => server,
        Err(message) => {
            context.problem(view.at("url"), message);
            return None;
        }
    };
    let username = view.reference("username", context);
    let password = view.secret("password", context);
    Some(ProxyServer {
        username: username.or(server.username),
        password: password.or(server.password),
        ca_cert_pem: read_certificates(view, context),
        ..server
    })
}

fn read_environment(view: &View<'_>, context: &mut Context<'_>) -> EnvironmentProxies {
    let env = context.env;
    let variable = |name: &str| {
        let lower = name.to_ascii_lowercase();
        env(name).or_else(|| env(&lower)).filter(|value| !value.is_empty())
    };
    let mut server = |name: &str| {
        let text = variable(name)?;
        match parse_server(&text, ProxyKind::Http) {
            Ok(server) => Some(server),
            Err(message) => {
                context.problem(view.at("type"), format!("{name} {message}"));
                None
            }
        }
    };
    let direct = variable("NO_PROXY").unwrap_or_default();
    EnvironmentProxies {
        http: server("HTTP_PROXY"),
        https: server("HTTPS_PROXY"),
        direct: direct
            .split(',')
            .map(|rule| rule.trim().to_ascii_lowercase())
            .filter(|rule| !rule.is_empty())
            .collect(),
    }
}

/// Reads `[scheme://][user[:password]@]host[:port]`. A scheme of SOCKS overrules `kind`, as in the
/// variables of the environment.
fn parse_server(text: &str, kind: ProxyKind) -> Result<ProxyServer, &'static str> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let (kind, scheme) = match scheme.to_ascii_lowercase().as_str() {
        "" => (kind, Scheme::Http),
        "http" => (kind, Scheme::Http),
        "https" if kind == ProxyKind::Http => (kind, Scheme::Https),
        "socks5" | "socks5h" => (ProxyKind::Socks5, Scheme::Http),
        _ => return Err("must begin with http://, https:// or socks5://"),
    };
    let (user, server) = rest.rsplit_once('@').unwrap_or(("", rest));
    let url = Url::parse(&format!("{}://{server}", scheme.name()))?;
    let server: Authority = server.trim_end_matches('/').parse().map_err(|_| "is not valid")?;
    let (username, password) = match user.split_once(':') {
        Some((username, password)) => (username, Some(password)),
        None => (user, None),
    };
    Ok(ProxyServer {
        kind,
        scheme,
        host: url.host,
        port: given_port(&server)?.unwrap_or(default_port(kind, scheme)),
        username: (!username.is_empty()).then(|| percent_decoded(username)),
        password: password.map(|password| Secret::new(percent_decoded(password))),
        ca_cert_pem: None,
    })
}

/// 1080 is the port IANA keeps for SOCKS.
fn default_port(kind: ProxyKind, scheme: Scheme) -> u16 {
    match kind {
        ProxyKind::Http => scheme.default_port(),
        ProxyKind::Socks5 => 1080,
    }
}

/// `%2F` and the like; what is not valid stays as it stands.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let decoded = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match decoded {
            Some(decoded) if byte == b'%' => {
                bytes.push(decoded);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Whether a rule of `NO_PROXY` speaks of this target.
fn covers(rule: &str, target: &Url) -> bool {
    if rule == "*" {
        return true;
    }
    if let Ok(address) = target.host.parse::<IpAddr>() {
        return match rule.split_once('/') {
            Some((network, bits)) => is_in_network(address, network, bits),
            None => rule.parse() == Ok(address) || rule == target.authority(),
        };
    }
    let (name, port) = rule.rsplit_once(':').unwrap_or((rule, ""));
    if !port.is_empty() && port.parse() != Ok(target.port) {
        return false;
    }
    let name = name.trim_start_matches('*');
    match target.host.strip_suffix(name.trim_start_matches('.')) {
        // `.example.com` covers subdomains alone, `example.com` itself too.
        Some("") => !name.starts_with('.'),
        Some(subdomain) => subdomain.ends_with('.'),
        None => false,
    }
}

fn is_in_network(address: IpAddr, network: &str, bits: &str) -> bool {
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else {
        return false;
    };
    let (address, network, width) = match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u128::from(a.to_bits()), u128::from(b.to_bits()), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits(), 128),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
    };
    let Some(host_bits) = u32::checked_sub(width, bits) else {
        return false;
    };
    let differing = address ^ network;
    differing.checked_shr(host_bits).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests;
