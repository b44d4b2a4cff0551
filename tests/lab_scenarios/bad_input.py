# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with a host is one clear line with the way out; the others go on, and the summary names them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.lab.fleet import Lab
from tests.lab.machine import free_port
from tests.support.controller import Controller, Run

# What is told of each host of the inventory below; lp4 is well.
TOLD = {
    "unknown": "unreachable: nosuchhost.invalid cannot be resolved; correct ansible_host",
    "closed": "unreachable: connection refused by 127.0.0.1 port",
    "wrong_key": "unreachable: SSH authentication failed for ops; check ansible_user and its key",
    "no_sudo": "sudo requires a password for nosudo; set ansible_become_password",
    "wrong_password": "sudo rejected the password of asksudo; correct ansible_become_password",
    "no_python": "the host has no Python that Ansible can use; install Python 3",
    "lp1": "this kernel cannot be live patched: /sys/kernel/livepatch is not there",
    "lp2": "repository lab does not answer: ",
    "lp3": "this host has neither zypper nor dnf",
}


@pytest.fixture(scope="module")
def inventory(fleet: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad")
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    one, two, three, _four = fleet.hosts
    # How a kernel without live patching looks: its other files, and no directory of that name.
    one.ssh("sudo sh -c 'cp /sys/kernel/notes /run/; mount -t tmpfs none /sys/kernel; cp /run/notes /sys/kernel/'")
    two.ssh("sudo sed -i s,^baseurl=.*,baseurl=http://10.0.2.2:1/main, /etc/zypp/repos.d/lab.repo")
    three.ssh("sudo mv /usr/bin/zypper /usr/bin/zypper.away; sudo mv /usr/bin/dnf /usr/bin/dnf.away")

    content = yaml.safe_load(fleet.inventory.read_text())
    hosts = content["lab"]["hosts"]
    four = hosts["lp4"]
    hosts["lp2"]["livepatch_refresh"] = "always"
    hosts["unknown"] = {"ansible_host": "nosuchhost.invalid"}
    hosts["closed"] = {"ansible_port": free_port()}
    hosts["wrong_key"] = {**four, "ansible_ssh_private_key_file": str(key)}
    hosts["no_sudo"] = {**four, "ansible_user": "nosudo"}
    hosts["wrong_password"] = {**four, "ansible_user": "asksudo", "ansible_become_password": "wrong"}
    hosts["no_python"] = {**four, "ansible_python_interpreter": "/usr/bin/python9"}
    path = folder / "inventory.yml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(scope="module")
def run(inventory: Path, controller: Controller) -> Run:
    # Of the host that is well, smoke.py shows how it is patched
    return controller.playbook("rollout", inventory, "--check")


@pytest.mark.parametrize("host", TOLD)
def test_one_clear_line(run: Run, host: str) -> None:
    lines = [line for line in run.output.splitlines() if line.startswith(f"  {host}: ")]
    assert len(lines) == 1, run.output
    assert f"{host}: skipped: {TOLD[host]}" in lines[0]


def test_the_others_go_on_and_the_run_does_not_end_well(run: Run) -> None:
    assert set(run.started("livepatch")) == {"lp4"}
    assert run.ended("livepatch")["lp4"].result["after"]["state"] == "patched"
    assert run.rc == 2, run.output
    assert f"{len(TOLD) + 1} hosts: 1 pending, {len(TOLD)} skipped" in run.output


@pytest.mark.parametrize("playbook", ["status", "rollout"])
@pytest.mark.parametrize("limit", [(), ("--limit", "lp4")])
def test_a_pattern_that_no_host_matches_does_not_end_well(
    fleet: Lab, controller: Controller, playbook: str, limit: tuple[str, ...]
) -> None:
    typo = controller.playbook(playbook, fleet.inventory, "-e", "livepatch_targets=webb", *limit)
    assert typo.rc == 2
    assert "No host of the inventory matches livepatch_targets (webb)" in typo.output


def test_a_wave_that_is_none_is_refused(fleet: Lab, controller: Controller) -> None:
    wrong = controller.playbook("rollout", fleet.inventory, "--limit", "lp4", "-e", '{"livepatch_waves": ["some"]}')
    assert wrong.rc == 2
    assert "livepatch_waves (-e): is 'some': set a number of hosts" in wrong.output
