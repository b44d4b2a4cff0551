# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets of gates, webhooks and reports are in nothing that a run shows or leaves behind."""

from __future__ import annotations

import json
import re
import typing as t
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.support import cores, web
from tests.support.controller import Run
from tests.support.fake_fleet import FakeFleet, FakeHost

COMMON: dict[str, t.Any] = {"livepatch_waves": [1], "livepatch_unreachable_timeout": 1}
# In each place where a request may have a secret; long enough for one
MARK = "m4rk3d-s3cr3t-of-"
_PLACES = ("token", "header", "user", "password", "query", "path", "signing", "basic")


@pytest.fixture(scope="module", params=cores.EACH)
def fake_fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FakeFleet:
    return FakeFleet(tmp_path_factory.mktemp("fake_fleet"), cores.environment(request.param))


def settings(url: str, folder: Path) -> dict[str, t.Any]:
    """Settings with a secret in each place that there is for one."""
    address = url.replace("//", f"//{MARK}user:{MARK}password@")
    request = {
        "headers": {"Authorization": f"Bearer {MARK}token", "X-Custom": f"{MARK}header"},
        "url_username": f"{MARK}user",
        "url_password": f"{MARK}basic",
    }
    query = f"?sig={MARK}query"
    limits = {"interval": 0, "error_limit": 0, "failure_limit": 0, "inconclusive_limit": 0, "timeout": 5}
    gates = [
        {"name": "change", "type": "http", "url": f"{address}/allow{query}", **limits, **request},
        {
            "name": "away",
            "type": "http",
            "method": "GET",
            "url": f"{address}/away{query}",
            "dry_run": True,
            **limits,
            **request,
        },
        {"name": "deny", "type": "http", "url": f"{address}/deny{query}", "dry_run": True, **limits, **request},
        {
            "name": "rate",
            "type": "prometheus",
            "url": address,
            "query": "up",
            "pass_if": "> 0",
            "dry_run": True,
            **limits,
            **request,
        },
        {"name": "alerts", "type": "alertmanager", "url": address, "dry_run": True, **limits, **request},
    ]
    webhooks = [
        {"url": f"{address}/{MARK}path{query}", "secret": f"{MARK}signing", "retries": 0, "events": ["gate"], **request}
    ]
    return {
        "livepatch_gates": gates,
        "livepatch_webhooks": webhooks,
        "livepatch_report_url": f"{address}/reports{query}",
        "livepatch_report_request": request,
        "livepatch_report_dir": str(folder / "reports"),
    }


def repeat(asked: web.Asked) -> tuple[int, str]:
    """Sends back all that it was sent."""
    status = {"allow": 200, "away": 302, "reports": 200 if asked.path.count(".json") else 507}
    text = f"{asked.path}\n{dict(asked.headers.items())}\n{asked.body[:200]!r}"
    return status.get(re.split(r"\W", asked.path)[1], 403), text


def find_marks(run: Run, folders: Iterable[Path]) -> list[str]:
    """Where a secret is: in the output, in what callbacks get, or in a file."""
    found = [line for line in run.output.splitlines() if MARK in line]
    found += [f"result of {event.action}" for event in run.events if MARK in json.dumps(event.result, default=str)]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    found += [str(path) for path in files if MARK.encode() in path.read_bytes()]
    return found


def run(fake_fleet: FakeFleet, playbook: str, tmp_path: Path, given: dict[str, t.Any]) -> Run:
    """As a file of extra variables, as AWX gives them; the file is no trace that the run leaves."""
    (tmp_path / "given.json").write_text(json.dumps(given))
    return fake_fleet.again([f"fleet.livepatch.{playbook}", "-e", f"@{tmp_path}/given.json", "-vvvvv"])


def test_of_a_run_that_uses_them_all(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    bodies: list[bytes] = []

    def answer(asked: web.Asked) -> tuple[int, str]:
        bodies.append(asked.body)
        return repeat(asked)

    hosts = {f"{name}{number}": FakeHost({"build": name}) for name in "a" for number in (1, 2)}
    fake_fleet.make(hosts, {"ANSIBLE_SHOW_CUSTOM_STATS": "true"}, common=COMMON)
    traces = [fake_fleet.store.parent, tmp_path / "reports", fake_fleet.folder("a1").parent]
    with web.served(answer) as url:
        given = settings(url, tmp_path)
        runs = [run(fake_fleet, playbook, tmp_path, given) for playbook in ("plan", "rollout", "report", "status")]
    assert len(list((tmp_path / "reports").iterdir())) >= 5
    assert len(bodies) > 10, runs[1].output[-5000:]
    rollout = runs[1].output
    for said in ("deny: fail (HTTP 403: ", "alerts: error (", "rate: error (", "was not notified of gate: HTTP 403: "):
        assert said in re.sub(r"\s+", " ", rollout), rollout
    assert "livepatch_report_url: the report was not uploaded: PUT http://***@127.0.0.1:" in re.sub(
        r"\s+", " ", rollout
    )
    for ended in runs:
        assert find_marks(ended, traces) == []
    assert not [body for body in bodies if MARK.encode() in body]


@pytest.mark.parametrize(
    "wrong",
    [
        {"livepatch_gates": f"http://x/?{MARK}query"},
        {"livepatch_gates": [f"{MARK}token"]},
        {"livepatch_gates": [{"name": "g", "type": "http", "url": f"x://{MARK}user:b@c/"}]},
        {"livepatch_gates": [{"name": "g", "type": "http", "url": "http://c", "headers": f"X-Token: {MARK}token"}]},
        {
            "livepatch_gates": [
                {"name": "g", "type": "http", "url": "http://c", "headers": {"X": f"{MARK}{{{{ no }}}}"}}
            ]
        },
        {"livepatch_webhooks": f"http://x/{MARK}path"},
        {"livepatch_webhooks": [{"url": f"http://x/{MARK}path", "event": "gate"}]},
        {"livepatch_webhooks": [{"url": "http://x/", "headers": f"{MARK}token"}]},
        {"livepatch_webhooks": {"url": f"http://x/{MARK}path"}},
        {"livepatch_report_request": f"{MARK}token"},
        {"livepatch_report_request": [f"{MARK}token"]},
        {"livepatch_report_url": {"url": f"http://x/{MARK}path"}},
        {"livepatch_report_url": f"x://{MARK}user:b@c"},
    ],
)
@pytest.mark.parametrize("playbook", ["rollout", cores.slow("report")])
def test_of_a_setting_that_is_wrong(
    fake_fleet: FakeFleet, tmp_path: Path, wrong: dict[str, t.Any], playbook: str
) -> None:
    fake_fleet.make({"a1": FakeHost({"build": "a"})}, {}, common=COMMON)
    ended = run(fake_fleet, playbook, tmp_path, wrong)
    assert find_marks(ended, [fake_fleet.store.parent]) == []
    if playbook == "rollout":
        assert ended.rc != 0
