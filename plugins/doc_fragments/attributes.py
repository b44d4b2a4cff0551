# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the collection's modules have in common, as documentation."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
attributes:
  platform:
    description: Target operating systems that the module works on.
    support: full
    platforms: linux
"""

    TARGET = r"""
requirements:
  - Python 3.6 or later on the host, nothing but its standard library
attributes:
  action_group:
    description: Use C(group/fleet.livepatch.livepatch) in C(module_defaults) to set defaults for the module.
    support: full
    membership: [fleet.livepatch.livepatch]
"""

    INFO = r"""
attributes:
  check_mode:
    description: Runs in check mode without changing anything.
    support: full
    details: The module changes nothing.
  diff_mode:
    description: Returns what it changed, or would change.
    support: N/A
    details: The module changes nothing.
  idempotent:
    description: Run twice it changes nothing the second time.
    support: full
    details: The module changes nothing.
"""

    CONTROLLER = r"""
attributes:
  check_mode:
    description: Runs in check mode without changing anything.
    support: full
  diff_mode:
    description: Returns what it changed, or would change.
    support: N/A
    details: It changes nothing.
  idempotent:
    description: Run twice it changes nothing the second time.
    support: full
"""

    POLICY = r"""
options:
  refresh:
    description:
      - Whether the package manager asks its repositories for news first.
      - V(never) works with the metadata that are on the host.
      - V(if_older_than) asks when the oldest metadata were last checked more than O(refresh_max_age) seconds ago,
        so that a large fleet does not fall upon its mirror all at once.
    type: str
    choices: [never, if_older_than, always]
    default: if_older_than
  refresh_max_age:
    description: Age of the repositories' metadata, in seconds, from which O(refresh=if_older_than) asks again.
    type: int
    default: 21600
  lock_timeout:
    description: How many seconds to wait while another program holds the package manager's lock.
    type: int
    default: 60
  allow_name_match:
    description:
      - Also take a KMP that does not say which build of the kernel it was made for, because its name fits.
      - The kernel itself does not refuse a module that was built for another build with the same release,
        so leave this off where KMPs carry the tag C(livepatch-target(build-id)).
    type: bool
    default: false
"""
