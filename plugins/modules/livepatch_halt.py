# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: livepatch_halt
short_description: Halt the rollouts of a scope
description:
  - Stores a halt, at which M(fleet.livepatch.livepatch) looks immediately before it starts on a host. Once it is
    stored no host starts any more. Those in flight finish.
  - It runs on the controller, delegated to the coordinator (C(livepatch_coordinator)), for the scope
    C(livepatch_scope).
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.controller
  - fleet.livepatch.webhooks
options:
  halted:
    description: V(true) halts, V(false) lets rollouts go on.
    type: bool
    default: true
  everywhere:
    description: All scopes of the coordinator, not just this one. Such a halt is taken back the same way.
    type: bool
    default: false
  reason:
    description: Why, for those who see that their hosts were not started.
    type: str
    default: ''
  if_running:
    description:
      - Only where a rollout of the scope C(livepatch_scope) is under way, which is one that runs, or that soaks or
        waits after its first hosts. Elsewhere nothing is done, so that the next rollout is not stopped.
      - It is for programs that halt, such as the rulebook C(fleet.livepatch.halt_on_alert).
    type: bool
    default: false
seealso:
  - module: fleet.livepatch.livepatch
"""

EXAMPLES = r"""
- name: Halt all rollouts
  fleet.livepatch.livepatch_halt:
    everywhere: true
    reason: the storage array misbehaves

- name: Halt the rollout that is under way, if there is one
  fleet.livepatch.livepatch_halt:
    reason: alert HighLatency on web1
    if_running: true
"""

RETURN = r"""
halted:
  description: Whether rollouts are halted now. V(false) too where O(if_running) has found none.
  returned: success
  type: bool
  sample: true
"""
