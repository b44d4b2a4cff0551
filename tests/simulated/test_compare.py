# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The comparison itself: two simulated hosts with different kernels answer alike, and what differs is seen."""

from __future__ import annotations

from pathlib import Path

from tests.simulated import compare
from tests.simulated.fleet import Fleet
from tests.support.controller import Controller


def test_told_leaves_out_what_must_differ() -> None:
    one = {
        "changed": True,
        "msg": "build ID " + "ab" * 20 + " of 6.1.0-56-cloud-amd64 did not complete within 8 s",
        "after": {"kmp": "1-1", "patches": ["livepatch_1"]},
        "kernel": {"boot_id": "x"},
        "livepatch": {
            "patches": [{"name": "a", "seconds": 3}],
            "journal": {"kmp": "kernel-livepatch-6_1_0-56-cloud-amd64-3-1"},
        },
    }
    told = compare.told(one)
    assert told["msg"] == "build ID <id> of <release> did not complete within <seconds>"
    assert told["livepatch.journal.kmp"] == "kernel-livepatch-<release>-3-1"
    assert told["livepatch.patches.name"] == ["a"]
    assert told["livepatch.state"] is None
    assert "kernel" not in "".join(key for key in told)


def test_simulated_hosts(tmp_path: Path) -> None:
    for name in ("controller", "fleet"):
        (tmp_path / name).mkdir()
    controller = Controller(tmp_path / "controller")
    with Fleet(tmp_path / "fleet", 3, kernels=2) as fleet:
        controller.settings = fleet.environment
        fleet.hosts["s003"].offer("3-150400.2.1", refused="Invalid parameters")
        inventory = fleet.inventory()
        answers = [controller.module(name, inventory, "all", options) for name, options in compare.SCRIPT]
        assert fleet.failures == []
    one, same, refused = ([answer[name] for answer in answers] for name in ("s001", "s002", "s003"))
    assert ["nothing was done" in answer.get("msg", "") for answer in one] == [
        number in (5, 9) for number in range(1, 13)
    ]
    assert compare.differences(one, same) == []
    assert compare.differences(one, refused)[0].startswith("3. livepatch {}: changed")
