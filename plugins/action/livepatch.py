# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Live patches a host: the controller's part of the module of the same name."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils import _argspec
from ansible_collections.fleet.livepatch.plugins.plugin_utils import _host_change, _options
from ansible_collections.fleet.livepatch.plugins.plugin_utils._host_action import HostAction, Result


class ActionModule(HostAction):
    module_name = "livepatch"
    result_keys = _host_change.RESULT_KEYS

    def act(self, task_vars: dict[str, t.Any]) -> Result:
        # Here and not on the host: of a detached run's bad options nothing would be seen before it is collected.
        options = _options.parse_options(self, _argspec.LIVEPATCH)
        return _host_change.start_change(self, {**self._task.args, "detach": options["detach"]}, options, task_vars)
