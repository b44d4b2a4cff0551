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


def test_reversed(fleet: Lab, controller: Controller, figures: dict[str, object]) -> None:
    first = controller.playbook("rollout", fleet.inventory)
    assert first.rc == 0, first.output
    canary.add_repository(fleet, "stalling", fleet.hosts)
    options = (*canary.ASK, "-e", f"livepatch_timeout={LIMIT}")
    run = controller.playbook("rollout", fleet.inventory, *options)

    wave = set(run.started("livepatch"))
    canary.assert_halted(run, wave)
    assert len(wave) == 2, "one canary for each kernel"
    told = run.ended("livepatch_info")
    for name, job in run.jobs().items():
        assert f"did not complete within {LIMIT} s because of oom_reaper (tid " in job["msg"]
        assert ", kernel_thread) and was reversed" in job["msg"]
        assert [one["command"] for one in job["blockers"]] == ["oom_reaper"]
        assert job["after"] == job["before"], "packages too"
        assert told[name].result["livepatch"]["journal"]["phase"] == "failed"
        assert f"  {name}: failed: " in run.report
    for host in fleet.hosts:
        assert "livepatch level 3" in host.ssh("cat /proc/execdomains")
        assert host.ssh("cat /sys/kernel/livepatch/*/transition").split() == ["0"]
    figures.update({"canaries": len(wave), "limit in s": LIMIT, "rc": run.rc})

    # Nothing of it is in the hosts' way when somebody has it tried again.
    controller.forget()
    again = controller.playbook("rollout", fleet.inventory, *options, "--limit", ",".join(wave))
    assert set(again.jobs()) == wave, again.output
    assert all("was reversed" in job["msg"] for job in again.jobs().values()), again.output


def test_left_running(fleet: Lab, controller: Controller, figures: dict[str, object]) -> None:
    host = fleet.hosts[3]
    # Whether the other scenario has run before, and has quarantined it, or not
    host.ssh("sudo zypper -n rr stalling")
    controller.forget()
    canary.add_repository(fleet, "stalling", [host])
    run = controller.playbook(
        "rollout",
        fleet.inventory,
        "--limit",
        host.name,
        *canary.ASK,
        *("-e", f"livepatch_timeout={LIMIT}", "-e", "livepatch_on_stall=leave"),
    )
    assert run.rc == 2
    assert "was left running" in run.jobs()[host.name]["msg"]
    left = run.ended("livepatch_info")[host.name].result["livepatch"]
    assert left["state"] == "stalled"
    assert [(one["command"], one["class"]) for one in left["blockers"]] == [("oom_reaper", "kernel_thread")]
    assert host.ssh("cat /sys/kernel/livepatch/livepatch_4_150400_2_1/transition").strip() == "1"
    status = controller.playbook("status", fleet.inventory, "--limit", host.name)
    assert f"{host.name}: stalled: tasks are moving to livepatch_4_150400_2_1" in status.output
    figures.update({"limit in s": LIMIT, "rc": run.rc})
