# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who runs a rollout, and whether he has surely ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import typing as t

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import lease, processes


def _identify(pid: int) -> dict[str, t.Any]:
    return lease.identify_owner("eve", processes.identify(pid))


def test_a_process_that_runs_has_not_ended() -> None:
    assert lease.is_alive(_identify(os.getpid())) is True


@pytest.mark.parametrize("waited_for", [True, False])
def test_a_process_that_has_ended_has(waited_for: bool) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        who = _identify(process.pid)
        assert lease.is_alive(who) is True
        process.send_signal(signal.SIGSTOP)
        while lease.is_alive(who):
            time.sleep(0.01)
        assert lease.is_alive(who) is None, "it may go on, and does not renew its lease"
        process.kill()
        if waited_for:
            process.wait()
        else:
            # A zombie: it stays until it is waited for
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert lease.is_alive(who) is False


@pytest.mark.parametrize("key", ["boot", "namespace"])
def test_of_one_elsewhere_nobody_knows(key: str) -> None:
    who = {**_identify(os.getpid()), "started": "1"}
    assert lease.is_alive(who) is False, "another process has its ID by now"
    assert lease.is_alive({**who, key: "another"}) is None


def test_slices_have_ended_when_all_of_them_have() -> None:
    here = _identify(os.getpid())
    ended = {**here, "started": "1"}
    elsewhere = {**here, "boot": "another"}
    assert lease.is_alive({"members": {"1": ended, "2": here, "3": elsewhere}}) is True
    assert lease.is_alive({"members": {"1": ended, "2": elsewhere}}) is None
    assert lease.is_alive({"members": {"1": ended, "2": ended}}) is False


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        assert self.now < 1000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    clock = _Clock()
    monkeypatch.setattr(lease.time, "sleep", clock.sleep)
    return clock


def _refuse(clock: _Clock, renews_until: float, takeover: int | None, **owner: t.Any) -> str:
    """A store whose lease of 60 seconds is renewed each 15 seconds, as long as its holder lives."""
    renewed = min(clock.now, renews_until) // 15 * 15
    if takeover == 7 or clock.now > renewed + 60:
        return "taken"
    holder = {"fence": 7, "owner": owner, "since": 0.0, "renewed": renewed, "left": renewed + 60 - clock.now}
    raise lease.StoreError("another rollout is running", holder)


@pytest.mark.parametrize(
    ("renews_until", "reason", "expected", "seconds"),
    [
        (1e9, "", None, 15),
        (0, "", "taken", 60),
        (1e9, "the job was cancelled", "taken", 0),
    ],
    ids=["alive", "gone", "by hand"],
)
def test_a_lease_is_waited_for_until_its_holder_renews_it(
    clock: _Clock, renews_until: float, reason: str, expected: str | None, seconds: float
) -> None:
    lines: list[str] = []

    def request(takeover: int | None = None, reason: str = "") -> str:
        return _refuse(clock, renews_until, takeover, user="eve", machine="other", boot="x", namespace="y", pid=1)

    terms = lease.LeaseTerms(60, reason, lines.append)
    if expected is None:
        with pytest.raises(lease.StoreError, match="another rollout is running"):
            lease.with_takeover(request, terms)
    else:
        assert lease.with_takeover(request, terms) == expected
    assert clock.now == pytest.approx(seconds, abs=3)
    assert [line[:51] for line in lines] == ([] if reason else ["Another run has this rollout, started by eve on oth"])


def test_a_holder_that_has_ended_here_is_not_waited_for(clock: _Clock) -> None:
    ended = {**_identify(os.getpid()), "started": "1"}

    def request(takeover: int | None = None, reason: str = "") -> str:
        return _refuse(clock, 1e9, takeover, **ended)

    assert lease.with_takeover(request, lease.LeaseTerms(60)) == "taken"
    assert clock.now == 0
