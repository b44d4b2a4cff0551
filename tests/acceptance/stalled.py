# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A migration that never ends: named with its blocker, reversed within its limit, and the host is as it was before."""

from __future__ import annotations

from tests.lab.fleet import Lab
from tests.support import canary
from tests.support.controller import Controller

# Seconds that the migration may take
LIMIT = 15


def _show(output: str) -> str:
    return output.partition("Tell what became of each host")[2]


def test_reversed(fleet: Lab, controller: Controller, figures: dict[str, object]) -> None:
    first = controller.playbook("rollout", fleet.inventory)
    assert first.rc == 0, first.output
    canary.add_repository(fleet, "stalling", fleet.hosts)
    options = (*canary.ASK, "-e", f"livepatch_timeout={LIMIT}")
    run = controller.playbook("rollout", fleet.inventory, *options)

    wave = set(run.started("livepatch"))
    canary.assert_halted(run, wave)
    assert len(wave) == 2, "one canary for each kernel"
    for name, event in run.ended("livepatch").items():
        result = event.result
        assert f"did not complete within {LIMIT} s and was reversed" in result["msg"]
        assert [blocker["command"] for blocker in result["livepatch"]["blockers"]] == ["oom_reaper"]
        assert result["livepatch"]["blockers"][0]["kernel_thread"] is True
        assert (result["before"]["level"], result["after"]["level"]) == (3, 3)
        assert f"  {name}: failed: " in _show(run.output)
    for host in fleet.hosts:
        assert "livepatch level 3" in host.ssh("cat /proc/execdomains")
        assert host.ssh("cat /sys/kernel/livepatch/*/transition").split() == ["0"]
    figures.update({"canaries": len(wave), "limit in s": LIMIT, "rc": run.rc})

    # What is left of the reversed module is removed before it is tried again.
    again = controller.playbook("rollout", fleet.inventory, *options, "--limit", ",".join(wave))
    assert all("was reversed" in event.result["msg"] for event in again.ended("livepatch").values()), again.output


def test_left_running(fleet: Lab, controller: Controller, figures: dict[str, object]) -> None:
    host = fleet.hosts[3]
    run = controller.playbook(
        "rollout",
        fleet.inventory,
        "--limit",
        host.name,
        *("-e", f"livepatch_timeout={LIMIT}", "-e", "livepatch_on_stall=leave"),
    )
    assert run.rc == 2
    result = run.ended("livepatch")[host.name].result
    assert "was left running" in result["msg"]
    assert result["livepatch"]["state"] == "stalled"
    assert host.ssh("cat /sys/kernel/livepatch/livepatch_4_150400_2_1/transition").strip() == "1"
    status = controller.playbook("status", fleet.inventory, "--limit", host.name)
    assert f"{host.name}: transitioning: tasks are moving to livepatch_4_150400_2_1" in status.output
    figures.update({"limit in s": LIMIT, "rc": run.rc})
