#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: rollout_assess
short_description: Assess a batch or a wave of a rollout
description:
  - This module is for this collection's playbooks only.
  - Assesses hosts by what they answered, and records what became of them in the store of the rollouts before anything
    is done about it. It runs on the control node, once for the batch (C(run_once)), delegated to the coordinator
    (C(livepatch_coordinator)).
  - Of each host it reads the variables C(__livepatch_host), C(__livepatch_install) and C(__livepatch_verify) for
    O(step=batch), C(__livepatch_slow) for O(step=slow), C(__livepatch_reserve_install) and C(__livepatch_reserve) for
    O(step=reserve), C(__livepatch_soak_probe) for O(step=probe), and C(__livepatch_rolled_back) for O(step=rollback).
    The tasks of the role P(fleet.livepatch.rollout#role) register them.
  - A host that failed, that was lost, or of which nothing is known is bad. The one rule is to stop when more are bad
    than a budget has; canaries, and hosts that are the only one of their cohort, have none.
  - It goes by the settings C(livepatch_soak), C(livepatch_max_runtime), C(livepatch_gates), C(livepatch_skip_gates) and
    C(livepatch_webhooks).
  - If a step cannot assess, it does not fail. It returns RV(error), and nothing more is done to any host.
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.controller
  - fleet.livepatch.rollout_step
options:
  step:
    description:
      - V(batch) assesses hosts that have just been patched, V(slow) those that were in flight still then, V(reserve)
        those that were patched in the place of canaries, V(probe) those of a wave that soaks. V(wave) decides whether
        the rollout goes on, and asks the gates that look elsewhere than at the hosts. V(batch) and V(slow) do so at
        once where nothing else follows. V(rollback) records what was rolled back.
    type: str
    choices: [batch, slow, reserve, probe, wave, rollback]
    required: true
  admission:
    description: What M(fleet.livepatch.rollout_admit) returned for the batch, or for reserves. O(step=batch) and
      O(step=reserve) require it.
    type: dict
  assessment:
    description:
      - What the step before returned. O(step=slow), O(step=reserve), O(step=probe) and O(step=wave) require it. One
        that has RV(status) is returned as it is.
    type: dict
  hosts:
    description:
      - The hosts that were rolled back. Those that are not in the play's batch are left out. O(step=rollback) requires
        it.
    type: list
    elements: str
seealso:
  - module: fleet.livepatch.rollout_begin
  - module: fleet.livepatch.rollout_admit
"""

EXAMPLES = r"""
- name: Assess the hosts of the batch
  fleet.livepatch.rollout_assess:
    rollout: "{{ __livepatch_begun.rollout }}"
    step: batch
    admission: "{{ __livepatch_admission }}"
  run_once: true
  delegate_to: localhost
  register: __livepatch_assessment

- name: End the play where the rollout does not go on
  ansible.builtin.meta: end_play
  when: not __livepatch_assessment.go
"""

RETURN = r"""
verdict:
  description: The verdict in one line.
  returned: success
  type: str
  sample: "Gate after canaries: pass (2 of 2 healthy, budget 0)"
wave:
  description: The number of the wave, 0 for the first.
  returned: unless RV(error) is returned
  type: int
  sample: 0
passed:
  description: Whether no budget is used up.
  returned: for all but O(step=rollback)
  type: bool
  sample: true
soak:
  description: The times of the C(probes) that this run does, and C(until) when the wave soaks if the next run has to
    see to it.
  returned: for all but O(step=rollback)
  type: dict
  sample: {probes: [], until: null}
counts:
  description: How many hosts have come to which outcome, of the wave so far, or of those that were rolled back.
  returned: success
  type: dict
  sample: {done: 3, failed: 1}
error:
  description: Why the step could not assess.
  returned: when it could not
  type: str
  sample: "the store of the rollouts: database is locked"
hosts:
  description: The hosts that were rolled back, or were to be.
  returned: for O(step=rollback)
  type: list
  elements: str
  sample: [web1]
follow:
  description:
    - What follows for hosts of the batch or of the wave, null for nothing. V(collect) waits for slow ones, V(soak) asks
      them in the soak, V(confirm) lets their next boot have the patch, V(roll_back) rolls them back, and
      V(confirm_and_roll_back) does the one on some and the other on others.
  returned: for all but O(step=rollback)
  type: str
  sample: null
go:
  description: Whether the rollout goes on, as far as is known by now.
  returned: success
  type: bool
  sample: true
status:
  description: As what it ends where it does not, V(failed), V(halted), V(soaking) or V(waiting).
  returned: when nothing but RV(confirm) and RV(rollback) follows
  type: str
  sample: running
confirm:
  description: Hosts whose next boot may have the patch from now on.
  returned: when nothing but RV(confirm) and RV(rollback) follows
  type: list
  elements: str
  sample: [web1]
rollback:
  description: Hosts that have to be rolled back.
  returned: when nothing but RV(confirm) and RV(rollback) follows
  type: list
  elements: str
  sample: []
elsewhere:
  description: Those of RV(rollback) that are not in this batch.
  returned: when nothing but RV(confirm) and RV(rollback) follows
  type: list
  elements: str
  sample: []
shares:
  description:
    - On which hosts of the wave each host of the batch does what follows, with what each of these is asked or changed
      with. A wave may be larger than a batch.
  returned: for all but O(step=rollback)
  type: dict
  sample: {web1: [{host: web1, policy: {}, health_checks: {}, lock_timeout: 60, unreachable_timeout: 300}]}
"""
