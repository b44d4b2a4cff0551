# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the steps of a rollout have in common, as documentation."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  rollout:
    description: What M(fleet.livepatch.rollout_begin) returned as RV(fleet.livepatch.rollout_begin#module:rollout).
    type: dict
    required: true
notes:
  - The store of the rollouts is on the host that the variable C(livepatch_coordinator) names, by default the control
    node. Delegate the task to it. C(livepatch_store_path) is its file, and C(livepatch_scope) the scope.
"""
