# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What SQLite makes of each statement: none reads all rows of a table that grows with rollouts or hosts."""

import sqlite3
import sys
from typing import Any, Dict, List, Tuple

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._store import dispatch, sqlite
from ansible_collections.fleet.livepatch.plugins.module_utils._store.dispatch import Store
from tests.support.store import run_command, same_settings

pytestmark = pytest.mark.skipif(sys.version_info < (3, 10), reason="statements are not shown with their values")

_EVE = {"user": "eve", "machine": "m"}
# Those that stay small: leases and halts have a row for each scope, runs those of its last lease, and operators look
# after the quarantine.
_SMALL = {"leases", "halts", "runs", "quarantine"}
# The rollouts that are open, of which each scope has one at most
_OPEN_ONLY = "USING INDEX one_open_rollout"


def _document(plan_hash: str) -> Dict[str, Any]:
    return {
        "cohorts": [],
        "waves": [{"kind": "canaries", "hosts": ["a1"]}, {"kind": "wave", "hosts": ["a2", "a3"]}],
        "hosts": {name: {"cohort": "a"} for name in ("a1", "a2", "a3")},
        "left_out": {},
        "hash": plan_hash,
    }


def _build_calls(fence: int) -> List[Tuple[str, Dict[str, Any]]]:
    """Each command once at least, in an order in which all of them have something to do."""
    ours = {"scope": "s", "fence": fence, "rollout": "r"}
    batches = [{"wave": 0, "hosts": ["a1"]}, {"wave": 1, "hosts": ["a2", "a3"]}]
    settings = same_settings("a1", "a2", "a3")
    slices = {"for": "slices", "wave": 1, "text": "left to slices"}
    row = {"host": "a1", "outcome": "done", "cohort": "a"}
    return [
        ("save_plan", {"scope": "s", "document": _document("h"), "controls": {}}),
        ("load_controls", {"scope": "s", "plan_hash": "h"}),
        ("start_rollout", {**ours, "plan_hash": "h"}),
        ("load_controls", {"scope": "s", "plan_hash": ""}),
        ("keep_controls", {**ours, "controls": {}, "version": 0, "changes": [{"setting": "livepatch_soak"}]}),
        ("save_run", {**ours, "run": "run", "plan_hash": "h", "payload": {}, "batches": batches, "settings": settings}),
        ("approve", {"plan_hash": "h", "wave": 1, "approver": "eve"}),
        ("begin_hosts", {**ours, "wave": 0, "hosts": ["a1"], "skipped": [{"host": "a2", "outcome": "skipped"}]}),
        ("record_outcomes", {**ours, "wave": 0, "outcomes": [row]}),
        ("record_gate", {**ours, "wave": 0, "record": {"verdict": "pass"}}),
        ("renew_lease", ours),
        ("add_to_quarantine", {"entries": [{"kmp": "k", "reason": "r"}]}),
        ("load_run", {"run": "run"}),
        ("load_step", {"run": "run", "hosts": ["a2"]}),
        ("load_admission", {"run": "run", "hosts": ["a2"]}),
        ("load_hosts", {"run": "run", "wave": 1}),
        ("load_hosts", {"run": "run", "hosts": ["a1", "a2"]}),
        ("load_hosts", {"run": "run", "cohorts": ["a"]}),
        ("load_in_flight", {"run": "run", "hosts": ["a2"]}),
        ("load_slice", {"run": "run", "hosts": ["a2"]}),
        ("load_whole", {"run": "run"}),
        ("load_plan", {"plan_hash": "h"}),
        ("load_provenance", {"scope": "s", "kmps": ["k"], "hosts": ["a1", "a2"]}),
        ("find_plan", {"plan_hash": "none"}),
        ("find_plans", {"prefix": "h"}),
        ("list_cohorts", {}),
        ("knows_host", {"host": "a1"}),
        ("load_outline", {"plan_hash": "h"}),
        ("load_last_plan", {"scope": "s"}),
        ("list_approvals", {"plan_hash": "h"}),
        ("list_starters", {"plan_hash": "h"}),
        ("load_provenance", {"scope": "s", "kmps": ["k-1"], "hosts": ["a1"]}),
        ("list_quarantine", {}),
        ("halt", {"scope": "s", "reason": "r", "by": "eve", "under_way": "s"}),
        ("halt", {"scope": None, "reason": "r", "by": "eve"}),
        ("get_halt", {"scope": "s"}),
        ("find_subject", {"scope": "s"}),
        ("check_start", {"scope": "s", "fence": fence}),
        ("resume", {"scope": "s", "by": "eve"}),
        ("resume", {"scope": None, "by": "eve"}),
        ("clear_quarantine", {"match": {"kmp": "k"}, "by": "eve", "reason": "r"}),
        ("show", {"scope": "s"}),
        ("set_status", {**ours, "status": "waiting", "detail": slices}),
        ("release_lease", {"scope": "s", "fence": fence}),
        ("join_wave", {"scope": "s", "owner": _EVE, "ttl": 100}),
    ]


