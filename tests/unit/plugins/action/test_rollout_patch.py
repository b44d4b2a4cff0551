# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a change that was started on a host is waited for: a host that answers, does not answer, or takes its time."""

from __future__ import annotations

import dataclasses
import types
import typing as t

import pytest

from ansible_collections.fleet.livepatch.plugins.action import rollout_patch
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import changes
from tests.support import answers

RUNNING = changes.Running("web1", "the-run", 1000.0, 2640, {"refresh": "never"}, 300)
LOST = {"changed": False, "unreachable": True, "msg": "Connection refused"}
WRONG = {"changed": False, "failed": True, "msg": "the host's answer cannot be used"}


def journal(run: str, running: bool) -> dict[str, t.Any]:
    return answers.journal(run=run, running=running)


def answer(job: dict[str, t.Any] | None, entry: dict[str, t.Any] | None = None, up_to_date: bool = True) -> t.Any:
    return answers.gathered(livepatch={"job": job, "journal": entry, "compliance": {"up_to_date": up_to_date}})


DONE = answer(answers.job())
WORKS = answer(None, journal("the-run", running=True), up_to_date=False)
KILLED = answer(None, journal("the-run", running=False), up_to_date=False)
NOT_BEGUN = answer(None, journal("another", running=False), up_to_date=False)
FAILED = answer(answers.job(failed=True, msg="the kernel refused it"), up_to_date=False)


class Host:
    """A host with these answers, one after the other, the last one again and again; each takes these seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answered: t.Any, seconds: float = 1) -> None:
        self._answers, self._seconds = list(answered), seconds
        self.now = 1000.0
        self.asked: list[t.Any] = []
        # What ticks alike in all attempts is the time since the epoch only.
        clock = types.SimpleNamespace(monotonic=lambda: self.now - 900, time=lambda: self.now, sleep=self._sleep)
        monkeypatch.setattr(rollout_patch, "time", clock)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def _run(self, arguments: t.Any, _task_vars: t.Any) -> t.Any:
        self.asked.append(arguments)
        now = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        self.now += self._seconds if now is not WORKS else arguments["wait"]
        return dict(now)

    def collect(self, running: changes.Running = RUNNING) -> dict[str, t.Any]:
        """As the task does, which asks again as long as it is told to."""
        while True:
            result = self.attempt(running)
            if not result.get("again"):
                return result

    def attempt(self, running: changes.Running = RUNNING) -> dict[str, t.Any]:
        """ansible-core makes an action of its own for each (TaskExecutor._execute)."""
        action = object.__new__(rollout_patch.ActionModule)
        action._connection = types.SimpleNamespace(reset=lambda: None)
        vars(action)["run_module"] = self._run
        return action._collect(running, {})


def test_a_host_is_asked_once_if_it_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, DONE)
    result = host.collect()
    assert result["changed"] is True
    assert not result.keys() & {"failed", "lost", "in_flight", "again"}
    assert host.asked == [{"refresh": "never", "run": "the-run", "wait": 30}]


def test_a_host_that_works_is_asked_again_as_long_as_it_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, WORKS, WORKS, DONE)
    assert host.attempt()["again"] is True
    assert "failed" not in host.collect()
    host = Host(monkeypatch, WORKS)
    result = host.collect()
    assert (result["failed"], len(host.asked)) == (True, 2640 // 30)


@pytest.mark.parametrize(
    ("answered", "message"),
    [(FAILED, "the kernel refused it"), (KILLED, "patched: "), (WRONG, "the host's answer cannot be used")],
)
def test_what_went_wrong_is_displayed_at_once(monkeypatch: pytest.MonkeyPatch, answered: t.Any, message: str) -> None:
    host = Host(monkeypatch, answered)
    result = host.collect()
    assert (result["failed"], len(host.asked)) == (True, 1)
    assert result["msg"].startswith(message)


def test_a_host_that_is_lost_is_tried_again_for_as_long_as_its_setting_says(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, LOST, LOST, DONE)
    result = host.collect()
    assert (result["lost"], "failed" in result) == (True, False)
    host = Host(monkeypatch, LOST)
    result = host.collect()
    assert (result["unreachable"], result["lost"]) == (True, True)
    assert 300 <= host.now - 1000 <= 300 + 11


@pytest.mark.parametrize("answered", [NOT_BEGUN, answer(None, None, up_to_date=False)])
def test_a_host_that_was_lost_when_it_was_to_start_may_have_nothing_to_wait_for(
    monkeypatch: pytest.MonkeyPatch, answered: t.Any
) -> None:
    """It is known when what was sent would have recorded something."""
    host = Host(monkeypatch, answered, seconds=30)
    assert host.collect(dataclasses.replace(RUNNING, lost=True))["lost"] is True
    assert 120 <= host.now - 1000 <= 150
    host = Host(monkeypatch, WORKS, DONE)
    assert "failed" not in host.collect(dataclasses.replace(RUNNING, lost=True)), "it had started, and is waited for"
    assert len(host.asked) == 2


def test_a_host_that_was_lost_and_works_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has recorded is of the run before: it downloads the KMP."""
    busy = answer(None, journal("another", running=True), up_to_date=False)
    host = Host(monkeypatch, busy, busy, busy, busy, busy, busy, DONE, seconds=30)
    assert host.collect(dataclasses.replace(RUNNING, lost=True))["livepatch"]["job"] is not None
    assert len(host.asked) == 7


def test_a_host_that_is_asked_in_between_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = dataclasses.replace(RUNNING, patience=0)
    for answered in (WORKS, LOST):
        host = Host(monkeypatch, answered)
        assert host.collect(asked)["in_flight"] is True
        assert (len(host.asked), host.asked[0]["wait"]) == (1, 0)
    host = Host(monkeypatch, LOST)
    host.now += 301
    result = host.collect(asked)
    assert (result["unreachable"], "in_flight" in result) == (True, False), "its time is over"


@pytest.mark.parametrize(("answered", "seconds"), [(WORKS, 10), (NOT_BEGUN, 10), (LOST, 10)])
def test_a_slow_host_is_left_after_a_while(monkeypatch: pytest.MonkeyPatch, answered: t.Any, seconds: float) -> None:
    host = Host(monkeypatch, answered, seconds=seconds)
    result = host.collect(dataclasses.replace(RUNNING, patience=10))
    assert (result["in_flight"], bool(result.get("unreachable")), result["changed"]) == (True, False, False)
    assert "failed" not in result
    assert host.now - 1000 <= 10 + 2 * seconds
    assert host.asked[0]["wait"] == 10


def test_a_host_that_has_ended_is_not_left(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, DONE, seconds=11)
    assert "in_flight" not in host.collect(dataclasses.replace(RUNNING, patience=10))


def test_a_rollback_is_good_by_its_own_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the host goes back to is not the newest."""
    back = dataclasses.replace(RUNNING, goes_back=True)
    ended = answer(answers.job(), up_to_date=False)
    assert "failed" not in Host(monkeypatch, ended).collect(back)
    assert Host(monkeypatch, FAILED).collect(back)["failed"] is True
    assert Host(monkeypatch, KILLED).collect(back)["failed"] is True
