#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: livepatch_report
short_description: Show what is known of the play's hosts
description:
  - This module is for this collection's playbooks only.
  - Prints a table of the play's hosts, worst first, the problems among them in one line each with the way out, and a
    line that sums up. It runs on the control node, once for all hosts (C(run_once)), and changes nothing.
  - With O(subject=status), hosts of which the same is true are one row, and the table has the day until which they have
    to reboot into a newer kernel, where the vendor says so.
  - Of each host it reads the variables C(__livepatch_host), which M(fleet.livepatch.livepatch_info) with
    O(fleet.livepatch.livepatch_info#module:on_unreachable=report) has registered, and C(__livepatch_install_end),
    C(__livepatch_reached) and C(__livepatch_verify), if a later task has asked the host again.
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.controller
  - fleet.livepatch.report_files

options:
  subject:
    description:
      - V(status) shows what is true of each host's live patch.
      - V(prestage) shows on which hosts of the plan M(fleet.livepatch.livepatch), registered as
        C(__livepatch_download), has downloaded the KMP. It fails where one has not.
    type: str
    choices: [status, prestage]
    required: true
  rollout:
    description:
      - What M(fleet.livepatch.rollout_begin) returned as RV(fleet.livepatch.rollout_begin#module:rollout).
        O(subject=prestage) requires it.
    type: dict
  assertions:
    description:
      - For O(subject=status). An expression of JMESPath, or a list of them, over what O(format=json) prints. Each must
        give true, else the task fails. It fails too where a host's state is V(unknown).
      - It needs the Python package C(jmespath) on the control node.
    type: raw
    default: []
  domain_keys:
    description: Names of variables whose values are failure domains, which the report shows.
    type: list
    elements: str
    default: []
  format:
    description: What is printed. V(text) is a table for people, V(json) the same for programs.
    type: str
    choices: [text, json]
    default: text
seealso:
  - module: fleet.livepatch.livepatch_info
  - module: fleet.livepatch.rollout_finish
"""

EXAMPLES = r"""
- name: Show the status
  fleet.livepatch.livepatch_report:
    subject: status
  run_once: true
"""

RETURN = r"""
files:
  description: The files that were written, the one for people first.
  returned: success
  type: list
  elements: str
  sample: [/var/lib/reports/livepatch-status-default-20261125T220000Z.html]
halt:
  description: Why no host of the scope may start, or why that is not known; null where rollouts are not halted.
  returned: with O(subject=status)
  type: str
  sample: "rollouts are halted by eve: the array misbehaves (to go on, run playbook resume)"
hosts:
  description: The table's rows, host by host.
  returned: success
  type: list
  elements: dict
  sample:
    - {host: web1, outcome: downloaded, reason: "", kmp: kernel-livepatch-6_4_0-150600_23_7-default-3-150600.1.1}
"""
