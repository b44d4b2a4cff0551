# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the store makes of a file that is not as it should be, and of what it should not be told. Python 3.6."""

import json
import os
import sqlite3
from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption, LivepatchError
from ansible_collections.fleet.livepatch.plugins.module_utils._store import dispatch, schema, sqlite
from ansible_collections.fleet.livepatch.plugins.module_utils._store.dispatch import Store
from ansible_collections.fleet.livepatch.plugins.module_utils._store.lease import Leased
from tests.support.store import empty_plan, list_approvals, run_command, start_rollout

_EVE = {"user": "eve", "machine": "m"}


@pytest.fixture
def path(tmp_path: Any) -> str:
    return str(tmp_path / "rollouts.sqlite3")


@pytest.fixture
def store(path: str) -> Store:
    return Store(path, lambda: 1000.0)


@pytest.fixture
def ours(store: Store) -> Any:
    """What the holder of the lease, and of a rollout, names in its calls."""
    fence = store.take_lease("s", _EVE, 100)["fence"]
    return {"scope": "s", "fence": fence, "rollout": start_rollout(store, "s", fence, "h")}


#
# The file
#


def _overwritten(path: str) -> None:
    Store(path, lambda: 1000.0).halt("s", "r", "eve")
    with open(path, "r+b") as file:
        file.seek(0)
        file.write(b"nonsense" * 100)


def _cut_off(path: str) -> None:
    store = Store(path, lambda: 1000.0)
    fence = store.take_lease("s", _EVE, 100)["fence"]
    rollout = start_rollout(store, "s", fence, "h")
    store.begin_hosts("s", fence, rollout, 0, [f"h{number}" for number in range(2000)])
    os.truncate(path, 8192)


def _of_something_else(path: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE songs (title TEXT)")
    connection.commit()
    connection.close()


def _of_schema(path: str, schema: int) -> None:
    Store(path, lambda: 1000.0).halt("s", "r", "eve")
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {schema}")
    connection.close()


def _of_a_later_version(path: str) -> None:
    _of_schema(path, schema.SCHEMA + 1)


def _of_an_earlier_version(path: str) -> None:
    _of_schema(path, schema.OLDEST - 1)


def _content(path: str) -> Any:
    if os.path.isdir(path):
        return os.listdir(path)
    with open(path, "rb") as file:
        return file.read()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_overwritten, "is damaged.*move it away"),
        (_cut_off, "is damaged.*move it away"),
        (_of_something_else, "is the database of another program"),
        (_of_a_later_version, rf"later version of the collection \(schema {schema.SCHEMA + 1}\)"),
        (_of_an_earlier_version, r"earlier version of the collection \(schema 2\)"),
        (os.mkdir, "is no regular file"),
    ],
)
def test_a_file_that_is_no_store_is_told_of_and_left_alone(path: str, spoil: Any, told: str) -> None:
    spoil(path)
    before = _content(path)
    store = Store(path, lambda: 1000.0)
    for call in (lambda: store.show("s"), lambda: store.take_lease("s", _EVE, 100)):
        with pytest.raises(LivepatchError, match=told) as caught:
            call()
        assert path in str(caught.value)
    assert _content(path) == before


def test_one_that_was_made_and_not_written_to_is_empty(store: Store, path: str) -> None:
    """Its maker was killed right after that."""
    open(path, "wb").close()
    assert store.get_halt("s") is None
    assert store.halt("s", "r", "eve")["changed"]


@pytest.mark.parametrize("below", ["a file", "a folder"])
def test_what_may_not_be_looked_at_is_not_empty(tmp_path: Any, monkeypatch: Any, below: str) -> None:
    """Else a halt would be overlooked."""
    folder = tmp_path / "closed"
    path = str(folder / "rollouts.sqlite3")
    if below == "a file":
        folder.write_text("")
    else:
        Store(path, lambda: 1000.0).halt(None, "r", "eve")

        # Root may look at all
        def refused(*_arguments: Any) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(sqlite.os, "stat", refused)
    with pytest.raises(sqlite.StoreBroken, match="cannot be used"):
        Store(path, lambda: 1000.0).get_halt("s")


