# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Simulated hosts against a lab host: the same calls of the same modules get the same answers."""

from __future__ import annotations

from pathlib import Path

from tests.lab.fleet import Lab
from tests.simulated import compare
from tests.simulated.fleet import Fleet
from tests.support.ask import Ask
from tests.support.controller import Controller


def test_same_answers(lab: Lab, tmp_path: Path, figures: dict[str, object]) -> None:
    # lp3: the scriptlets of its KMPs leave the loading to the module, as the simulated ones do
    lab.up(3, fresh=True)
    for name in ("lab", "simulated", "fleet"):
        (tmp_path / name).mkdir()
    real = Ask(lab, Controller(tmp_path / "lab"), lab.host("lp3"))
    controller = Controller(tmp_path / "simulated")
    with Fleet(tmp_path / "fleet", 1) as fleet:
        controller.settings = fleet.environment
        inventory = fleet.inventory()

        simulated = [controller.module(name, inventory, "s001", options)["s001"] for name, options in compare.SCRIPT]
        assert fleet.failures == []
    differing = compare.differences(simulated, [real(name, **options) for name, options in compare.SCRIPT])
    figures.update({"calls": len(compare.SCRIPT), "that differ": len(differing)})
    assert not differing, "\n".join(["simulated, real:", *differing])
