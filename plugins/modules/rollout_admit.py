#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: rollout_admit
short_description: Ask whether a batch of a rollout may start, and record that it does
description:
  - Asks for a halt, for the quarantine, for the approval of the wave and for the change window, and records in the
    store of the rollouts which hosts start, before they do. It runs on the controller, once for the batch
    (C(run_once)), delegated
    to the coordinator (C(livepatch_coordinator)).
  - The rollout is the one that M(fleet.livepatch.livepatch_plan) has begun, kept as C(__livepatch_rollout) of
    localhost.
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.controller
  - fleet.livepatch.webhooks
options:
  approval:
    description: The numbers of the waves that somebody has to approve (P(fleet.livepatch.rollback#role) needs none),
      or V(all).
    type: list
    elements: str
    default: []
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
  needs:
    description:
      - How many seconds of a window have to be left, for the wave and for bringing it back. By default what the slowest
        of its hosts needs by its C(livepatch_timeout) and C(livepatch_lock_timeout), O(soak), and five minutes.
    type: int
  soak:
    description: Seconds that the wave has to stay healthy.
    type: int
    default: 0
  slices:
    description:
      - Into how many jobs a wave is cut. One that has more hosts than may be in flight at once is left to them
        (M(fleet.livepatch.livepatch_slice)) before any of its hosts is started. Canaries, and hosts that are the only
        one of their kind, never are. With less than 2 no wave is.
    type: int
    default: 0
seealso:
  - module: fleet.livepatch.livepatch_plan
  - module: fleet.livepatch.rollout_assess
  - module: fleet.livepatch.livepatch_slice
"""

EXAMPLES = r"""
- name: See whether this batch may start
  fleet.livepatch.rollout_admit:
    approval: [1]
  run_once: true
  delegate_to: localhost
  register: __livepatch_admission

- name: Leave the rest to the next run
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
  description: The hosts of the batch that are to be patched.
  returned: success
  type: list
  elements: str
  sample: [web1, db1]
wave:
  description: The number of the wave.
  returned: success
  type: int
  sample: 0
confirm:
  description: Whether the next boot of these hosts may have the patch at once.
  returned: success
  type: bool
  sample: false
rollout:
  description: The ID of the rollout, null in check mode.
  returned: success
  type: str
  sample: 0d1c5f0c2b6e4f7a9f0e3f1b2c4d5e6f
fence:
  description: The number of this run of it. A host that has seen a higher one refuses it.
  returned: success
  type: int
  sample: 1795593600
plan:
  description: The hash of the plan.
  returned: success
  type: str
  sample: 0f343b0931126a20f133d67c2b018a3b
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
