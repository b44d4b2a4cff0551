#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: rollout_wait
short_description: Wait for the next probe of a wave that soaks
description:
  - This module is for this collection's playbooks only.
  - Waits until a time, while it looks for a halt every two seconds and keeps the lease of the rollout. It runs on the
    control node, once for the batch (C(run_once)), delegated to the coordinator.
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.controller
  - fleet.livepatch.rollout_step
options:
  until:
    description: The time, in seconds since the epoch.
    type: float
    required: true
seealso:
  - module: fleet.livepatch.rollout_assess
"""

EXAMPLES = r"""
- name: Wait for the time of the probe
  fleet.livepatch.rollout_wait:
    rollout: "{{ __livepatch_begun.rollout }}"
    until: 1795593600
  run_once: true
  delegate_to: localhost
"""

RETURN = r"""
halted:
  description: Why it waits no longer, null where the time has come.
  returned: success
  type: str
  sample: null
"""
