#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: rollout_control
short_description: Control rollouts, and back up their store
description:
  - Controls the rollouts of the scope C(livepatch_scope).
  - Runs on the control node. Delegate it to the coordinator (C(livepatch_coordinator)), which has the store
    (C(livepatch_store_path)).
  - The record names the person as the control node knows it, which is the login behind C(sudo) and C(su), or in a job
    of AWX the user who launched it. No option changes that. A job that no user has launched, such as a scheduled one,
    cannot approve.
  - The collection's playbooks C(halt), C(resume), C(abort), C(approve), C(reject), C(backup) and C(restore) use this
    module.
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.controller
options:
  action:
    description:
      - V(halt) records a halt, which M(fleet.livepatch.livepatch) checks immediately before it starts on a host. No
        host starts then, and hosts in flight finish. A scope that is halted already keeps its first reason.
      - V(notify) posts the halt that is recorded to C(livepatch_webhooks). It is an action of its own, so that a wrong
        webhook does not keep a halt back.
      - V(resume) clears the halt. It resumes no run, so run the rollout again.
      - V(abort) ends the open rollout without finishing it, so that the next run makes a new plan. It fails while a
        run has the lease.
      - V(approve) approves a wave of a plan, or all of them. V(reject) rejects it, which stops the rollout at that
        wave. The last approval or rejection stands.
      - V(backup) copies the store, which others may go on to use.
      - V(restore) makes a backup the store, and keeps the file that was the store beside it. All scopes are halted
        then, since what was recorded after the backup is lost. A run that is under way has lost its lease.
    type: str
    required: true
    choices: [halt, notify, resume, abort, approve, reject, backup, restore]
  reason:
    description: Why. The records and reports keep it.
    type: str
    default: ""
  all_scopes:
    description:
      - For O(action=halt) and O(action=resume). All scopes of the coordinator. A halt of all scopes is cleared by
        resuming all scopes only.
    type: bool
    default: false
  if_running:
    description:
      - For O(action=halt). Only where a rollout of the scope is under way, which is one that is running, or that soaks
        or waits after its first hosts. Otherwise nothing is halted, so that the next rollout can start. Where the store
        has no rollout or plan of the scope at all it fails.
      - For programs that halt, such as the rulebook C(fleet.livepatch.halt_on_alert).
    type: bool
    default: false
  plan_hash:
    description:
      - The hash of the plan, or its first 8 or more digits, where no other plan in the store begins with them.
      - Required for O(action=approve) and O(action=reject).
    type: str
    default: ""
  wave:
    description: For O(action=approve) and O(action=reject). The number of a wave of the plan, or V(all).
    type: str
    default: all
  approver_not_starter:
    description: For O(action=approve). Refuses the person who made the plan or started a rollout of it.
    type: bool
    default: false
  expires:
    description:
      - For O(action=approve) and O(action=reject). When it expires, in ISO 8601, such as V(2026-11-30T06:00+00:00). By
        default it does not expire.
    type: str
    default: ""
  backup_path:
    description:
      - The file of the backup, on the host that has the store. Required for O(action=backup), for which it must not be
        there, and for O(action=restore).
    type: str
    default: ""
  takeover_reason:
    description:
      - For O(action=abort). Why the rollout is aborted at once though the run that has it may be alive. That run stops
        at its next step.
      - By default this waits until that run's lease has expired, and fails where it is renewed.
    type: str
    default: ""
seealso:
  - module: fleet.livepatch.rollout_info
  - module: fleet.livepatch.rollout_quarantine
"""

EXAMPLES = r"""
- name: Halt all rollouts
  fleet.livepatch.rollout_control:
    action: halt
    all_scopes: true
    reason: the storage array misbehaves
  run_once: true

- name: Halt the rollout that is under way, if there is one
  fleet.livepatch.rollout_control:
    action: halt
    if_running: true
    reason: alert HighLatency on web1
  run_once: true

- name: Resume the rollouts of all scopes
  fleet.livepatch.rollout_control:
    action: resume
    all_scopes: true
  run_once: true

- name: Abort the open rollout
  fleet.livepatch.rollout_control:
    action: abort
    reason: the advisory was withdrawn
  run_once: true
"""

RETURN = r"""
message:
  description: What was done.
  returned: success
  type: str
  sample: "Halted (scope default): no host starts, hosts in flight finish. To go on, run playbook resume"
"""
