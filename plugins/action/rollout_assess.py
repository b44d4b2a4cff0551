# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges a batch, its wave, and what was brought back: the controller's part of the module of the same name."""

from __future__ import annotations

import collections
import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _options
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import hostvars, webhooks
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.assess import Gatekeeper
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

_OPTIONS: dict[str, t.Any] = {
    "of": {"type": "str", "choices": ["batch", "probe", "wave", "rollback"], "required": True},
    "soak": {"type": "int", "default": 0},
    "run_limit": {"type": "int", "default": 3600},
    "gates": {"type": "list", "elements": "dict", "default": []},
    "skip_gates": {"type": "dict", "default": {}},
    **webhooks.OPTIONS,
}
# What tasks after a step that could not judge go by: nothing more is done to anybody.
_NOTHING: dict[str, t.Any] = {
    "passed": False,
    "go": False,
    "last": False,
    "held": None,
    "soak": {"probes": [], "until": None},
    "rows": [],
    "barred": [],
    "halted": None,
    "confirm": [],
    "kmps": {},
    "rollback": [],
    "shares": {},
    "elsewhere": [],
}


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        options = _options.parse_options(self, _OPTIONS)
        try:
            rollout = hostvars.current(task_vars)
            store = StoreClient(self, task_vars, rollout)
            keeper = Gatekeeper(store, rollout, task_vars, options, self._task.check_mode)
            notices = webhooks.create_notifier(self, options, store.scope, rollout)
            told = getattr(keeper, options["of"])()
            _tell(notices, options["of"], told)
        except Exception as exc:  # whatever it is, a gate that cannot judge must not end the run without its report
            said = str(exc) if isinstance(exc, (AnsibleError, PlanError)) else f"{exc!r}: report it as a bug"
            verdict = (
                f"Gate: error: {said}. What became of this batch is not recorded, and no further host is patched: run "
                "the playbook again when that is mended, and the hosts are asked"
            )
            told = {**_NOTHING, "verdict": verdict, "error": said}
        if options["of"] == "wave" or "error" in told:
            self._display.display(told["verdict"])
        return {"changed": False, **told}


def _tell(notices: webhooks.Notifier, of: str, told: t.Mapping[str, t.Any]) -> None:
    """What is told of a step. A batch that is not its wave's last is nobody's news, unless the rollout stops there."""
    counts = dict(collections.Counter(row["outcome"] for row in told.get("rows", ())))
    if of == "rollback" and told["rows"]:
        notices.notify("rollback", told["verdict"], hosts=[row["host"] for row in told["rows"]], counts=counts)
    elif of == "batch" and (told["last"] or not told["passed"]):
        notices.notify("wave_end", told["verdict"], wave=told["wave"], counts=counts)
    elif of == "wave" and (told["last"] or not told["go"]):
        notices.notify("gate", told["verdict"], wave=told["wave"], status=told["status"], go=told["go"])
