#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: livepatch_plan
short_description: Plan a rollout over the play's hosts
description:
  - Plans who is patched when, from what M(fleet.livepatch.livepatch_survey) has told of each host of the play,
    registered as
    C(livepatch_asked). It runs on the controller, once for all hosts (C(run_once)), and changes nothing.
  - Hosts that behave alike form a cohort, which is running build, level that is active and KMP to install. One host
    of each
    cohort is a canary, and all canaries are the first wave.
  - A host is made its cohort's canary by a true variable C(livepatch_canary); otherwise O(seed) chooses.
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.controller

options:
  waves:
    description:
      - How large the waves after the canaries are, each a number of hosts or a share of all planned hosts such as
        V(25%).
      - Whoever is left after them is in one more wave.
    type: list
    elements: str
    required: true
  seed:
    description: Another seed chooses other canaries; the same one chooses the same.
    type: str
    default: ''
  budget:
    description: How many hosts of a later wave may go wrong. It is kept with the plan; the canaries have none.
    type: int
    default: 0
  max_in_flight:
    description:
      - How many hosts may migrate at once. A wave that is larger is done in batches, and the budget is checked
        between them.
    type: int
    default: 100
seealso:
  - module: fleet.livepatch.livepatch_gate
"""

EXAMPLES = r"""
- name: Plan the rollout
  fleet.livepatch.livepatch_plan:
    waves: [1, 25%]
  run_once: true
  register: planned
"""

RETURN = r"""
plan:
  description:
    - The C(waves), each a list of hosts, all their C(hosts) in order, the C(sizes) of the batches that
      go at once, the C(cohorts), C(left_out), which says why a host is in no wave, and a C(hash) of all that.
  returned: success
  type: dict
  sample:
    waves: [[web1, db1], [web2]]
    sizes: [2, 1]
    hosts: [web1, db1, web2]
    cohorts: [[web1, web2], [db1]]
    hash: 0f343b0931126a20f133d67c2b018a3b
    left_out: {web3: "patched: kernel-livepatch-6_1_0-56-cloud-amd64-3-150400.2.1 is active"}
"""
