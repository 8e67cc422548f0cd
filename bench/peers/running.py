"""Programs that run beside a measurement: started, waited for until they listen, and stopped by their id."""

import contextlib
import ctypes
import signal
import socket
import subprocess
import time

from peers import CACHE, HERE, PEERS, PeerError, port_of

# LiteLLM loads for about 10 s on a quiet core.
START_SECONDS_MAX = 120
STOP_SECONDS_MAX = 15
POLL_SECONDS = 0.05
SHOWN_LOG_CHARACTERS = 4_000
# Of prctl(2).
PR_SET_PDEATHSIG = 1


@contextlib.contextmanager
def running(name, command, port):
    """Runs a command that will listen on `port` of this machine; gives its process id."""
    if accepts(port):
        raise PeerError(f"{name}: something listens on port {port} already; stop it first")
    log = CACHE / "run" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        words = [str(part) for part in command]
        child = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=end_with_parent,
        )
    try:
        wait_until_listening(name, child, port, log)
        yield child.pid
    finally:
        stop(child)


@contextlib.contextmanager
def running_peer(name, upstream, workers=1):
    """Installs a peer and runs it where its target file says; gives its process id."""
    PEERS[name].install()
    command = [HERE / "run", name, "--upstream", upstream, "--workers", workers]
    with running(name, command, port_of(name)) as pid:
        yield pid


def wait_until_listening(name, child, port, log):
    deadline = time.monotonic() + START_SECONDS_MAX
    while not accepts(port):
        if child.poll() is not None:
            raise PeerError(f"{name} ended with {child.returncode}: {tail(log)}")
        if time.monotonic() > deadline:
            raise PeerError(f"{name} did not listen on {port} within {START_SECONDS_MAX} s: {tail(log)}")
        time.sleep(POLL_SECONDS)


def accepts(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def tail(log):
    return log.read_text(errors="replace")[-SHOWN_LOG_CHARACTERS:].strip()


def stop(child):
    child.terminate()
    try:
        child.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def end_with_parent():
    """The calling process is told to end when the one that started it ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
