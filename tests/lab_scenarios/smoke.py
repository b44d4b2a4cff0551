# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The main job on real kernels: who runs, and the rollout behind canaries."""

from __future__ import annotations

import subprocess

import pytest

from tests.lab.fleet import Lab
from tests.support.controller import Controller, Run

HOSTS = {"lp1", "lp2", "lp3", "lp4"}


@pytest.fixture(scope="module")
def first(fleet: Lab, controller: Controller) -> Run:
    """What /proc/execdomains shows is what the lab's KMPs patch."""
    assert not any("livepatch" in host.ssh("cat /proc/execdomains") for host in fleet.hosts)
    # One wave after the canaries: three take their time
    return controller.playbook("rollout", fleet.inventory, "-e", '{"livepatch_waves": []}')


def test_build_ids_are_those_of_the_unpacked_images(fleet: Lab, first: Run) -> None:
    expected = {}
    for kernel in fleet.kernels:
        notes = subprocess.run(["readelf", "-n", kernel.vmlinux], check=True, capture_output=True, text=True).stdout
        expected[kernel.release] = notes.partition("Build ID: ")[2].split()[0]
    told = {name: event.result["kernel"] for name, event in first.gathered().items()}
    assert {name: kernel["build_id"] for name, kernel in told.items()} == {
        host.name: expected[host.kernel] for host in fleet.hosts
    }
    assert len(set(expected.values())) == 2
    assert all(kernel["image"]["matches_running"] is True for kernel in told.values()), told


def test_the_rollout_patches_all_hosts(fleet: Lab, first: Run) -> None:
    assert first.rc == 0, first.output
    asked = {name: event.result["kernel"]["boot_id"] for name, event in first.gathered().items()}
    assert {host.name: host.ssh("cat /proc/sys/kernel/random/boot_id").strip() for host in fleet.hosts} == asked
    assert {name for name, job in first.jobs().items() if job["changed"]} == HOSTS
    verified = {name: event.result["livepatch"] for name, event in first.ended("livepatch_info").items()}
    assert {name: block["state"] for name, block in verified.items()} == dict.fromkeys(HOSTS, "patched")
    for host in fleet.hosts:
        assert "livepatch level 3" in host.ssh("cat /proc/execdomains")
        assert verified[host.name]["compliance"]["cves_fixed"] == ["CVE-2099-0002", "CVE-2099-0003"]
    assert "4 hosts: 4 done" in first.output


def test_the_canaries_were_done_before_any_other_host_started(fleet: Lab, first: Run) -> None:
    started = first.started("livepatch")
    verified = {name: event.time for name, event in first.ended("livepatch_info").items()}
    canaries = sorted(started, key=started.__getitem__)[:2]
    kernels = {host.name: host.kernel for host in fleet.hosts}
    assert {kernels[name] for name in canaries} == set(kernels.values()), "one canary for each kernel"
    assert max(verified[name] for name in canaries) < min(started[name] for name in HOSTS - set(canaries))
