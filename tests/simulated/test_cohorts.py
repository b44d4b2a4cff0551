# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet of many cohorts does not stop for one."""

from __future__ import annotations

import json
from pathlib import Path

from tests.simulated.conftest import command
from tests.simulated.fleet import Fleet
from tests.support.controller import Controller

_THREE = "3-150400.2.1"
_COHORTS = 300


def test_one_bad_canary_of_300(controller: Controller, tmp_path: Path, figures: dict[str, object]) -> None:
    with Fleet(tmp_path, 2 * _COHORTS, kernels=_COHORTS) as fleet:
        releases = {name: host.release for name, host in fleet.hosts.items()}
        bad = {name for name, release in releases.items() if release == releases["s007"]}
        for name in bad:
            fleet.hosts[name].offer(_THREE, refused="Invalid parameters")
        controller.settings = fleet.environment
        settings = {"livepatch_halt_scope": "cohort", "livepatch_waves": []}
        run = controller.run(
            command(fleet, "--forks", "20", "-e", json.dumps(settings)),
            patience=5400,
        )
        touched = fleet.touched()
        assert fleet.failures == []
    assert len(set(releases.values())) == _COHORTS
    untouched = set(fleet.hosts) - set(touched)
    assert len(bad) == 2
    assert untouched < bad
    assert len(untouched) == 1, "the bad cohort's canary was touched, and nobody else of it"
    for said in (
        "Gate after canaries: fail for 1 of 300 cohorts (299 of 300 healthy, budget 0): ",
        ": the rollout continues for the other 299",
    ):
        assert said in run.output
    assert "600 hosts: 1 failed, 1 skipped, 598 done" in run.output, run.output[-3000:]
    assert run.rc == 2
    figures.update({"cohorts": _COHORTS, "cohorts that went on": 299, "hosts done": 598})