def test_one_that_somebody_else_holds_is_not_moved_away(store: Store, path: str, monkeypatch: Any) -> None:
    store.halt("s", "r", "eve")
    monkeypatch.setattr(sqlite, "_BUSY_TIMEOUT", 0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        assert store.get_halt("s")["reason"] == "r", "who reads does not wait for who writes"
        with pytest.raises(sqlite.StoreBroken, match="locked") as caught:
            store.resume("s", "eve")
        assert "move it away" not in str(caught.value)
    finally:
        other.close()


def test_without_sqlite(monkeypatch: Any, path: str) -> None:
    monkeypatch.setattr(sqlite, "sqlite3", None)
    with pytest.raises(sqlite.StoreBroken, match=r"no sqlite3.*another coordinator"):
        Store(path, lambda: 1000.0)


def test_a_relative_path(tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(str(tmp_path))
    assert Store("rollouts.sqlite3", lambda: 1000.0).halt("s", "r", "eve")["changed"]
    assert os.path.exists(str(tmp_path / "rollouts.sqlite3"))


#
# What it is told
#


@pytest.mark.parametrize(
    ("command", "arguments", "told"),
    [
        ("get_halt", {}, "missing.*'scope'.*It takes scope"),
        ("get_halt", {"scope": "s", "until": 5}, "unexpected.*'until'"),
        ("get_halt", {"scope": None}, "scope of the command get_halt has to be text, not None"),
        ("take_lease", {"scope": "s", "owner": _EVE, "ttl": "100"}, "ttl .* has to be a number, not '100'"),
        ("take_lease", {"scope": "s", "owner": "eve", "ttl": 1}, "owner .* has to be a dictionary"),
        ("release_lease", {"scope": "s", "fence": "1000"}, "fence .* has to be a whole number"),
        ("approve", {"plan_hash": "h", "wave": "1", "approver": "eve"}, "wave .* has to be a whole number, or null"),
        (
            "approve",
            {"plan_hash": "h", "wave": 1, "approver": "eve", "granted": "yes"},
            "granted .* has to be true or false",
        ),
        ("add_to_quarantine", {"entries": {}}, "entries .* has to be a list"),
        ("add_to_quarantine", {"entries": [{"kmp": "k"}]}, "has no reason"),
        ("add_to_quarantine", {"entries": [{"reason": "r"}]}, "names nothing"),
        ("add_to_quarantine", {"entries": [{"cohort": "c", "reason": "r"}]}, "names nothing"),
        ("add_to_quarantine", {"entries": ["k"]}, "has no reason"),
        ("add_to_quarantine", {"entries": [{"kmp": ["k"], "reason": "r"}]}, "does not accept a value"),
        ("clear_quarantine", {"match": {}, "by": "eve", "reason": "r"}, "no entry of the quarantine is named"),
        ("save_plan", {"scope": "s", "document": {"waves": [], "hosts": {}, "left_out": {}}}, "a plan has no hash"),
    ],
)
def test_a_call_that_makes_no_sense(store: Store, command: str, arguments: Any, told: str) -> None:
    with pytest.raises(BadOption, match=told):
        run_command(store, command, arguments)
    assert store.show("s") == {"rollout": None, "lease": None, "halt": None, "quarantine": []}


@pytest.mark.parametrize(
    ("command", "arguments", "told"),
    [
        ("record_outcomes", {"wave": 0, "outcomes": [{"outcome": "done"}]}, "an outcome has no host"),
        ("record_outcomes", {"wave": 0, "outcomes": [{}]}, "no host and no outcome"),
        ("set_status", {"status": "fine", "detail": {}}, "no status fine"),
    ],
)
def test_a_call_of_the_holder_that_makes_no_sense(
    store: Store, ours: Any, command: str, arguments: Any, told: str
) -> None:
    before = store.show("s")
    with pytest.raises(BadOption, match=told):
        run_command(store, command, dict(arguments, **ours))
    assert store.show("s") == before, "all of a call, or nothing"


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("begin_hosts", {"wave": 0, "hosts": ["a"]}),
        ("record_outcomes", {"wave": 0, "outcomes": [{"host": "a", "outcome": "done"}]}),
        ("record_gate", {"wave": 0, "record": {}}),
        ("set_status", {"status": "done", "detail": {}}),
    ],
)
@pytest.mark.parametrize("whose", ["nobody", "other"])
def test_only_rollouts_of_the_scope_are_written_to(
    store: Store, ours: Any, command: str, arguments: Any, whose: str
) -> None:
    fence = store.take_lease("t", _EVE, 100)["fence"]
    other = start_rollout(store, "t", fence, "h") if whose == "other" else "nobody's"
    before = store.show("t")
    with pytest.raises(BadOption, match="has no rollout"):
        run_command(store, command, dict(arguments, scope="s", fence=ours["fence"], rollout=other))
    assert store.show("t") == before


def test_every_command_knows_what_its_arguments_are(store: Store) -> None:
    for command in dispatch.COMMANDS:
        parameters = dispatch.inspect.signature(getattr(store, command)).parameters.values()
        assert [one.name for one in parameters if one.annotation not in dispatch._KINDS] == []
    called = {name for name in dir(Store) if not name.startswith("_")} - {"changed", "dry_run", "together"}
    assert called == set(dispatch.COMMANDS)


def test_all_that_it_tells_is_json(store: Store, ours: Any) -> None:
    store.save_plan("s", empty_plan("h"))
    store.approve("h", None, "eve")
    store.halt("s", "r", "eve")
    store.add_to_quarantine([{"kmp": "k", "reason": "r"}])
    results = [
        store.begin_hosts(wave=0, hosts=["a"], **ours),
        store.record_outcomes(wave=0, outcomes=[{"host": "a", "outcome": "done", "cohort": "c"}], **ours),
        store.show("s"),
        store.take_lease("s", _EVE, 5, takeover=ours["fence"]),
        store.clear_quarantine({"kmp": "k"}, "eve", "r"),
        list_approvals(store, "h"),
    ]
    assert json.loads(json.dumps(results)) == results


def test_reading_makes_no_changes_known(store: Store, ours: Any) -> None:
    reader = Store(store._database.path, lambda: 1000.0)
    reader.show("s")
    with pytest.raises(Leased):
        reader.take_lease("s", _EVE, 1)
    assert not reader.changed
    assert store.changed
