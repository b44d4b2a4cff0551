# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""KMPs come to real hosts before the window; in the window their repositories are away, and the rollout goes on."""

from __future__ import annotations

from tests.lab.fleet import Lab
from tests.support import canary
from tests.support.controller import Controller


def test_what_was_downloaded_is_installed_without_a_repository(
    fleet: Lab, controller: Controller, figures: dict[str, object]
) -> None:
    *others, last = fleet.hosts
    before = {host.name: canary.snapshot(host) for host in fleet.hosts}
    # The last one's repository is away already.
    last.ssh("sudo zypper -n refresh")
    last.ssh("sudo sed -i s,^baseurl=.*,baseurl=http://10.0.2.2:1/main, /etc/zypp/repos.d/lab.repo")
    never = ("-e", "livepatch_refresh=never")
    prestage = controller.playbook("prestage", fleet.inventory, *never)
    assert "4 hosts: 1 failed, 3 downloaded" in prestage.output, prestage.output
    assert f"  {last.name}: failed: " in prestage.output
    assert prestage.rc == 2
    assert all(canary.untouched(host, before[host.name]) for host in fleet.hosts)

    for host in others:
        host.ssh("sudo sed -i s,^baseurl=.*,baseurl=http://10.0.2.2:1/main, /etc/zypp/repos.d/lab.repo")
    run = controller.playbook("rollout", fleet.inventory, *never, "-e", "livepatch_prestaged=true")
    assert "4 hosts: 1 skipped, 3 done" in run.output, run.output
    assert f"  {last.name}: skipped: left out: livepatch_prestaged is set" in run.output
    assert canary.untouched(last, before[last.name])
    assert run.rc == 2
    figures.update({"downloaded": 3, "patched without a repository": 3, "left out": 1})
