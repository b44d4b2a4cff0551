# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which KMPs have come to hosts past the rollouts of a scope, by a store as rollouts leave it."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._store import dispatch
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import drift
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.batches import WAVE
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreError
from tests.support import answers, store
from tests.support.plans import make_document

_KMP = answers.KMP + "-3-1"
_NOBODY = {"kmp": answers.KMP + "-2-1"}
_LINE = f"  {_KMP} on build ID {answers.BUILD_ID[:12]}: "
_INSTALLED = "2027-01-15 08:16 UTC"


class _Client:
    """A store as steps use it, with what it was asked."""

    scope = "default"

    def __init__(self, path: Path) -> None:
        self.store = dispatch.Store(str(path / "rollouts.sqlite3"), lambda: 1800000000.0)
        self.asked: list[dict[str, t.Any]] = []

    def send(self, command: str, **arguments: t.Any) -> t.Any:
        self.asked.append(arguments)
        return store.run_command(self.store, command, arguments)


@pytest.fixture
def client(tmp_path: Path) -> _Client:
    return _Client(tmp_path)


def _roll_out(client: _Client, *, gate: str = "pass", wave: int = 0, scope: str = "default", **row: t.Any) -> str:
    """A rollout of the KMP to a1, the canary, and a2, which has come to this gate."""
    document = make_document(("a1",), ("a2",), kmps={"a": _KMP})
    document["cohorts"][0]["build_id"] = answers.BUILD_ID
    client.store.save_plan(scope, document)
    fence = client.store.take_lease(scope, {}, 60)["fence"]
    rollout = store.start_rollout(client.store, scope, fence, document["hash"])
    outcome = {"host": "a1", "outcome": "done", "cohort": "a", "applied": True, "kmp": _KMP, **row}
    client.store.record_outcomes(scope, fence, rollout, [outcome], 0)
    client.store.record_gate(scope, fence, rollout, wave, {"of": WAVE, "verdict": gate})
    client.store.set_status(scope, fence, rollout, "done", {})
    client.store.release_lease(scope, fence)
    return rollout


def _find(client: _Client, name: str = "a1", **differs: t.Any) -> drift.FleetDrift:
    return drift.find_drift(t.cast(t.Any, client), {name: answers.answer(**differs)})


def _journal(**differs: t.Any) -> dict[str, t.Any]:
    return {"livepatch": {"journal": answers.journal(**differs)}}


@pytest.mark.parametrize(
    ("row", "differs", "drifts"),
    [
        # Nobody has recorded anything of it on the host: the store decides
        ({}, {}, False),
        ({}, _journal(**_NOBODY, rollout="x"), False),
        ({"kmp": answers.KMP + "-2-1"}, {}, True),
        ({"applied": False}, {}, True),
        ({"outcome": "unchanged", "applied": False}, {}, True),
        ({"outcome": "failed"}, {}, False),
        # Another host's
        ({"host": "a2"}, {}, True),
        # The journal names what has put it there
        ({"host": "a2"}, _journal(), True),
        ({"host": "a2"}, _journal(rollout="of another scope"), True),
        ({"host": "a2"}, _journal(plan="unknown"), True),
        ({"host": "a2"}, _journal(**_NOBODY), True),
        # It comes with the kernel, or there is none
        ({"host": "a2"}, {"kmp": {"installed": answers.package(level=1)}}, False),
        ({"host": "a2"}, {"kmp": {"installed": None}, "livepatch": {"state": "unpatched"}}, False),
        # Installed is enough: the next boot loads it
        ({"host": "a2"}, {"livepatch": {"state": "installed", "patches": []}}, True),
    ],
)
def test_drift(client: _Client, row: dict[str, t.Any], differs: dict[str, t.Any], drifts: bool) -> None:
    _roll_out(client, **row)
    found = _find(client, **differs)
    assert (list(found.hosts), found.problem) == (["a1"] if drifts else [], None)


def test_what_the_journal_says_of_a_rollout_of_the_scope_is_enough(client: _Client) -> None:
    rollout = _roll_out(client, host="a2")
    plan = make_document(("a1",), ("a2",), kmps={"a": _KMP})["hash"]
    assert plan
    assert _find(client, **_journal(rollout=rollout)).hosts == {}
    recorded = client.store.load_provenance("default", [], [])["rollouts"]
    assert _find(client, **_journal(plan=recorded[0]["plan_hash"])).hosts == {}, "it was rolled back to it"
    assert [asked["hosts"] for asked in client.asked] == [[], []], "nothing of hosts is read"


