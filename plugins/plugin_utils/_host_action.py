# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugins of modules that answer from a managed host. PRIVATE to the collection.

A host may lie about itself, and harms no other host: nothing that it sends reaches ansible-core, a registered variable
or the terminal but what `_answers` has made of it.
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _options
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers import answer, fields

Result = dict[str, t.Any]


class HostAction(ActionBase):
    """Runs the module of its own name on the host, and returns its result."""

    _supports_check_mode = True
    # What the action and the module are called, and their options
    module_name = ""
    spec: t.Mapping[str, t.Any] = {}
    # Keys that a result has unless the module has failed
    result_keys: tuple[str, ...] = ()
    # What the module has sent in the run that goes on, None before it has; and whether it was looked at
    _sent: Result | None = None
    _is_parsed = False
    _required: t.Collection[str] = ()
    _running = ""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        if self._task.async_val:
            # What ansible-core polls for would not come through here.
            raise AnsibleActionFail(
                f"{self._task.action} does not support async: leave async and poll out. To start a live patch without "
                "waiting for it, use detach: true of fleet.livepatch.livepatch"
            )
        super().run(tmp, task_vars)
        return self.act(task_vars or {})

    def act(self, task_vars: dict[str, t.Any]) -> Result:
        """What the action does."""
        _options.parse_options(self, self.spec)
        return self.run_module(dict(self._task.args), task_vars)

    def run_module(
        self,
        arguments: dict[str, t.Any],
        task_vars: dict[str, t.Any],
        required: t.Collection[str] | None = None,
        module: str | None = None,
    ) -> Result:
        """Run the module on the host once. A host that cannot be reached, or answers with something else than the
        module's result, has a result that says so.

        :param required: keys that this result has, those of ``result_keys`` otherwise.
        :param module: another one than that of the action's own name.
        """
        self._become_root()
        self._running = module or self.module_name
        self._sent, self._is_parsed = None, False
        self._required = self.result_keys if required is None else required
        try:
            executed = self._execute_module(
                module_name=f"fleet.livepatch.{self._running}",
                module_args=arguments,
                task_vars=task_vars,
            )
            return {**self._build_result(executed, task_vars), **self._build_facts()}
        except fields.WrongAnswer as exc:
            return _build_failure(answer.describe_wrong_answer(exc))
        except AnsibleConnectionFailure as exc:
            return {"changed": False, "unreachable": True, "msg": fields.make_line(str(exc), 2000)}
        except AnsibleError as exc:
            return _build_failure(fields.make_line(str(exc), 2000))
        except Exception as exc:  # ansible-core on what a host has sent before the module, such as a folder's name
            return _build_failure(f"the host's answer cannot be used: ansible-core fails on it ({type(exc).__name__})")

    def _become_root(self) -> None:
        """The modules need root. ``ansible_become_user`` of a group, such as postgres of database hosts, is what other
        playbooks become there; without become the user that logs in is root, or the module says that it has to be.
        """
        become = self._connection.become
        if become is not None and become.get_option("become_user") != "root":
            become.set_option("become_user", "root")

    def _parse_returned_data(self, res: t.Mapping[str, t.Any], *arguments: t.Any) -> t.Any:
        """In the place of ansible-core's own, which would take over the keys that control it: it gets to see what has
        no meaning.
        """
        self._sent = answer.parse_output(res["stdout"], self._running, self._required)
        self._is_parsed = True
        if self._sent is None:
            texts = {name: answer.shorten_output(res[name]) for name in ("stdout", "stderr")}
        else:
            texts = {"stdout": "{}", "stderr": ""}
        lines = {f"{name}_lines": text.splitlines() for name, text in texts.items()}
        return super()._parse_returned_data({"rc": res["rc"], **texts, **lines}, *arguments)

    def _build_result(self, executed: t.Mapping[str, t.Any], task_vars: t.Mapping[str, t.Any]) -> Result:
        if not self._is_parsed:
            raise AnsibleError(
                f"{self._task.action} does not know this ansible-core: it reads results in another way. "
                "Use a version that the collection supports"
            )
        if self._sent is None:
            # ansible-core knows best what a shell reports.
            output = {
                key: answer.shorten_output(str(executed.get(key) or "")) for key in ("module_stdout", "module_stderr")
            }
            return {**_build_failure(fields.make_line(str(executed.get("msg") or ""))), **output}
        host = self._task.delegate_to or task_vars.get("inventory_hostname")
        warnings = [f"{host}: {text}" for text in self._sent["warnings"]]
        result = {**self._sent, "warnings": warnings}
        if not warnings:
            del result["warnings"]
        if self._task.diff and result.get("before") and result.get("after"):
            result["diff"] = {
                side: json.dumps(result[side], indent=2, sort_keys=True) + "\n" for side in ("before", "after")
            }
        return {"changed": False, **result}

    def _build_facts(self) -> Result:
        """The host's interpreter, where ansible-core has found it: it looks for it again in each task otherwise."""
        key, path = self._discovered_interpreter_key, self._discovered_interpreter
        # What one host has answered is no fact of another one.
        if not key or self._task.delegate_to or not re.fullmatch(r"/[\w./+-]+", str(path)):
            return {}
        return {"ansible_facts": {key: str(path)}}


def _build_failure(message: str) -> Result:
    return {"changed": False, "failed": True, "msg": message}
