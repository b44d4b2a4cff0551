#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: rollout_assess
short_description: Judge a batch or a wave of a rollout
description:
  - Judges hosts by what the roles P(fleet.livepatch.install#role) and P(fleet.livepatch.verify#role) left of each of
    them, and by what they say later. It runs on the controller, once for the batch (C(run_once)), delegated to the
    coordinator (C(livepatch_coordinator)), and records what it finds in the store of the rollouts before anything is
    done about it.
  - A host that failed, that was lost, or of which nothing is known is bad. The one rule is to stop when more are bad
    than a budget has; canaries, and hosts that are the only one of their cohort, have none.
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.controller
  - fleet.livepatch.webhooks
options:
  of:
    description:
      - V(batch) judges hosts that have just been patched, V(probe) those of a wave that soaks, V(wave) says whether
        the rollout goes on, and asks the gates that look elsewhere than at the hosts. V(rollback) records what was
        brought back.
    type: str
    choices: [batch, probe, wave, rollback]
    required: true
  soak:
    description: How many seconds a wave has to stay healthy before its gate can pass, for O(of=batch).
    type: int
    default: 0
  run_limit:
    description: After how many seconds the run does not wait for a soak any more, and leaves it to the next one.
    type: int
    default: 3600
  gates:
    description: The gates that look elsewhere, each with C(name), C(type) and what that type needs, for O(of=wave).
    type: list
    elements: dict
    default: []
  skip_gates:
    description: Names of gates that are passed over, each with the reason, which is recorded.
    type: dict
    default: {}
seealso:
  - module: fleet.livepatch.livepatch_plan
  - module: fleet.livepatch.rollout_admit
"""

EXAMPLES = r"""
- name: Judge the hosts
  fleet.livepatch.rollout_assess:
    of: batch
  run_once: true
  delegate_to: localhost
  register: __livepatch_batch

- name: Judge the wave
  fleet.livepatch.rollout_assess:
    of: wave
  run_once: true
  delegate_to: localhost
  register: __livepatch_assessment

- name: Stop here if it is not well
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
  returned: when it could be told
  type: int
  sample: 0
passed:
  description: Whether no budget is used up.
  returned: for O(of=batch) and O(of=probe)
  type: bool
  sample: true
soak:
  description: The times of the C(probes) that this run does, and C(until) when the wave soaks if the next run has to
    see to it.
  returned: for O(of=batch) and O(of=probe)
  type: dict
  sample: {probes: [], until: null}
rows:
  description: What became of the hosts.
  returned: success
  type: list
  elements: dict
  sample:
    - {host: web1, outcome: done, reason: patched, state: patched, level: 3, seconds: 1.2}
go:
  description: Whether the rollout goes on.
  returned: for O(of=wave)
  type: bool
  sample: true
status:
  description: As what it ends where it does not, V(failed), V(soaking) or V(waiting).
  returned: for O(of=wave)
  type: str
  sample: running
confirm:
  description: Hosts whose next boot may have the patch from now on.
  returned: for O(of=wave)
  type: list
  elements: str
  sample: [web1]
kmps:
  description: The version and release of the KMP that was planned, for each host of RV(confirm).
  returned: for O(of=wave)
  type: dict
  sample: {web1: 3-150400.2.1}
rollback:
  description: Hosts that have to go back to what they had before.
  returned: for O(of=wave)
  type: list
  elements: str
  sample: []
elsewhere:
  description: Those of RV(rollback) that are not in this batch.
  returned: for O(of=wave)
  type: list
  elements: str
  sample: []
shares:
  description: Which hosts of the wave each host of the batch asks. A wave may be larger than a batch.
  returned: for all but O(of=rollback)
  type: dict
  sample: {web1: [web1]}
"""
