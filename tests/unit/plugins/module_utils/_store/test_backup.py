# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backups of a store that is in use, and what one is when it is the store again. Python 3.6."""

import os
import sqlite3
import stat
import subprocess
import sys
from typing import Any, List

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption, LivepatchError
from ansible_collections.fleet.livepatch.plugins.module_utils._store import backup as backups
from ansible_collections.fleet.livepatch.plugins.module_utils._store import dispatch, schema, sqlite
from ansible_collections.fleet.livepatch.plugins.module_utils._store.dispatch import Store
from ansible_collections.fleet.livepatch.plugins.module_utils._store.lease import LeaseLost
from ansible_collections.fleet.livepatch.plugins.module_utils._store.sqlite import StoreBroken
from tests.support.store import make_version, save_run, start_rollout

_EVE = {"user": "eve", "machine": "m", "pid": 1}
# Writes a rollout's hosts for ever. The status names the last host that is done.
_WRITER = """\
import sys, time
from ansible_collections.fleet.livepatch.plugins.module_utils._store.dispatch import Store
from tests.support.store import start_rollout
path, scope = sys.argv[1:]
store = Store(path, time.time)
fence = store.take_lease(scope, {"user": scope}, 1000)["fence"]
rollout = start_rollout(store, scope, fence, "h")
print("begun", flush=True)
for number in range(100000):
    host = "%s-%d" % (scope, number)
    row = {"host": host, "outcome": "done", "cohort": "c", "reason": "x" * 3000}
    store.record_outcomes(scope, fence, rollout, [row], wave=number)
    store.set_status(scope, fence, rollout, "running", {"host": host})
"""


class _Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def path(tmp_path: Any) -> str:
    return str(tmp_path / "store/rollouts.sqlite3")


@pytest.fixture
def backup(tmp_path: Any) -> str:
    return str(tmp_path / "backup.sqlite3")


@pytest.fixture
def store(path: str, clock: _Clock) -> Store:
    return Store(path, clock)


def _begin(store: Store) -> Any:
    """What the holder of the lease, and of a rollout with a run, names in its calls."""
    fence = store.take_lease("s", _EVE, 100)["fence"]
    rollout = start_rollout(store, "s", fence, "h")
    save_run(store, "run", fence, rollout)
    return {"scope": "s", "fence": fence, "rollout": rollout}


def _read_file(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _list_folder(path: str) -> Any:
    return sorted(os.listdir(os.path.dirname(path)))


#
# Backup
#


def test_a_store_that_is_written_to_is_backed_up_between_two_transactions(
    store: Store, path: str, tmp_path: Any
) -> None:
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    scopes = ("p", "q")
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, path, scope],
            stdout=subprocess.PIPE,
            universal_newlines=True,
            env=environment,
        )
        for scope in scopes
    ]
    try:
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "begun\n"
        sizes: List[int] = []
        while len(sizes) < 5 or (sizes[-1] == sizes[0] and len(sizes) < 1000):
            target = str(tmp_path / f"{len(sizes)}.sqlite3")
            store.back_up(target)
            copy = Store(target, lambda: 1000.0)
            count = 0
            for scope in scopes:
                rollout = copy.show(scope)["rollout"]
                count += len(rollout["outcomes"])
                hosts = {f"{scope}-{done}" for done in range(len(rollout["outcomes"]))}
                assert set(rollout["outcomes"]) == hosts
                assert rollout["detail"].get("host", f"{scope}-0") in hosts | {f"{scope}-0"}
            sizes.append(count)
        assert all(writer.poll() is None for writer in writers), "none was refused meanwhile"
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0]
    # The last of them is a store again.
    Store(path, lambda: 1e10).restore(target, "eve")
    assert sum(len(store.show(scope)["rollout"]["outcomes"]) for scope in scopes) == sizes[-1]


