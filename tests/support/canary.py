# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the canary scenarios have in common: a repository with a level 4 that goes wrong on a canary."""

from __future__ import annotations

import time

from tests.lab.fleet import Lab
from tests.lab.host import Host
from tests.support.controller import Controller, Run

# The hosts ask their repositories, so that they see the one that was added.
ASK = ("-e", "livepatch_refresh=always")


def add_repository(lab: Lab, name: str, hosts: list[Host]) -> None:
    for host in hosts:
        host.ssh(f"sudo zypper -n ar {lab.repository.url(name)} {name}")


def untouched(host: Host, before: str) -> bool:
    """Whether nothing was installed on the host and nothing was loaded into its kernel since ``before``."""
    return snapshot(host) == before


def snapshot(host: Host) -> str:
    """What a host's packages and kernel are: its RPM database, its live patches, its boot."""
    return host.ssh(
        "rpm -qa --qf '%{NAME}-%{VERSION}-%{RELEASE} %{INSTALLTIME}\\n' | sort;"
        " grep -r . /sys/kernel/livepatch; cat /proc/sys/kernel/random/boot_id /proc/execdomains"
    )


def assert_halted(run: Run, wave: set[str]) -> None:
    """No host outside of the canary wave was started, the summary was printed, the run did not end well."""
    assert set(run.started("livepatch")) == wave, run.output
    assert "Gate after canaries: fail" in run.output
    assert "4 hosts: " in run.report, run.output
    assert run.rc not in (0, None), run.output


def assert_brought_back(run: Run, name: str) -> None:
    """A canary that was well went back with the others: to the initial KMP, since nothing was active before."""
    assert f"  {name}: rolled_back: " in run.output, run.output
    last = run.ended("livepatch_info")[name].result["livepatch"]
    assert (last["state"], last["level"], last["job"]["failed"]) == ("outdated", 1, False)


def kill_one(lab: Lab, controller: Controller) -> dict[str, object]:
    """Kills a canary's virtual machine in the middle of its migration; what must hold then is asserted.

    :returns: what was measured.
    """
    add_repository(lab, "slow", lab.hosts)  # its migration takes 20 s
    before = {host.name: snapshot(host) for host in lab.hosts}

    grace = ("-e", "livepatch_unreachable_timeout=20")
    with controller.start(["fleet.livepatch.rollout", "-i", str(lab.inventory), *ASK, *grace]) as running:
        deadline = time.monotonic() + 300
        victim = None
        while victim is None and time.monotonic() < deadline:
            assert running.poll() is None, "the rollout ended before a canary migrated"
            victim = next((one for one in lab.hosts if "starting patching transition" in one.console.read_text()), None)
            time.sleep(0.05)
        assert victim is not None
        victim.kill()
        killed = time.monotonic()
        run = controller.finish(running)
        ended = time.monotonic() - killed

    wave = set(run.started("livepatch"))
    assert len(wave) == 2, "one canary for each kernel"
    assert victim.name in wave
    assert_halted(run, wave)
    assert all(untouched(host, before[host.name]) for host in lab.hosts if host.name not in wave)
    assert f"  {victim.name}: lost: unreachable: " in run.output
    (survivor,) = wave - {victim.name}
    assert_brought_back(run, survivor)
    return {"canaries": 2, "other hosts touched": 0, "rc": run.rc, "ended after the kill in s": round(ended)}
