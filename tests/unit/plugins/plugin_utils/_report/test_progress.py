# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is told of a rollout while it runs."""

from __future__ import annotations

import re
import typing as t

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._report.progress import Progress, Result
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hostvars import MEMBER

_BLOCKER = {"command": "kworker/1:2", "class": "kernel_thread"}
_MOVES = {"transition": {"running": True}, "evidence": {"threads_left": 2}, "blockers": [_BLOCKER], "job": None}


class Told:
    """A rollout of one canary, and of a wave of twelve."""

    def __init__(self, redraws: bool = False) -> None:
        self.now = 0.0
        self._progress = Progress(lambda: self.now, redraws)
        self.of("rollout_begin", sizes=[1, 12])

    def of(
        self, action: str, host: str = "web1", step: str | None = None, kind: str = "ok", **data: t.Any
    ) -> list[str]:
        """What is told of a result, without the time of day."""
        lines = self._progress.handle(Result(host, f"fleet.livepatch.{action}", step, data, kind))
        for line in lines:
            assert re.match(r"\d\d:\d\d:\d\d ", line)
        return [line[9:] for line in lines]

    def knows(self, host: str) -> bool:
        return self._progress.has_failed(host)

    def shown(self) -> list[str]:
        return self._progress.format_batch()

    def turn(self, wave: int, *hosts: str) -> list[str]:
        return self.of("rollout_admit", go=True, wave_name=("canaries", "wave 1")[wave], start=list(hosts))

    def ended(self, host: str, seconds: float | None = 1.5, **job: t.Any) -> list[str]:
        job = {"failed": False, "transition": {"seconds": seconds}, **job}
        return self.collected(host, livepatch={"state": "patched", "job": job})

    def started(self, host: str, kind: str = "ok", **data: t.Any) -> list[str]:
        return self.of("rollout_patch", host, "start", kind, **data)

    def collected(self, host: str = "web1", kind: str = "ok", **data: t.Any) -> list[str]:
        return self.of("rollout_patch", host, "collect", kind, **data)

    def left(self, *hosts: str) -> list[str]:
        """They are in flight still."""
        data = {"livepatch": _MOVES, "in_flight": True}
        return [line for host in hosts for line in self.collected(host, **data)]

    def caught_up(self, asks: str, kind: str = "ok", **results: t.Mapping[str, t.Any]) -> list[str]:
        """What one host has learned that has asked these."""
        each = [{**data, MEMBER: {"host": host}} for host, data in results.items()]
        return self.collected(asks, kind, results=each)

    def judged(self, *probes: float, step: str = "batch", **more: t.Any) -> list[str]:
        return self.of("rollout_assess", step=step, soak={"probes": list(probes)}, **more)

    def concluded(self, *back: str, step: str = "wave") -> list[str]:
        return self.judged(step=step, status="running", rollback=list(back))


@pytest.fixture
def told() -> Told:
    return Told()


def test_a_canary_and_a_wave(told: Told) -> None:
    assert told.turn(0, "web1") == ["Canaries: starting 1 host: web1"]
    assert told.ended("web1") == ["Canaries: web1: patched, migrated in 1.5 s"]
    assert told.judged() == told.concluded() == []
    wave = [f"web{number}" for number in range(2, 14)]
    assert told.turn(1, *wave)[0].startswith("Wave 1: starting 12 hosts: web2, web3, ")
    lines = [line for number, host in enumerate(wave) for line in told.ended(host, float(number))]
    assert lines[0] == "Wave 1: 2 of 12 hosts finished, 0 failed"
    assert lines[-1] == "Wave 1: 12 of 12 hosts finished, 0 failed"
    assert len(lines) == 10
    assert told.judged() == ["Wave 1: 12 hosts finished, 0 failed; slowest: web13 11.0 s, web12 10.0 s, web11 9.0 s"]


def test_the_end_is_expected_by_what_batches_took(told: Told) -> None:
    told.turn(0, "web1")
    told.now = 60.0
    told.concluded()
    (line,) = told.turn(1, "web2")
    then = re.search(r"\(the last batch; expected to finish at (\d\d):(\d\d):00\)", line)
    assert then is not None and int(then[2]) % 30 == 2, line


def test_a_slow_migration_is_told_with_who_holds_it(told: Told) -> None:
    told.turn(0, "web1")
    told.now = 34.0
    assert told.collected(kind="retry", livepatch=_MOVES) == [
        "Canaries: web1: still migrating after 34 s, 2 threads left, blocked by kworker/1:2 (kernel_thread)"
    ]
    assert told.collected(kind="retry", livepatch={**_MOVES, "transition": {"running": False}}) == []


