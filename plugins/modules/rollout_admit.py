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
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.controller
  - fleet.livepatch.webhooks
  - fleet.livepatch.rollout_step
  - fleet.livepatch.rollout_step.group
options:
  step:
    description:
      - V(start) asks whether the hosts of the batch may be patched. V(roll_back) asks nothing, since a rollback is held
        up by none of that.
      - Both keep what M(fleet.livepatch.rollout_patch) does on these hosts, by the settings that each had when the run
        began.
    type: str
    choices: [start, roll_back]
    default: start
  approval:
    description: The numbers of the waves that an operator has to approve, or V(all). A rollback needs no approval.
    type: list
    elements: str
    default: []
  approver_not_starter:
    description: Whether an approval by the person who made the plan or started the rollout does not count.
    type: bool
    default: false
  windows:
    description:
      - When hosts may be patched, each window with C(days), C(start), C(minutes) and C(tz). Without any it is always.
    type: list
    elements: dict
    default: []
  blackouts:
    description: When no host may be patched, each with C(from), C(to) and C(reason).
    type: list
    elements: dict
    default: []
  min_remaining:
    description:
      - How many seconds of a window have to be left, for the wave and for its rollback. By default what the slowest
        of its hosts needs by its C(livepatch_timeout) and C(livepatch_lock_timeout), O(soak), and five minutes.
    type: int
  soak:
    description: Seconds that the wave has to stay healthy.
    type: int
    default: 0
  slices:
    description:
      - Into how many jobs a wave is cut. One that has more hosts than may be in flight at once is left to them
        (O(fleet.livepatch.rollout_begin#module:mode=slice)) before any of its hosts is started. Canaries, and hosts
        that are the only one of their cohort, never are. With less than 2 no wave is.
    type: int
    default: 0
seealso:
  - module: fleet.livepatch.rollout_begin
  - module: fleet.livepatch.rollout_patch
  - module: fleet.livepatch.rollout_assess
"""

EXAMPLES = r"""
- name: Check whether this batch may start
  fleet.livepatch.rollout_admit:
    rollout: "{{ __livepatch_begun.rollout }}"
    approval: [1]
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
