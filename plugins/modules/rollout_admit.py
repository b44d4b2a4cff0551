#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: rollout_admit
short_description: Decide whether a batch of a rollout may start
description:
  - This module is for this collection's playbooks only.
  - Asks for a halt, for the quarantine, for the approval of the wave and for the change window, and records in the
    store of the rollouts which hosts start, before they do. It runs on the control node, once for the batch
    (C(run_once)), delegated to the coordinator (C(livepatch_coordinator)).
  - It goes by the settings C(livepatch_approval), C(livepatch_approver_not_starter), C(livepatch_windows),
    C(livepatch_blackouts), C(livepatch_window_min_remaining), C(livepatch_soak), C(livepatch_slices) and
    C(livepatch_webhooks).
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.controller
  - fleet.livepatch.rollout_step
options:
  step:
    description:
      - V(start) asks whether the hosts of the batch may be patched, V(reserve) whether other O(hosts) may be patched in
        the place of canaries of the batch. V(roll_back) asks nothing, since a rollback is held up by none of that.
      - V(start) and V(roll_back) keep what M(fleet.livepatch.rollout_patch) does on these hosts, by the settings that
        each had when the run began.
    type: str
    choices: [start, reserve, roll_back]
    default: start
  hosts:
    description: The hosts of O(step=reserve).
    type: list
    elements: str
    default: []
seealso:
  - module: fleet.livepatch.rollout_begin
  - module: fleet.livepatch.rollout_patch
  - module: fleet.livepatch.rollout_assess
"""

EXAMPLES = r"""
- name: Check whether this batch may start
  fleet.livepatch.rollout_admit:
    rollout: "{{ __livepatch_begun.rollout }}"
  run_once: true
  delegate_to: localhost
  register: __livepatch_admission

- name: End the play where it may not
  ansible.builtin.meta: end_play
  when: not __livepatch_admission.go
"""

RETURN = r"""
go:
  description: Whether the batch may start.
  returned: success
  type: bool
  sample: true
start:
  description: The hosts of the batch that are to be patched, or rolled back.
  returned: success
  type: list
  elements: str
  sample: [web1, db1]
wave:
  description: The number of the wave.
  returned: for O(step=start)
  type: int
  sample: 0
wave_name:
  description: The name of the wave, as people read it.
  returned: for O(step=start)
  type: str
  sample: canaries
shares:
  description: What each host of the batch does on which other host, by the name of the former.
  returned: for O(step=reserve)
  type: dict
  sample: {web1: [{host: web2}]}
in_flight:
  description: Whether hosts of earlier batches of the wave have begun and not ended.
  returned: for O(step=start)
  type: bool
  sample: false
status:
  description: As what the run ends, V(waiting) or V(halted).
  returned: when the batch may not start
  type: str
  sample: waiting
detail:
  description: What it waits for, or why it is halted.
  returned: when the batch may not start
  type: dict
  sample: {for: approval, wave: 1, text: wave 1 of plan 0f343b093112 is waiting for approval}
"""