def test_who_migrates_is_shown_where_it_is_drawn_anew() -> None:
    told = Told(redraws=True)
    assert told.shown() == []
    told.turn(1, *(f"web{number}" for number in range(2, 8)))
    head, counts = told.shown()
    assert re.fullmatch(r"Wave 1, since \d\d:\d\d:00", head)
    assert counts == "6 hosts: 0 finished, 6 running"
    told.now = 31.0
    for number in range(2, 7):
        assert told.collected(f"web{number}", kind="retry", livepatch=_MOVES) == []
    told.ended("web6", failed=True, msg="no")
    told.collected("web5", kind="retry", livepatch={**_MOVES, "transition": {"running": False}})
    held = "still migrating after 31 s, 2 threads left, blocked by kworker/1:2 (kernel_thread)"
    assert told.shown()[1:] == [
        "6 hosts: 1 finished (1 failed), 5 running, 3 of them slow to migrate",
        *(f"  web{number}: {held}" for number in (2, 3, 4)),
    ]
    told.collected("web7", kind="retry", livepatch=_MOVES)
    assert told.shown()[-1] == "  and 1 more"
    for number in (2, 3, 4, 5, 7):
        told.ended(f"web{number}")
    assert told.shown() == [], "nothing runs any more"


def test_what_went_wrong_is_told_once(told: Told) -> None:
    told.turn(0, "web1", "web2", "web3")
    assert told.ended("web1", failed=True, msg="the kernel\nrefused it") == [
        "Canaries: web1: the kernel refused it (2 of 3 left)"
    ]
    assert told.collected("web2", kind="unreachable", msg="Connection refused") == [
        (
            "Canaries: web2: unreachable: connection refused by its address; "
            "check ansible_host and ansible_port, and that sshd runs (1 of 3 left)"
        )
    ]
    assert told.collected("web2", kind="unreachable", msg="Connection refused") == []
    assert [told.knows(host) for host in ("web1", "web2", "web3")] == [True, True, False]
    assert told.concluded("web1") == ["Canaries: rolling back 1 host: web1"]
    assert told.of("rollout_assess", step="rollback", verdict="Brought back: 1 of 1") == ["Brought back: 1 of 1"]
    assert told.of("rollout_assess", step="rollback", verdict="Gate: error: it", error="it") == [], "its task shows it"


@pytest.mark.parametrize("redraws", [False, True])
def test_a_host_writes_nothing_but_its_line(redraws: bool) -> None:
    evil = "\x1b[2J\n12:00:00 3 hosts finished\u202e"
    told = Told(redraws)
    told.turn(0, "web1")
    blocker = {"command": evil, "class": "kernel_thread"}
    lines = told.collected(kind="retry", livepatch={**_MOVES, "blockers": [blocker]})
    lines += told.shown()
    lines += told.ended("web1", failed=True, msg=evil)
    told.turn(0, "web1")
    lines += told.collected(livepatch={"state": evil, "job": {"transition": {"seconds": evil[:0] or None}}})
    assert len(lines) >= 3
    assert all(line.isprintable() for line in lines)
    assert sum("?[2J 12:00:00 3 hosts finished?" in line for line in lines) == 3


def test_a_soak_is_told_with_its_times(told: Told) -> None:
    told.turn(0, "web1")
    told.ended("web1")
    (line,) = told.judged(60.0, 300.0)
    assert re.fullmatch(r"Canaries: soaking until (\S+), health checks at \S+, \1", line)


def test_a_host_that_was_not_started_is_told(told: Told) -> None:
    told.turn(0, "web1", "web2", "web3")
    assert told.started("web1", changed=True, run="r") == []
    assert told.started("web2", "failed", msg="not started: halted") == [
        "Canaries: web2: not started: halted (2 of 3 left)"
    ]
    (line,) = told.started("web3", "unreachable", msg="Connection refused")
    assert line.startswith("Canaries: web3: unreachable: ")
    assert [told.knows(host) for host in ("web1", "web2", "web3")] == [False, True, True]
    assert told.shown()[1] == "3 hosts: 2 finished (2 failed), 1 running"


#
# Hosts that are left in flight
#


def test_a_host_in_flight_has_not_finished(told: Told) -> None:
    told.turn(1, "web1", "web2", "web3")
    assert told.left("web2") == []
    assert told.ended("web1") == ["Wave 1: web1: patched, migrated in 1.5 s (1 of 3 left)"]
    assert told.shown()[1] == "3 hosts: 1 finished, 1 running"
    assert told.ended("web3") == ["Wave 1: web3: patched, migrated in 1.5 s"]
    assert not told.knows("web2")
    assert told.shown() == [], "what is left is waited for by a later step"


def test_a_large_batch_ends_with_how_many_are_in_flight(told: Told) -> None:
    hosts = [f"web{number}" for number in range(12)]
    told.turn(1, *hosts)
    told.left(*hosts[:2])
    for host in hosts[2:11]:
        told.ended(host)
    told.ended(hosts[11], failed=True, msg="no")
    (line,) = told.judged(status="running", rollback=[])
    assert line.startswith("Wave 1: 10 hosts finished, 1 failed, 2 in flight still; slowest: ")
    # The next batch counts its own, and has those of both in flight.
    others = [f"db{number}" for number in range(11)]
    told.turn(1, *others)
    told.left(others[0])
    for other in others[1:]:
        told.ended(other)
    (line,) = told.judged(status="running", rollback=[])
    assert line.startswith("Wave 1: 10 hosts finished, 0 failed, 3 in flight still; slowest: ")


