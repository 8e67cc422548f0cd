//! Proxy addresses, and the rules of the environment.

use super::*;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

#[test]
fn addresses_of_proxies_are_read_in_every_form() {
    for (text, kind, scheme, host, port) in [
        ("http://proxy:3128", ProxyKind::Http, Scheme::Http, "proxy", 3128),
        ("proxy:3128", ProxyKind::Http, Scheme::Http, "proxy", 3128),
        ("http://proxy", ProxyKind::Http, Scheme::Http, "proxy", 80),
        ("https://proxy", ProxyKind::Http, Scheme::Https, "proxy", 443),
        ("socks5://proxy", ProxyKind::Socks5, Scheme::Http, "proxy", 1080),
        ("socks5h://proxy:80", ProxyKind::Socks5, Scheme::Http, "proxy", 80),
        ("socks5://[::80]", ProxyKind::Socks5, Scheme::Http, "::80", 1080),
        ("http://proxy:3128/", ProxyKind::Http, Scheme::Http, "proxy", 3128),
        ("socks5://u:p@[::1]:1081", ProxyKind::Socks5, Scheme::Http, "::1", 1081),
    ] {
        let server = parse_server(text, ProxyKind::Http).unwrap();
        assert_eq!(
            (server.kind, server.scheme, server.host.as_str(), server.port),
            (kind, scheme, host, port),
            "{text}"
        );
    }
    for text in
        ["", "http://", "ftp://proxy", "http://proxy:x", "proxy:3128?x", "http://proxy:1/path"]
    {
        assert!(parse_server(text, ProxyKind::Http).is_err(), "{text}");
    }
    assert!(parse_server("https://proxy", ProxyKind::Socks5).is_err());
}

#[test]
fn credentials_of_the_address_are_decoded_and_never_shown() {
    let server = parse_server("http://us%40er:p%2Fw%zz@proxy:1", ProxyKind::Http).unwrap();
    assert_eq!(server.username.as_deref(), Some("us@er"));
    assert_eq!(server.password.as_ref().map(Secret::expose), Some("p/w%zz"));
    assert!(!format!("{server:?}").contains("p/w"));
}

#[test]
fn no_proxy_names_hosts_subdomains_addresses_and_networks() {
    for (rule, target, expected) in [
        ("*", "https://anything", true),
        ("example.com", "https://example.com", true),
        ("example.com", "https://api.example.com", true),
        ("example.com", "https://notexample.com", false),
        (".example.com", "https://example.com", false),
        (".example.com", "https://api.example.com", true),
        ("*.example.com", "https://api.example.com", true),
        ("example.com:8443", "https://example.com:8443", true),
        ("example.com:8443", "https://example.com", false),
        ("10.0.0.0/8", "http://10.1.2.3", true),
        ("10.0.0.0/8", "http://11.1.2.3", false),
        ("10.0.0.0/33", "http://10.1.2.3", false),
        ("0.0.0.0/0", "http://10.1.2.3", true),
        ("::/0", "http://[2001:db8::1]", true),
        ("2001:db8::/32", "http://[2001:db8::1]", true),
        ("2001:db8::/32", "http://10.0.0.1", false),
        ("10.1.2.3", "http://10.1.2.3:8080", true),
        ("10.1.2.3:81", "http://10.1.2.3:81", true),
        ("10.1.2.3:81", "http://10.1.2.3:82", false),
    ] {
        assert_eq!(covers(rule, &url(target)), expected, "{rule} {target}");
    }
}

#[test]
fn the_environment_chooses_by_scheme_and_never_for_loopback() {
    let server = |text: &str| parse_server(text, ProxyKind::Http).ok();
    let proxies = ProxyConfig::Environment(EnvironmentProxies {
        http: server("http://plain:1"),
        https: server("http://secure:2"),
        direct: vec!["internal".to_owned()],
    });
    let port = |target: &str| proxies.on_the_way_to(&url(target)).map(|server| server.port);
    assert_eq!(port("http://example.com"), Some(1));
    assert_eq!(port("https://example.com"), Some(2));
    assert_eq!(port("https://vault.internal"), None);
    assert_eq!(port("http://localhost:11434"), None);
    assert_eq!(port("http://[::1]:11434"), None);
    assert_eq!(ProxyConfig::Direct.on_the_way_to(&url("http://example.com")), None);
}
