# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Configures a host's repository of KMPs: the controller's part of the module of the same name."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils import _argspec
from ansible_collections.fleet.livepatch.plugins.plugin_utils._host_action import HostAction


class ActionModule(HostAction):
    module_name = "livepatch_repository"
    spec = _argspec.REPOSITORY
    result_keys = ("changes",)

    def act(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        result = super().act(task_vars)
        if self._task.diff and result.get("changes"):
            # What is changed, and not the files: the address in one of them may hold a password.
            result["diff"] = {"prepared": "".join(f"{change}\n" for change in result["changes"])}
        return result
