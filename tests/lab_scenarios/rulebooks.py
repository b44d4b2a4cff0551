# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An alert brakes a rollout, by the real Alertmanager and the real ansible-rulebook; without one it is left alone."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from tests.lab.fleet import Lab
from tests.lab.host import Host
from tests.support import canary, monitoring, rulebooks
from tests.support.controller import Controller

_CHOSEN = {"livepatch_alert_label": "severity", "livepatch_alert_values": ["critical"]}
# Two canaries, then one host and another one
_WAVES = ("-e", '{"livepatch_waves": [1]}')


def _migrating(lab: Lab) -> list[Host]:
    """The hosts whose migration has begun, by the kernel's own words."""
    return [host for host in lab.hosts if "starting patching transition" in host.console.read_text(errors="replace")]


def _wait_for_hosts(lab: Lab, running: subprocess.Popen[str], count: int) -> None:
    deadline = time.monotonic() + 400
    while len(_migrating(lab)) < count:
        assert running.poll() is None, "the rollout ended before so many had begun"
        assert time.monotonic() < deadline, f"no {count} hosts have begun"
        time.sleep(0.1)


def test_an_alert_halts_a_rollout_that_runs(
    lab: Lab, controller: Controller, tmp_path: Path, figures: dict[str, object]
) -> None:
    lab.up(4, fresh=True)
    controller.forget()
    canary.add_repository(lab, "slow", lab.hosts)  # its migration takes 20 s
    before = {host.name: canary.snapshot(host) for host in lab.hosts}
    store = rulebooks.store(controller.folder)
    settings, inventory = controller.environment(), ("-i", str(lab.inventory))
    (tmp_path / "alertmanager").mkdir()
    with (
        rulebooks.running("fleet.livepatch.halt_on_alert", tmp_path, settings, _CHOSEN, inventory) as brake,
        monitoring.alertmanager(tmp_path / "alertmanager", webhook_configs=[brake.receiver]) as alertmanager,
        controller.start(["fleet.livepatch.rollout", *inventory, *canary.ASK, *_WAVES]) as running,
    ):
        _wait_for_hosts(lab, running, 2)
        monitoring.fire(alertmanager, "HighLoad", severity="warning", instance="lp1:9100")
        _wait_for_hosts(lab, running, 3)
        assert store.get_halt("default") is None, "it went on beyond its canaries"
        assert "PLAY" not in brake.output, "it has not even looked"
        monitoring.fire(alertmanager, "ErrorRate", severity="critical", instance="lp1:9100")
        seconds = rulebooks.wait_until(lambda: store.get_halt("default"))
        run = controller.finish(running)
    begun = _migrating(lab)
    assert len(begun) == 3, "those in flight, and nobody after them"
    assert run.rc == 2, run.output
    assert "alert ErrorRate on lp1:9100" in run.output, run.output
    for host in begun:
        assert host.ssh("cd /sys/kernel/livepatch/livepatch_4_*; cat enabled transition") == "1\n0\n"
    (left,) = (host for host in lab.hosts if host not in begun)
    assert canary.untouched(left, before[left.name])
    figures.update({"halted after the alert in s": round(seconds, 1), "begun": len(begun), "of": len(lab.hosts)})
    assert seconds < 10
