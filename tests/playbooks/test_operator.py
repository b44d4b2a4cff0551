# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What operators do with rollouts: once, again, and in check mode."""

from __future__ import annotations

import json
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._store.dispatch import Store
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.person import identify_person
from tests.support import cores
from tests.support.fake_fleet import FakeFleet, FakeHost
from tests.support.store import empty_plan, list_approvals, start_rollout

_PLAN = {
    **empty_plan("ab" * 32),
    "waves": [{"kind": "canaries", "hosts": ["web1"]}, {"kind": "wave", "hosts": ["web2"]}],
    "hosts": {name: {"cohort": "c"} for name in ("web1", "web2")},
}
_HALT = {"action": "halt", "reason": "the array misbehaves"}
_APPROVE = {"action": "approve", "plan_hash": _PLAN["hash"], "wave": 1}
_BARRED = {"host": "web1", "reason": "its disk is broken"}
# What is done, and how often it changes something when it is done twice
_TABLE: tuple[tuple[str, dict[str, t.Any], tuple[bool, bool]], ...] = (
    ("control", _HALT, (True, False)),
    ("control", {**_HALT, "reason": "another one"}, (False, False)),
    ("control", {**_HALT, "all_scopes": True}, (True, False)),
    ("control", {"action": "resume", "all_scopes": True}, (True, False)),
    ("control", {"action": "resume"}, (True, False)),
    ("control", {**_HALT, "if_running": True}, (False, False)),
    ("control", _APPROVE, (True, False)),
    ("control", {**_APPROVE, "expires": "2090-01-01"}, (True, False)),
    ("control", {**_APPROVE, "action": "reject"}, (True, False)),
    ("control", {**_APPROVE, "action": "reject", "reason": "not tonight"}, (True, False)),
    ("control", {**_APPROVE, "wave": "all"}, (True, False)),
    ("control", {"action": "abort", "reason": "withdrawn"}, (True, False)),
    ("quarantine", _BARRED, (True, False)),
    ("quarantine", {**_BARRED, "state": "absent"}, (True, False)),
)


@pytest.fixture(scope="module")
def fake_fleet(tmp_path_factory: pytest.TempPathFactory) -> FakeFleet:
    return FakeFleet(tmp_path_factory.mktemp("fake_fleet"), cores.environment(cores.NEWEST))


def _record(fake_fleet: FakeFleet) -> Store:
    """Records a plan and its open rollout, which waits, and no run has its lease."""
    store = Store(str(fake_fleet.store), time.time)
    store.save_plan("default", _PLAN)
    fence = store.take_lease("default", {}, 60)["fence"]
    start_rollout(store, "default", fence, str(_PLAN["hash"]))
    store.set_status("default", fence, store.show("default")["rollout"]["id"], "waiting", {})
    store.release_lease("default", fence)
    return store


