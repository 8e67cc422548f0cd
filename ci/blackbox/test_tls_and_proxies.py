"""TLS towards callers and providers, and the way to a provider through an HTTP or SOCKS5 proxy."""

import ssl
import subprocess

import pytest

from harness import Mock, StartError, both_dialects, config_of, provider
from proxies import HttpProxy, SocksProxy
from raw_http import trusting


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Paths of a certificate for localhost, which is its own authority, and of its key."""
    folder = tmp_path_factory.mktemp("tls")
    paths = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-out",
            paths[0],
            "-keyout",
            paths[1],
        ],
        check=True,
        capture_output=True,
    )
    return paths


@pytest.fixture(scope="module")
def secure_mock(certificate):
    process = Mock("--tls-cert", certificate[0], "--tls-key", certificate[1])
    yield process
    process.stop()


def secure_url(mock):
    return f"https://localhost:{mock.port}"


@pytest.mark.parametrize("stream", [False, True])
def test_callers_are_served_over_tls(start, mock, driver, certificate, stream):
    tls = {"certificate": str(certificate[0]), "private_key": str(certificate[1])}
    gateway = start({**both_dialects(mock), "server": {"read_buffer_size": 65536, "tls": tls}}, driver=driver)
    with gateway.connect(tls=trusting(certificate[0])) as connection:
        for number in range(3):
            body = {
                "model": "openai/m",
                "stream": stream,
                "messages": [{"role": "user", "content": f"secret {number}."}],
            }
            reply = connection.request("POST", "/v1/chat/completions", {}, body)
            assert f"secret {number}." in reply.text()
            assert reply.header("strict-transport-security") == "max-age=31536000; includeSubDomains"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_both_current_versions_are_spoken(start, mock, certificate, version):
    tls = {"certificate": certificate[0].read_text(), "private_key": certificate[1].read_text()}
    gateway = start({**both_dialects(mock), "server": {"read_buffer_size": 65536, "tls": tls}})
    context = trusting(certificate[0])
    context.minimum_version = context.maximum_version = version
    assert gateway.request("GET", "/health", tls=context).status == 200
    with pytest.raises(Exception):
        gateway.request("GET", "/health")
    assert gateway.request("GET", "/health", tls=context).status == 200


@pytest.mark.parametrize(
    "network, works",
    [
        ({"insecure_skip_verify": True}, True),
        ({"ca_cert_pem": "OURS"}, True),
        ({}, False),
    ],
    ids=["unverified", "own authority", "unknown authority"],
)
def test_a_provider_over_tls_is_verified(start, secure_mock, driver, certificate, network, works):
    network = {
        name: certificate[0].read_text() if value == "OURS" else value for name, value in network.items()
    }
    gateway = start(config_of({"openai": provider(secure_url(secure_mock), ["k"], network)}), driver=driver)
    for stream in (False, True):
        reply = gateway.chat("openai/m", "over tls", stream=stream)
        if works:
            assert "over tls" in reply.text()
        else:
            assert reply.status == 502
            assert "provider_connection_failed" in reply.body.decode()


PROXIES = {"http": HttpProxy, "socks5": SocksProxy}


@pytest.fixture(params=PROXIES)
def proxy(request):
    running = PROXIES[request.param]()
    running.kind = request.param
    yield running
    running.stop()


def proxied(proxy, **members):
    return {"proxy_config": {"type": proxy.kind, "url": f"{proxy.kind}://127.0.0.1:{proxy.port}", **members}}


def test_a_provider_is_reached_through_a_proxy(start, mock, driver, proxy):
    gateway = start(config_of({"openai": provider(mock.url, ["k"], **proxied(proxy))}), driver=driver)
    for stream in (False, True):
        assert "the long way" in gateway.chat("openai/m", "the long way", stream=stream).text()
    assert set(proxy.targets) == {("127.0.0.1", mock.port)}
    assert proxy.users == []


def test_a_proxy_is_told_who_asks(start, mock, proxy):
    section = provider(mock.url, ["k"], **proxied(proxy, username="me", password="pass:word"))
    gateway = start(config_of({"openai": section}))
    assert gateway.chat("openai/m").status == 200
    assert set(proxy.users) == {"me:pass:word"}
    assert "pass:word" not in gateway.process.log()


def test_tls_goes_through_a_proxy_end_to_end(start, secure_mock, certificate, proxy):
    network = {"ca_cert_pem": certificate[0].read_text()}
    gateway = start(
        config_of({"openai": provider(secure_url(secure_mock), ["k"], network, **proxied(proxy))})
    )
    assert "wrapped" in gateway.chat("openai/m", "wrapped").text()
    # The name is left to the proxy to resolve.
    assert proxy.targets[0] == ("localhost", secure_mock.port)


def test_a_proxy_that_is_not_there_is_a_failed_connection(start, mock, refused_url):
    section = provider(mock.url, ["k"], proxy_config={"type": "http", "url": refused_url})
    reply = start(config_of({"openai": section})).chat("openai/m")
    assert reply.status == 502
    assert mock.requests() == []


def test_a_link_local_address_is_refused_at_start(start):
    config = config_of({"openai": provider("http://169.254.169.254", ["k"], {"allow_private_network": True})})
    with pytest.raises(StartError, match="network_config.base_url"):
        start(config)
