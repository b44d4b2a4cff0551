#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: livepatch_close
short_description: End a run of a rollout
description:
  - Records as what the run ends, gives the lease back, and tells what became of each host of the play. It runs on the
    controller, once for all hosts (C(run_once)), delegated to the coordinator.
  - It leaves C(livepatch_status), C(livepatch_rollout_id) and C(livepatch_plan_hash) as artifacts of the job
    (as M(ansible.builtin.set_stats) does).
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.controller
  - fleet.livepatch.webhooks
options: {}
seealso:
  - module: fleet.livepatch.livepatch_plan
  - module: fleet.livepatch.livepatch_report
"""

EXAMPLES = r"""
- name: Close the run
  fleet.livepatch.livepatch_close:
  run_once: true
  delegate_to: localhost
  register: __livepatch_finished
"""

RETURN = r"""
status:
  description:
    - V(done) and V(failed) end the rollout. V(soaking), V(waiting) and V(halted) leave it to the next run. V(nothing)
      was to do; V(planned) is what it is in check mode.
  returned: success
  type: str
  sample: done
detail:
  description: Why, and until when.
  returned: success
  type: dict
  sample: {}
recorded:
  description: The rollout as it is recorded, with its gates and the last of its events; null where none was begun.
  returned: success
  type: dict
  sample: {id: 3f1c8d, status: done, started: 1800001000.5, ended: 1800001200.5, gates: [], events: []}
outcomes:
  description: What became of each host.
  returned: success
  type: list
  elements: dict
  sample:
    - {host: web1, outcome: done, reason: patched, state: patched, level: 3, seconds: 1.2}
"""
