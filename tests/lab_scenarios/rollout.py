# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Eight hosts on three kernels: a rollout that goes well, and canaries that go wrong in each way.

Whatever goes wrong: hosts outside of the canary wave are untouched, the wave goes back where it lives, the KMP is in
quarantine, the report says so, the run does not end well, and the run after it does not apply that KMP.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import time
import typing
from collections.abc import Callable, Mapping

import pytest

from tests.lab.fleet import Lab
from tests.lab.host import Host
from tests.support import canary
from tests.support.controller import Controller, starts

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
    canaries = set(first.batches[0])
    assert {_kernel(eight, name) for name in canaries} == {host.kernel for host in eight.hosts}
    verified = first.ended("livepatch_info")
    others = set(started) - canaries
    assert max(verified[name].time for name in canaries) < min(started[name] for name in others)

    second = controller.playbook("rollout", eight.inventory)
    assert (second.rc, second.changed) == (0, 0), second.output
    assert "8 hosts: 8 unchanged" in second.output
    asked = [(event.host, event.action) for event in second.events if event.kind == "start" and event.host in started]
    trips = [action for _host, action in asked if action.endswith(("livepatch", "_info"))]
    assert trips == ["fleet.livepatch.livepatch_info"] * 8, "one round trip for each host"
    figures.update({"hosts": 8, "kernels": 3, "canaries": len(canaries), "round trips of the second run": len(trips)})


def test_check_mode_tells_and_does_nothing(fleet: Lab, controller: Controller) -> None:
    canary.add_repository(fleet, "slow", fleet.hosts)
    before = {host.name: canary.snapshot(host) for host in fleet.hosts}
    told = controller.playbook("rollout", fleet.inventory, "--check", *canary.ASK)
    assert told.rc == 0, told.output
    assert "4 hosts: 4 pending" in told.output
    assert told.output.count(": pass (") == 3, "the canaries' wave and two more"
    after = {name: event.result["after"] for name, event in told.ended("livepatch").items()}
    assert {name: (block["state"], block["level"]) for name, block in after.items()} == {
        host.name: ("patched", 4) for host in fleet.hosts
    }
    assert all(canary.untouched(host, before[host.name]) for host in fleet.hosts)


def _is_sick(controller: Controller, running: subprocess.Popen[str], bad: list[Host]) -> str:
    # Not before it was found to be well
    _wait_for(running, "the soak", lambda: any(map(starts("rollout_wait"), controller.events())) or None)
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
    deadline = time.monotonic() + 900
    while time.monotonic() < deadline:
        assert running.poll() is None, f"the rollout ended before there was {what}"
        if (found := look()) is not None:
            return found
        time.sleep(0.1)
    raise AssertionError(f"there was never {what}")


def _loses_it(_controller: Controller, running: subprocess.Popen[str], bad: list[Host]) -> str:
    """Somebody disables the patch as soon as it is there."""
    host = _wait_for(running, "a canary that is patched", lambda: _says(bad, "patching complete"))
    host.ssh(f"echo 0 | sudo tee /sys/kernel/livepatch/{_MODULE}/enabled")
    return host.name


def _cannot_be_traced(host: Host) -> None:
    host.ssh("echo 0 | sudo tee /proc/sys/kernel/ftrace_enabled")


def _cannot_take_it(host: Host) -> None:
    """No file can be made in the KMP's folder. (A file in the folder's place is none to RPM: it takes it away.)"""
    host.ssh("cd /lib/modules/$(uname -r) && sudo mkdir livepatch && sudo chattr +i livepatch")


Before = Callable[[Host], None]
Meanwhile = Callable[[Controller, subprocess.Popen[str], list[Host]], str]


@dataclasses.dataclass(frozen=True)
class Case:
    """What goes wrong with the canary of the first kernel's hosts: the repository of their level 4, what is done to
    them before and to one of them meanwhile, what is told of it, and whether it lives.
    """

    repository: str
    told: str
    before: Before | None = None
    meanwhile: Meanwhile | None = None
    settings: Mapping[str, object] = dataclasses.field(default_factory=dict)
    lives: bool = True


