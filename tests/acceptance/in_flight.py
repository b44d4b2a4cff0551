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
    wave = set(run.started("livepatch")) - set(_canaries(run.output))
    started = min(moment for host, moment in run.started("livepatch").items() if host in wave)
    finished = max(ended[host].time for host in wave)
    seconds = max(ended[host].result["livepatch"]["job"]["transition"]["seconds"] for host in wave)
    assert len(wave) == HOSTS - 2, "all but the canaries of two kernels"
    return finished - started, seconds


def _canaries(output: str) -> list[str]:
    line = next(line for line in output.splitlines() if "canaries" in line and ":" in line)
    return [word.strip(",") for word in line.partition(":")[2].split() if word.startswith("lp")]


def test_wave(lab: Lab, controller: Controller, figures: dict[str, object]) -> None:
    lab.up(HOSTS, fresh=True)
    # What the tasks cost by themselves: the same with migrations that are over at once
    own, quick = _rollout(lab, controller)
    own -= quick
    canary.add_repository(lab, "slow", lab.hosts)
    took, slowest = _rollout(lab, controller, *canary.ASK)
    assert slowest > MIGRATION - 2
    usual = _usual(lab, controller)
    figures.update(
        {
            "hosts": HOSTS - 2,
            "forks": FORKS,
            "own cost in s": round(own),
            "wave in s": round(took),
            "of 20 s and own cost": round(took / (MIGRATION + own), 2),
            "until/retries in s": round(usual),
        }
    )
    assert took < BOUND * (MIGRATION + own)


def _usual(lab: Lab, controller: Controller) -> float:
    """The usual playbook: install, then ask each host again and again whether it is over."""
    look = "cat /sys/kernel/livepatch/*/transition"
    play = [
        {
            "hosts": "all",
            "gather_facts": False,
            "become": True,
            "tasks": [
                {"ansible.builtin.command": "sh -c 'rmmod livepatch_4_150400_2_1 || :'"},
                {"ansible.builtin.command": "zypper -n install --oldpackage -f 'kernel-livepatch-*=4'"},
                {
                    "ansible.builtin.shell": look,
                    "register": "looked",
                    "until": "'1' not in looked.stdout",
                    "retries": 60,
                    "delay": 2,
                },
            ],
        }
    ]
    # Back to level 3 first, so that there is something to do.
    back = controller.module(
        "livepatch", lab.inventory, options={"level": 3, "allow_downgrade": True}, arguments=("--forks", "8")
    )
    assert all(result["after"]["level"] == 3 for result in back.values())
    for host in lab.hosts:
        host.ssh("echo 'LIVEPATCH_KERNEL=auto' | sudo tee /etc/sysconfig/livepatching")
    path = controller.folder / "usual.yml"
    names = [host.name for host in lab.hosts]
    kernels = {host.name: host.kernel.replace(".", "_") for host in lab.hosts}
    play[0]["vars"] = {"kernels": kernels, "kernel": "{{ kernels[inventory_hostname] }}"}
    path.write_text(json.dumps(play).replace("'kernel-livepatch-*=4'", "kernel-livepatch-{{ kernel }}=4"))
    started = time.monotonic()
    run = controller.run([str(path), "-i", str(lab.inventory), "--forks", str(FORKS), "--limit", ",".join(names[2:])])
    assert run.rc == 0, run.output
    return time.monotonic() - started
