# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What holds a rollout holds it on real kernels: an approval that the next run does not name, another user's halt."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.fleet import Lab
from tests.support import another_user, canary
from tests.support.controller import Controller


def test_an_approval_that_the_second_run_leaves_out(
    fleet: Lab, controller: Controller, figures: dict[str, object]
) -> None:
    canary.add_repository(fleet, "slow", fleet.hosts)
    before = {host.name: canary.snapshot(host) for host in fleet.hosts}
    first = controller.playbook("rollout", fleet.inventory, *canary.ASK, "-e", json.dumps({"livepatch_approval": [1]}))
    assert first.rc == 0, first.output
    canaries = set(first.batches[0])
    others = [host for host in fleet.hosts if host.name not in canaries]
    for _again in range(2):
        again = controller.playbook("rollout", fleet.inventory)
        assert again.rc == 0, again.output
        assert "waiting for approval" in again.output
        assert all(canary.untouched(host, before[host.name]) for host in others)
    (plan_hash,) = set(re.findall(r"livepatch_plan_hash=([0-9a-f]{64})", again.output))
    approval = ("-e", f"livepatch_plan_hash={plan_hash}", "-e", "livepatch_wave=1")
    approved = controller.playbook("approve", fleet.inventory, *approval)
    assert approved.rc == 0, approved.output
    last = controller.playbook("rollout", fleet.inventory)
    assert last.rc == 0, last.output
    assert "4 hosts: 4 done" in last.output
    figures.update({"canaries": len(canaries), "others touched before the approval": 0})


@pytest.fixture
def shared(fleet: Lab, controller: Controller, tmp_path: Path) -> Path:
    """Says where the rollout is recorded: in a folder of a group that another user is in."""
    another_user.require()
    folder = tmp_path / "store"
    folder.mkdir()
    another_user.share(folder)
    path = tmp_path / "shared.json"
    place = {"livepatch_store_path": str(folder / "rollouts.sqlite3"), "livepatch_store_group": another_user.GROUP}
    path.write_text(json.dumps({"all": {"vars": place}}))
    fleet.up(4, fresh=True)
    controller.forget()
    return path


def test_another_users_halt_while_hosts_are_in_flight(
    fleet: Lab, controller: Controller, shared: Path, figures: dict[str, object]
) -> None:
    canary.add_repository(fleet, "slow", fleet.hosts)
    before = {host.name: canary.snapshot(host) for host in fleet.hosts}
    place = ("-i", str(fleet.inventory), "-i", str(shared))
    with controller.start(["fleet.livepatch.rollout", *place, *canary.ASK]) as running:
        _wait_for(lambda: any("starting patching transition" in host.console.read_text() for host in fleet.hosts))
        began = time.monotonic()
        halted = _as_another_user(controller, shared.parent, "halt", *place, "-e", "livepatch_reason='too slow'")
        seconds = time.monotonic() - began
        assert halted.returncode == 0, halted.stdout
        run = controller.finish(running)
    wave = set(run.started("livepatch"))
    assert wave == set(run.batches[0]), run.output
    # Who is in flight ends what it has begun.
    assert all("patching complete" in fleet.host(name).console.read_text() for name in wave)
    assert all(canary.untouched(host, before[host.name]) for host in fleet.hosts if host.name not in wave)
    assert "too slow" in run.output
    held = controller.run(["fleet.livepatch.rollout", *place])
    assert "too slow" in held.output
    assert not held.started("livepatch"), held.output
    resumed = _as_another_user(controller, shared.parent, "resume", *place)
    assert resumed.returncode == 0, resumed.stdout
    last = controller.run(["fleet.livepatch.rollout", *place])
    assert (last.rc, "4 hosts: 4 done" in last.output) == (0, True), last.output
    figures.update({"in flight": len(wave), "others touched while halted": 0, "halt in s": round(seconds, 1)})


def _as_another_user(
    controller: Controller, folder: Path, playbook: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *another_user.COMMAND,
            str(Path(sys.executable).parent / "ansible-playbook"),
            f"fleet.livepatch.{playbook}",
            *arguments,
        ],
        cwd=folder,
        env={**another_user.adapt(controller.environment(), folder), "ANSIBLE_NOCOLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def _wait_for(happens: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.05)
