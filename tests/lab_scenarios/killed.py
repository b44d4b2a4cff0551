# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rollout that is killed goes on where it was."""

from __future__ import annotations

import json

from tests.lab.fleet import Lab
from tests.support import canary
from tests.support.controller import Controller, starts


def test_a_run_that_is_killed_goes_on(lab: Lab, controller: Controller, figures: dict[str, object]) -> None:
    """Three times, at three places: no host twice, none forgotten."""
    lab.up(4, fresh=True)
    controller.forget()
    canary.add_repository(lab, "slow", lab.hosts)
    command = ["fleet.livepatch.rollout", "-i", str(lab.inventory), *canary.ASK]
    places = {
        "hosts are asked": starts("livepatch_info"),
        "canaries are verified": lambda event: event.task == "Wait for the live patch",
        "the canaries' gate has passed": lambda _event: "Gate after canaries: pass" in controller.output(),
    }
    for number, (place, is_there) in enumerate(places.items()):
        with controller.start(command) as running:
            controller.wait_for(running, is_there)
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
