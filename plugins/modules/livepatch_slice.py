#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: livepatch_slice
short_description: Take part in a wave that a rollout has left to several jobs, and end that
description:
  - Joins the other jobs (slices) that do the same wave with other hosts, and tells which hosts of the play are to be
    patched. All of them hold the lease of the scope together, and count into the same budgets. It runs on the
    controller, once for all hosts (C(run_once)), delegated to the coordinator (C(livepatch_coordinator)).
  - With O(ended=true) it shows what became of the hosts, and leaves. The last of the slices gives the lease back. The
    gate after the wave is judged by the next run of the rollout.
  - A wave is left to slices by M(fleet.livepatch.rollout_admit), if it is to be cut into more than one.
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.controller
options:
  slices:
    description: How many jobs share what may be in flight at once (C(livepatch_max_in_flight)).
    type: int
    default: 1
  ended:
    description: The hosts have been patched, or not.
    type: bool
    default: false
  format:
    description: How what became of the hosts is printed, for people or for programs.
    type: str
    choices: [text, json]
    default: text
seealso:
  - module: fleet.livepatch.livepatch_plan
  - module: fleet.livepatch.rollout_admit
"""

EXAMPLES = r"""
- name: Take part in the wave
  fleet.livepatch.livepatch_slice:
    slices: 8
  run_once: true
  delegate_to: localhost
  register: joined
"""

RETURN = r"""
rollout:
  description:
    - What the steps of this run work by, as M(fleet.livepatch.livepatch_plan) returns it. Without anything to do its
      C(hosts) are none.
  returned: unless O(ended=true)
  type: dict
  sample: {hosts: [web1, web2], sizes: [2], wave: 2}
outcomes:
  description: What became of each host.
  returned: if O(ended=true)
  type: list
  elements: dict
  sample:
    - {host: web1, outcome: done, reason: patched, state: patched, level: 3, seconds: 1.2}
status:
  description:
    - V(done), or why this slice has not started all of its hosts, V(halted) or V(waiting); V(planned) in check mode.
  returned: if O(ended=true)
  type: str
  sample: done
detail:
  description: What it waits for, or why it is halted.
  returned: if O(ended=true)
  type: dict
  sample: {}
"""
