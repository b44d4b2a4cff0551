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
    internal names, wrong types, templates that cannot be rendered, and settings of the run that differ between hosts.
  - A blank value is the setting's default.
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.controller
options:
  check_hosts:
    description:
      - Whether the hosts of C(livepatch_targets) are checked, with all settings.
      - Without them, which is for operators' commands on rollouts that run already, the settings of localhost that
        these commands read are checked, and the names of the extra variables. What is wrong with another setting does
        not keep a halt back.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Validate the settings
  fleet.livepatch.rollout_validate:
  run_once: true
"""

RETURN = r"""#"""