def test_slow_hosts_are_told_when_they_have_ended_whoever_has_asked_them(told: Told) -> None:
    told.turn(1, "web1", "web2", "web3")
    told.left("web1", "web2", "web3")
    assert told.judged(status="running", rollback=[]) == []
    told.turn(1, "db1", "db2")
    told.ended("db1")
    told.left("db2")
    assert told.judged() == []
    job = {"failed": False, "transition": {"seconds": 40.0}}
    lines = told.caught_up(
        "db1",
        "failed",
        db2={"livepatch": {"state": "patched", "job": job}},
        web1={"livepatch": {"state": "patched", "job": job}},
        web2={"failed": True, "msg": "the kernel refused it", "livepatch": {"state": "unpatched", "job": None}},
        web3={"unreachable": True, "lost": True, "msg": "Connection refused"},
    )
    assert lines[:3] == [
        "Wave 1: db2: patched, migrated in 40.0 s",
        "Wave 1: web1: patched, migrated in 40.0 s",
        "Wave 1: web2: the kernel refused it",
    ]
    assert len(lines) == 4 and lines[3].startswith("Wave 1: web3: unreachable: ")
    assert [told.knows(host) for host in ("db1", "db2", "web1", "web2", "web3")] == [False, False, False, True, True]
    assert told.caught_up("db2") == []
    assert told.caught_up("db1", db2={"livepatch": {"state": "patched", "job": job}}) == [], "they are told once"


def test_a_host_that_no_batch_of_this_run_has_started_is_not_told(told: Told) -> None:
    told.turn(1, "web1")
    told.ended("web1")
    assert told.caught_up("web1", web9={"livepatch": {"state": "patched", "job": None}}) == []


def test_what_a_host_writes_that_another_one_has_asked_is_its_line(told: Told) -> None:
    evil = "\x1b[2J\n12:00:00 3 hosts finished\u202e"
    told.turn(0, "web1", "web2")
    told.left("web1", "web2")
    job = {"failed": True, "msg": evil}
    lines = told.caught_up(
        "web1", web1={"livepatch": {"state": evil, "job": {}}}, web2={"livepatch": {"state": "x", "job": job}}
    )
    assert len(lines) == 2
    assert all(line.isprintable() and "?[2J 12:00:00 3 hosts finished?" in line for line in lines)


#
# The end of a batch
#


@pytest.mark.parametrize("step", ["batch", "slow", "wave"])
def test_the_last_word_on_a_batch_is_told_by_whichever_step_has_it(told: Told, step: str) -> None:
    told.turn(0, "web1")
    told.now = 60.0
    told.ended("web1", failed=True, msg="no")
    assert told.concluded("web1", step=step) == ["Canaries: rolling back 1 host: web1"]
    # Steps that come after it return the same, and are no end of their own.
    told.now = 300.0
    assert told.concluded("web1", step="wave") == []
    told.now = 600.0
    (line,) = told.turn(1, "web2")
    then = re.search(r"\(the last batch; expected to finish at (\d\d):(\d\d):00\)", line)
    assert then is not None and int(then[2]) % 30 == 11, line


def test_a_batch_that_is_followed_by_more_has_not_ended(told: Told) -> None:
    told.turn(0, "web1")
    told.now = 60.0
    assert told.judged(follow="collect") == []
    told.now = 120.0
    (line,) = told.judged(180.0, step="slow", follow="soak")
    assert line.startswith("Canaries: soaking until ")
    told.now = 240.0
    told.concluded()
    (line,) = told.turn(1, "web2")
    then = re.search(r"\(the last batch; expected to finish at (\d\d):(\d\d):00\)", line)
    assert then is not None and int(then[2]) % 30 == 8, "by all that came before the last word"


def test_what_could_not_be_assessed_is_no_end_of_a_batch(told: Told) -> None:
    told.turn(0, "web1")
    assert told.judged(verdict="Gate: error: it", error="it") == []
    assert told.concluded("web1") == ["Canaries: rolling back 1 host: web1"]


def test_other_tasks_are_nothing_to_tell(told: Told) -> None:
    assert told.of("livepatch_info", problem="unreachable") == []
    assert told.collected("web9", livepatch={"state": "patched", "job": None}) == []
    told.turn(0, "web1")
    assert told.of("livepatch_info", livepatch={"state": "patched", "job": None}) == [], "such as a probe in a soak"
    assert told.of("livepatch", kind="failed", msg="not confirmed") == []
    assert told.of("rollout_admit", go=False) == []
    assert told.of("rollout_assess", kind="failed", step="wave", msg="no") == []
