# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism import klp, transition

_TWO, _THREE = "2-150400.2.1", "3-150400.2.1"
_NAME = "livepatch_3_150400_2_1"


def test_completes_by_the_log(machine: Any) -> None:
    machine.start(_THREE)
    answer = transition.wait_for_end(machine, klp.Klp(machine), _NAME, machine.clock(), 60)
    assert (answer.completed, answer.by) == (True, "kernel log")
    assert answer.seconds == pytest.approx(1.5, abs=0.11)
    # Noticed within 0.2 s
    assert machine.slept <= 1.7


def test_completes_by_the_watch(machine: Any) -> None:
    machine.start(_THREE)
    machine.log = []
    answer = transition.wait_for_end(machine, klp.Klp(machine), _NAME, machine.clock() - 2, 60)
    assert (answer.completed, answer.by) == (True, "watch")
    assert answer.seconds == pytest.approx(3.5, abs=0.11)


@pytest.mark.parametrize("timeout", [0, 1, 10, 60.5])
def test_does_not_complete(machine: Any, timeout: float) -> None:
    machine.offer(_THREE, seconds=None)
    machine.start(_THREE)
    answer = transition.wait_for_end(machine, klp.Klp(machine), _NAME, machine.clock(), timeout)
    assert (answer.completed, answer.by) == (False, "watch")
    assert timeout <= answer.seconds <= timeout + 0.2
    assert machine.slept <= timeout + 0.2


def test_time_before_counts(machine: Any) -> None:
    machine.offer(_THREE, seconds=None)
    machine.start(_THREE)
    assert transition.wait_for_end(machine, klp.Klp(machine), _NAME, machine.clock() - 8, 10).completed is False
    assert machine.slept == pytest.approx(2, abs=0.2)


def test_vanishes(machine: Any, monkeypatch: Any) -> None:
    machine.offer(_THREE, seconds=None)
    machine.start(_THREE)
    sleep = machine.sleep

    def slept(seconds: float) -> None:
        sleep(seconds)
        machine.drop("/sys/kernel/livepatch/" + _NAME)

    monkeypatch.setattr(machine, "sleep", slept)
    assert transition.wait_for_end(machine, klp.Klp(machine), _NAME, machine.clock(), 60).completed is True
    assert machine.slept == transition.INTERVAL


def test_not_there(machine: Any) -> None:
    assert transition.wait_for_end(machine, klp.Klp(machine), _NAME, machine.clock(), 60).completed is True
    assert machine.slept == 0


@pytest.mark.parametrize(
    "seconds, timeout, busy, slept",
    [(1.5, 60, None, 1.5), (None, 5, "livepatch_2_150400_2_1", 5), (None, 0, "livepatch_2_150400_2_1", 0)],
)
def test_others(machine: Any, seconds: Any, timeout: float, busy: Any, slept: float) -> None:
    machine.offer(_TWO, seconds=seconds)
    machine.start(_TWO)
    assert transition.wait_for_others(machine, klp.Klp(machine), timeout) == busy
    assert machine.slept == pytest.approx(slept, abs=0.2)


def test_no_others(machine: Any) -> None:
    machine.have_active(_TWO)
    assert transition.wait_for_others(machine, klp.Klp(machine), 60) is None
    assert machine.slept == 0