_PROBE = {"livepatch_soak": 60, "livepatch_health_checks": {"commands": [f"test ! -e {_SICK}"]}}
_CASES = {
    "preflight": Case("slow", "failed: preflight: ftrace", before=_cannot_be_traced),
    "install": Case("slow", "failed: zypper could not install", before=_cannot_take_it),
    "module refused": Case("refused", "failed: the kernel refused"),
    "panics": Case(
        "crashing", "failed: the host has rebooted since", settings={"livepatch_unreachable_timeout": 240}, lives=False
    ),
    "stalls": Case("stalling", "failed: the migration to", settings={"livepatch_timeout": 15}),
    "verify": Case("slow", "failed: ", meanwhile=_loses_it),
    "probe fails in the soak": Case(
        "slow", "rolled_back: during the soak: health_check: ", meanwhile=_is_sick, settings=_PROBE
    ),
    "one of two is lost": Case(
        "slow",
        "lost: unreachable: ",
        meanwhile=_dies,
        settings={"livepatch_canaries": 2, "livepatch_unreachable_timeout": 20},
        lives=False,
    ),
}


_WHOLE_NIGHT = "module refused"


@pytest.mark.parametrize("name", _CASES)
def test_a_canary(eight: Lab, controller: Controller, name: str, figures: dict[str, object]) -> None:
    case = _CASES[name]
    bad = [host for host in eight.hosts if host.kernel == eight.kernels[0].release]
    canary.add_repository(eight, case.repository, bad)
    for host in bad:
        if case.before:
            case.before(host)
    before = {host.name: canary.snapshot(host) for host in eight.hosts}

    command = ["fleet.livepatch.rollout", "-i", str(eight.inventory), *canary.ASK, "-e", json.dumps(case.settings)]
    with controller.start(command) as running:
        victim = case.meanwhile(controller, running, bad) if case.meanwhile else None
        run = controller.finish(running)

    wave = run.batches[0]
    assert {_kernel(eight, one) for one in wave} == {host.kernel for host in eight.hosts}, "canaries of each kernel"
    assert set(run.started("livepatch")) == set(wave), run.output
    assert "Gate after canaries: fail" in run.output
    assert run.rc == 2
    others = [host for host in eight.hosts if host.name not in wave]
    assert [host.name for host in others if not canary.untouched(host, before[host.name])] == []

    victim = victim or next(one for one in wave if one in {host.name for host in bad})
    assert f"  {victim}: {case.told}" in run.output, run.output
    for one in wave:
        host = eight.host(one)
        if one != victim:
            canary.assert_brought_back(run, one)
        if one != victim or case.lives:
            # What the lab's KMPs change is as it was built.
            assert "livepatch" not in host.ssh("cat /proc/execdomains"), one
            assert _MODULE not in host.ssh("ls /sys/kernel/livepatch"), one
    kmp = f"{eight.kernels[0].kmp_name}-4-150400.2.1"
    report = controller.playbook("report", eight.inventory).output
    assert f"{victim}: " in report.partition("In quarantine:")[0]
    assert f": {kmp} in cohort " in report.partition("In quarantine:")[2], report

    # The night after: whoever is of that cohort is left alone, whatever level it would start from. That the others go
    # on is the same whatever went wrong, and takes emulated hosts ten minutes: one of the cases shows it.
    before = {host.name: canary.snapshot(host) for host in bad if host.alive()}
    asked = eight.hosts if name == _WHOLE_NIGHT else bad
    targets = ("-e", "livepatch_targets=" + ",".join(host.name for host in asked))
    night = controller.playbook(
        "rollout", eight.inventory, *canary.ASK, "-e", "livepatch_unreachable_timeout=10", *targets
    )
    touched = set(night.started("livepatch"))
    assert touched == {host.name for host in asked} - {host.name for host in bad}, night.output
    assert all(canary.untouched(host, before[host.name]) for host in bad if host.alive())
    assert "quarantine: " in night.output
    assert night.rc == 2
    figures.update({"canaries": len(wave), "others touched": 0, "rc": run.rc, "touched the night after": len(touched)})


def _kernel(lab: Lab, name: str) -> str:
    return lab.host(name).kernel
