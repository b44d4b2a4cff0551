# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a look at a host costs, beside the same facts gathered with the modules that everybody has."""

from __future__ import annotations

import json
import time
import typing as t

from tests.lab.fleet import Lab
from tests.support.controller import Controller

_ROUNDS = 3


def _command(name: str, words: str) -> dict[str, t.Any]:
    return {"name": name, "ansible.builtin.command": words, "changed_when": False, "failed_when": False}


def _ordinary(release: str) -> list[dict[str, t.Any]]:
    """As roles in the field do it; none of them looks into the image, nor knows a build ID."""
    return [
        _command("Ask which kernel runs", "uname -r"),
        {"name": "Read the notes", "ansible.builtin.slurp": {"src": "/sys/kernel/notes"}},
        {"name": "Ask for the packages", "ansible.builtin.package_facts": {"manager": "rpm"}},
        _command("Ask who owns the image", f"rpm -qf /boot/vmlinuz-{release}"),
        _command("Ask for KMPs", "zypper --xmlout --no-refresh search --details kernel-livepatch-*"),
        _command("Ask for the advisories", "zypper --xmlout --no-refresh list-patches --all"),
        {"name": "Look at the patches", "ansible.builtin.find": {"paths": "/sys/kernel/livepatch", "recurse": True}},
        _command("Look at the module", f"find /lib/modules/{release}/livepatch -name *.ko -exec modinfo {{}} ;"),
        _command("Ask for taint", "cat /proc/sys/kernel/tainted"),
    ]


def test_round_trips_and_time(lab: Lab, controller: Controller, figures: dict[str, object]) -> None:
    lab.up(1, fresh=True)
    host = lab.host("lp1")
    controller.module("livepatch", lab.inventory, host.name)

    def run(tasks: list[dict[str, t.Any]]) -> float:
        play = {"hosts": host.name, "gather_facts": False, "become": True, "tasks": tasks}
        path = controller.folder / "cost.yml"
        path.write_text(json.dumps([play]))
        started = time.monotonic()
        ended = controller.run([str(path), "-i", str(lab.inventory)])
        assert ended.rc == 0, ended.output
        assert ended.stats[host.name]["ok"] == len(tasks)
        return time.monotonic() - started

    ours = [{"name": "Ask", "fleet.livepatch.livepatch_info": {"refresh": "never"}}]
    theirs = _ordinary(host.kernel)
    run(ours)  # what the first connection costs is not compared
    times = [(run(ours), run(theirs)) for _round in range(_ROUNDS)]
    our_time, their_time = (sum(each) for each in zip(*times, strict=True))
    figures.update(
        {
            "round trips": f"1 : {len(theirs)}",
            "wall time of theirs over ours": round(their_time / our_time, 2),
            "ours in s": round(our_time / _ROUNDS, 1),
            "theirs in s": round(their_time / _ROUNDS, 1),
        }
    )
    assert their_time > our_time
