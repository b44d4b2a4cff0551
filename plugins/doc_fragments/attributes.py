# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The attributes of the collection's modules, as documentation."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
attributes:
  platform:
    description: Target operating systems that the module supports.
    support: full
    platforms: linux
"""

    # A module that runs on the patched host
    TARGET = r"""
requirements:
  - Python 3.6 or later on the host, with its standard library only
attributes:
  action_group:
    description: Use C(group/fleet.livepatch.livepatch) in C(module_defaults) to set defaults for this module.
    support: full
    membership: [fleet.livepatch.livepatch]
"""

    INFO = r"""
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status without modifying the host.
    support: full
    details: This module does not modify state.
  diff_mode:
    description: Returns details on what has changed, or would change, when running in diff mode.
    support: N/A
    details: This module does not modify state.
  idempotent:
    description: When run twice in a row with the same arguments, the second run indicates no change.
    support: full
    details: This module does not modify state.
"""

    # A module that is an action plugin and runs on the control node
    CONTROLLER = r"""
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status without modifying anything.
    support: full
  diff_mode:
    description: Returns details on what has changed, or would change, when running in diff mode.
    support: N/A
    details: This module does not return a diff.
  idempotent:
    description: When run twice in a row with the same arguments, the second run indicates no change.
    support: full
"""
