#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: livepatch_records
short_description: Say something about rollouts, or ask what is recorded
description:
  - Records an approval, lists and changes the quarantine, gives an open rollout up, and shows what is recorded. It
    runs on the controller, delegated to the coordinator (C(livepatch_coordinator)).
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.controller
  - fleet.livepatch.report_files
options:
  command:
    description: What to do.
    type: str
    required: true
    choices: [report, abandon, approve, quarantine_list, quarantine_add, quarantine_clear]
  plan_hash:
    description: The plan that is approved, for O(command=approve).
    type: str
    default: ''
  wave:
    description: The number of the wave that is approved, or V(all).
    type: str
    default: all
  expires:
    description: Until when the approval holds, such as V(2026-11-30T06:00+00:00). Without it it holds for good.
    type: str
    default: ''
  granted:
    description: Whether it is approved, or refused.
    type: bool
    default: true
  entry:
    description: What is barred, or cleared, by all that is given of it.
    type: dict
    default: {}
    suboptions:
      id:
        description: The number of an entry, to clear it.
        type: int
      kmp:
        description: The KMP, as C(NAME-VERSION-RELEASE).
        type: str
      cohort:
        description: The cohort in which it is barred, as the list shows it. Without it the KMP is barred everywhere.
        type: str
      host:
        description: A host.
        type: str
  by:
    description: Who says it. By default the user that runs the playbook.
    type: str
    default: ''
  reason:
    description: Why. It is required for what changes the quarantine or gives a rollout up.
    type: str
    default: ''
seealso:
  - module: fleet.livepatch.livepatch_halt
"""

EXAMPLES = r"""
- name: Clear the quarantine of a KMP
  fleet.livepatch.livepatch_records:
    command: quarantine_clear
    entry:
      kmp: kernel-livepatch-6_1_0-56-cloud-amd64-4-150400.2.1
    reason: the canary's disk was broken
  delegate_to: localhost
"""

RETURN = r"""
files:
  description: The files that were written, the one for people first.
  returned: success
  type: list
  elements: str
  sample: [/var/lib/reports/livepatch-rollout-default-20261125T220000Z.html]
entries:
  description: Entries of the quarantine that were listed, added or cleared.
  returned: success
  type: list
  elements: dict
  sample:
    - {id: 1, kmp: kernel-livepatch-6_1_0-56-cloud-amd64-4-150400.2.1, cohort: 0f343b093112, host: null, reason: it
      oopsed}
"""
