#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: livepatch_back
short_description: Choose which hosts of a rollout are brought back, and end that
description:
  - Chooses hosts of the play that the last rollout of the scope has patched, canaries first, puts what they have into
    quarantine, and takes the lease of the scope. It runs on the controller, once for all hosts (C(run_once)),
    delegated to the
    coordinator (C(livepatch_coordinator)).
  - With O(ended=true) it shows what became of them, and gives the lease back.
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.controller
  - fleet.livepatch.report_files
options:
  ended:
    description: The hosts have been brought back, or not.
    type: bool
    default: false
  wave:
    description: Only hosts of this wave.
    type: int
  cohort:
    description: Only hosts of this cohort, by its ID.
    type: str
  reason:
    description: Why, for the quarantine. It is required unless O(ended=true).
    type: str
    default: ''
seealso:
  - module: fleet.livepatch.livepatch_plan
"""

EXAMPLES = r"""
- name: Choose who is brought back
  fleet.livepatch.livepatch_back:
    wave: 1
    reason: the web servers are slow since
  run_once: true
  delegate_to: localhost
  register: chosen
"""

RETURN = r"""
rollout:
  description: What the steps of this run work by, as M(fleet.livepatch.livepatch_plan) returns it.
  returned: unless O(ended=true)
  type: dict
  sample: {hosts: [web1, web2], sizes: [1, 1]}
files:
  description: The files that were written, the one for people first.
  returned: if O(ended=true)
  type: list
  elements: str
  sample: [/var/lib/reports/livepatch-rollout-default-20261125T220000Z.html]
outcomes:
  description: What became of each host.
  returned: if O(ended=true)
  type: list
  elements: dict
  sample:
    - {host: web1, outcome: rolled_back, state: baseline, level: 1}
"""
