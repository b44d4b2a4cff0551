# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process that renews a lease: with real processes, and a real store."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import typing as t
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._store.dispatch import Store
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import heartbeat, processes
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreError

# A playbook whose step, in a process of its own, takes the lease and starts the heartbeat
_PLAYBOOK = """
import os, sys, time, types
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import heartbeat, store_client
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.run import Run
action = types.SimpleNamespace(
    _task=types.SimpleNamespace(check_mode=False), _templar=types.SimpleNamespace(template=lambda value: value)
)
step = os.fork()
if step == 0:
    store = store_client.StoreClient(action, {"livepatch_store_path": sys.argv[1]})
    fence = store.send("take_lease", scope="default", owner={}, ttl=2.0)["fence"]
    store.send("start_rollout", scope="default", fence=fence, rollout="r", plan_hash="h")
    heartbeat.start(store, Run("rollout", "h", id="r", fence=fence), 2)
    os._exit(0)
os.waitpid(step, 0)
print(os.getpid(), flush=True)
time.sleep(60)
"""


def _wait_until(condition: Callable[[], t.Any], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _is_free(store: Store) -> bool:
    row = store.show("default")["lease"]
    return bool(row["renewed"] + row["ttl"] < time.time())


def _list_heartbeats(path: Path) -> list[int]:
    """All processes of the playbook by its argument."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if str(path).encode() in command.split(b"\0"):
            found.append(int(folder.name))
    return found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_the_lease_lasts_as_long_as_the_playbook_runs(tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "store"
    store = Store(str(path), time.time)
    with subprocess.Popen(
        [sys.executable, "-c", _PLAYBOOK, str(path)], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as playbook:
        assert playbook.stdout is not None
        try:
            pid = int(playbook.stdout.readline())
            ends = time.monotonic() + 5
            while time.monotonic() < ends:
                assert not _is_free(store)
                time.sleep(0.1)
            os.kill(pid, number)
            _wait_until(lambda: _is_free(store))
            if number == signal.SIGSTOP:
                # Another run takes it over meanwhile: the process ends when the playbook goes on.
                other = store.take_lease("default", {}, 60)["fence"]
                os.kill(pid, signal.SIGCONT)
                _wait_until(lambda: _list_heartbeats(path) == [pid])
                assert store.show("default")["lease"]["fence"] == other
        finally:
            playbook.kill()
    _wait_until(lambda: not _list_heartbeats(path))


def test_a_coordinator_that_is_away_for_a_while_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [True, StoreError("unreachable"), StoreError("unreachable"), True, False]
    clock = [0.0]
    asked: list[float] = []

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    def renew() -> bool:
        asked.append(clock[0])
        answer = answers.pop(0)
        if isinstance(answer, StoreError):
            raise answer
        return answer

    monkeypatch.setattr(heartbeat.time, "sleep", sleep)
    monkeypatch.setattr(heartbeat.time, "monotonic", lambda: clock[0])
    heartbeat.keep_lease(renew, processes.identify(os.getpid()), 120)
    assert asked == [0, 30, 35, 40, 70]


def test_a_process_that_has_ended_has_no_state() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        known = processes.identify(process.pid)
        assert processes.read_state(known) is not None
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert processes.read_state(known) is None, "a zombie"
        process.wait()
        assert processes.read_state(known) is None
    assert processes.read_state(known._replace(pid=os.getpid())) is None, "another process has its ID by now"


def test_nothing_begins_where_nobody_would_renew_the_lease(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(processes, "_PROC", tmp_path)
    with pytest.raises(PlanError, match="use a control node with Linux"):
        processes.identify_playbook()
