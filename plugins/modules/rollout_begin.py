#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: rollout_begin
short_description: Begin a run of a rollout
description:
  - This module is for this collection's playbooks only.
  - Plans which host is patched when, from what M(fleet.livepatch.livepatch_info) with
    O(fleet.livepatch.livepatch_info#module:on_unreachable=report) returned for each host of the play, registered as
    C(__livepatch_host). It runs on the control node, once for all hosts (C(run_once)), delegated to the coordinator
    (C(livepatch_coordinator)), which has the store of the rollouts.
  - Hosts that behave alike form a cohort. They have the same running build, active level and KMP to install. Canaries
    of each cohort are the first wave. A host that is the only one of its cohort has no canary; such hosts share the
    last wave.
  - A host with a true variable C(livepatch_canary) is a canary of its cohort. Otherwise the lowest
    C(livepatch_criticality) (0 to 1) goes first, and C(livepatch_seed) chooses among equals.
  - Where a rollout of the scope (C(livepatch_scope)) is open, its plan is followed, and what is left of it is worked
    out from what is recorded and from what the hosts answer now. Where there is something to do the lease of the scope
    is taken, so that no other run does it as well. Without a sign of life from this run another one may take it over,
    after the time that the longest step may take by the hosts' C(livepatch_timeout), C(livepatch_lock_timeout) and
    C(livepatch_unreachable_timeout).
  - The settings of the plan and of the rollout are read as variables, without a role's defaults. The store keeps them
    with the plan, and with the rollout. A later run goes by these, obeys and records what is tighter, and refuses what
    is looser or different.
  - It notifies C(livepatch_webhooks).
  - In check mode nothing is recorded, and no lease is taken.
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.controller
  - fleet.livepatch.report_files

notes:
  - The store of the rollouts is on the host that the variable C(livepatch_coordinator) names, by default the control
    node. Delegate the task to it. C(livepatch_store_path) is its file, and C(livepatch_scope) the scope.
options:
  mode:
    description:
      - V(plan) keeps a plan in the store, and begins nothing. V(prestage) is the same for hosts that are to download
        what is planned; it writes no report.
      - V(rollout) plans, or resumes the open rollout.
      - V(slice) joins the other jobs (slices) that do the same wave with other hosts, where the open rollout has left
        one to them. All of them hold the lease of the scope together, and count into the same budgets.
      - V(rollback) selects the hosts of the play that the last rollout of the scope has patched, canaries first, and
        puts the KMP that they have into quarantine.
    type: str
    choices: [plan, prestage, rollout, slice, rollback]
    required: true
  lease:
    description:
      - Seconds after which another run takes the rollout over unless this one renews its lease, which a process does
        that this module starts, and that ends with the playbook.
    type: int
    default: 120
  takeover_reason:
    description: Why the rollout is taken over at once from another run, which may be alive. By default this waits until
      the lease of that one has expired, and fails where it is renewed.
    type: str
    default: ''
  change_reason:
    description: Why settings are taken that are looser than what the rollout goes by, or different. By default they are
      refused. The store keeps it.
    type: str
    default: ''
  plan_hash:
    description: The hash of the plan that is to be followed. Another one is refused.
    type: str
    default: ''
  slices:
    description: How many jobs share what may be in flight at once (C(livepatch_max_in_flight)), for O(mode=slice).
    type: int
    default: 1
  wave:
    description: Only hosts of the wave of this number, for O(mode=rollback), or V(all).
    type: str
    default: all
  cohort:
    description: Only hosts of this cohort, by its ID, for O(mode=rollback).
    type: str
  reason:
    description: Why, for the quarantine. O(mode=rollback) requires it.
    type: str
    default: ''
  format:
    description: What is printed. V(text) is a table for people, V(json) the plan itself.
    type: str
    choices: [text, json]
    default: text
seealso:
  - module: fleet.livepatch.livepatch_info
  - module: fleet.livepatch.rollout_admit
  - module: fleet.livepatch.rollout_assess
  - module: fleet.livepatch.rollout_finish
"""

EXAMPLES = r"""
- name: Plan the rollout
  fleet.livepatch.rollout_begin:
    mode: rollout
  run_once: true
  delegate_to: localhost
  register: __livepatch_begun
"""

RETURN = r"""
files:
  description: The files that were written, the one for people first.
  returned: unless O(mode) is V(slice) or V(rollback)
  type: list
  elements: str
  sample: [/var/lib/reports/livepatch-plan-default-20261125T220000Z.html]
plan:
  description:
    - The plan, with C(schema), C(settings), the C(cohorts), the C(waves), each with its C(kind) (V(canaries), V(wave)
      or V(singles)) and C(hosts), what was planned for each of the C(hosts), C(left_out), which says why a host is in
      no wave, and the C(hash) of all that.
  returned: with O(mode=plan)
  type: dict
  sample:
    schema: 1
    hash: 0f343b0931126a20f133d67c2b018a3b
    waves: [{kind: canaries, hosts: [web1]}, {kind: wave, hosts: [web2]}]
    left_out: {web3: "patched: kernel-livepatch-6_1_0-56-cloud-amd64-3-150400.2.1 is active"}
rollout:
  description:
    - What the run is known by, as the option O(fleet.livepatch.rollout_admit#module:rollout) of its steps. That is the
      C(mode), the C(hash) of the plan, the C(run), under which the store keeps what the steps work by, the C(id) of the
      rollout and the C(fence), the number of the lease (null where nothing was begun), and as which C(member) a slice
      has joined. Empty where a slice has nothing to do.
  returned: success
  type: dict
  sample:
    mode: rollout
    hash: 0f343b0931126a20f133d67c2b018a3b
    run: 5f1e6f0b1c0a4c2a9d9a7e5c3b1d2f40
    id: 0d1c5f0c2b6e4f7a9f0e3f1b2c4d5e6f
    fence: 1795593600
    member: null
hosts:
  description: The hosts that the run works on, in the order in which they go.
  returned: success
  type: list
  elements: str
  sample: [web1, web2]
sizes:
  description: How many of them each batch has.
  returned: success
  type: list
  elements: int
  sample: [1, 1]
pending:
  description: Hosts that an earlier run has left to be rolled back.
  returned: success
  type: list
  elements: str
  sample: []
locks:
  description:
    - The hosts on which the lock on KMPs is to be set (V(true)) or removed (V(false)) before any host is patched.
  returned: success
  type: dict
  sample: {web1: true}
"""
