"""Writes down which routes each test has had an answer from, for `ci/routes`: a plugin of pytest that asks
every running gateway for its metrics when a test is done. It does nothing unless `BIFROST_ROUTE_RECORD` names
a folder."""

import json
import os
import re
from pathlib import Path

import pytest

import harness
import raw_http

FOLDER = os.environ.get("BIFROST_ROUTE_RECORD")
LINE = re.compile(r"^http_requests_total\{(.*)\} (\d+)$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="([^"]*)"')
# A gateway that answers no sooner is one that a test holds up on purpose.
SECONDS_MAX = 2


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    try:
        return (yield)
    finally:
        if FOLDER:
            note(item.nodeid)


def note(test):
    """Adds the routes that have answered since the last test."""
    lines = []
    for gateway in list(harness.LIVE):
        before = getattr(gateway, "answered", {})
        gateway.answered = answered_by(gateway) or before
        fresh = [route for route, count in gateway.answered.items() if count > before.get(route, 0)]
        lines += [json.dumps([test, *route]) + "\n" for route in fresh]
    if lines:
        with open(Path(FOLDER) / f"{os.getpid()}.jsonl", "a") as file:
            file.writelines(lines)


def answered_by(gateway):
    """(method, route as metrics name it): how many good answers."""
    if gateway.process.child.poll() is not None:
        return {}
    try:
        with gateway.connect(timeout=SECONDS_MAX) as connection:
            page = connection.request("GET", "/metrics")
    except (OSError, raw_http.FramingError):
        return {}
    counts = {}
    for labels, count in LINE.findall(page.body.decode(errors="replace")):
        found = dict(LABEL.findall(labels))
        # 101: a WebSocket that was opened.
        if found["status"].startswith(("2", "101")) and found["path"] != "/metrics":
            route = found["method"], found["path"]
            counts[route] = counts.get(route, 0) + int(count)
    return counts
