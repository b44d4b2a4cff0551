# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rollout whose run was killed, stopped, or is somewhere else: real playbooks over fake hosts."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sqlite3
import time
import typing as t
from collections.abc import Iterable
from pathlib import Path

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._store.dispatch import Store
from tests.support import cores
from tests.support.fake_fleet import FakeFleet, FakeHost

_HOSTS = ("a1", "a2", "a3", "b1", "b2")
_LEASE = 20
_ROLLOUT = ["fleet.livepatch.rollout", "-e", json.dumps({"livepatch_lease": _LEASE})]
_COMMON = {"livepatch_waves": [1], "livepatch_unreachable_timeout": 1}
# Of these every fifth and the one after it are in another container, or before a reboot of the control node
_MOMENTS = 50


@pytest.fixture(scope="module")
def fake_fleet(tmp_path_factory: pytest.TempPathFactory) -> FakeFleet:
    return FakeFleet(tmp_path_factory.mktemp("fake_fleet"), cores.environment(cores.NEWEST))


@pytest.fixture(scope="module")
def events(fake_fleet: FakeFleet) -> int:
    """How much happens in a rollout that nobody disturbs."""
    _make(fake_fleet)
    run = fake_fleet.again(_ROLLOUT)
    assert run.rc == 0, run.output
    return len(run.events)


def _make(fake_fleet: FakeFleet) -> None:
    fake_fleet.make({name: FakeHost({"build": name[0]}) for name in _HOSTS}, {}, common=_COMMON)


def _list_below(pid: int) -> Iterable[int]:
    for threads in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, threads.read_text().split()):
                yield child
                yield from _list_below(child)


def _signal(pid: int, number: signal.Signals) -> None:
    for each in [pid, *_list_below(pid)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, number)


def _move_owner(path: Path) -> None:
    """Whoever has the lease is in another container, of which nothing can be known here."""
    connection = sqlite3.connect(path)
    with contextlib.closing(connection), connection:
        for scope, text in connection.execute("SELECT scope, owner FROM leases WHERE owner IS NOT NULL").fetchall():
            owner = {**json.loads(text), "namespace": "pid:[1]"}
            connection.execute("UPDATE leases SET owner = ? WHERE scope = ?", (json.dumps(owner), scope))


def _shown(fake_fleet: FakeFleet) -> dict[str, t.Any]:
    return Store(str(fake_fleet.store), time.time).show("default")


def _assert_all_patched_once(fake_fleet: FakeFleet) -> None:
    assert {name: len(kmps) for name, kmps in fake_fleet.touched().items()} == dict.fromkeys(_HOSTS, 1)


@pytest.mark.parametrize(
    "moment",
    [number if number in (3, 5) else pytest.param(number, marks=pytest.mark.slow) for number in range(_MOMENTS)],
)
def test_a_run_that_was_killed_is_taken_up_by_the_same_command(fake_fleet: FakeFleet, events: int, moment: int) -> None:
    _make(fake_fleet)
    after = random.Random(moment).randrange(1, events)
    with fake_fleet.started(_ROLLOUT) as process:
        while process.poll() is None and len(fake_fleet.events()) < after:
            time.sleep(0.02)
    if moment % 5 < 2 and fake_fleet.store.exists():
        _move_owner(fake_fleet.store)
    began = time.monotonic()
    run = fake_fleet.again(_ROLLOUT)
    assert run.rc == 0, run.output
    assert time.monotonic() - began < _LEASE + 60
    assert _shown(fake_fleet)["rollout"]["status"] == "done"
    _assert_all_patched_once(fake_fleet)


def test_it_is_taken_over_at_once_for_a_reason_that_is_kept(fake_fleet: FakeFleet, events: int) -> None:
    _make(fake_fleet)
    with fake_fleet.started(_ROLLOUT) as process:
        while process.poll() is None and len(fake_fleet.events()) < events // 2:
            time.sleep(0.02)
    _move_owner(fake_fleet.store)
    run = fake_fleet.again([*_ROLLOUT, "-e", "livepatch_takeover_reason='its node was cut off'"])
    assert run.rc == 0, run.output
    assert "Another run has this rollout" not in run.output
    taken = [event for event in _shown(fake_fleet)["rollout"]["events"] if event.get("what") == "taken"]
    assert [event["reason"] for event in taken] == ["its node was cut off"]
    _assert_all_patched_once(fake_fleet)


@pytest.mark.slow
def test_a_run_that_was_stopped_for_long_has_lost_its_rollout(fake_fleet: FakeFleet, events: int) -> None:
    _make(fake_fleet)
    with fake_fleet.started(_ROLLOUT) as process:
        while process.poll() is None and len(fake_fleet.events()) < events // 2:
            time.sleep(0.02)
        _signal(process.pid, signal.SIGSTOP)
        _move_owner(fake_fleet.store)
        # The fake control node keeps the output of one run at a time.
        deadline = time.monotonic() + 3 * _LEASE
        store = Store(str(fake_fleet.store), time.time)
        while time.monotonic() < deadline:
            time.sleep(0.5)
        lease = store.show("default")["lease"]
        assert lease["renewed"] + lease["ttl"] < time.time(), "nobody renews it"
        before = fake_fleet.touched()
        store.take_lease("default", {}, 600)
        _signal(process.pid, signal.SIGCONT)
        run = fake_fleet.finish(process)
    assert run.rc == 2, run.output
    assert "another run has" in run.output
    # What was under way on a host ends.
    assert len(fake_fleet.touched()) <= len(before) + 1


@pytest.mark.slow
def test_a_run_whose_task_takes_ten_leases_is_not_taken_over(fake_fleet: FakeFleet) -> None:
    """The canaries soak in one task. To another run it is one of another container."""
    _make(fake_fleet)
    soaking = [*_ROLLOUT, "-e", f"livepatch_soak={10 * _LEASE}"]
    other = ["ansible-playbook", *_ROLLOUT, "-i", str(fake_fleet.inventory)]
    refused = 0
    with fake_fleet.started(soaking) as process:
        while process.poll() is None and not _has_lease(fake_fleet):
            time.sleep(0.02)
        _move_owner(fake_fleet.store)
        while process.poll() is None and not any(
            event.action.endswith("rollout_wait") for event in fake_fleet.events()
        ):
            time.sleep(0.1)
        end = time.monotonic() + 9 * _LEASE
        while time.monotonic() < end:
            told = fake_fleet.typed(other)
            assert told.returncode == 2, told.stdout
            assert "another run has" in told.stdout, told.stdout
            refused += 1
        run = fake_fleet.finish(process)
    assert run.rc == 0, run.output
    assert refused > 1
    _assert_all_patched_once(fake_fleet)


def _has_lease(fake_fleet: FakeFleet) -> bool:
    return fake_fleet.store.exists() and _shown(fake_fleet)["lease"] is not None
