# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store: one lease, one open rollout, nothing lost, whoever is killed."""

import json
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from typing import Any, List

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption, LivepatchError
from ansible_collections.fleet.livepatch.plugins.module_utils._store import commands, database
from ansible_collections.fleet.livepatch.plugins.module_utils._store.store import Leased, LeaseLost, NoSuchPlan, Store

ME, OTHER = {"user": "eve", "machine": "m", "pid": 1}, {"user": "bob", "machine": "n", "pid": 2}


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Any) -> str:
    return str(tmp_path / "deep" / "rollouts.sqlite3")


@pytest.fixture
def store(path: str, clock: Clock) -> Store:
    return Store(path, clock)


def _begun(store: Store, scope: str = "s") -> Any:
    """The lease's number and the ID of a new rollout."""
    fence = store.take(scope, ME, 100)["fence"]
    return fence, store.start(scope, fence, "hash", {})


def test_what_is_not_there_reads_as_empty_and_is_not_made(store: Store, path: str) -> None:
    assert store.show("s") == {"rollout": None, "lease": None, "halt": None, "quarantine": []}
    assert store.halted("s") is None
    assert store.approvals("x") == []
    with pytest.raises(NoSuchPlan):
        store.load_plan("x")
    assert not os.path.exists(path)


def test_nobody_else_may_read_it(store: Store, path: str) -> None:
    store.halt("s", "", "eve")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700


def test_the_lease(store: Store, clock: Clock) -> None:
    first = store.take("s", ME, 100)["fence"]
    assert first == 1000, "by the clock"
    with pytest.raises(Leased) as caught:
        store.take("s", OTHER, 100)
    assert caught.value.result["holder"]["owner"] == ME
    assert "eve on m" in str(caught.value)
    assert store.take("t", OTHER, 100)["fence"] == 1001, "another scope is nobody's business"
    store.release("s", first)
    second = store.take("s", OTHER, 100)["fence"]
    assert second == 1002
    with pytest.raises(LeaseLost):
        store.release("s", first)


def test_the_lease_runs_out_without_a_sign_of_life(store: Store, clock: Clock) -> None:
    fence, rollout = _begun(store)
    clock.at += 90
    store.renew("s", fence, rollout)
    clock.at += 90
    with pytest.raises(Leased):
        store.take("s", OTHER, 100)
    clock.at += 11
    assert store.take("s", OTHER, 100)["fence"] > fence
    with pytest.raises(LeaseLost):
        store.renew("s", fence, rollout)


def test_of_a_holder_that_is_dead_it_is_taken_over_at_once(store: Store) -> None:
    fence, rollout = _begun(store)
    with pytest.raises(Leased):
        store.take("s", OTHER, 100, takeover=fence - 1)
    taken = store.take("s", OTHER, 100, takeover=fence)
    assert taken["fence"] > fence
    assert taken["rollout"]["id"] == rollout
    assert [one["what"] for one in taken["rollout"]["events"]] == ["taken"]


def test_the_number_never_goes_back_though_the_file_does(store: Store, path: str, clock: Clock) -> None:
    before = store.take("s", ME, 100)["fence"]
    os.unlink(path)
    clock.at += 1
    assert store.take("s", ME, 100)["fence"] > before


@pytest.mark.parametrize(
    "command, arguments",
    [
        ("begin", {"wave": 0, "hosts": ["a"]}),
        ("results", {"wave": 0, "outcomes": []}),
        ("gate", {"wave": 0, "record": {}}),
        ("status", {"status": "done", "detail": {}}),
        ("renew", {}),
    ],
)
def test_whoever_lost_the_lease_writes_nothing(store: Store, command: str, arguments: Any) -> None:
    fence, rollout = _begun(store)
    store.take("s", OTHER, 100, takeover=fence)
    with pytest.raises(LeaseLost):
        getattr(store, command)(scope="s", fence=fence, rollout=rollout, **arguments)
    assert store.show("s")["rollout"]["outcomes"] == {}


