# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel's taint flags. PRIVATE to the collection: it may change at any time."""

from typing import List, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host

# Documentation/admin-guide/tainted-kernels.rst: the letter of each bit, from bit 0.
_LETTERS = "PFSRMBUDAWCIOELKXTNJ"


def list_letters(value: int) -> List[str]:
    """List the letters of the set bits; ``bit n`` for one that has no letter upstream (distributions add their own)."""
    bits = [bit for bit in range(value.bit_length()) if value & (1 << bit)]
    return [_LETTERS[bit] if bit < len(_LETTERS) else f"bit {bit}" for bit in bits]


def read_taint(host: Host) -> Optional[int]:
    """Read which bits are set, None where the kernel does not show them.

    :raises Unmeasured: it shows something else.
    """
    value = host.read_number("/proc/sys/kernel/tainted")
    if value is not None and value < 0:
        raise Unmeasured(f"/proc/sys/kernel/tainted holds {value}, which is no set of flags")
    return value