def test_a_fleet_without_kmps_costs_the_store_nothing(client: _Client) -> None:
    assert _find(client, kmp={"installed": None}) == drift.FleetDrift()
    assert drift.find_drift(t.cast(t.Any, client), {"a1": None}) == drift.FleetDrift()
    assert client.asked == []


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ({}, "canaries of scope default have proved it"),
        ({"gate": "fail"}, "no canary of scope default has proved it"),
        ({"wave": 1}, "no canary of scope default has proved it"),
        ({"scope": "other"}, "no canary of scope default has proved it"),
    ],
)
def test_whether_canaries_have_proved_it(client: _Client, what: dict[str, t.Any], said: str) -> None:
    _roll_out(client, **what)
    found = _find(client, "a7")
    assert found.hosts["a7"].proven is said.startswith("canaries")
    assert drift.format_drift(found, "default")[1:] == [f"{_LINE}1 host (a7), since {_INSTALLED}; {said}"]


def test_canaries_on_another_kernel_prove_nothing(client: _Client) -> None:
    _roll_out(client)
    assert not _find(client, "a7", kernel={"build_id": "cd" * 20}).hosts["a7"].proven


def test_a_barred_kmp_is_told_with_the_reason(client: _Client) -> None:
    _roll_out(client)
    entry = {"kmp": _KMP, "cohort": None, "host": None, "reason": "a9: it crashed", "by": "eve"}
    client.store.add_to_quarantine([entry])
    (line,) = drift.format_drift(_find(client, "a7"), "default")[1:]
    assert line.endswith("; it is in quarantine: a9: it crashed")


@pytest.mark.parametrize(
    ("installed_at", "journal", "said"),
    [
        (1800001000, None, f"since {_INSTALLED};"),
        (None, {}, f"since {_INSTALLED}, by the module livepatch outside of rollouts;"),
        (None, {"kmp": answers.KMP + "-2-1"}, "since when is unknown;"),
        (None, {"at": None}, "since when is unknown, by the module livepatch outside of rollouts;"),
        (1800001000, {"rollout": "x"}, f"since {_INSTALLED}, by a rollout that this scope has no record of;"),
    ],
)
def test_since_when_and_how(client: _Client, installed_at: t.Any, journal: t.Any, said: str) -> None:
    entry = None if journal is None else answers.journal(**journal)
    found = _find(
        client,
        kmp={"installed": answers.package(installed_at=installed_at)},
        livepatch={"journal": entry},
    )
    (line,) = drift.format_drift(found, "default")[1:]
    assert said in line


def test_hosts_with_the_same_kmp_share_a_line(client: _Client) -> None:
    times = {"a1": 1800001000, "a2": None, "a3": 1800090000, "a4": 1800001000}
    of_hosts = {
        name: answers.answer(kmp={"installed": answers.package(installed_at=moment)}) for name, moment in times.items()
    }
    of_hosts["b1"] = answers.answer(kernel={"build_id": "cd" * 20})
    lines = drift.format_drift(drift.find_drift(t.cast(t.Any, client), of_hosts), "default")
    unproven = "; no canary of scope default has proved it"
    assert lines == [
        "Drift, KMPs that no rollout of scope default has put there:",
        f"{_LINE}4 hosts (a1, a2, a3 and 1 more), since {_INSTALLED} to 2027-01-16 09:00 UTC (of 1 unknown){unproven}",
        f"  {_KMP} on build ID {'cd' * 6}: 1 host (b1), since {_INSTALLED}{unproven}",
    ]


def test_without_the_record_it_is_unknown() -> None:
    class Broken:
        scope = "default"

        def send(self, command: str, **arguments: t.Any) -> t.Any:
            raise StoreError("no such host")

    found = drift.find_drift(t.cast(t.Any, Broken()), {"a1": answers.answer()})
    assert (found.hosts, found.problem) == ({}, "no such host")
    assert drift.format_drift(found, "default") == [
        "Drift: unknown, since the record of scope default cannot be read: no such host"
    ]
