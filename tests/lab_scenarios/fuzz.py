# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Damaged notes, images, modules and words, many of them: no exception that is not ours, no wrong build ID."""

from __future__ import annotations

import pytest

from tests.unit.plugins.module_utils import fuzzing


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_damage(figures: dict[str, object], seed: int) -> None:
    told = fuzzing.run(25000, seed)
    figures["damaged inputs"] = sum(sum(each.values()) for each in told.values())
    for kind in ("right", "unmeasured", "not judged"):
        figures[kind] = sum(each[kind] for each in told.values())
    figures["wrong"] = 0


@pytest.mark.parametrize("seed", [1, 2])
def test_damaged_words(figures: dict[str, object], seed: int) -> None:
    """What zypper, dnf and rpm print, advisories, packages, boot loaders' files."""
    told = fuzzing.run_texts(25000, seed)
    figures["damaged inputs"] = sum(sum(each.values()) for each in told.values())
    for kind in ("read", "refused"):
        figures[kind] = sum(each[kind] for each in told.values())
