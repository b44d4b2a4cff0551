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
from tests.support.store import PLAN, list_approvals, record_waiting

_HALT = {"action": "halt", "reason": "the array misbehaves"}
_APPROVE = {"action": "approve", "plan_hash": PLAN["hash"], "wave": 1}
_BARRED = {"host": "web1", "reason": "its disk is broken"}
# What is done, and whether it changes something when it is done first, and again; None: it fails then
_TABLE: tuple[tuple[str, dict[str, t.Any], tuple[bool, bool | None]], ...] = (
    ("control", _HALT, (True, False)),
    ("control", {**_HALT, "reason": "another one"}, (False, False)),
    ("control", {**_HALT, "all_scopes": True}, (True, False)),
    ("control", {"action": "resume", "all_scopes": True}, (True, None)),
    ("control", {"action": "resume"}, (True, None)),
    ("control", {**_HALT, "if_running": True}, (False, False)),
    ("control", _APPROVE, (True, False)),
    ("control", {**_APPROVE, "expires": "2090-01-01"}, (True, False)),
    ("control", {**_APPROVE, "action": "reject"}, (True, False)),
    ("control", {**_APPROVE, "action": "reject", "reason": "not tonight"}, (True, False)),
    ("control", {**_APPROVE, "wave": "all"}, (True, False)),
    ("control", {"action": "abort", "reason": "withdrawn"}, (True, None)),
    ("quarantine", _BARRED, (True, False)),
    ("quarantine", {**_BARRED, "state": "absent"}, (True, None)),
)


@pytest.fixture(scope="module")
def fake_fleet(tmp_path_factory: pytest.TempPathFactory) -> FakeFleet:
    return FakeFleet(tmp_path_factory.mktemp("fake_fleet"), cores.environment(cores.NEWEST))


def _record(fake_fleet: FakeFleet) -> Store:
    store = Store(str(fake_fleet.store), time.time)
    record_waiting(store)
    return store


