# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel's taint flags. PRIVATE to the collection: it may change at any time. Pure."""

from typing import List

# Documentation/admin-guide/tainted-kernels.rst: the letter of each bit, from bit 0.
_LETTERS = "PFSRMBUDAWCIOELKXTNJ"


def letters(value: int) -> List[str]:
    """The letters of the set bits; ``bit n`` for one that has no letter upstream (distributions add their own)."""
    bits = [bit for bit in range(value.bit_length()) if value & (1 << bit)]
    return [_LETTERS[bit] if bit < len(_LETTERS) else f"bit {bit}" for bit in bits]
