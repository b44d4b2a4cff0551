#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: rollout_validate
short_description: Validate the settings of a run
description:
  - For this collection's playbooks only. It runs on the control node, once for all hosts (C(run_once)), and connects to
    none of them.
  - Validates all C(livepatch_*) variables of the hosts by P(fleet.livepatch.rollout#role). It refuses unknown names,
    internal names, wrong types, templates that cannot be rendered, settings of the run that differ between hosts, and
    names of hosts that plays would take for patterns.
  - A blank value is the setting's default.
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.controller
options:
  command:
    description:
      - The operator's command on rollouts that run already, which is to act on what the rollouts of the hosts of
        C(livepatch_targets) act on, whatever C(--limit) says.
      - Where a rollout is recorded is then checked on those of these hosts that C(--limit) has left, or on all of them
        where it has left none, and must be the same for all; so must the scope, where the command acts on one. The
        other settings that the command reads are checked on one host, and so are the names of the extra variables.
        What is wrong with another setting does not keep a halt back.
      - By default all settings of the hosts are checked.
    type: str
    choices: [abort, approve, backup, halt, quarantine, reject, report, restore, resume]
"""

EXAMPLES = r"""
- name: Validate the settings
  fleet.livepatch.rollout_validate:
  run_once: true
"""

RETURN = r"""
host:
  description: The host whose variables the command has; null without O(command).
  returned: success
  type: str
  sample: web1
"""