def test_each_says_truly_what_it_changes(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    """In check mode it says what would change, and changes nothing: what is done next changes just that."""
    tasks = [
        {f"fleet.livepatch.rollout_{name}": options, "check_mode": check_mode}
        for name, options, _changes in _TABLE
        for check_mode in (True, False, False)
    ]
    path = tmp_path / "play.yml"
    path.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    fake_fleet.make({"web1": FakeHost()}, {}, common={})
    store = _record(fake_fleet)
    run = fake_fleet.again([str(path)])
    assert run.rc == 0, run.output
    results = [bool(event.result.get("changed")) for event in run.events if event.kind == "end"]
    expected = [change for _name, _options, (first, second) in _TABLE for change in (first, first, second)]
    assert results == expected, run.output
    assert store.get_halt("default") is None
    assert store.list_quarantine() == []
    shown = store.show("default")["rollout"]
    assert (shown["status"], "withdrawn" in shown["detail"]["text"]) == ("aborted", True)
    approvals = [(row["wave"], row["granted"], row["reason"]) for row in list_approvals(store, str(_PLAN["hash"]))]
    assert approvals == [(1, True, ""), (1, True, ""), (1, False, ""), (1, False, "not tonight"), (None, True, "")]


def test_check_mode_of_a_playbook(fake_fleet: FakeFleet) -> None:
    fake_fleet.make({"web1": FakeHost()}, {}, common={})
    dry = fake_fleet.again(["fleet.livepatch.halt", "--check", "-e", "livepatch_reason=why"])
    assert (dry.rc, dry.changed) == (0, 1), dry.output
    assert "Check mode, nothing is recorded. Halted (scope default)" in dry.output
    assert not fake_fleet.store.exists()


def test_a_store_is_backed_up_and_restored(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    fake_fleet.make({"web1": FakeHost()}, {}, common={})
    store, path = _record(fake_fleet), tmp_path / "backup.sqlite3"
    place = ("-e", f"livepatch_backup_path={path}")
    made = fake_fleet.again(["fleet.livepatch.backup", *place])
    assert (made.rc, made.changed) == (0, 1), made.output
    assert f"Backed up the store to {path}" in made.output
    assert "is there already" in fake_fleet.again(["fleet.livepatch.backup", *place]).output
    store.abort("default", "withdrawn", "eve")
    dry = fake_fleet.again(["fleet.livepatch.restore", "--check", *place])
    assert "Check mode, nothing is recorded. " in dry.output, dry.output
    assert store.show("default")["rollout"]["status"] == "aborted"
    restored = fake_fleet.again(["fleet.livepatch.restore", *place])
    assert (restored.rc, restored.changed) == (0, 1), restored.output
    assert "All scopes are halted, since" in restored.output
    assert store.show("default")["rollout"]["status"] == "waiting"
    assert store.get_halt("default") is not None
    assert len(list(fake_fleet.store.parent.glob("*.replaced-*"))) == 1
    resumed = fake_fleet.again(["fleet.livepatch.resume", "-e", "livepatch_all_scopes=true"])
    assert (resumed.rc, store.get_halt("default")) == (0, None), resumed.output
    missing = fake_fleet.again(["fleet.livepatch.backup"])
    assert "livepatch_backup_path is missing: set it to a file on the coordinator" in missing.output


def test_the_report_and_the_quarantine_are_returned(fake_fleet: FakeFleet) -> None:
    fake_fleet.make({"web1": FakeHost()}, {}, common={})
    added = fake_fleet.again(
        [
            "fleet.livepatch.quarantine",
            *("-e", "livepatch_quarantine=add", "-e", "livepatch_quarantine_host=web1"),
            *("-e", "livepatch_reason='its disk'", "-e", "awx_user_name=eve"),
        ]
    )
    assert "Added to the quarantine: web1" in added.output, added.output
    listed = fake_fleet.again(["fleet.livepatch.quarantine"])
    assert "1: web1, since " in listed.output, listed.output
    (event,) = listed.ended("rollout_info").values()
    (entry,) = event.result["quarantine"]
    here = identify_person({}).name
    found = (entry["host"], entry["by"], event.result["rollout"], event.result["changed"])
    assert found == ("web1", here, None, False), "no extra variable names the person"
    assert "ansible_facts" not in event.result
    report = fake_fleet.again(["fleet.livepatch.report"])
    assert (report.rc, "No rollout of the scope default is recorded" in report.output) == (0, True)


@pytest.mark.parametrize(
    ("playbook", "variables", "problem"),
    [
        ("approve", {}, "the hash of the plan is missing: set livepatch_plan_hash"),
        ("reject", {"livepatch_plan_hash": _PLAN["hash"], "livepatch_wave": "2"}, "has no wave 2: it has 2, from 0"),
        (
            "quarantine",
            {"livepatch_quarantine": "clear", "livepatch_reason": "r"},
            "no entry of the quarantine is named",
        ),
        ("quarantine", {"livepatch_quarantine": "add", "livepatch_quarantine_host": "web1"}, "the reason is missing"),
        ("quarantine", {"livepatch_quarantine": "add", "livepatch_reason": "r"}, "set either livepatch_quarantine_kmp"),
    ],
)
def test_what_is_missing_is_named(
    fake_fleet: FakeFleet, playbook: str, variables: dict[str, str], problem: str
) -> None:
    fake_fleet.make({"web1": FakeHost()}, {}, common={})
    _record(fake_fleet)
    run = fake_fleet.again([f"fleet.livepatch.{playbook}", "-e", json.dumps(variables)])
    # Ansible itself prints it as an error and as the message of the task.
    assert (run.rc, run.output.count(problem)) == (2, 2), run.output
