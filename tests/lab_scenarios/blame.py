# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A canary that cannot be patched for a reason of its own: another host takes its place, and no KMP is barred."""

from __future__ import annotations

from tests.lab.fleet import Lab
from tests.lab.host import Host
from tests.support import canary
from tests.support.controller import Controller

# Shorter than the 15 seconds after which the kernel wakes who sleeps (SIGNALS_TIMEOUT, kernel/livepatch/transition.c)
LIMIT = 8
# Free bytes that are left: less than any KMP may need, and more than an answer does
_ROOM = 8 << 20
_FILL = (
    "sync; free=$(( $(stat -f -c %f / ) * $(stat -f -c %S / ) ));"
    f" sudo fallocate -l $(( free - {_ROOM} )) /var/cache/filler; df / | tail -1"
)
_PAUSE = (
    "sudo -u nosudo setsid python3 -c 'import signal; signal.pause()' </dev/null >/dev/null 2>&1 & sleep 1;"
    " pgrep -u nosudo -x 'python3.*'"
)


def _find_canaries(fleet: Lab, controller: Controller, *arguments: str) -> list[Host]:
    """The hosts that the plan has in its first wave."""
    planned = controller.playbook("plan", fleet.inventory, *arguments)
    assert planned.rc == 0, planned.output
    (begun,) = planned.ended("rollout_begin").values()
    return [fleet.host(name) for name in begun.result["plan"]["waves"][0]["hosts"]]


def _assert_nothing_is_barred(fleet: Lab, controller: Controller) -> None:
    assert "Nothing is in quarantine" in controller.playbook("quarantine", fleet.inventory).output


def test_a_full_disk(fleet: Lab, controller: Controller, figures: dict[str, object]) -> None:
    full = _find_canaries(fleet, controller)[0]
    full.ssh(_FILL)
    run = controller.playbook("rollout", fleet.inventory)
    assert run.rc == 2, run.output
    assert f"  {full.name}: failed: preflight: disk " in run.report, run.output
    assert "4 hosts: 1 failed, 3 done" in run.report, run.output
    others = [host for host in fleet.hosts if host.name != full.name]
    assert all("livepatch level 3" in host.ssh("cat /proc/execdomains") for host in others)
    assert "livepatch level" not in full.ssh("cat /proc/execdomains")
    _assert_nothing_is_barred(fleet, controller)
    full.ssh("sudo rm /var/cache/filler")
    again = controller.playbook("rollout", fleet.inventory)
    assert again.rc == 0, again.output
    assert "livepatch level 3" in full.ssh("cat /proc/execdomains")
    figures.update({"failed": 1, "in its place": 1, "barred": 0, "rc": run.rc})


def test_a_program_that_stalls_the_migration(fleet: Lab, controller: Controller, figures: dict[str, object]) -> None:
    """Any local user can hold it: that says nothing of the KMP."""
    fleet.extras()
    pair = [host for host in fleet.hosts if host.kernel == fleet.host("lp1").kernel]
    canary.add_repository(fleet, "held", pair)
    limit = ("--limit", ",".join(host.name for host in pair), *canary.ASK)
    (held,) = _find_canaries(fleet, controller, *limit)
    (reserve,) = [host for host in pair if host is not held and host.name != held.name]
    held.ssh(_PAUSE)
    run = controller.playbook("rollout", fleet.inventory, *limit, "-e", f"livepatch_timeout={LIMIT}")
    assert run.rc == 2, run.output
    job = run.jobs()[held.name]
    assert f"did not complete within {LIMIT} s because of python3" in job["msg"], run.output
    assert {blocker["kernel_thread"] for blocker in job["blockers"]} == {False}
    assert job["after"] == job["before"]
    assert "2 hosts: 1 failed, 1 done" in run.report, run.output
    assert reserve.ssh("ls /sys/kernel/livepatch").split() == ["livepatch_4_150400_2_1"]
    _assert_nothing_is_barred(fleet, controller)
    held.ssh("sudo pkill -u nosudo")
    again = controller.playbook("rollout", fleet.inventory, *limit)
    assert again.rc == 0, again.output
    assert held.ssh("ls /sys/kernel/livepatch").split() == ["livepatch_4_150400_2_1"]
    figures.update({"stalled by": "python3", "limit in s": LIMIT, "barred": 0, "rc": run.rc})
