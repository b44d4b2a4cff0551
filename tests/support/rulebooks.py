# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rulebooks, run by the real ansible-rulebook, in an environment of its own: it needs a Java and much else."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import typing as t
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from ansible_collections.fleet.livepatch.plugins.module_utils._store.dispatch import Store
from tests.support import controller
from tests.support.locks import locked
from tests.support.monitoring import free_port
from tests.support.venvs import ensure_venv

_CHECKOUT = Path(__file__).parents[2]
# A Java machine that starts on a busy processor
_SECONDS = 120.0
TOKEN = "swordfish"


def environment() -> Path:
    """Where ansible-rulebook is."""
    with locked(_CHECKOUT / ".cache/java.lock"):
        subprocess.run([_CHECKOUT / "tests/tools/apt-ensure", "default-jre-headless"], check=True)
    return ensure_venv("rulebook", Path(sys.executable).resolve(), "requirements-rulebook.txt")


def store(folder: Path) -> Store:
    """What is recorded on a control node that has this folder."""
    return Store(str(folder / "home/fleet.livepatch/rollouts.sqlite3"), time.time)


def wait_until(happened: Callable[[], object], seconds: float = 60) -> float:
    """The seconds that it took."""
    began = time.monotonic()
    while not happened():
        assert time.monotonic() - began < seconds, "it did not come to be"
        time.sleep(0.05)
    return time.monotonic() - began


def command(rulebook: str | Path, arguments: Iterable[str]) -> list[str]:
    """As docs/eda.md has it."""
    return ["ansible-rulebook", "-r", str(rulebook), *arguments, "-e", "eda.yml", "-E", "livepatch_eda_token"]


class Rulebook:
    """One that runs."""

    def __init__(self, url: str, log: Path, process: subprocess.Popen[str]) -> None:
        self.url = url
        self._log = log
        self._process = process

    @property
    def output(self) -> str:
        """What it and its playbooks have said so far."""
        return self._log.read_text()

    @property
    def receiver(self) -> dict[str, t.Any]:
        """As Alertmanager is told of it."""
        return {"url": f"{self.url}/alerts", "http_config": {"authorization": {"credentials": TOKEN}}}

    def post(self, path: str, told: t.Any, token: str = TOKEN) -> int:
        """Posts this as JSON; the status of the answer."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        request = urllib.request.Request(f"{self.url}/{path}", json.dumps(told).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refusal:
            return refusal.code

    def alert(self, name: str, status: str = "firing", **labels: str) -> int:
        """Posts an alert as Alertmanager does."""
        alerts = [{"status": status, "labels": {"alertname": name, **labels}, "annotations": {}}]
        return self.post("alerts", {"version": "4", "receiver": "livepatch", "status": status, "alerts": alerts})

    def wait_for(self, text: str) -> None:
        """Until it, or a playbook of its, has said so."""
        wait_until(lambda: text in self.output or self._process.poll() is not None, _SECONDS)
        assert text in self.output, self.output

    def listens(self) -> bool:
        """Whether it does by now."""
        assert self._process.poll() is None, self.output
        try:
            return self.post("", {}, token="") == 401
        except OSError:
            return False


@contextlib.contextmanager
def running(
    rulebook: str | Path,
    folder: Path,
    settings: Mapping[str, str],
    variables: Mapping[str, t.Any],
    arguments: Iterable[str],
) -> Iterator[Rulebook]:
    """Starts a rulebook, which listens then; at the block's end it is over, with the playbooks that it has started.

    :param rulebook: by its name or its file.
    :param folder: an empty one.
    :param settings: the environment of the control node.
    :param variables: of the rulebook, besides where it listens.
    """
    port = free_port()
    bin_ = environment()
    (folder / "eda.yml").write_text(json.dumps({"livepatch_eda_port": port, **variables}))
    env = {
        **settings,
        "PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}",
        "RECORDER_FILE": str(folder / "events.jsonl"),
        "livepatch_eda_token": TOKEN,
    }
    log = folder / "output.txt"
    with log.open("w") as output:
        process = subprocess.Popen(
            command(rulebook, arguments),
            executable=bin_ / "ansible-rulebook",
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            text=True,
        )
    try:
        told = Rulebook(f"http://localhost:{port}", log, process)
        wait_until(told.listens, _SECONDS)
        yield told
    finally:
        controller.end(process)