def _collect(path: str, monkeypatch: Any) -> Tuple[List[str], List[str]]:
    """The commands that ran, and the statements that they made."""
    statements: List[str] = []
    connect = sqlite3.connect

    def connect_traced(*arguments: Any, **keywords: Any) -> Any:
        connection = connect(*arguments, **keywords)
        connection.set_trace_callback(statements.append)
        return connection

    monkeypatch.setattr(sqlite.sqlite3, "connect", connect_traced)
    now = [1000.0]
    store = Store(path, lambda: now[0])
    fence = store.take_lease("s", _EVE, 100)["fence"]
    # From here on the tables are there.
    statements.clear()
    done = ["take_lease"]
    joined: Any = None
    for command, arguments in _build_calls(fence):
        joined = run_command(store, command, arguments)
        done.append(command)
    run_command(store, "leave_wave", {"scope": "s", "fence": joined["fence"], "member": joined["member"]})
    run_command(store, "abort", {"scope": "s", "reason": "r", "by": "eve"})
    now[0] += 100
    run_command(store, "take_lease", {"scope": "s", "owner": _EVE, "ttl": 100})
    ours = {"scope": "s", "fence": int(now[0]), "rollout": "last", "plan_hash": "i"}
    run_command(store, "save_plan", {"scope": "s", "document": _document("i")})
    run_command(store, "start_rollout", ours)
    # Of another run than the one that is removed
    run_command(store, "save_run", {**ours, "run": "new", "payload": {}, "batches": [], "settings": same_settings()})
    assert run_command(store, "has_old", {"scope": "s", "age": 1.0})
    assert run_command(store, "remove_old", {"scope": "s", "age": 1.0, "limit": 100})["rollouts"] == 1
    monkeypatch.undo()
    return [*done, "leave_wave", "abort", "has_old", "remove_old"], statements


def _explain(path: str, statement: str) -> List[str]:
    connection = sqlite3.connect(path)
    rows = [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + statement)]
    connection.close()
    return rows


def _find_scanned(detail: str) -> str:
    """The table of which all rows are read, '' where none is. Before 3.36 SQLite has SCAN TABLE."""
    words = detail.replace("SCAN TABLE", "SCAN").split()
    return words[1] if words[:1] == ["SCAN"] and _OPEN_ONLY not in detail else ""


def test_no_statement_reads_all_of_a_table_that_grows(tmp_path: Any, monkeypatch: Any) -> None:
    path = str(tmp_path / "rollouts.sqlite3")
    done, statements = _collect(path, monkeypatch)
    assert set(done) == set(dispatch.READING + dispatch.WRITING)
    selected = [text for text in statements if text.split()[0] in ("SELECT", "INSERT", "UPDATE", "DELETE")]
    assert len(set(selected)) > 50
    tables = set(_list_tables(path))
    scanned = {(_find_scanned(detail), text) for text in set(selected) for detail in _explain(path, text)}
    assert [text for table, text in scanned if table in tables - _SMALL] == []


def _list_tables(path: str) -> List[str]:
    connection = sqlite3.connect(path)
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    connection.close()
    return names
