"""The gateways and proxies that are measured beside ours, as a table: how each is installed and started.

Each gets as many workers as the gateway and the settings its makers advise for speed. Those stand in the
file that the entry names, with the reason beside those that decide something. In commands, configurations
and the environment `$port`, `$upstream`, `$workers`, `$folder` (made for this start) and `$config` (written
into it) are filled in."""

import getpass
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent / ".cache"
TARGETS = HERE.parent.parent / "loadgen" / "targets"

LITELLM_VERSION = "1.106.2"
LITELLM = CACHE / f"litellm-{LITELLM_VERSION}"
PORTKEY_VERSION = "1.15.2"
PORTKEY = CACHE / f"portkey-{PORTKEY_VERSION}"
PORTKEY_PACKAGE = PORTKEY / "node_modules" / "@portkey-ai" / "gateway"
PORTKEY_PROJECT = {
    "private": True,
    "dependencies": {"@portkey-ai/gateway": PORTKEY_VERSION},
    # With a later one each streamed reply fails: https://github.com/Portkey-AI/gateway/issues/1389
    "overrides": {"@hono/node-server": "1.14.1"},
}
# The original gateway is not built here: this names a binary of it.
BIFROST_GO = os.environ.get("BIFROST_GO", "bifrost-http")
# Ours, as `bench/run` has built it.
OWN_GATEWAY = os.environ.get("BIFROST_BINARY", str(HERE.parent.parent / "target" / "measure" / "bifrost"))


class PeerError(Exception):
    """Why a peer cannot be started, and what to change."""


class PeerMissing(PeerError):
    """A peer has to be brought by the user."""


@dataclass(frozen=True)
class Peer:
    """A program that stands between an application and a model provider."""

    command: list[str]
    install: Callable[[], None]
    # Prints its version; None if it tells that only while it runs.
    version: list[str] | None
    # A file beside this one.
    config: str | None = None
    values: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    # Whether it can be given more workers than one.
    can_scale: bool = False
    # Whether the provider behind it has to speak TLS.
    tls_upstream: bool = False

    def version_text(self):
        """The number alone, such as `1.22.1`, or `unknown`."""
        if self.version is None:
            return "unknown"
        run = subprocess.run(self.version, capture_output=True, text=True, check=False)
        match = re.search(r"\d+(\.\d+)+[-+~\w.]*", run.stdout + run.stderr)
        if match is None:
            raise PeerError(f"{' '.join(self.version)} tells no version: {run.stdout}{run.stderr}")
        return match.group(0)

    def prepare(self, folder, **values):
        """Writes its configuration into `folder`; the command line and the environment that start it."""
        values |= {"folder": folder, **self.values}
        if self.config is not None:
            values["config"] = folder / f"config{Path(self.config).suffix}"
            values["config"].write_text(fill((HERE / self.config).read_text(), values))
        environment = {name: fill(value, values) for name, value in self.environment.items()}
        return [fill(part, values) for part in self.command], environment


def fill(text, values):
    return Template(text).substitute(values)


def target(name):
    """What `loadgen/targets/NAME.toml` says of the requests it is sent."""
    return tomllib.loads((TARGETS / f"{name}.toml").read_text())


def port_of(name):
    """The port that its target file gives it."""
    return port_in(target(name)["address"])


def port_in(address):
    return int(address.rpartition(":")[2])


# --- how they are installed ---


def install_program(program, package):
    """An installer for a program of the system's packages."""

    def install():
        if shutil.which(program) is None:
            run_quietly("apt-get", "update", "-qq")
            run_quietly("apt-get", "install", "-qq", "-y", "--no-install-recommends", package)

    return install


def install_litellm():
    if not (LITELLM / "installed").exists():
        shutil.rmtree(LITELLM, ignore_errors=True)
        run_quietly(sys.executable, "-m", "venv", LITELLM)
        run_quietly(LITELLM / "bin" / "pip", "install", "--quiet", f"litellm[proxy]=={LITELLM_VERSION}")
        (LITELLM / "installed").touch()


