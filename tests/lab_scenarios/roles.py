# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The roles as a playbook of a user's own has them, and the halt flag."""

from __future__ import annotations

import json
import typing as t

import pytest

from tests.lab.fleet import Lab
from tests.support import canary
from tests.support.controller import Controller, Run


@pytest.fixture(scope="module")
def running(lab: Lab) -> Lab:
    lab.up(2, fresh=True)
    return lab


def _play(running: Lab, controller: Controller, *roles: tuple[str, dict[str, t.Any]], check: bool = False) -> Run:
    """Runs roles on all hosts, as handed to ``import_role``."""
    tasks = [
        {"ansible.builtin.import_role": {"name": f"fleet.livepatch.{role}"}, "vars": vars_} for role, vars_ in roles
    ]
    path = controller.folder / "roles.yml"
    path.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    return controller.run([str(path), "-i", str(running.inventory), *(["--check"] if check else [])])


def _levels(running: Lab) -> set[str]:
    return {host.ssh("ls /sys/kernel/livepatch").strip() for host in running.hosts}


def test_roles(running: Lab, controller: Controller, figures: dict[str, object]) -> None:
    everything = (("preflight", {}), ("install", {}), ("verify", {}))
    checked = _play(running, controller, *everything, check=True)
    assert checked.rc == 0, checked.output
    assert _levels(running) == {""}, "check mode changes nothing"

    second = _play(running, controller, ("install", {"install_level": 2}))
    assert second.rc == 0, second.output
    assert _levels(running) == {"livepatch_2_150400_2_1"}
    # What asks for the newest level finds it missing.
    missing = _play(running, controller, ("verify", {}))
    assert missing.rc == 2
    assert "outdated: " in missing.output
    done = _play(running, controller, *everything)
    assert done.rc == 0, done.output
    assert _levels(running) == {"livepatch_3_150400_2_1"}
    again = _play(running, controller, *everything)
    assert (again.rc, again.changed) == (0, 0), again.output

    back = _play(running, controller, ("rollback", {}))
    assert back.rc == 0, back.output
    assert back.changed == 2, back.output
    assert _levels(running) == {"livepatch_2_150400_2_1"}
    assert {job["after"]["level"] for job in back.jobs().values()} == {2}
    figures.update({"hosts": len(running.hosts), "levels": "2, 3, back to 2"})


def test_preflight_stops_what_must_not_be_patched(
    running: Lab, controller: Controller, figures: dict[str, object]
) -> None:
    victim, other = running.hosts
    before = canary.snapshot(victim)
    # As after an oops: the kernel takes this letter, and keeps it until the next boot.
    victim.ssh("echo 128 | sudo tee /proc/sys/kernel/tainted")
    run = _play(running, controller, ("preflight", {}), ("install", {}))
    assert run.rc == 2
    assert "taint: " in run.output
    assert "it has had an oops" in run.output
    assert set(run.started("livepatch")) == {other.name}
    assert canary.untouched(victim, before)
    tolerated = _play(running, controller, ("preflight", {"preflight_tolerate": ["taint"]}))
    assert tolerated.rc == 0, tolerated.output
    # Nothing else takes it back.
    booted = victim.boot_id()
    victim.ssh("sudo systemctl reboot", check=False)
    victim.wait_for_boot(booted)
    figures.update({"stopped for": "taint", "others patched": 1})


def test_halted(running: Lab, controller: Controller, figures: dict[str, object]) -> None:
    for host in running.hosts:
        controller.module("livepatch", running.inventory, host.name, {"level": 2, "allow_downgrade": True})
    before = {host.name: canary.snapshot(host) for host in running.hosts}
    reason = ("-e", json.dumps({"livepatch_reason": "the database team asked for it"}))
    halted = controller.playbook("halt", running.inventory, *reason)
    # It is recorded, and said to stop nothing that has begun.
    assert (halted.rc, "stops nothing: no rollout is recorded here" in " ".join(halted.output.split())) == (2, True)
    run = controller.playbook("rollout", running.inventory)
    assert run.rc == 2
    assert "rollouts are halted" in run.output
    assert "the database team asked for it" in run.output
    assert all(canary.untouched(host, before[host.name]) for host in running.hosts)
    cleared = controller.playbook("resume", running.inventory)
    assert cleared.rc == 0, cleared.output
    well = controller.playbook("rollout", running.inventory)
    assert well.rc == 0, well.output
    assert _levels(running) == {"livepatch_3_150400_2_1"}
    figures.update({"hosts touched while halted": 0})
