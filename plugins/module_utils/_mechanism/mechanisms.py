# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the mechanism of a host's kernel. PRIVATE to the collection: it may change at any time.

Only its own port is imported, since a host compiles what is imported, each time.
"""

from typing import Optional

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism.port import KGRAFT, KLP, Mechanism


def find_mechanism(host: Host) -> Optional[Mechanism]:
    """Find the mechanism, None where this kernel cannot be live patched.

    The directory in sysfs exists, maybe empty, if and only if it can.

    :raises Unmeasured: there is no sysfs to see it in.
    """
    if host.is_dir(KLP):
        from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism.klp import Klp

        return Klp(host)
    if host.is_dir(KGRAFT):
        from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism.kgraft import Kgraft

        return Kgraft(host)
    if not host.list_names("/sys/kernel"):
        raise Unmeasured("/sys/kernel is empty", "Is sysfs mounted?")
    return None
