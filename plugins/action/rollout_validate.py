# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validates the settings of a run: the controller's part of the module of the same name."""

from __future__ import annotations

import time
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import lookup_loader

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _formatting, _options
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import hostvars, schema, validation

_OPTIONS: dict[str, t.Any] = {"check_hosts": {"type": "bool", "default": True}}
_TARGETS = "livepatch_targets"
# What the operators' commands read. They act on rollouts that run already: what is wrong with another setting, which
# may have been saved since, must not keep a halt back.
OPERATOR_SETTINGS = frozenset(
    {
        *("livepatch_all_scopes", "livepatch_approver_not_starter", "livepatch_backup_path", "livepatch_coordinator"),
        *("livepatch_expires",),
        *("livepatch_if_running", "livepatch_names_allowed", "livepatch_plan_hash", "livepatch_quarantine"),
        *("livepatch_quarantine_cohort", "livepatch_quarantine_host", "livepatch_quarantine_id"),
        *("livepatch_quarantine_kmp", "livepatch_reason", "livepatch_report_dir", "livepatch_report_mode"),
        *("livepatch_report_request", "livepatch_report_url", "livepatch_scope", "livepatch_store_group"),
        *("livepatch_store_path", "livepatch_wave"),
    }
)
# Ansible's types of text that is encrypted in the inventory; up to ansible-core 2.18 it is no str.
_ENCRYPTED = ("AnsibleVaultEncryptedUnicode", "EncryptedString")


class ActionModule(ActionBase):
    # No host is touched, not even connected to.
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        reader = hostvars.VariablesReader(self, task_vars)
        if _options.parse_options(self, _OPTIONS)["check_hosts"]:
            lines = self._validate(reader, self._list_targets(reader, task_vars))
        elif "localhost" in task_vars["ansible_play_hosts_all"]:
            lines = self._validate(reader, ["localhost"], only=OPERATOR_SETTINGS)
        else:
            # Ansible would leave out the plays that do the work, and exit with 0.
            raise AnsibleActionFail("--limit leaves out localhost, where this playbook works: run it without --limit")
        if not lines:
            return {"changed": False}
        message = lines[0]
        if len(lines) > 1:
            _formatting.show_lines(self._display.display, lines)
            names = list(dict.fromkeys(line.partition(":")[0] for line in lines))
            message = f"{len(lines)} settings are not valid, see above: {_formatting.abbreviate(names)}"
        return {"changed": False, "failed": True, "msg": _formatting.to_printable(f"{message}. No host was touched")}

    def _validate(
        self, reader: hostvars.VariablesReader, names: t.Iterable[str], only: t.Collection[str] | None = None
    ) -> list[str]:
        """
        :param only: the settings whose values are checked, None for all. Then the names of extra variables are, too.
        """
        # Variables that an earlier playbook of the same run has registered are as the collection made them.
        manager = reader.variable_manager
        validator = validation.Validator(
            reader.extra, reader.of_play, lambda name, value: reader.render(reader.read_raw(name), value), time.time()
        )
        for name in names:
            variables = {
                variable: str(value) if type(value).__name__ in _ENCRYPTED else value
                for variable, value in reader.read_raw(name).items()
                if (
                    variable.startswith(schema.PREFIX)
                    or (variable.startswith(schema.INTERNAL_PREFIX) and variable not in reader.of_play)
                )
                and (only is None or variable in only or (variable in reader.extra and variable not in schema.SETTINGS))
            }
            registered = {*manager._nonpersistent_fact_cache.get(name, ()), *manager._vars_cache.get(name, ())}
            validator.check_host(name, variables, registered)
        return validator.describe_problems()

    def _list_targets(self, reader: hostvars.VariablesReader, task_vars: dict[str, t.Any]) -> list[str]:
        """The hosts of the pattern that --limit has left.

        :raises AnsibleActionFail: there are none. Ansible would do nothing, and exit with 0.
        """
        # As plays see it that choose their hosts: what the inventory has is refused below.
        pattern = schema.read({_TARGETS: self._templar.template(reader.of_play.get(_TARGETS))}, _TARGETS)
        lookup = lookup_loader.get("ansible.builtin.inventory_hostnames", loader=self._loader, templar=self._templar)
        play_hosts = set(task_vars["ansible_play_hosts_all"])
        names = [name for name in lookup.run([pattern], variables=task_vars) if name in play_hosts]
        if not names:
            raise AnsibleActionFail(
                f"No host of the inventory matches {_TARGETS} ({pattern}) and --limit. Correct the pattern, or the "
                "inventory (-i)"
            )
        return names
