# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A canary that is patched and does not stay well: its wave goes back, its KMP is barred, the others are untouched."""

from __future__ import annotations

import json
import time

from tests.lab.fleet import Lab
from tests.support import canary
from tests.support.controller import Controller

_SICK = "/run/sick"


def test_a_probe_fails_in_the_soak(lab: Lab, controller: Controller, figures: dict[str, object]) -> None:
    lab.up(4, fresh=True)
    before = {host.name: canary.snapshot(host) for host in lab.hosts}
    settings = {"livepatch_soak": 60, "livepatch_probes": {"commands": [f"test ! -e {_SICK}"]}}
    arguments = ("-e", json.dumps(settings))
    with controller.start(["fleet.livepatch.rollout", "-i", str(lab.inventory), *arguments]) as running:
        deadline = time.monotonic() + 300
        patched = []
        while len(patched) < 2 and time.monotonic() < deadline:
            assert running.poll() is None, "the rollout ended before its canaries were patched"
            patched = [host for host in lab.hosts if "patching complete" in host.console.read_text()]
            time.sleep(1)
        patched[0].ssh(f"sudo touch {_SICK}")
        run = controller.finish(running)

    canary.assert_halted(run, {host.name for host in patched})
    assert all(canary.untouched(host, before[host.name]) for host in lab.hosts if host not in patched)
    for host in patched:
        canary.assert_brought_back(run, host.name)
        # What the lab's KMPs change is as it was built.
        assert "livepatch" not in host.ssh("cat /proc/execdomains")
    assert f"  {patched[0].name}: rolled_back: " in run.output
    assert "in the soak: probe: " in run.output

    # The night after: the KMP is barred in that cohort, the other one gets it.
    night = controller.playbook("rollout", lab.inventory)
    sick = patched[0].kernel
    touched = set(night.started("livepatch"))
    assert touched == {host.name for host in lab.hosts if host.kernel != sick}, night.output
    assert "quarantine: " in night.output
    assert night.rc == 2
    figures.update({"canaries brought back": 2, "others touched": 0, "touched the night after": len(touched)})


def test_a_run_that_is_killed_goes_on(lab: Lab, controller: Controller, figures: dict[str, object]) -> None:
    """Three times, at three places: no host twice, none forgotten."""
    lab.up(4, fresh=True)
    canary.add_repository(lab, "slow", lab.hosts)
    command = ["fleet.livepatch.rollout", "-i", str(lab.inventory), *canary.ASK]
    for number, place in enumerate(
        ("TASK [Ask each host]", "TASK [fleet.livepatch.verify", "Gate after canaries: pass")
    ):
        with controller.start(command) as running:
            deadline = time.monotonic() + 300
            while place not in controller.output() and time.monotonic() < deadline:
                assert running.poll() is None, controller.output()
                time.sleep(0.2)
            running.kill()
            running.wait()
        figures[f"killed {number + 1}"] = place
    run = controller.run(command)
    assert run.rc == 0, run.output
    assert "4 hosts: 4 " in run.output, run.output
    for host in lab.hosts:
        started = host.console.read_text().count("starting patching transition")
        assert started == 1, f"{host.name}: {started} transitions"
        assert host.ssh("cd /sys/kernel/livepatch/livepatch_4_*; cat enabled transition") == "1\n0\n"
        phase = json.loads(host.ssh("sudo cat /var/lib/fleet.livepatch/journal.json"))["phase"]
        assert phase == "done", f"{host.name} is left {phase}"
