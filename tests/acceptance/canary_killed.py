# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A canary's virtual machine is killed in the middle of its migration, as a panic would: the rollout stops."""

from __future__ import annotations

import time

from tests.lab.fleet import Lab
from tests.lab.host import Host
from tests.support import canary
from tests.support.controller import Controller


def _migrating(hosts: list[Host]) -> Host | None:
    return next((one for one in hosts if "starting patching transition" in one.console.read_text()), None)


def test_a_canary_dies_while_its_kernel_migrates(
    fleet: Lab, controller: Controller, figures: dict[str, object]
) -> None:
    canary.add_repository(fleet, "slow", fleet.hosts)  # its migration takes 20 s
    before = {host.name: canary.snapshot(host) for host in fleet.hosts}

    running = controller.start(["fleet.livepatch.rollout", "-i", str(fleet.inventory), *canary.ASK])
    deadline = time.monotonic() + 300
    victim = None
    while victim is None and time.monotonic() < deadline:
        assert running.poll() is None, "the rollout ended before a canary migrated"
        victim = _migrating(fleet.hosts)
        time.sleep(0.05)
    assert victim is not None
    victim.kill()
    killed = time.monotonic()
    run = controller.finish(running)
    halted = time.monotonic() - killed

    wave = set(run.started("livepatch"))
    assert len(wave) == 2, "one canary for each kernel"
    assert victim.name in wave
    canary.assert_halted(run, wave)
    others = [host for host in fleet.hosts if host.name not in wave]
    assert all(canary.untouched(host, before[host.name]) for host in others)
    assert f"  {victim.name}: lost: unreachable: " in run.output
    (survivor,) = wave - {victim.name}
    assert run.ended("livepatch_info")[survivor].result["livepatch"]["state"] == "patched", "the other one finished"
    figures.update({"canaries": 2, "other hosts touched": 0, "rc": run.rc, "ended after the kill in s": round(halted)})
