# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is told of a rollout when no host is asked."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import from_store
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import planning
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.settings import Settings
from tests.unit.plugins.plugin_utils._report.reported import KMP, MADE

FLEET = [
    Host(f"web{n}", "unpatched", "", "6.4.0-default", "ab" * 20, "x86_64", "default", None, KMP) for n in (1, 2, 3)
]
PLAN = planning.build_plan(FLEET, Settings(waves=())).as_document()
DONE = {"outcome": "done", "reason": "patched", "state": "patched", "level": 3, "kmp": KMP, "seconds": 1.5}


class StoreClient:
    """A store that has this plan, and nothing else is asked of it."""

    scope = "default"

    def send(self, command: str, **arguments: t.Any) -> t.Any:
        assert (command, arguments) == ("load_plan", {"plan_hash": PLAN["hash"]})
        return PLAN


def _read(outcomes: t.Mapping[str, t.Any], status: str = "done") -> from_store.StoredRollout:
    shown = {
        "id": "3f1c8d",
        "plan_hash": PLAN["hash"],
        "status": status,
        "detail": None,
        "started": MADE - 60,
        "started_by": "eve",
        "ended": MADE,
        "changes": [],
        "events": [],
        "gates": [],
        "outcomes": outcomes,
    }
    found = from_store.load_rollout(t.cast("t.Any", StoreClient()), shown)
    assert found is not None
    return found


def test_none_was_there() -> None:
    assert from_store.load_rollout(t.cast("t.Any", StoreClient()), None) is None


def test_hosts_are_told_as_the_rollout_left_them() -> None:
    gone = {"outcome": "lost", "reason": "unreachable: no route", "state": "unknown"}
    told = _read({"web1": DONE, "web2": gone}, "halted").build_document(MADE, "default")
    hosts = {host["name"]: host for host in told["hosts"]}
    assert {name: host["outcome"] for name, host in hosts.items()} == {
        "web1": "done",
        "web2": "lost",
        "web3": "pending",
    }
    assert (hosts["web1"]["level"], hosts["web1"]["kmp"], hosts["web1"]["up_to_date"]) == (3, KMP, True)
    assert [host["release"] for host in told["hosts"]] == ["6.4.0-default"] * 3
    assert [hosts[name]["up_to_date"] for name in ("web2", "web3")] == [None, None]
    assert hosts["web2"]["problems"] == ["lost: unreachable: no route"]
    assert not told["success"]
    assert "1 host failed (web2)" in told["summary"]


def test_one_that_ended_well() -> None:
    found = _read(dict.fromkeys(("web1", "web2", "web3"), DONE))
    told = found.build_document(MADE, "default")
    assert (told["success"], told["summary"]) == (True, "3 of 3 hosts patched; the rollout is done")
    assert found.format_lines({})[-1] == "3 hosts: 3 done"
