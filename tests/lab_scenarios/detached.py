# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A live patch goes on after all that has started it is gone: the connection, the login session with its processes, the
terminal of sudo, Ansible's temporary folder. With each way of becoming root.
"""

from __future__ import annotations

import dataclasses
import json

from tests.lab.fleet import Lab
from tests.lab.host import Host
from tests.support import canary
from tests.support.controller import Controller

PASSWORD = "lab-password"
# sshd opens sessions, and logind kills the processes of a session with it. sudo gives each command a terminal of its
# own. Nothing in /tmp, where Ansible puts its files, can be executed. doas asks for no password; su asks for root's.
HARDENING = f"""
sed -i 's/^UsePAM no/UsePAM yes/' /etc/ssh/sshd_config.d/lab.conf
systemctl restart ssh
mkdir -p /etc/systemd/logind.conf.d
printf '[Login]\\nKillUserProcesses=yes\\n' >/etc/systemd/logind.conf.d/lab.conf
systemctl restart systemd-logind
echo 'Defaults use_pty' >/etc/sudoers.d/use_pty
mount -t tmpfs -o noexec,nosuid,nodev tmpfs /tmp
chmod 1777 /tmp
echo 'permit nopass ops' >/etc/doas.conf
echo 'root:{PASSWORD}' | chpasswd
"""


@dataclasses.dataclass(frozen=True)
class Way:
    """How a host's root is become."""

    variables: dict[str, str]
    pipelining: bool


WAYS = {
    "sudo": Way({}, True),
    "sudo, no pipelining": Way({}, False),
    "su": Way({"ansible_become_method": "su", "ansible_become_password": PASSWORD}, False),
    # Of sudo's options it knows some; its own plugin is in a collection that need not be there.
    "doas": Way({"ansible_become_exe": "doas", "ansible_become_flags": "-n"}, False),
}


def _start(controller: Controller, lab: Lab, host: Host, way: Way) -> str:
    """Starts a live patch that takes 20 seconds; returns its ID."""
    controller.settings["ANSIBLE_PIPELINING"] = str(way.pipelining)
    common = {"ansible_remote_tmp": "/tmp/ansible", "ansible_ssh_args": "-o ControlMaster=no"}
    variables = json.dumps({**common, **way.variables})
    options = {"detach": True, "refresh": "always", "timeout": 120}
    started = controller.module("livepatch", lab.inventory, host.name, options, ["-e", variables])[host.name]
    assert "run" in started, started
    assert not started.get("failed"), started
    return str(started["run"])


def _end_all(host: Host) -> None:
    """Ends the user's sessions with all processes in them, and removes what Ansible has put there."""
    # What is killed, with the session, to see that it is
    assert host.ssh("nohup sleep 1234 >/dev/null 2>&1 & sleep 1; pgrep -u ops -x sleep") != ""
    assert host.ssh("loginctl --no-legend list-sessions").strip() != "", "the login opens no session"
    # This one's as well
    host.ssh("sudo rm -rf /tmp/ansible; sudo loginctl terminate-user ops", check=False)
    assert host.ssh("pgrep -u ops -x sleep", check=False) == "", "the processes of a session have outlived it"
    assert host.ssh("ls -d /tmp/ansible", check=False).startswith("ls: "), "Ansible's folder is there"


def test_it_goes_on(lab: Lab, controller: Controller, figures: dict[str, object]) -> None:
    lab.up(len(WAYS), fresh=True)
    canary.add_repository(lab, "slow", lab.hosts)
    for host, (name, way) in zip(lab.hosts, WAYS.items(), strict=True):
        host.ssh(f"sudo sh -s <<'END'{HARDENING}END")
        run = _start(controller, lab, host, way)
        _end_all(host)
        scope = host.ssh("systemctl list-units --plain --no-legend 'fleet-livepatch-*.scope'")
        assert run in scope, f"{name}: it runs in no scope of its own"
        job = controller.module("livepatch_info", lab.inventory, host.name, {"run": run, "wait": 60})[host.name]
        job = job["livepatch"]["job"]
        assert job is not None, f"{name}: it has not ended"
        assert (job["failed"], job["changed"]) == (False, True), f"{name}: {job['msg']}"
        assert host.ssh("cd /sys/kernel/livepatch/livepatch_4_*; cat enabled transition") == "1\n0\n", name
        assert host.ssh("systemctl list-units --plain --no-legend 'fleet-livepatch-*.scope'") == "", name
        figures[name] = f"{job['transition']['seconds']:.0f} s of migration"
