#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: rollout_quarantine
short_description: Manage the quarantine of KMPs and hosts
description:
  - Adds a KMP or a host to what rollouts must not touch, or clears it. M(fleet.livepatch.rollout_info) lists the
    quarantine.
  - Runs on the control node. Delegate it to the coordinator (C(livepatch_coordinator)), which has the store
    (C(livepatch_store_path)). The quarantine holds for all scopes of the coordinator.
  - The entry names the person as M(fleet.livepatch.rollout_control) does. A job of AWX that no user has launched cannot
    clear an entry.
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.controller
options:
  state:
    description:
      - V(present) adds O(kmp), in O(cohort) if that is given, or O(host). One that is in quarantine already stays as
        it is.
      - V(absent) clears the entries that match all of the given O(id), O(kmp), O(cohort) and O(host).
    type: str
    choices: [present, absent]
    default: present
  id:
    description: The number of an entry, for O(state=absent).
    type: int
  kmp:
    description:
      - The KMP, as C(NAME-VERSION-RELEASE) or NEVRA, or the version and release alone where only one KMP has them.
      - It must be one of a plan in the store, or for O(state=absent) of an entry.
    type: str
  cohort:
    description:
      - The cohort in which O(kmp) is barred, by its ID as plan and report show it, or the first digits of that.
      - By default it is barred everywhere.
    type: str
  host:
    description: The host that is barred, one of the inventory or of a plan in the store.
    type: str
  reason:
    description: Why. Required; the records and reports keep it.
    type: str
    default: ""
seealso:
  - module: fleet.livepatch.rollout_info
  - module: fleet.livepatch.rollout_control
"""

EXAMPLES = r"""
- name: Bar a host from rollouts
  fleet.livepatch.rollout_quarantine:
    host: web1
    reason: its disk is broken
  run_once: true

- name: Clear the quarantine of a KMP
  fleet.livepatch.rollout_quarantine:
    state: absent
    kmp: kernel-livepatch-6_1_0-56-cloud-amd64-4-150400.2.1
    reason: the disk of the canary was broken
  run_once: true
"""

RETURN = r"""
entries:
  description: The entries that were added or cleared.
  returned: success
  type: list
  elements: dict
  sample:
    - {host: web1, reason: its disk is broken, by: ops}
"""