def install_portkey():
    if not (PORTKEY / "installed").exists():
        if shutil.which("npm") is None:
            raise PeerMissing("Portkey needs Node.js 18 or newer with npm; install that first")
        shutil.rmtree(PORTKEY, ignore_errors=True)
        PORTKEY.mkdir(parents=True)
        (PORTKEY / "package.json").write_text(json.dumps(PORTKEY_PROJECT))
        run_quietly("npm", "install", "--prefix", PORTKEY, "--no-audit", "--no-fund", "--silent")
        (PORTKEY / "installed").touch()


def find_bifrost_go():
    if shutil.which(BIFROST_GO) is None:
        raise PeerMissing(f"no program {BIFROST_GO}: let BIFROST_GO name a binary of the original gateway")


def find_own_gateway():
    if shutil.which(OWN_GATEWAY) is None:
        raise PeerMissing(
            f"no gateway at {OWN_GATEWAY}: `bench/run` builds it, or let BIFROST_BINARY name one"
        )


def run_quietly(*command):
    """Runs a command of an installation and shows what it printed only when it failed."""
    words = [str(part) for part in command]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run = subprocess.run(
        words,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if run.returncode != 0:
        raise PeerError(f"{' '.join(words)} failed:\n{run.stdout}")


# --- the table ---


def nginx(scheme):
    return Peer(
        command=["nginx", "-e", "stderr", "-p", "$folder", "-c", "$config"],
        install=install_program("nginx", "nginx-light"),
        version=["nginx", "-v"],
        config="nginx.conf",
        values={"scheme": scheme, "user": getpass.getuser()},
        can_scale=True,
        tls_upstream=scheme == "https",
    )


PEERS = {
    "nginx": nginx("http"),
    "nginx-tls": nginx("https"),
    "haproxy": Peer(
        command=["haproxy", "-f", "$config"],
        install=install_program("haproxy", "haproxy"),
        version=["haproxy", "-v"],
        config="haproxy.cfg",
        can_scale=True,
    ),
    "litellm": Peer(
        command=[
            *[f"{LITELLM}/bin/litellm", "--config", "$config", "--host", "127.0.0.1", "--port", "$port"],
            *["--num_workers", "$workers", "--telemetry", "False"],
        ],
        install=install_litellm,
        version=[f"{LITELLM}/bin/pip", "show", "litellm"],
        config="litellm.yaml",
        can_scale=True,
        environment={
            "LITELLM_MODE": "PRODUCTION",
            "LITELLM_LOG": "ERROR",
            # Prices come with the package instead of from the network.
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        },
    ),
    "portkey": Peer(
        command=["node", f"{PORTKEY_PACKAGE}/build/start-server.js", "--headless", "--port=$port"],
        install=install_portkey,
        version=["node", "-p", f"require('{PORTKEY_PACKAGE}/package.json').version"],
        environment={"NODE_ENV": "production"},
    ),
    "bifrost-go": Peer(
        command=[
            *[BIFROST_GO, "-host", "127.0.0.1", "-port", "$port", "-app-dir", "$folder"],
            *["-log-level", "error"],
        ],
        install=find_bifrost_go,
        version=None,
        # It looks for `config.json` in its folder.
        config="bifrost-go.json",
        environment={"GOMAXPROCS": "$workers"},
        can_scale=True,
    ),
    # Ours once more, asked in the provider's own dialect: what a translation costs is measured by it.
    "same-dialect": Peer(
        command=[
            *[OWN_GATEWAY, "--app-dir", "$folder", "--config", "$config", "--host", "127.0.0.1"],
            *["--port", "$port", "--log-level", "warn", "--workers", "$workers"],
        ],
        install=find_own_gateway,
        version=[OWN_GATEWAY, "--version"],
        config="same-dialect.json",
        can_scale=True,
    ),
}
