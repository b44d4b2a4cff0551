#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: livepatch_survey
short_description: Ask a host for its live patch, and take no answer for an answer
description:
  - Asks a host with M(fleet.livepatch.livepatch_info), in one round trip.
  - A host that cannot be reached, or that cannot answer, does not fail. What is wrong with it is returned as
    RV(problem), so that
    a fleet can be judged as a whole, the hosts that do not answer included.
author: fleet.livepatch contributors (@fleet-livepatch)
options:
  record:
    description:
      - Also return what is true of the host as the fact RV(ansible_facts.livepatch_recorded), which Ansible's fact
        cache keeps, if one is configured. Inventories may group hosts by it. No rollout reads it.
    type: bool
    default: false
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.target
  - fleet.livepatch.attributes.info
  - fleet.livepatch.policy
seealso:
  - module: fleet.livepatch.livepatch_info
  - module: fleet.livepatch.livepatch_report
"""

EXAMPLES = r"""
- name: Ask each host
  fleet.livepatch.livepatch_survey:
  become: true
  register: __livepatch_host

- name: Show what they said
  fleet.livepatch.livepatch_report:
    of: status
  run_once: true
"""

RETURN = r"""
problem:
  description: What is wrong and what to do, in one line.
  returned: when the host gave no answer
  type: str
  sample: "unreachable: connection refused by 192.0.2.7 port 22; check ansible_host"
ansible_facts:
  description: What the fact cache keeps.
  returned: when O(record) is true
  type: dict
  contains:
    livepatch_recorded:
      description:
        - The host's C(state), C(release), C(build_id), C(level), C(up_to_date), the C(kmp) that is wanted, and C(at),
          when it was asked, in seconds since the epoch.
        - C(cohort) is the one that plans have it in, but for what C(livepatch_cohort_key) adds.
      returned: always
      type: dict
      sample: {at: 1795708800, state: outdated, level: 2, cohort: 9f86d081884c}
livepatch:
  description: What is true of the host's live patch, with the keys that M(fleet.livepatch.livepatch_info) returns.
  returned: when the host gave an answer
  type: dict
  sample: {state: patched, level: 3}
kernel:
  description: The running kernel, with the keys that M(fleet.livepatch.kernel_info) returns.
  returned: when the host gave an answer
  type: dict
  sample: {release: 6.1.0-56-cloud-amd64, build_id: 3b43fad5034874490492495d552c0af6a5fab235}
kmp:
  description: The KMPs for it, with the keys that M(fleet.livepatch.kmp_info) returns but for C(candidates).
  returned: when the host gave an answer
  type: dict
  sample: {name: kernel-livepatch-6_1_0-56-cloud-amd64, metadata_age: 812}
"""
