#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: livepatch_plan
short_description: Plan a rollout over the play's hosts, or take up the open one
description:
  - Plans who is patched when, from what M(fleet.livepatch.livepatch_survey) has told of each host of the play,
    registered as C(__livepatch_host). It runs on the controller, once for all hosts (C(run_once)), delegated to the
    host that keeps
    the store of the rollouts (C(livepatch_coordinator)).
  - Hosts that behave alike form a cohort, which is running build, level that is active and KMP to install. Canaries of
    each cohort are the first wave. Cohorts of one host have nobody that could be their canary. They share the last
    wave.
  - A host is made its cohort's canary by a true variable C(livepatch_canary). Otherwise the lowest
    C(livepatch_criticality) (0 to 1) goes first, and O(seed) chooses among equals.
  - Where a rollout of the scope (C(livepatch_scope)) is open, its plan is followed, and what is left of it is worked
    out from what is recorded and from what the hosts say now. Where there is something to do the lease of the scope
    is taken, so that no other run does it as well. Without a sign of life from this run another one may take it over,
    after the time that the longest step may take.
  - In check mode nothing is recorded, and no lease is taken.
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.controller
  - fleet.livepatch.report_files
  - fleet.livepatch.webhooks

options:
  waves:
    description:
      - How large the waves after the canaries are, each a number of hosts or a share of all planned hosts such as
        V(25%).
      - Whoever is left after them is in one more wave, or in as many as the caps make of it.
    type: list
    elements: str
    required: true
  seed:
    description: Another seed chooses other canaries; the same one chooses the same.
    type: str
    default: ''
  max_in_flight:
    description:
      - How many hosts may migrate at once. A wave that is larger is done in batches, and the budget is checked
        between them.
    type: int
    default: 100
  canaries:
    description: How many hosts of a cohort are its canaries, a number or a share; at least one, and one host less
      than there are.
    type: str
    default: '1'
  max_per_wave:
    description: How many hosts a wave after the canaries may have, a number or a share of all planned hosts.
    type: str
  max_per_domain:
    description: How many hosts of one failure domain (O(domain_keys)) may be in one wave after the canaries, a number
      or a share of those in it.
    type: str
  max_per_group:
    description: How many hosts of one service (variable C(livepatch_service_group)) may be in one such wave, a number
      or a share of those in it.
    type: str
  domain_keys:
    description: Names of variables whose values are failure domains, such as V(dc) and V(rack). Canaries are spread
      over them.
    type: list
    elements: str
    default: []
  cohort_key:
    description:
      - A JMESPath expression over a host's C(name), C(kernel), C(kmp) and C(livepatch). Hosts for which it differs
        are in different cohorts.
    type: str
  filter:
    description: Such an expression; hosts for which it is false, null or empty are in no wave.
    type: str
  kernel_versions:
    description: The range of upstream kernel versions that are planned, such as V(>=6.4).
    type: str
  levels:
    description: The range of levels that are planned, such as V(>=2, <9).
    type: str
  prestaged:
    description: Only hosts that have downloaded their KMP are planned (playbook C(prestage)).
    type: bool
    default: false
  halt_scope:
    description:
      - How far a failed canary reaches. V(rollout) stops all of it, V(kmp) all cohorts that get the same KMP,
        V(cohort) just its own.
    type: str
    choices: [rollout, kmp, cohort]
    default: rollout
  budget_wave:
    description: How many hosts of a wave after the canaries may go wrong, a number or a share of its hosts (rounded
      down). The canaries have no budget.
    type: str
    default: '0'
  budget_batch:
    description: The same of a batch.
    type: str
  budget_cohort:
    description: The same of a cohort, over all waves.
    type: str
  budget_rollout:
    description: The same of all planned hosts, over all waves.
    type: str
  budget_lost:
    description: How many of all planned hosts may be lost, which is no contact any more after apply began.
    type: str
    default: '0'
  budget_unreachable:
    description: How many hosts may be out of reach before anything is done to them. By default they are just left out.
    type: str
  only:
    description: Keep the plan in the store, and begin nothing.
    type: bool
    default: false
  plan_hash:
    description: The hash of the plan that is to be followed. Another one is refused.
    type: str
    default: ''
  gates:
    description: The gates of O(plan_hash)'s waves that look elsewhere, as M(fleet.livepatch.rollout_assess) takes
      them; they are checked here.
    type: list
    elements: dict
    default: []
  skip_gates:
    description: Names of gates that are passed over, each with the reason; they are checked here.
    type: dict
    default: {}
  format:
    description: What is printed. V(text) is a table for people, V(json) the plan itself.
    type: str
    choices: [text, json]
    default: text
seealso:
  - module: fleet.livepatch.rollout_admit
  - module: fleet.livepatch.rollout_assess
"""

EXAMPLES = r"""
- name: Plan the rollout
  fleet.livepatch.livepatch_plan:
    waves: [1, 25%]
  run_once: true
  delegate_to: localhost
  register: planned
"""

RETURN = r"""
files:
  description: The files that were written, the one for people first.
  returned: success
  type: list
  elements: str
  sample: [/var/lib/reports/livepatch-plan-default-20261125T220000Z.html]
plan:
  description:
    - The plan, with C(schema), C(settings), the C(cohorts), the C(waves), each with its C(kind) (V(canaries), V(wave)
      or V(singles)) and C(hosts), what was planned for each of the C(hosts), C(left_out), which says why a host is in
      no
      wave, and the C(hash) of all that.
  returned: success
  type: dict
  sample:
    schema: 1
    hash: 0f343b0931126a20f133d67c2b018a3b
    waves: [{kind: canaries, hosts: [web1]}, {kind: wave, hosts: [web2]}]
    left_out: {web3: "patched: kernel-livepatch-6_1_0-56-cloud-amd64-3-150400.2.1 is active"}
rollout:
  description:
    - What the steps of this run work by. That is the C(id) of the rollout and the C(fence), the number of this run
      (null where nothing was begun), C(document), the plan, and what is left of it as C(batches), C(hosts) and
      C(sizes). With O(only=true) C(before) has the C(hash) of the plan before, when it was C(saved), and the C(changes)
      since.
  returned: success
  type: dict
  sample: {id: 0d1c5f0c2b6e4f7a9f0e3f1b2c4d5e6f, fence: 1795593600, resumed: false, hosts: [web1, web2], sizes: [1, 1]}
"""
