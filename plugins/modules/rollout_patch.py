#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: rollout_patch
short_description: Start or collect what a rollout does on a host
description:
  - This module is for this collection's playbooks only.
  - Does on each host of a batch what M(fleet.livepatch.rollout_admit) or M(fleet.livepatch.rollout_assess) has worked
    out for it before, in the same run on the control node. A host without such a change is skipped, and is not
    connected to.
  - It runs M(fleet.livepatch.livepatch), detached but for O(step=confirm), or M(fleet.livepatch.livepatch_info) on the
    host. Each is one connection under pipelining.
  - Of each host it reads the variables C(__livepatch_install), C(__livepatch_reserve_install) and
    C(__livepatch_rollback), by which tasks of the role P(fleet.livepatch.rollout#role) register what O(step=start)
    returns. In a loop over a host's part of RV(fleet.livepatch.rollout_assess#module:shares) or
    RV(fleet.livepatch.rollout_admit#module:shares), with the loop variable C(__livepatch_member), it works on the host
    that it names, and to which the task is delegated.
  - It fails where the host is not as it should be afterwards. Give the task C(ignore_errors) and C(ignore_unreachable),
    so that the host stays in the play and is assessed.
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.target
attributes:
  check_mode:
    description: Predicts what O(step=start) and O(step=confirm) would change. O(step=collect) is skipped.
    support: full
  diff_mode:
    description: Returns what it changed, or would change.
    support: full
  idempotent:
    description: Changes nothing when it is run a second time.
    support: full
options:
  step:
    description:
      - V(start) starts the change of the host, unless rollouts are halted.
      - V(collect) waits until it has ended, 30 seconds at most, and returns RV(again) if it has not. A host that cannot
        be reached is tried again for as long as its C(livepatch_unreachable_timeout) says.
      - V(confirm) lets the next boot of a host have the patch, in such a loop.
    type: str
    choices: [start, collect, confirm]
    required: true
seealso:
  - module: fleet.livepatch.rollout_admit
  - module: fleet.livepatch.rollout_assess
"""

EXAMPLES = r"""
- name: Start the live patch
  fleet.livepatch.rollout_patch:
    step: start
  become: true
  register: __livepatch_install
  ignore_errors: true

- name: Wait for the live patch
  fleet.livepatch.rollout_patch:
    step: collect
  become: true
  register: __livepatch_verify
  ignore_errors: true
  until: not __livepatch_verify.again | default(false)
  retries: 1000
  delay: 1
"""

RETURN = r"""
run:
  description: The ID of the run that was started.
  returned: for O(step=start) and O(step=confirm)
  type: str
  sample: 6f1c3f6a5c0b4b0f8f4f0c8a2c1d9e7b
began:
  description: When it was started, in seconds since the epoch, by the clock of the control node.
  returned: for O(step=start) and O(step=confirm)
  type: float
  sample: 1795593600.5
max_seconds:
  description: How many seconds that may take at the most.
  returned: for O(step=start) and O(step=confirm)
  type: int
  sample: 2640
halted:
  description: True where the rollouts of the host's scope are halted. Nothing was done.
  returned: on such a failure
  type: bool
  sample: true
again:
  description: True where the run has not ended, and the task has to ask again.
  returned: for O(step=collect), where it is so
  type: bool
  sample: true
in_flight:
  description: True where the run has not ended, and the host is left to a later step, so that others can start.
  returned: for O(step=collect), where it is so
  type: bool
  sample: true
lost:
  description: True where the host could not be reached for a while.
  returned: for O(step=collect), where it is so
  type: bool
  sample: true
livepatch:
  description: The live patch afterwards, with the keys that M(fleet.livepatch.livepatch_info) returns.
  returned: for O(step=collect), where the host was reached
  type: dict
  sample: {state: patched, level: 3}
kernel:
  description: The running kernel, with the keys that M(fleet.livepatch.kernel_info) returns.
  returned: for O(step=collect), where the host was reached
  type: dict
  sample: {release: 6.1.0-56-cloud-amd64, build_id: 3b43fad5034874490492495d552c0af6a5fab235}
kmp:
  description: The KMPs for it, with the keys that M(fleet.livepatch.kmp_info) returns but for C(candidates).
  returned: for O(step=collect), where the host was reached
  type: dict
  sample: {name: kernel-livepatch-6_1_0-56-cloud-amd64, metadata_age: 812}
"""
