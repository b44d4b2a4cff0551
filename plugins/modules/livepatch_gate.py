#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: livepatch_gate
short_description: Judge a wave of a rollout
description:
  - Judges the wave to which the batch belongs by what the roles P(fleet.livepatch.install#role) and
    P(fleet.livepatch.verify#role) left of each of its planned hosts. It runs on the controller, once for the batch
    (C(run_once)), and changes nothing.
  - A host that failed, that was lost, or of which nothing is known is bad. The gate passes when no more hosts are
    bad than
    the plan's budget allows. Canaries have no budget.
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.controller

options:
  plan:
    description: The plan, as M(fleet.livepatch.livepatch_plan) returned it.
    type: dict
    required: true
seealso:
  - module: fleet.livepatch.livepatch_plan
"""

EXAMPLES = r"""
- name: Judge the wave
  fleet.livepatch.livepatch_gate:
    plan: "{{ planned.plan }}"
  run_once: true
  register: gate

- name: Stop here if it is not well
  ansible.builtin.meta: end_play
  when: not gate.passed
"""

RETURN = r"""
passed:
  description: Whether the next wave may start.
  returned: success
  type: bool
  sample: true
wave:
  description: The number of the wave, 0 for the canaries, null when the gate could not tell.
  returned: success
  type: int
  sample: 0
verdict:
  description: The verdict in one line.
  returned: success
  type: str
  sample: "Gate after canaries: pass (2 of 2 well, budget 0)"
"""
