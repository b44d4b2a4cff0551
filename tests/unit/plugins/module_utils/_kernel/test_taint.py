# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from typing import List

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import taint


@pytest.mark.parametrize(
    "value, expected",
    [
        (0, []),
        (1, ["P"]),
        (32768, ["K"]),
        # Recorded on a lab host after a patch was loaded
        (45056, ["O", "E", "K"]),
        (4097, ["P", "O"]),
        (1 << 9, ["W"]),
        (1 << 7, ["D"]),
        (1 << 18, ["N"]),
        ((1 << 19) - 1, list("PFSRMBUDAWCIOELKXTN")),
        (1 << 31, ["bit 31"]),
        (32768 + (1 << 40), ["K", "bit 40"]),
        pytest.param(
            1 << 19,
            ["J"],
        ),
    ],
)
def test_letters(value: int, expected: List[str]) -> None:
    assert taint.list_letters(value) == expected
