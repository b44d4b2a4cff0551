#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: rollout_gather
short_description: Gather the live patch of a host by its settings
description:
  - This module is for this collection's playbooks only.
  - Runs M(fleet.livepatch.livepatch_info) with O(fleet.livepatch.livepatch_info#module:on_unreachable=report) and with
    the settings of the host, C(livepatch_policy), C(livepatch_refresh) and C(livepatch_lock_timeout).
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.target
attributes:
  check_mode:
    description: Changes nothing.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
options: {}
seealso:
  - module: fleet.livepatch.livepatch_info
"""

EXAMPLES = r"""
- name: Gather the live patch of each host
  fleet.livepatch.rollout_gather:
  become: true
  register: __livepatch_host
"""

RETURN = r"""
problem:
  description: Why nothing is known of the host.
  returned: when nothing is
  type: str
  sample: "unreachable: web1 does not answer; check that the host is up, and the network between"
livepatch:
  description: The live patch, with the keys that M(fleet.livepatch.livepatch_info) returns.
  returned: when the host was reached
  type: dict
  sample: {state: patched, level: 3}
kernel:
  description: The running kernel, with the keys that M(fleet.livepatch.kernel_info) returns.
  returned: when the host was reached
  type: dict
  sample: {release: 6.1.0-56-cloud-amd64, build_id: 3b43fad5034874490492495d552c0af6a5fab235}
kmp:
  description: The KMPs for it, with the keys that M(fleet.livepatch.kmp_info) returns but for C(candidates).
  returned: when the host was reached
  type: dict
  sample: {name: kernel-livepatch-6_1_0-56-cloud-amd64, metadata_age: 812}
"""
