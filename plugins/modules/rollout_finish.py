#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: rollout_finish
short_description: Finish a run of a rollout, and report it
description:
  - This module is for this collection's playbooks only.
  - Records as what the run ends, gives the lease back, shows what became of each host, and writes the report. It runs
    on the control node, once for all hosts of the play (C(run_once)), delegated to the coordinator.
  - What a run of a rollout, of a slice or of a rollback (O(fleet.livepatch.rollout_begin#module:mode)) ends with
    differs. A rollout is over when nothing is left to do in it; otherwise the next run resumes it. A slice leaves its
    wave, and the last of the slices gives the lease back; the gate after the wave is assessed by the next run of the
    rollout. After a rollback the rollout is over.
  - Of each host it reads the variables C(__livepatch_host), C(__livepatch_install), C(__livepatch_verify),
    C(__livepatch_reached), C(__livepatch_confirmation), C(__livepatch_install_end) and C(__livepatch_admission), which
    the tasks of the roles P(fleet.livepatch.rollout#role), P(fleet.livepatch.install#role) and
    P(fleet.livepatch.verify#role) register.
  - It notifies C(livepatch_webhooks).
  - Of a rollout it leaves C(livepatch_status), C(livepatch_rollout_id) and C(livepatch_plan_hash) as artifacts of the
    job (as M(ansible.builtin.set_stats) does). Only a task that succeeds can do so. That is why RV(problem) is
    returned, and the task after it fails.
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.controller
  - fleet.livepatch.report_files
  - fleet.livepatch.rollout_step
options:
  metrics_dir:
    description:
      - The folder of the textfile collector of node_exporter on the control node, which must be there. Of a rollout a
        file of metrics is written to it, one for each scope. Nothing is written without it.
    type: str
    default: ""
  retention_days:
    description:
      - Last, rollouts of the scope that ended this number of days ago, and plans of that age, are removed from the
        store, so many at once that no other run waits for long. Only a run of a rollout or of a rollback that had the
        lease does so. V(0) keeps all.
    type: int
    default: 400
  format:
    description: What is printed. V(text) is a table for people, V(json) the same for programs.
    type: str
    choices: [text, json]
    default: text
seealso:
  - module: fleet.livepatch.rollout_begin
  - module: fleet.livepatch.rollout_assess
"""

EXAMPLES = r"""
- name: Finish the run
  fleet.livepatch.rollout_finish:
    rollout: "{{ __livepatch_begun.rollout }}"
  run_once: true
  delegate_to: localhost
  register: __livepatch_finished

- name: Check the outcome
  ansible.builtin.assert:
    that: __livepatch_finished.problem is none
    fail_msg: "{{ __livepatch_finished.problem | default('', true) }}"
    quiet: true
  run_once: true
"""

RETURN = r"""
status:
  description:
    - V(done) and V(failed) end the rollout. V(soaking), V(waiting) and V(halted) leave it to the next run. V(nothing)
      was to do; V(barred) is the same where the quarantine keeps hosts out; V(planned) is what it is in check mode.
    - Of a slice V(done), or why it has not started all of its hosts, V(halted) or V(waiting).
  returned: success
  type: str
  sample: done
detail:
  description: Why, and until when.
  returned: success
  type: dict
  sample: {}
problem:
  description: Why the run must not exit with 0, in one line; null where it may.
  returned: success
  type: str
  sample: "2 hosts failed (web1, web2)"
files:
  description: The files that were written, the one for people first. A slice writes none.
  returned: success
  type: list
  elements: str
  sample: [/var/lib/reports/livepatch-rollout-default-20261125T220000Z.html]
outcomes:
  description: What became of each host.
  returned: success
  type: list
  elements: dict
  sample:
    - {host: web1, outcome: done, reason: patched, state: patched, level: 3, seconds: 1.2}
"""