def test_none_writes_while_it_is_copied(store: Store, path: str, backup: str, monkeypatch: Any) -> None:
    store.halt("s", "r", "eve")
    outputs = []
    copy = backups.shutil.copyfileobj

    def copy_slowly(*arguments: Any) -> None:
        # Of another process: locks are a process's.
        writer = (
            "import sqlite3, sys; connection = sqlite3.connect(sys.argv[1], timeout=0.1)\n"
            "connection.execute('UPDATE halts SET reason = 1'); connection.commit()"
        )
        run = subprocess.run([sys.executable, "-c", writer, path], stderr=subprocess.PIPE, check=False)
        outputs.append(run.stderr.decode())
        copy(*arguments)

    monkeypatch.setattr(backups.shutil, "copyfileobj", copy_slowly)
    store.back_up(backup)
    assert len(outputs) == 1
    assert "database is locked" in outputs[0]
    assert Store(backup, lambda: 1000.0).get_halt("s")["reason"] == "r"  # type: ignore[index]
    # A backup that is still being written is not restored.
    other = sqlite3.connect(backup, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr(sqlite, "_BUSY_TIMEOUT", 0.1)
    with pytest.raises(StoreBroken, match="locked"):
        store.restore(backup, "eve")
    other.close()


def test_a_backup_is_its_owner_s(store: Store, path: str, backup: str) -> None:
    store.halt("s", "r", "eve")
    mask = os.umask(0)
    try:
        assert store.back_up(backup) == {"changed": True, "path": backup}
    finally:
        os.umask(mask)
    assert stat.S_IMODE(os.stat(backup).st_mode) == 0o600
    assert _read_file(backup) == _read_file(path)
    assert store.changed


def test_a_backup_replaces_nothing(store: Store, tmp_path: Any, path: str) -> None:
    store.halt("s", "r", "eve")
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    for target, problem in (
        (path, "is there already"),
        (str(tmp_path / "link"), "is there already"),
        (str(tmp_path / "no/such/folder"), "cannot be written: No such file"),
    ):
        with pytest.raises(BadOption, match=problem):
            store.back_up(target)
    assert not (tmp_path / "nothing").exists()


def test_there_is_no_backup_of_nothing(store: Store, path: str, backup: str) -> None:
    with pytest.raises(BadOption, match="there is no store"):
        store.back_up(backup)
    assert not os.path.exists(path)
    assert not os.path.exists(backup)


@pytest.mark.parametrize("damage", ["cut off", "overwritten"])
def test_there_is_no_backup_of_what_is_damaged(store: Store, path: str, backup: str, damage: str) -> None:
    ours = _begin(store)
    store.begin_hosts(wave=0, hosts=[f"h{number}" for number in range(2000)], **ours)
    with open(path, "r+b") as file:
        if damage == "cut off":
            file.truncate(8192)
        else:
            file.seek(4096 * 20)
            file.write(b"nonsense" * 512)
    with pytest.raises(StoreBroken, match="is damaged"):
        store.back_up(backup)
    assert not os.path.exists(backup)


def test_a_store_whose_changes_are_in_another_file_is_not_copied_without_them(
    store: Store, path: str, backup: str
) -> None:
    store.halt("s", "r", "eve")
    other = sqlite3.connect(path)
    other.execute("PRAGMA journal_mode = WAL")
    other.execute("UPDATE halts SET reason = 'another'")
    other.commit()
    with pytest.raises(StoreBroken, match="journal mode WAL"):
        store.back_up(backup)
    other.close()
    assert not os.path.exists(backup)


@pytest.mark.parametrize("command", ["back_up", "restore"])
def test_check_mode_writes_nothing(store: Store, path: str, backup: str, clock: _Clock, command: str) -> None:
    _begin(store)
    if command == "restore":
        store.back_up(backup)
    before, folder = _read_file(path), _list_folder(backup)
    dry = Store(path, clock, dry_run=True)
    arguments = {"path": backup, **({"by": "eve"} if command == "restore" else {})}
    (result,) = dispatch.run_commands(dry, [{"command": command, "arguments": arguments}])
    assert result["changed"]
    assert (_read_file(path), _list_folder(backup), _list_folder(path)) == (before, folder, ["rollouts.sqlite3"])


def test_it_is_done_alone(store: Store, backup: str) -> None:
    store.halt("s", "r", "eve")
    commands = [
        {"command": "back_up", "arguments": {"path": backup}},
        {"command": "get_halt", "arguments": {"scope": "s"}},
    ]
    with pytest.raises(BadOption, match="are run alone"):
        dispatch.run_commands(store, commands)
    assert not os.path.exists(backup)


#
# Restore
#


def test_a_restored_store_is_as_it_was_and_halted(store: Store, backup: str, path: str, clock: _Clock) -> None:
    ours = _begin(store)
    store.record_outcomes(wave=0, outcomes=[{"host": "a", "outcome": "done", "cohort": "c"}], **ours)
    store.approve("h", 0, "eve")
    store.back_up(backup)
    store.record_outcomes(wave=0, outcomes=[{"host": "b", "outcome": "done", "cohort": "c"}], **ours)
    store.add_to_quarantine([{"kmp": "k", "reason": "oops"}])
    clock.now += 60
    result = store.restore(backup, "bob")
    assert result == {"changed": True, "replaced": f"{path}.replaced-1060"}
    shown = store.show("s")
    assert (list(shown["rollout"]["outcomes"]), shown["quarantine"], shown["lease"]) == (["a"], [], None)
    assert (shown["halt"]["scope"], shown["halt"]["by"]) == ("*", "bob")
    assert "lacks what was recorded since" in shown["halt"]["reason"]
    assert shown["rollout"]["events"][-1]["what"] == "restored"
    assert not store.begin_hosts(wave=0, hosts=["c"], **dict(ours, fence=store.take_lease("s", _EVE, 9)["fence"]))["go"]
    replaced = Store(result["replaced"], clock)
    assert sorted(replaced.show("s")["rollout"]["outcomes"]) == ["a", "b"]
    assert _list_folder(path) == ["rollouts.sqlite3", "rollouts.sqlite3.replaced-1060"]


def test_a_run_of_before_has_lost_its_lease_and_the_next_one_has_a_higher_number(
    store: Store, backup: str, clock: _Clock
) -> None:
    """A host refuses a number that is lower than the last one that it has had, be it one that the backup lacks."""
    before = _begin(store)
    store.back_up(backup)
    for scope in ("t", "u"):
        clock.now += 60
        since = store.take_lease(scope, _EVE, 100)["fence"]
    clock.now += 1
    store.restore(backup, "eve")
    for use in (lambda: store.renew_lease(**before), lambda: store.load_run("run")):
        with pytest.raises(LeaseLost):
            use()
    assert store.take_lease("s", _EVE, 100)["fence"] > since > before["fence"]


@pytest.mark.parametrize("state", ["damaged", "no database", "lost"])
def test_a_store_that_cannot_be_used_is_replaced(store: Store, path: str, backup: str, state: str) -> None:
    store.halt("s", "r", "eve")
    store.back_up(backup)
    if state == "lost":
        os.unlink(path)
    else:
        with open(path, "r+b") as file:
            file.seek(4096 if state == "damaged" else 0)
            file.write(b"nonsense" * 512)
        with open(path + "-journal", "wb") as file:
            file.write(b"what belongs to the damaged one")
        os.chmod(path + "-journal", 0o600)
    store.restore(backup, "eve")
    assert store.get_halt("s") is not None
    assert store.resume(None, "eve")["changed"]
    kept = [] if state == "lost" else ["rollouts.sqlite3.replaced-1000"]
    # SQLite itself removes a journal that is none.
    assert _list_folder(path) == ["rollouts.sqlite3", *kept]


def test_a_journal_goes_with_the_file_that_it_belongs_to(tmp_path: Any) -> None:
    path, prepared, replaced = (str(tmp_path / name) for name in ("store", "prepared", "replaced"))
    for name in (path, path + "-journal", prepared):
        with open(name, "w") as file:
            file.write(os.path.basename(name))
    backups.replace_file(path, prepared, replaced)
    contents = {name: _read_file(str(tmp_path / name)) for name in os.listdir(str(tmp_path))}
    assert contents == {"store": b"prepared", "replaced": b"store", "replaced-journal": b"store-journal"}


def test_a_process_that_has_the_file_open_writes_to_neither(store: Store, path: str, backup: str) -> None:
    store.halt("s", "r", "eve")
    store.back_up(backup)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("SELECT * FROM halts").fetchall()
    replaced = store.restore(backup, "eve")["replaced"]
    before = _read_file(path), _read_file(replaced)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        other.execute("UPDATE halts SET reason = 'late'")
    other.close()
    assert (_read_file(path), _read_file(replaced)) == before


def test_a_backup_of_an_earlier_version_is_migrated(store: Store, path: str, backup: str) -> None:
    make_version(backup, 3)
    before = _read_file(backup)
    assert store.restore(backup, "eve")["replaced"] is None
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (schema.SCHEMA,)
    connection.close()
    assert store.load_plan("old")["hash"] == "old"
    assert _read_file(backup) == before


def _write_nothing(path: str) -> None:
    open(path, "wb").close()
    os.chmod(path, 0o600)


def _write_text(path: str) -> None:
    with open(path, "w") as file:
        file.write("no database\n" * 100)
    os.chmod(path, 0o600)


def _write_songs(path: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE songs (title TEXT)")
    connection.commit()
    connection.close()
    os.chmod(path, 0o600)


def _write_version(path: str, version: int) -> None:
    make_version(path, 4)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()


def _write_exposed(path: str) -> None:
    make_version(path, 4)
    os.chmod(path, 0o666)


@pytest.mark.parametrize(
    ("write", "problem"),
    [
        (lambda path: None, "is not a backup of the store"),
        (_write_nothing, "it has no tables of a store"),
        (_write_text, "file is not a database"),
        (_write_songs, "it has no tables of a store"),
        (lambda path: _write_version(path, schema.SCHEMA + 1), "a later version"),
        (lambda path: make_version(path, 2), "an earlier version"),
        (_write_exposed, "may be written by all users"),
    ],
)
def test_what_is_no_backup_is_not_restored(store: Store, path: str, backup: str, write: Any, problem: str) -> None:
    store.halt("s", "r", "eve")
    write(backup)
    before = _read_file(path)
    with pytest.raises(LivepatchError, match=problem):
        store.restore(backup, "eve")
    assert (_read_file(path), _list_folder(path)) == (before, ["rollouts.sqlite3"])


def test_the_store_is_not_a_backup_of_itself(store: Store, path: str) -> None:
    store.halt("s", "r", "eve")
    with pytest.raises(BadOption, match="is not a backup"):
        store.restore(path, "eve")
