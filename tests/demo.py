# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The main job, shown on the lab's machines: status, rollout, status, and what changed in the kernels."""

from __future__ import annotations

import dataclasses
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.lab.errors import LabError
from tests.lab.fleet import Lab
from tests.lab.host import Host
from tests.support.controller import Controller, Run

_HOSTS = 4


@dataclasses.dataclass(frozen=True)
class Seen:
    """What anybody sees who logs in to a host. ``behaviour`` is what the lab's KMPs change."""

    boot_id: str
    uptime: int
    behaviour: str


def _look(host: Host) -> Seen:
    told = host.ssh("cat /proc/sys/kernel/random/boot_id /proc/uptime; tail -n 1 /proc/execdomains").splitlines()
    patched = told[2] if told[2].startswith("livepatch") else "as built"
    return Seen(told[0], int(float(told[1].split()[0])), patched)


def _say(text: str) -> None:
    print(text, flush=True)


def _title(text: str) -> None:
    _say(f"\n===== {text}")


def _rows(hosts: list[Host], before: list[Seen], after: list[Seen], run: Run) -> list[list[str]]:
    rows = [["HOST", "BUILD ID", "KMP", "LEVEL", "SECONDS", "/proc/execdomains", "BOOT ID", "UPTIME"]]
    for host, then, now in zip(hosts, before, after, strict=True):
        result = run.ended("livepatch_info")[host.name].result
        job = result["livepatch"]["job"]
        rows.append(
            [
                host.name,
                result["kernel"]["build_id"],
                "{name}-{evr}".format(**result["kmp"]["installed"]),
                "{} -> {}".format(job["before"]["level"] or "none", job["after"]["level"]),
                str(job["transition"]["seconds"]),
                f"{then.behaviour} -> {now.behaviour}",
                "the same" if then.boot_id == now.boot_id else "ANOTHER ONE",
                f"{then.uptime} s -> {now.uptime} s",
            ]
        )
    return rows


def _show(rows: list[list[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        _say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def main() -> int:
    started = time.monotonic()
    lab = Lab.open(_say)
    _title(f"The lab: {_HOSTS} virtual machines, two kernels, nothing patched")
    lab.up(_HOSTS, fresh=True)
    hosts = lab.hosts
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(_HOSTS) as pool:
        controller = Controller(Path(folder))
        controller.settings = {"ANSIBLE_STDOUT_CALLBACK": "fleet.livepatch.progress"}
        before = list(pool.map(_look, hosts))
        runs = []
        for playbook in ("status", "rollout", "status"):
            _title(f"ansible-playbook fleet.livepatch.{playbook} -i {lab.inventory}")
            runs.append(controller.playbook(playbook, lab.inventory, show=True))
            if runs[-1].rc != 0:
                _say(f"\nThe playbook {playbook} ended with {runs[-1].rc}: that should not be.")
                return 1
        after = list(pool.map(_look, hosts))

    _title("What changed in the kernels, without a reboot")
    _show(_rows(hosts, before, after, runs[1]))
    well = all(
        then.boot_id == now.boot_id and now.uptime > then.uptime and then.behaviour != now.behaviour
        for then, now in zip(before, after, strict=True)
    )
    _say(f"\n{'All' if well else 'NOT all'} as it should be, in {time.monotonic() - started:.0f} s.")
    _say("The hosts are still up: make lab-ssh HOST=lp1 looks at one, make lab-down ends them.")
    return 0 if well else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as exc:
        sys.exit(f"demo: {exc}")
    except KeyboardInterrupt:
        sys.exit("demo: interrupted. What is still up is ended by: make lab-down")
