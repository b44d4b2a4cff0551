# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Eight hosts on three kernels: a rollout that goes well, and canaries that go wrong in each way.

Whatever goes wrong: hosts outside of the canary wave are untouched, the wave goes back where it lives, the KMP is in
quarantine, the report says so, the run does not end well, and the run after it does not apply that KMP.
"""

from __future__ import annotations

import json
import subprocess
import time
import typing
from collections.abc import Callable

import pytest

from tests.lab.fleet import Lab
from tests.lab.host import Host
from tests.support import canary
from tests.support.controller import Controller, Run

T = typing.TypeVar("T")
_SICK = "/run/sick"
_MODULE = "livepatch_4_150400_2_1"


@pytest.fixture
def eight(lab: Lab, controller: Controller) -> Lab:
    """Three hosts with each of the lab's kernels, two with the one before."""
    lab.up(6, fresh=True)
    for name in ("old1", "old2"):
        lab.start_older(name)
    controller.forget()
    return lab


def test_a_full_rollout(eight: Lab, controller: Controller, figures: dict[str, object]) -> None:
    first = controller.playbook("rollout", eight.inventory)
    assert "8 hosts: 8 done" in first.output, first.output
    assert first.rc == 0
    started = first.started("livepatch")
    canaries = set(_planned(first))
    assert {_kernel(eight, name) for name in canaries} == {host.kernel for host in eight.hosts}
    verified = first.ended("livepatch_info")
    others = set(started) - canaries
    assert max(verified[name].time for name in canaries) < min(started[name] for name in others)

    second = controller.playbook("rollout", eight.inventory)
    assert (second.rc, second.changed) == (0, 0), second.output
    assert "8 hosts: 8 unchanged" in second.output
    asked = [(event.host, event.action) for event in second.events if event.kind == "start" and event.host in started]
    trips = [action for _host, action in asked if action.endswith(("_survey", "livepatch", "_info"))]
    assert trips == ["fleet.livepatch.livepatch_survey"] * 8, "one round trip for each host"
    figures.update({"hosts": 8, "kernels": 3, "canaries": len(canaries), "round trips of the second run": len(trips)})


def _is_sick(controller: Controller, running: subprocess.Popen[str], bad: list[Host]) -> str:
    # Not before it was found to be well
    _wait_for(running, "the soak", lambda: "TASK [Let the wave soak]" in controller.output() or None)
    host = _wait_for(running, "a canary that is patched", lambda: _says(bad, "patching complete"))
    host.ssh(f"sudo touch {_SICK}")
    return host.name


def _dies(_controller: Controller, running: subprocess.Popen[str], bad: list[Host]) -> str:
    host = _wait_for(running, "a canary that migrates", lambda: _says(bad, "starting patching transition"))
    host.kill()
    return host.name


def _says(hosts: list[Host], words: str) -> Host | None:
    return next((host for host in hosts if words in host.console.read_text()), None)


def _wait_for(running: subprocess.Popen[str], what: str, look: Callable[[], T | None]) -> T:
    deadline = time.monotonic() + 400
    while time.monotonic() < deadline:
        assert running.poll() is None, f"the rollout ended before there was {what}"
        if (found := look()) is not None:
            return found
        time.sleep(0.1)
    raise AssertionError(f"there was never {what}")


# What goes wrong with the canary of the first kernel's hosts: the repository of their level 4, what is done to one of
# them meanwhile, the settings, what is told of it, and whether it lives.
Meanwhile = Callable[[Controller, subprocess.Popen[str], list[Host]], str]
_CASES: dict[str, tuple[str, Meanwhile | None, dict[str, object], str, bool]] = {
    "module refused": ("refused", None, {}, "failed: the kernel refused", True),
    "panics": ("crashing", None, {"livepatch_lost_grace": 240}, "failed: it has rebooted since", False),
    "stalls": ("stalling", None, {"livepatch_timeout": 15}, "failed: the migration to", True),
    "probe fails in the soak": (
        "slow",
        _is_sick,
        {"livepatch_soak": 60, "livepatch_probes": {"commands": [f"test ! -e {_SICK}"]}},
        "rolled_back: in the soak: probe: ",
        True,
    ),
    "one of two is lost": (
        "slow",
        _dies,
        {"livepatch_canaries": 2, "livepatch_lost_grace": 20},
        "lost: unreachable: ",
        False,
    ),
}


@pytest.mark.parametrize("name", _CASES)
def test_a_canary(eight: Lab, controller: Controller, name: str, figures: dict[str, object]) -> None:
    repository, meanwhile, settings, told, lives = _CASES[name]
    bad = [host for host in eight.hosts if host.kernel == eight.kernels[0].release]
    canary.add_repository(eight, repository, bad)
    before = {host.name: canary.snapshot(host) for host in eight.hosts}

    command = ["fleet.livepatch.rollout", "-i", str(eight.inventory), *canary.ASK, "-e", json.dumps(settings)]
    with controller.start(command) as running:
        victim = meanwhile(controller, running, bad) if meanwhile else None
        run = controller.finish(running)

    wave = _planned(run)
    assert {_kernel(eight, one) for one in wave} == {host.kernel for host in eight.hosts}, "canaries of each kernel"
    assert set(run.started("livepatch")) == set(wave), run.output
    assert "Gate after canaries: fail" in run.output
    assert run.rc == 2
    others = [host for host in eight.hosts if host.name not in wave]
    assert [host.name for host in others if not canary.untouched(host, before[host.name])] == []

    victim = victim or next(one for one in wave if one in {host.name for host in bad})
    assert f"  {victim}: {told}" in run.output, run.output
    for one in wave:
        host = eight.host(one)
        if one != victim:
            canary.assert_brought_back(run, one)
        if one != victim or lives:
            # What the lab's KMPs change is as it was built.
            assert "livepatch" not in host.ssh("cat /proc/execdomains"), one
            assert _MODULE not in host.ssh("ls /sys/kernel/livepatch"), one
    kmp = f"{eight.kernels[0].kmp_name}-4-150400.2.1"
    report = controller.playbook("report", eight.inventory).output
    assert f"{victim}: " in report.partition("In quarantine:")[0]
    assert f": {kmp} in cohort " in report.partition("In quarantine:")[2], report

    # The night after: whoever is of that cohort is left alone, whatever level it would start from.
    before = {host.name: canary.snapshot(host) for host in bad if host.alive()}
    night = controller.playbook("rollout", eight.inventory, *canary.ASK, "-e", "livepatch_lost_grace=10")
    touched = set(night.started("livepatch"))
    assert touched == {host.name for host in eight.hosts} - {host.name for host in bad}, night.output
    assert all(canary.untouched(host, before[host.name]) for host in bad if host.alive())
    assert "quarantine: " in night.output
    assert night.rc == 2
    figures.update({"canaries": len(wave), "others touched": 0, "rc": run.rc, "touched the night after": len(touched)})


def _planned(run: Run) -> list[str]:
    """The canary wave of the run's plan."""
    (planned,) = run.ended("livepatch_plan").values()
    wave = planned.result["plan"]["waves"][0]
    assert wave["kind"] == "canaries"
    return list(wave["hosts"])


def _kernel(lab: Lab, name: str) -> str:
    return lab.host(name).kernel
