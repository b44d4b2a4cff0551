# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: livepatch_halt
short_description: Halt the rollouts of this controller
description:
  - Sets a flag that M(fleet.livepatch.livepatch) looks at immediately before it starts on a host. Once it is there
    no host
    starts any more. Those in flight finish.
  - It is a file on the controller, C(livepatch_halt_file), by default C(fleet.livepatch/halt) below Ansible's folder
    in the
    user's home (C(ANSIBLE_HOME)). It runs on the controller.
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.controller
options:
  halted:
    description: V(true) halts, V(false) lets rollouts go on.
    type: bool
    default: true
  reason:
    description: Why, for those who see that their hosts were not started.
    type: str
    default: ''
seealso:
  - module: fleet.livepatch.livepatch
"""

EXAMPLES = r"""
- name: Halt all rollouts
  fleet.livepatch.livepatch_halt:
    reason: the storage array misbehaves
"""

RETURN = r"""
halted:
  description: Whether rollouts are halted now.
  returned: success
  type: bool
  sample: true
"""
