# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What store of one file several processes make: turns, kills, and nothing lost. Python 3.6."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from typing import Any, Dict, List

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._store.dispatch import Store
from ansible_collections.fleet.livepatch.plugins.module_utils._store.lease import Leased
from tests.support.store import start_rollout

# Each works on a scope of its own (argument 2) and, in turn with the others, on one that all share. It says what was
# written once it was.
_WORKER = """\
import json, sys, time
from ansible_collections.fleet.livepatch.plugins.module_utils._store.dispatch import Store
from ansible_collections.fleet.livepatch.plugins.module_utils._store.lease import Leased
from tests.support.store import start_rollout
path, me, rounds, shared = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
store = Store(path, time.time)

def say(*words):
    print(json.dumps(words), flush=True)

def taken():
    # Not for ever: whoever has it may have ended in the middle.
    for _attempt in range(4000):
        try:
            return store.take_lease(shared, {"user": me}, 1000)
        except Leased:
            time.sleep(0.005)
    sys.exit("nobody gave the lease back")

def ours(scope, taken):
    opened = taken["rollout"]
    return scope, taken["fence"], opened["id"] if opened else start_rollout(store, scope, taken["fence"], "h")

mine = ours(me, store.take_lease(me, {"user": me}, 1000))
for number in range(rounds):
    host = "%s-%d" % (me, number)
    turn = taken()
    held = time.time()
    for scope, fence, rollout in (mine, ours(shared, turn)):
        assert store.begin_hosts(scope, fence, rollout, number, [host])["go"]
        store.renew_lease(scope, fence)
        store.record_outcomes(scope, fence, rollout, [{"host": host, "outcome": "done", "cohort": "c"}], wave=number)
        store.set_status(scope, fence, rollout, "running", {"host": host})
    ended = time.time()
    store.release_lease(shared, turn["fence"])
    say(host, turn["fence"], held, ended)
"""


def _worker(path: str, name: str, rounds: int) -> Any:
    return subprocess.Popen(
        [sys.executable, "-c", _WORKER, path, name, str(rounds), "shared"],
        stdout=subprocess.PIPE,
        universal_newlines=True,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
    )


def _rows(path: str, scope: str) -> Dict[str, Any]:
    return dict(Store(path, time.time).show(scope)["rollout"]["outcomes"])


@pytest.fixture
def path(tmp_path: Any) -> str:
    # Nobody has made the folder, so all of them try to
    return str(tmp_path / "made" / "by" / "whom" / "rollouts.sqlite3")


def test_eight_at_once_take_turns_and_lose_nothing(path: str) -> None:
    names = [f"p{number}" for number in range(8)]
    started = time.monotonic()
    workers = [_worker(path, name, 3) for name in names]
    store = Store(path, time.time)
    looks = 0
    # Who reads meanwhile is not in the way, and not refused.
    while any(worker.poll() is None for worker in workers) and time.monotonic() - started < 60:
        store.show("shared")
        looks += 1
        time.sleep(0.02)
    said: List[Any] = []
    for worker in workers:
        said += [json.loads(line) for line in worker.communicate(timeout=60)[0].splitlines()]
    assert [worker.returncode for worker in workers] == [0] * 8
    assert looks > 0
    hosts = [f"{name}-{number}" for name in names for number in range(3)]
    assert sorted(row[0] for row in said) == sorted(hosts)
    rows = _rows(path, "shared")
    assert sorted(rows) == sorted(hosts)
    assert {row["outcome"] for row in rows.values()} == {"done"}
    for name in names:
        assert sorted(_rows(path, name)) == sorted(host for host in hosts if host.startswith(name + "-"))
    fences = [row[1] for row in said]
    assert len(set(fences)) == len(fences), "each turn has a number of its own"
    turns = sorted(said, key=lambda row: row[1])
    for (_host, _fence, _held, ended), (_next, _number, held, _ended) in zip(turns, turns[1:]):
        assert held >= ended, "nobody holds the lease while another does"


@pytest.mark.parametrize("times", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_in_the_middle_it_stays_whole(path: str, times: int) -> None:
    """What was said to be written is there, and somebody else goes on at once."""
    chosen = random.Random(5)
    said: List[str] = []
    last = 0
    for number in range(times):
        worker = _worker(path, f"k{number}", 100000)
        said.append(json.loads(worker.stdout.readline())[0])
        time.sleep(chosen.random() * 0.03)
        worker.send_signal(signal.SIGKILL)
        said += [json.loads(line)[0] for line in worker.communicate()[0].splitlines() if line.endswith("]")]
        # Read first: a journal that the dead one has left is worked off by readers, too.
        assert set(said) <= set(_rows(path, "shared"))
        store = Store(path, time.time)
        try:
            taken = store.take_lease("shared", {"user": "eve"}, 1000)
        except Leased as exc:
            taken = store.take_lease("shared", {"user": "eve"}, 1000, takeover=exc.result["holder"]["fence"])
        assert taken["fence"] > last
        last = taken["fence"]
        # What began is known, whether it ended or not
        assert {row["outcome"] for row in taken["rollout"]["outcomes"].values()} <= {"done", "begun"}
        store.release_lease("shared", last)
        connection = sqlite3.connect(path)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()


def test_ten_thousand_hosts_in_batches_of_a_hundred(path: str) -> None:
    store = Store(path, time.time)
    fence = store.take_lease("s", {}, 1000)["fence"]
    rollout = start_rollout(store, "s", fence, "h")
    wall, processor = time.monotonic(), time.process_time()
    for wave in range(100):
        outcomes = [
            {"host": f"h{wave}-{number}", "outcome": "done", "cohort": f"c{number % 40}"} for number in range(100)
        ]
        assert store.begin_hosts("s", fence, rollout, wave, [one["host"] for one in outcomes])["go"]
        told = store.record_outcomes("s", fence, rollout, outcomes, wave=wave)
    assert sum(group["hosts"] for group in told) == 10000
    assert len({group["cohort"] for group in told}) == 40
    # By its own work, since what else runs here is not its fault
    assert time.process_time() - processor < 5
    assert time.monotonic() - wall < 60
