"""Tuning profiles: the gateway starts with each and says what it took from it; configuration and command
line win over it; every value has its reason; and `tuning/apply` changes nothing unless told, and then can
put it back."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from harness import BINARIES, ROOT, Process, StartError, clean_environment, poll

TUNING = ROOT / "tuning"
NAMES = ["default", "latency", "throughput", "memory", "t3.medium", "t3.xlarge"]
HARMLESS = Path("/proc/sys/net/ipv4/tcp_fin_timeout")
MOCK = {"providers": {"mock": {}}}


def read_profile(name):
    return tomllib.loads((TUNING / f"{name}.toml").read_text())


def told(gateway):
    """The settings that the banner says come from the profile."""
    lines = re.search(r"From profile .*:\n((?:  .+\n)*)", gateway.process.log())
    found = dict(line.strip().split(" = ") for line in lines[1].splitlines()) if lines else {}
    return {path.rsplit(".", 1)[1]: json.loads(value) for path, value in found.items()}


def test_the_folder_has_the_profiles_of_the_product():
    assert sorted(path.stem for path in TUNING.glob("*.toml")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_gateway_serves_with_each_profile_and_says_what_it_took(start, name):
    gateway = start(None, flags=["--profile", name])
    assert gateway.chat("mock/gpt-4o-mini").status == 200
    assert re.search(rf"(?m)^  profile +{re.escape(name)} \(\d+ settings", gateway.process.log())
    # The harness says these two on the command line, which wins.
    expected = {
        key: value for key, value in read_profile(name)["gateway"].items() if key not in ("workers", "driver")
    }
    assert told(gateway) == expected


def test_without_a_profile_none_is_told(start):
    assert "profile" not in start(None).process.log()


def head_of(size):
    return {"x-padding": "a" * size}


def test_the_configuration_wins_over_the_profile(start):
    body = {"model": "mock/gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}
    limit = read_profile("memory")["gateway"]["read_buffer_size"]
    profiled = start(MOCK, flags=["--profile", "memory"])
    assert profiled.post("/v1/chat/completions", body, head_of(limit // 2)).status == 200
    assert profiled.post("/v1/chat/completions", body, head_of(limit)).status == 431
    configured = start(
        {**MOCK, "server": {"read_buffer_size": 4 * limit}, "client": {"initial_pool_size": 10}},
        flags=["--profile", "memory"],
    )
    assert configured.post("/v1/chat/completions", body, head_of(limit)).status == 200
    assert not {"read_buffer_size", "initial_pool_size"} & set(told(configured))
    assert {"buffer_bytes", "ring_entries"} <= set(told(configured))


def start_plainly(tmp_path, *flags, environment=None):
    """A gateway with no flags but these and those for its place."""
    process = Process(
        [BINARIES / "bifrost", "-app-dir", tmp_path, "-host", "127.0.0.1", "-port", 0, *flags], environment
    )
    try:
        process.wait_for(re.compile("Try:"))
        return process.log()
    finally:
        process.kill()


def test_the_command_line_wins_over_the_configuration_and_that_over_the_profile(tmp_path):
    profile = tmp_path / "own.toml"
    profile.write_text("[gateway]\nworkers = 3\n")
    by_profile = start_plainly(tmp_path, "--profile", profile)
    assert re.search(r"workers +3 on", by_profile) and "server.workers = 3" in by_profile
    (tmp_path / "config.json").write_text(json.dumps({**MOCK, "server": {"workers": 2}}))
    by_file = start_plainly(tmp_path, "--profile", profile)
    assert re.search(r"workers +2 on", by_file) and "server.workers" not in by_file
    by_flag = start_plainly(tmp_path, "--profile", profile, "--workers", 1)
    assert re.search(r"workers +1 on", by_flag) and "server.workers" not in by_flag


def test_a_profile_can_come_from_the_environment_and_the_flag_wins(tmp_path):
    environment = {"BIFROST_PROFILE": "memory"}
    assert re.search(r"profile +memory", start_plainly(tmp_path, environment=environment))
    by_flag = start_plainly(tmp_path, "-profile=latency", environment=environment)
    assert re.search(r"profile +latency", by_flag)


def test_a_reload_keeps_the_profile(start):
    gateway = start(MOCK, flags=["--profile", "memory"])
    # Had the reload lost the profile, the section would have changed to its defaults.
    gateway.write_config({**MOCK, "client": {"allow_direct_keys": True}})
    assert poll(lambda: "configuration reloaded" in gateway.process.log(), 10)
    assert "section `server` changed" not in gateway.process.log()


def test_mistakes_are_told_with_what_to_change(tmp_path, start):
    with pytest.raises(StartError) as unknown:
        start(None, flags=["--profile", "latncy"])
    assert all(name in str(unknown.value) for name in NAMES)
    slip = tmp_path / "slip.toml"
    slip.write_text("[gateway]\nbusy_pol_us = 5\nworkers = 0\n")
    with pytest.raises(StartError) as mistakes:
        start(None, flags=["--profile", slip])
    for part in (str(slip), "did you mean `busy_poll_us`?", "gateway.workers: must be at least 1"):
        assert part in str(mistakes.value)


def test_check_tells_what_the_profile_sets(tmp_path):
    file = tmp_path / "config.json"
    file.write_text(json.dumps({**MOCK, "server": {"buffer_bytes": 8192}}))

    def check(*flags):
        return subprocess.run(
            [BINARIES / "bifrost", "check", *flags, file],
            capture_output=True,
            text=True,
            timeout=20,
            env=clean_environment(),
            check=False,
        )

    good = check("--profile", "memory")
    assert good.returncode == 0 and "profile: memory" in good.stdout
    assert "from the profile: server.ring_entries = 128" in good.stdout
    assert "server.buffer_bytes" not in good.stdout
    assert "profile" not in check().stdout
    bad = check("--profile", "nonesuch")
    assert bad.returncode == 1 and "t3.xlarge" in bad.stdout


@pytest.mark.parametrize("name", NAMES)
def test_every_value_has_its_reason_and_says_whether_it_was_measured(name):
    text = (TUNING / f"{name}.toml").read_text()
    values, comment = 0, []
    for line in text.splitlines():
        if line.startswith("#"):
            comment.append(line)
            continue
        if " = " in line:
            values += 1
            starts = [word.startswith(("# Measured: ", "# Not measured: ")) for word in comment]
            assert sum(starts) == 1 and not starts[0], f"{line}: {comment}"
        comment = []
    profile = tomllib.loads(text)
    assert values == len(profile["gateway"]) + len(profile["host"])


# --- tuning/apply ---


def apply(*arguments):
    return subprocess.run(
        [sys.executable, TUNING / "apply", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def machine_settings():
    """Every sysctl that any profile names."""
    names = {name for profile in NAMES for name in read_profile(profile)["host"] if "." in name}
    assert len(names) > 8
    paths = [Path("/proc/sys", *name.split(".")) for name in names]
    return {path: path.read_text() for path in paths if path.exists()}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("flags", [[], ["--check"]], ids=["show", "check"])
def test_showing_changes_nothing(tmp_path, name, flags):
    state = tmp_path / "state.json"
    before = machine_settings()
    shown = apply(name, *flags, "--state", state)
    assert shown.returncode in ((0, 1) if flags else (0,)), shown.stderr
    assert machine_settings() == before and not state.exists()
    for setting in read_profile(name)["host"]:
        assert re.search(rf"(?m)^{re.escape(setting)} ", shown.stdout)


def own_profile(tmp_path, value):
    path = tmp_path / f"own-{value}.toml"
    path.write_text(f'[host]\n# Because.\n# Not measured: a test.\n"net.ipv4.tcp_fin_timeout" = {value}\n')
    return path


def test_check_tells_difference_from_agreement(tmp_path):
    now = int(HARMLESS.read_text())
    assert apply(own_profile(tmp_path, now), "--check").returncode == 0
    differs = apply(own_profile(tmp_path, now + 1), "--check")
    assert differs.returncode == 1
    assert re.search(rf"tcp_fin_timeout +{now} +{now + 1} +change\n +Because\.\n", differs.stdout)


@pytest.fixture
def harmless():
    """The value of a setting that a test may change for a moment; it is put back whatever happens."""
    if os.geteuid() != 0 or not os.access(HARMLESS, os.W_OK):
        pytest.skip("needs root on a machine whose settings may be changed")
    before = HARMLESS.read_text()
    yield int(before)
    HARMLESS.write_text(before)


@pytest.mark.alone
def test_what_was_changed_is_put_back(tmp_path, harmless):
    state = tmp_path / "kept" / "state.json"
    for value in (harmless + 1, harmless + 2):
        assert apply(own_profile(tmp_path, value), "--yes", "--state", state).returncode == 0
        assert int(HARMLESS.read_text()) == value
    undone = apply("--undo", "--state", state)
    assert undone.returncode == 0, undone.stdout
    assert int(HARMLESS.read_text()) == harmless, "the value before the first change"
    assert not state.exists()
    again = apply("--undo", "--state", state)
    assert again.returncode == 0 and "nothing to undo" in again.stdout


@pytest.mark.alone
def test_what_somebody_changed_since_is_left_alone(tmp_path, harmless):
    state = tmp_path / "state.json"
    assert apply(own_profile(tmp_path, harmless + 1), "--yes", "--state", state).returncode == 0
    HARMLESS.write_text(str(harmless + 3))
    undone = apply("--undo", "--state", state)
    assert undone.returncode == 0 and "left" in undone.stdout
    assert int(HARMLESS.read_text()) == harmless + 3
    assert not state.exists()


@pytest.mark.alone
def test_a_refused_value_is_told_and_not_kept(tmp_path, harmless):
    state = tmp_path / "state.json"
    # The kernel takes seconds as 32 bits.
    refused = apply(own_profile(tmp_path, 1 << 40), "--yes", "--state", state)
    assert refused.returncode == 1 and "refused net.ipv4.tcp_fin_timeout" in refused.stdout
    assert int(HARMLESS.read_text()) == harmless
    assert not state.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may change everything")
@pytest.mark.parametrize("flags", [["memory", "--yes"], ["--undo"]], ids=["yes", "undo"])
def test_changing_needs_root_and_says_so(flags):
    refused = apply(*flags)
    assert refused.returncode == 2 and "needs root" in refused.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('"net.core.somaxcon" = 1', "did you mean 'net.core.somaxconn'?"),
        ('"net.core.somaxconn" = "many"', "must be a whole number"),
        ("nofile = -1", 'must be a whole number or "unlimited"'),
        ("nofile = true", 'must be a whole number or "unlimited"'),
        ('cpu_governor = "fast\\nmore"', "a line of text"),
        ("cpu_governor", "not valid TOML"),
    ],
)
def test_mistakes_in_a_host_table_are_told(tmp_path, text, message):
    path = tmp_path / "bad.toml"
    path.write_text(f"[host]\n{text}\n")
    refused = apply(path)
    assert refused.returncode == 2
    assert str(path) in refused.stderr and message in refused.stderr


def test_unknown_profiles_are_answered_with_the_known_ones():
    refused = apply("latncy")
    assert refused.returncode == 2
    assert all(name in refused.stderr for name in NAMES)