def test_one_open_rollout(store: Store) -> None:
    fence, rollout = _begun(store)
    with pytest.raises(BadOption):
        store.start("s", fence, "hash", {})
    store.status("s", fence, rollout, "soaking", {"until": 5})
    assert store.show("s")["rollout"]["ended"] is None
    store.status("s", fence, rollout, "done", {})
    assert store.show("s")["rollout"]["status"] == "done", "the last one is shown where none is open"
    assert store.take("s", ME, 100, takeover=fence)["rollout"] is None
    with pytest.raises(BadOption, match="no status"):
        store.status("s", fence + 1, rollout, "fine", {})


def test_plans_stay_as_they_were_saved(store: Store) -> None:
    store.save_plan("s", {"hash": "h", "waves": [1]})
    store.save_plan("s", {"hash": "h", "waves": [2]})
    assert store.load_plan("h") == {"hash": "h", "waves": [1]}


def test_intent_results_and_totals(store: Store) -> None:
    fence, rollout = _begun(store)
    ours = {"scope": "s", "fence": fence, "rollout": rollout}
    assert store.begin(wave=1, hosts=["a", "b"], **ours) == {"go": True, "halt": None}
    assert {row["outcome"] for row in store.show("s")["rollout"]["outcomes"].values()} == {"begun"}
    told = store.results(
        wave=1,
        outcomes=[
            {"host": "a", "outcome": "done", "cohort": "x", "level": 3},
            {"host": "b", "outcome": "failed", "cohort": "y", "reason": "so"},
        ],
        **ours,
    )
    assert told == {"rollout": {"done": 1, "failed": 1}, "cohorts": {"x": {"done": 1}, "y": {"failed": 1}}}
    told = store.results(outcomes=[{"host": "b", "outcome": "rolled_back", "cohort": "y"}], **ours)
    assert told["rollout"] == {"done": 1, "rolled_back": 1}
    rows = store.show("s")["rollout"]["outcomes"]
    assert (rows["a"]["level"], rows["a"]["wave"]) == (3, 1)
    assert (rows["b"]["outcome"], rows["b"]["wave"]) == ("rolled_back", 1), "the wave stays"


def test_gates_keep_their_wave(store: Store) -> None:
    fence, rollout = _begun(store)
    store.gate("s", fence, rollout, 2, {"of": "wave", "verdict": "pass", "wave": 7})
    (record,) = store.show("s")["rollout"]["gates"]
    assert (record["wave"], record["verdict"]) == (2, "pass")


@pytest.mark.parametrize("scope, go", [("s", False), (None, False), ("t", True)])
def test_once_a_halt_is_stored_nothing_begins(store: Store, scope: Any, go: bool) -> None:
    fence, rollout = _begun(store)
    store.halt(scope, "why", "eve")
    told = store.begin("s", fence, rollout, 0, ["a"])
    assert told["go"] is go
    assert ("a" in store.show("s")["rollout"]["outcomes"]) is go


def test_the_quarantine(store: Store) -> None:
    entry = {"kmp": "k", "cohort": "c", "host": None, "reason": "r", "by": "eve"}
    assert store.quarantine_add([entry, dict(entry, cohort=None), dict(entry, kmp=None, cohort=None, host="h")]) == 3
    assert store.quarantine_add([dict(entry, reason="another")]) == 0
    assert [one["reason"] for one in store.quarantine_list()] == ["r"] * 3
    with pytest.raises(BadOption):
        store.quarantine_clear({}, "eve", "r")
    assert store.quarantine_clear({"kmp": "x"}, "eve", "r") == []
    assert [one["host"] for one in store.quarantine_clear({"host": "h"}, "eve", "mended")] == ["h"]
    assert len(store.quarantine_list()) == 2
    (cleared,) = [one for one in store.quarantine_list(cleared=True) if one["cleared"]]
    assert (cleared["cleared_by"], cleared["cleared_reason"]) == ("eve", "mended")
    assert store.quarantine_add([dict(entry, kmp=None, cohort=None, host="h")]) == 1, "barred again"


def test_an_open_rollout_is_given_up_only_if_nobody_runs_it(store: Store) -> None:
    assert store.abandon("s", "r", "eve") is None
    fence, rollout = _begun(store)
    with pytest.raises(Leased):
        store.abandon("s", "r", "eve")
    store.release("s", fence)
    assert store.abandon("s", "r", "eve") == rollout
    assert store.show("s")["rollout"]["status"] == "abandoned"


