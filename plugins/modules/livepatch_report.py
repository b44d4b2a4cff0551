#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: livepatch_report
short_description: Show what is known of the play's hosts
description:
  - Prints a table of the play's hosts, worst first, the problems among them in one line each with the way out, and a
    line that sums up. It runs on the controller, once for all hosts (C(run_once)), and changes nothing.
  - With O(of=status), hosts of which the same is true are one row, and it is told until when they have to reboot into a
    newer kernel, where the vendor says so.
  - With O(of=rollout) it fails when the rollout did not end well, so that the run does not.
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.controller
  - fleet.livepatch.report_files

options:
  of:
    description:
      - V(status) shows what M(fleet.livepatch.livepatch_survey) has told, registered as C(__livepatch_host).
      - V(rollout) shows what M(fleet.livepatch.livepatch_close) has told of each host and of the rollout.
      - V(prestage) shows on which hosts of the plan M(fleet.livepatch.livepatch), registered as
        C(__livepatch_download), has downloaded the KMP. It fails where one has not.
    type: str
    choices: [status, rollout, prestage]
    required: true
  closed:
    description: What M(fleet.livepatch.livepatch_close) returned, for O(of=rollout).
    type: dict
    default: {}
  require:
    description:
      - For O(of=status). An expression of JMESPath, or a list of them, over what O(format=json) prints. Each must give
        true, else the task fails. It fails too where a host's state is V(unknown).
      - It needs the Python package C(jmespath) on the control node.
    type: raw
    default: []
  metrics_dir:
    description:
      - The folder of the textfile collector of node_exporter on the control node, which must be there. With
        O(of=rollout) a file of metrics is written to it, one for each scope. Nothing is written without it.
    type: str
    default: ""
  format:
    description: What is printed. V(text) is a table for people, V(json) the same for programs.
    type: str
    choices: [text, json]
    default: text
seealso:
  - module: fleet.livepatch.livepatch_survey
"""

EXAMPLES = r"""
- name: Show what the hosts said
  fleet.livepatch.livepatch_report:
    of: status
  run_once: true
"""

RETURN = r"""
files:
  description: The files that were written, the one for people first.
  returned: success
  type: list
  elements: str
  sample: [/var/lib/reports/livepatch-status-default-20261125T220000Z.html]
status:
  description: How the rollout ended.
  returned: with O(of=rollout)
  type: str
  sample: done
detail:
  description: Why it ended like that.
  returned: with O(of=rollout)
  type: dict
  sample: {}
hosts:
  description: The table's rows, host by host.
  returned: success
  type: list
  elements: dict
  sample:
    - {host: web1, outcome: done, reason: patched, state: patched, level: 3, seconds: 1.2}
"""
