#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: rollout_info
short_description: Get the recorded rollout and the quarantine
description:
  - Displays and returns what is recorded of the open rollout of the scope C(livepatch_scope), or of its last one, and
    the quarantine. No host is contacted.
  - Runs on the control node. Delegate it to the coordinator (C(livepatch_coordinator)), which has the store
    (C(livepatch_store_path)).
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.info
  - fleet.livepatch.report_files
options:
  subject:
    description:
      - What is displayed. V(rollout) is the report of the rollout, which O(dir) and O(url) write to files as well.
        V(quarantine) is the list of its entries.
    type: str
    choices: [rollout, quarantine]
    default: rollout
seealso:
  - module: fleet.livepatch.rollout_control
  - module: fleet.livepatch.rollout_quarantine
"""

EXAMPLES = r"""
- name: Get the open rollout, or the last one
  fleet.livepatch.rollout_info:
  register: result

- name: Write its report
  fleet.livepatch.rollout_info:
    dir: /var/lib/reports
"""

RETURN = r"""
rollout:
  description:
    - The open rollout of the scope, or the last one, with C(id), C(plan_hash), C(status), C(detail) (what it waits
      for, or why it stopped), C(started), C(ended), C(outcomes) (by host), C(gates) and C(events). Null where none is
      recorded.
  returned: success
  type: dict
  sample: {id: 4be1c0d4f0e14d5d, status: soaking, detail: {until: 1795597200.5}}
halt:
  description: The halt that holds for the scope, with C(scope), C(reason), C(by) and C(since); null without one.
  returned: success
  type: dict
  sample: {scope: default, reason: the storage array misbehaves, by: ops, since: 1795593600.5}
lease:
  description: The run that has the lease of the scope, with C(owner), C(fence), C(since), C(renewed) and C(ttl); null
    where none has it.
  returned: success
  type: dict
  sample: {fence: 1795593600, owner: {user: ops, machine: control}, since: 1795593600.5}
quarantine:
  description: The entries of the quarantine.
  returned: success
  type: list
  elements: dict
  sample:
    - {id: 1, kmp: kernel-livepatch-6_1_0-56-cloud-amd64-4-150400.2.1, cohort: 0f343b093112, host: null, reason: kernel
      oops, by: rollout, since: 1795593600.5}
files:
  description: The files that were written, the HTML page first.
  returned: success
  type: list
  elements: str
  sample: [/var/lib/reports/livepatch-rollout-default-20261125T220000Z.html]
"""
