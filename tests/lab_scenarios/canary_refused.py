# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A canary's KMP is refused by the kernel: the rollout stops, and no host outside of the canary wave is touched.

Not even where the control node's configuration and the command line are against it.
"""

from __future__ import annotations

import pytest

from tests.lab.fleet import Lab
from tests.support import canary
from tests.support.controller import Controller


def test_the_kernel_refuses_the_module(
    fleet: Lab, controller: Controller, figures: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = fleet.kernels[0].release
    canary.add_repository(fleet, "refused", [host for host in fleet.hosts if host.kernel == old])
    before = {host.name: canary.snapshot(host) for host in fleet.hosts}

    monkeypatch.setattr(controller, "settings", {"ANSIBLE_STRATEGY": "free", "ANSIBLE_ANY_ERRORS_FATAL": "true"})
    run = controller.playbook("rollout", fleet.inventory, *canary.ASK, "--tags", "some", "--skip-tags", "others")

    wave = set(run.started("livepatch"))
    kernels = {host.name: host.kernel for host in fleet.hosts}
    assert sorted(kernels[name] for name in wave) == sorted(set(kernels.values())), "one canary for each kernel"
    canary.assert_halted(run, wave)
    others = [host for host in fleet.hosts if host.name not in wave]
    assert all(canary.untouched(host, before[host.name]) for host in others)

    (refused,) = [name for name in wave if kernels[name] == old]
    job = run.jobs()[refused]
    assert "the kernel refused" in job["msg"]
    assert "symbol 'lab_no_such_function' not found" in job["msg"], "the kernel's own words"
    assert job["after"] == job["before"], "the package is gone again"
    assert "quarantine" in controller.playbook("rollout", fleet.inventory, "--check").output, (
        "nobody gets it the next night"
    )
    # It was not loaded, and what the package was is not there either.
    (host,) = [host for host in fleet.hosts if host.name == refused]
    assert canary.untouched(host, before[refused])
    assert f"  {refused}: failed: the kernel refused" in run.output
    (well,) = wave - {refused}
    canary.assert_brought_back(run, well)
    figures.update({"canaries": len(wave), "other hosts touched": 0, "rc": run.rc})
