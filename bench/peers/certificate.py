"""A certificate for a provider on this machine that speaks TLS."""

import subprocess

from peers import CACHE

DAYS = 365


def make_certificate():
    """The paths of a self-signed certificate for localhost and of its key, made once."""
    folder = CACHE / "tls"
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    if not certificate.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        command += ["-nodes", "-days", str(DAYS), "-subj", "/CN=localhost"]
        command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        # Not an authority: else it would be refused as the certificate of a server.
        command += ["-addext", "basicConstraints=critical,CA:FALSE"]
        command += ["-keyout", key, "-out", certificate]
        subprocess.run(command, check=True, capture_output=True)
    return certificate, key