def test_a_command_is_told_what_it_lacks(store: Store) -> None:
    with pytest.raises(BadOption, match="halted does not go with these arguments"):
        commands.do(store, "halted", {"scoop": "s"}, False)
    assert commands.do(store, "halt", {"scope": "s", "reason": "", "by": ""}, True) is None
    assert store.halted("s") is None, "check mode"
    assert all(callable(getattr(store, name)) for name in commands.READING + commands.WRITING)


def test_a_damaged_file_is_told_of(store: Store, path: str) -> None:
    os.makedirs(os.path.dirname(path))
    with open(path, "wb") as file:
        file.write(b"SQLite format 3\0" + b"nonsense" * 500)
    for call in (lambda: store.show("s"), lambda: store.halt("s", "", "")):
        with pytest.raises(database.StoreBroken, match="cannot be used"):
            call()


def test_one_of_a_later_version_is_left_alone(store: Store, path: str) -> None:
    store.halt("s", "", "eve")
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {database.VERSION + 1}")
    connection.close()
    with pytest.raises(database.StoreBroken, match="later version"):
        store.unhalt("s", "eve")


#
# Several processes
#

_HAMMER = """\
import json, sys, time
from ansible_collections.fleet.livepatch.plugins.module_utils._store.store import Leased, Store
path, me, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = Store(path, time.time)
for number in range(rounds):
    while True:
        try:
            taken = store.take("s", {"user": me, "machine": "m"}, 1000)
            break
        except Leased:
            time.sleep(0.01)
    fence = taken["fence"]
    rollout = taken["rollout"]["id"] if taken["rollout"] else store.start("s", fence, "h", {})
    store.begin("s", fence, rollout, 0, ["%s-%d" % (me, number)])
    store.results("s", fence, rollout, [{"host": "%s-%d" % (me, number), "outcome": "done", "cohort": "c"}])
    print(json.dumps([fence, number]), flush=True)
    store.release("s", fence)
"""


def _hammer(path: str, name: str, rounds: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", _HAMMER, path, name, str(rounds)]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        universal_newlines=True,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
    )


def test_many_at_once_lose_nothing_and_take_turns(path: str) -> None:
    processes = [_hammer(path, f"p{number}", 8) for number in range(6)]
    fences: List[int] = []
    for process in processes:
        out, _err = process.communicate(timeout=120)
        assert process.returncode == 0
        fences += [json.loads(line)[0] for line in out.splitlines()]
    assert len(fences) == len(set(fences)) == 48, "each turn had a number of its own"
    rows = Store(path, time.time).show("s")["rollout"]["outcomes"]
    assert sorted(rows) == sorted(f"p{process}-{number}" for process in range(6) for number in range(8))


def test_whoever_is_killed_leaves_a_store_that_is_whole(path: str) -> None:
    """What was said to be written is there, and somebody else goes on."""
    chosen = random.Random(11)
    said: List[str] = []
    for number in range(8):
        process = _hammer(path, f"k{number}", 10000)
        assert process.stdout is not None
        process.stdout.readline()
        said.append(f"k{number}-0")
        time.sleep(chosen.random() * 0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        store = Store(path, time.time)
        try:
            fence = store.take("s", ME, 1000)["fence"]
        except Leased as exc:
            fence = store.take("s", ME, 1000, takeover=exc.result["holder"]["fence"])["fence"]
        store.release("s", fence)
        rows = store.show("s")["rollout"]["outcomes"]
        assert set(said) <= set(rows)
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_ten_thousand_outcomes(path: str) -> None:
    store = Store(path, time.time)
    fence, rollout = _begun(store)
    started = time.monotonic()
    for batch in range(100):
        hosts = [f"h{batch}-{number}" for number in range(100)]
        store.begin("s", fence, rollout, 0, hosts)
        told = store.results("s", fence, rollout, [{"host": host, "outcome": "done", "cohort": "c"} for host in hosts])
    assert told["rollout"] == {"done": 10000}
    assert time.monotonic() - started < 30, "it takes about 2 s"


def test_errors_are_ours() -> None:
    assert issubclass(database.StoreBroken, LivepatchError)
