# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sets or clears the halt flag: the controller's part of the module of the same name."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout import halt


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _validation, options = self.validate_argument_spec(
            argument_spec={"halted": {"type": "bool", "default": True}, "reason": {"type": "str", "default": ""}}
        )
        before = halt.reason(task_vars)
        changed = options["halted"] != (before is not None)
        try:
            if changed and not self._task.check_mode:
                if options["halted"]:
                    halt.write(task_vars, options["reason"])
                else:
                    halt.clear(task_vars)
        except OSError as exc:
            raise AnsibleActionFail(f"the halt flag {halt.path(task_vars)} cannot be changed: {exc.strerror}") from exc
        said = "No host starts any more; those in flight finish" if options["halted"] else "Rollouts may go on"
        self._display.display(f"{said} ({halt.path(task_vars)})")
        return {"changed": changed, "halted": options["halted"]}
