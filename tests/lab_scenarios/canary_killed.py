# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A canary's virtual machine is killed in the middle of its migration, as a panic would: the rollout stops."""

from __future__ import annotations

from tests.lab.fleet import Lab
from tests.support import canary
from tests.support.controller import Controller


def test_a_canary_dies_while_its_kernel_migrates(
    fleet: Lab, controller: Controller, figures: dict[str, object]
) -> None:
    figures.update(canary.kill_one(fleet, controller))