def test_each_says_truly_what_it_changes(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    """In check mode it says what would change, and changes nothing: what is done next changes just that."""
    tasks = [
        {f"fleet.livepatch.rollout_{name}": options, "check_mode": check_mode, "ignore_errors": True}
        for name, options, _changes in _TABLE
        for check_mode in (True, False, False)
    ]
    path = tmp_path / "play.yml"
    path.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    fake_fleet.make({"web1": FakeHost()}, {}, common={})
    store = _record(fake_fleet)
    run = fake_fleet.again([str(path)])
    assert run.rc == 0, run.output
    results = [
        None if event.outcome == "failed" else bool(event.result.get("changed"))
        for event in run.events
        if event.kind == "end"
    ]
    expected = [change for _name, _options, (first, second) in _TABLE for change in (first, first, second)]
    assert results == expected, run.output
    assert store.get_halt("default") is None
    assert store.list_quarantine() == []
    shown = store.show("default")["rollout"]
    assert (shown["status"], "withdrawn" in shown["detail"]["text"]) == ("aborted", True)
    approvals = [(row["wave"], row["granted"], row["reason"]) for row in list_approvals(store, str(PLAN["hash"]))]
    assert approvals == [(1, True, ""), (1, True, ""), (1, False, ""), (1, False, "not tonight"), (None, True, "")]


def test_check_mode_of_a_playbook(fake_fleet: FakeFleet) -> None:
    fake_fleet.make({"web1": FakeHost()}, {}, common={})
    store = _record(fake_fleet)
    dry = fake_fleet.again(["fleet.livepatch.halt", "--check", "-e", "livepatch_reason=why"])
    assert (dry.rc, dry.changed) == (0, 1), dry.output
    assert "Check mode, nothing is recorded. Halted: rollout " in dry.output
    assert store.get_halt("default") is None


@pytest.mark.parametrize(
    ("playbook", "said"),
    [
        ("halt", "the halt was recorded but stops nothing: no rollout is recorded here (scope web, store "),
        ("resume", "nothing to resume: no such halt is recorded (scope web, store "),
        ("abort", "nothing to abort: no rollout is open (scope web, store "),
        ("report", "No rollout of the scope web is recorded (store "),
    ],
)
def test_a_command_that_finds_no_rollout_fails(fake_fleet: FakeFleet, playbook: str, said: str) -> None:
    fake_fleet.make({"web1": FakeHost()}, {}, common={"livepatch_scope": "web"})
    _record(fake_fleet)
    run = fake_fleet.again([f"fleet.livepatch.{playbook}"])
    assert run.rc == 2, run.output
    output = " ".join(run.output.split())
    assert said in output
    assert str(fake_fleet.store) in output
    assert playbook in ("resume", "report") or "This store has rollouts of the scopes: default" in output


def test_what_operators_do_names_what_it_is_done_to(fake_fleet: FakeFleet) -> None:
    fake_fleet.make({"web1": FakeHost()}, {}, common={})
    store = _record(fake_fleet)
    shown = store.show("default")["rollout"]
    rollout = f"rollout {shown['id']} of plan {shown['plan_hash'][:12]} (waiting)"
    where = f"(scope default, store {fake_fleet.store}, which has rollouts of "
    for playbook, done in (("halt", "Halted"), ("resume", "Resumed"), ("abort", f"Aborted rollout {shown['id']}")):
        output = " ".join(fake_fleet.again([f"fleet.livepatch.{playbook}"]).output.split())
        assert done in output
        assert playbook == "abort" or f"{done}: {rollout} {where}" in output
        assert where in output


def test_an_approval_that_expired_is_refused(fake_fleet: FakeFleet) -> None:
    fake_fleet.make({"web1": FakeHost()}, {}, common={})
    store = _record(fake_fleet)
    options = {"livepatch_plan_hash": PLAN["hash"], "livepatch_expires": "2020-01-01T00:00+00:00"}
    run = fake_fleet.again(["fleet.livepatch.approve", "-e", json.dumps(options)])
    assert (run.rc, "which is past" in run.output) == (2, True), run.output
    assert list_approvals(store, str(PLAN["hash"])) == []


def test_operators_name_what_they_have_read(fake_fleet: FakeFleet) -> None:
    """The hash as a report prints it, the cohort as the plan has it, the KMP as rpm prints it."""
    planned = fake_fleet.run({"a1": FakeHost(), "a2": FakeHost()}, ["fleet.livepatch.plan"], {}, common={})
    (event,) = planned.ended("rollout_begin").values()
    plan = event.result["plan"]
    (cohort,) = plan["cohorts"]
    store = Store(str(fake_fleet.store), time.time)

    def run(playbook: str, **variables: str) -> str:
        given = {"livepatch_reason": "it leaks", **{f"livepatch_{name}": value for name, value in variables.items()}}
        ended = fake_fleet.again([f"fleet.livepatch.{playbook}", "-e", json.dumps(given)])
        return f"{ended.rc} " + " ".join(ended.output.split())

    assert run("approve", plan_hash=plan["hash"][:12]).startswith("0 ")
    assert [row["granted"] for row in list_approvals(store, plan["hash"])] == [True]
    unknown = run("reject", plan_hash="0" * 12)
    assert unknown.startswith("2 ") and f"the last ones are {plan['hash'][:12]} (scope default" in unknown
    barred = {"kmp": cohort["kmp"] + ".x86_64", "cohort": cohort["id"][:8]}
    named = {f"quarantine_{name}": value for name, value in barred.items()}
    assert run("quarantine", quarantine="add", **named).startswith("0 ")
    (entry,) = store.list_quarantine()
    assert (entry["kmp"], entry["cohort"]) == (cohort["kmp"], cohort["target"])
    wrong = run("quarantine", quarantine="add", quarantine_kmp=cohort["kmp"], quarantine_cohort="3-1")
    assert wrong.startswith("2 ") and f"is '3-1', which is no cohort. Known are {cohort['id']} (" in wrong
    nowhere = run("quarantine", quarantine="add", quarantine_host="a3")
    assert nowhere.startswith("2 ") and "no host has that name. Known are a1, a2" in nowhere
    assert run("quarantine", quarantine="clear", quarantine_id="7").startswith("2 ")
    assert len(store.list_quarantine()) == 1


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


@pytest.mark.parametrize(
    ("playbook", "variables", "problem"),
    [
        ("approve", {}, "the hash of the plan is missing: set livepatch_plan_hash"),
        ("reject", {"livepatch_plan_hash": PLAN["hash"], "livepatch_wave": "2"}, "has no wave 2: it has 2, from 0"),
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


@pytest.mark.parametrize("version", cores.EACH)
def test_over_an_empty_inventory_no_command_exits_with_0(tmp_path: Path, version: str) -> None:
    """Ansible itself does so with --limit, and plays nothing."""
    fake_fleet = FakeFleet(tmp_path, cores.environment(version))
    fake_fleet.make({}, {}, common={})
    for arguments in (["--limit", "web1"], []):
        for playbook in ("halt", "plan"):
            run = fake_fleet.again([f"fleet.livepatch.{playbook}", *arguments])
            assert run.rc != 0, run.output
            assert not arguments or "The inventory has no host (-i): nothing was done" in run.output, run.output
