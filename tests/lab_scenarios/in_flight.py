# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A migration holds no fork: eight hosts that take 20 seconds each, with two forks, beside the usual way."""

from __future__ import annotations

import json
import time

from tests.lab.fleet import Lab
from tests.support import canary
from tests.support.controller import Controller

# Besides them a canary for each of the two kernels
HOSTS, FORKS, MIGRATION = 8, 2, 20
# Of the 20 seconds and the tasks' own cost
BOUND = 1.3


def _rollout(lab: Lab, controller: Controller, *arguments: str) -> tuple[float, float]:
    """Seconds from the start of the first host of a wave of all hosts to its gate, and the migrations' seconds."""
    run = controller.playbook(
        "rollout",
        lab.inventory,
        *("--forks", str(FORKS), "-e", '{"livepatch_waves": []}', "-e", "livepatch_timeout=120"),
        *arguments,
    )
    assert run.rc == 0, run.output
    ended = run.ended("livepatch_info")
    _canaries, wave = run.batches
    assert len(wave) == HOSTS
    begun = run.started("livepatch")
    started, finished = min(begun[host] for host in wave), max(ended[host].time for host in wave)
    seconds = max(ended[host].result["livepatch"]["job"]["transition"]["seconds"] for host in wave)
    return finished - started, seconds


def test_wave(lab: Lab, controller: Controller, figures: dict[str, object]) -> None:
    lab.up(HOSTS + 2, fresh=True)
    # What the tasks cost by themselves: the same with migrations that are over at once
    own, quick = _rollout(lab, controller)
    own -= quick
    canary.add_repository(lab, "slow", lab.hosts)
    took, slowest = _rollout(lab, controller, *canary.ASK)
    assert slowest > MIGRATION - 2
    usual = _usual(lab, controller)
    figures.update(
        {
            "hosts": HOSTS,
            "forks": FORKS,
            "own cost in s": round(own),
            "wave in s": round(took),
            "of 20 s and own cost": round(took / (MIGRATION + own), 2),
            "until/retries in s": round(usual),
        }
    )
    assert took < BOUND * (MIGRATION + own)


def _usual(lab: Lab, controller: Controller) -> float:
    """The usual playbook on as many hosts: install, then ask each host again and again whether it is over."""
    hosts = lab.hosts[:HOSTS]
    # Back to level 3 first, so that there is something to do.
    back = controller.module(
        "livepatch",
        lab.inventory,
        options={"level": 3, "allow_downgrade": True},
        arguments=("--forks", str(HOSTS), "--limit", ",".join(host.name for host in hosts)),
    )
    assert [result["after"]["level"] for result in back.values()] == [3] * HOSTS
    for host in hosts:
        # All scriptlets load the module, as they usually do.
        host.ssh("echo LIVEPATCH_KERNEL=auto | sudo tee /etc/sysconfig/livepatching")
    play = {
        "hosts": [host.name for host in hosts],
        "gather_facts": False,
        "become": True,
        "vars": {"kmp": {host.name: "kernel-livepatch-" + host.kernel.replace(".", "_") for host in hosts}},
        "tasks": [
            {"ansible.builtin.command": "zypper -n install {{ kmp[inventory_hostname] }}=4"},
            {
                "ansible.builtin.shell": "cat /sys/kernel/livepatch/livepatch_4_*/transition",
                "register": "looked",
                "until": "looked.stdout == '0'",
                "retries": 60,
                "delay": 2,
            },
        ],
    }
    path = controller.folder / "usual.yml"
    path.write_text(json.dumps([play]))
    started = time.monotonic()
    run = controller.run([str(path), "-i", str(lab.inventory), "--forks", str(FORKS)])
    seconds = time.monotonic() - started
    assert run.rc == 0, run.output
    return seconds
