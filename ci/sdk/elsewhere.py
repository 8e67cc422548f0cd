"""Clients that need an environment of their own: a program there runs all their cases, each is a test here.

The program prints its cases with `--list`. Without, it reads the targets from standard input and prints one
line of JSON for each case of each target.
"""

import functools
import json
import subprocess
from dataclasses import dataclass

import pytest

import harness
import upstreams

SECONDS_MAX = 150


@dataclass(frozen=True)
class Program:
    command: tuple
    # Client: the upstream of its own dialect, the route of the gateway, and what stands for it at the mock;
    # None where the mock cannot serve it.
    clients: dict

    def __hash__(self):
        return hash(self.command)

    def run(self, *arguments, **options):
        return subprocess.run(
            [*self.command, *arguments],
            env=harness.clean_environment(),
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            **options,
        )

    def parameters(self):
        """Every case of every client, straight and through the gateway."""
        return [
            pytest.param(f"{client} {where}", case, id=f"{case}, {client} {where}")
            for client, names in cases(self).items()
            for case in names
            for where in self.places(client)
        ]

    def places(self, client):
        upstream, _, straight = self.clients[client]
        return [f"to {upstream}"] if straight is None else ["straight", f"to {upstream}"]

    def outcomes(self, mock_url, gateway_to):
        """A look-up from (target, case) to what went wrong, or None."""
        targets, missing = [], {}
        for client, (upstream, route, straight) in self.clients.items():
            model = upstreams.model_of(upstream)
            if straight is not None:
                targets.append(target_of(f"{client} straight", client, mock_url + straight, model))
            name = f"{client} to {upstream}"
            try:
                gateway = gateway_to(upstream)
            except pytest.fail.Exception as error:
                missing[name] = str(error)
                continue
            targets.append(target_of(name, client, gateway.url + route, f"{upstream}/{model}"))
        done = self.run(input=json.dumps({"targets": targets}))
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        found = {(line["target"], line["case"]): line.get("error") for line in lines}
        never = f"it never ran: {done.stderr[-2000:]}"
        return lambda target, case: found.get((target, case), missing.get(target, never))


def target_of(name, client, base_url, model):
    return {"name": name, "client": client, "base_url": base_url, "model": model}


@functools.cache
def cases(program):
    listed = program.run("--list")
    assert listed.returncode == 0, listed.stderr
    return json.loads(listed.stdout)
