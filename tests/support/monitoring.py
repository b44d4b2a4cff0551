# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prometheus and Alertmanager, real ones, on loopback, with metrics that a test sets.

Debian's packages are unpacked and not installed: installed they would start services of their own.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import socket
import subprocess
import time
import typing as t
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.lab import apt
from tests.lab.cache import Store
from tests.lab.layout import CHECKOUT
from tests.support.locks import locked
from tests.support.web import served

_PROGRAMS = {"prometheus": "prometheus", "prometheus-alertmanager": "prometheus-alertmanager"}
_SECONDS = 30.0


def _unpack(folder: Path) -> None:
    versions = apt.candidates(_PROGRAMS)
    if set(versions) != set(_PROGRAMS):
        apt.update()
        versions = apt.candidates(_PROGRAMS)
    for package in _PROGRAMS:
        apt.unpack(package, versions[package], folder)


def programs() -> Path:
    """The folder of the unpacked programs."""
    folder = CHECKOUT / ".cache/monitoring"
    with locked(folder / "lock"):
        return Store(folder, lambda _text: None).get("programs", ["1"], _unpack) / "usr/bin"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _SECONDS
    while not what():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not come to be")
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@contextlib.contextmanager
def _running(command: list[str], log: Path, ready: str) -> Iterator[None]:
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output, cwd=log.parent) as process:
        try:
            _until(lambda: _answers(ready) or process.poll() is not None)
            if process.poll() is not None:
                raise RuntimeError(log.read_text())
            yield
        finally:
            process.terminate()
            process.wait()


class Prometheus:
    """One that scrapes what ``metrics`` holds, text in Prometheus' format, each second."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.metrics = ""

    def wait_for(self, query: str, expected: str) -> None:
        """Waits until a query has this value, or with ``""`` none."""

        def seen() -> bool:
            with urllib.request.urlopen(f"{self.url}/api/v1/query?query={query}", timeout=5) as answer:
                result = json.load(answer)["data"]["result"]
            return (result[0]["value"][1] if result else "") == expected

        _until(seen)


@contextlib.contextmanager
def prometheus(folder: Path) -> Iterator[Prometheus]:
    """A Prometheus with its data in the folder."""
    told = Prometheus(f"http://127.0.0.1:{free_port()}")
    with served(lambda _asked: (200, told.metrics)) as exporter:
        config = {
            "global": {"scrape_interval": "1s"},
            "scrape_configs": [
                {
                    "job_name": "fleet",
                    "honor_labels": True,
                    "static_configs": [{"targets": [exporter.removeprefix("http://")]}],
                }
            ],
        }
        (folder / "prometheus.yml").write_text(json.dumps(config))
        command = [
            str(programs() / "prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={told.url.removeprefix('http://')}",
        ]
        with _running(command, folder / "prometheus.log", f"{told.url}/-/ready"):
            yield told


@contextlib.contextmanager
def alertmanager(folder: Path, **told: t.Any) -> Iterator[str]:
    """An Alertmanager; its URL.

    :param told: whom it tells of alerts, at once; nobody unless that is given.
    """
    url = f"http://127.0.0.1:{free_port()}"
    config = {
        "route": {"receiver": "whoever", "group_wait": "0s", "group_interval": "1s"},
        "receivers": [{"name": "whoever", **told}],
    }
    (folder / "alertmanager.yml").write_text(json.dumps(config))
    # It wants its templates at a fixed place, which it gets in a mount namespace of its own.
    share = programs().parent / "share"
    overlay = f'mount -t overlay overlay -o "lowerdir={share}:/usr/share" /usr/share && exec "$@"'
    command = [
        *("unshare", "-m" if os.geteuid() == 0 else "-rm", "sh", "-c", overlay, "sh"),
        str(programs() / "prometheus-alertmanager"),
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'alerts'}",
        f"--web.listen-address={url.removeprefix('http://')}",
        "--cluster.listen-address=",
    ]
    with _running(command, folder / "alertmanager.log", f"{url}/-/ready"):
        yield url


def fire(url: str, name: str, *, over: bool = False, **labels: str) -> None:
    """Has an alert fire from now on, or with ``over`` not any more."""
    ends = {"endsAt": datetime.datetime.now(datetime.timezone.utc).isoformat()} if over else {}
    body = json.dumps([{"labels": {"alertname": name, **labels}, **ends}]).encode()
    request = urllib.request.Request(f"{url}/api/v2/alerts", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5):
        pass
