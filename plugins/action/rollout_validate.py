# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validates the settings of a run: the controller's part of the module of the same name."""

from __future__ import annotations

import time
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.inventory.manager import split_host_pattern
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import lookup_loader

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _formatting, _options
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import hostvars, schema, validation

_TARGETS = "livepatch_targets"
# Where a rollout is recorded: what its hosts have must be what an operator's command has
_PLACE = ("livepatch_coordinator", "livepatch_store_group", "livepatch_store_path")
# With the scope, where the command acts on one
_SCOPE = "livepatch_scope"
_ALL_SCOPES = "livepatch_all_scopes"
_APPROVAL = ("livepatch_approver_not_starter", "livepatch_expires", "livepatch_plan_hash", "livepatch_wave")
# What the operators' commands read. They act on rollouts that run already: what is wrong with another setting, which
# may have been saved since, must not keep a halt back.
COMMANDS: dict[str, frozenset[str]] = {
    command: frozenset({*_PLACE, "livepatch_names_allowed", "livepatch_reason", *names})
    for command, names in {
        "abort": (_SCOPE, "livepatch_takeover_reason"),
        "approve": _APPROVAL,
        "backup": ("livepatch_backup_path",),
        "halt": (_SCOPE, _ALL_SCOPES, "livepatch_if_running"),
        "quarantine": (
            *("livepatch_quarantine", "livepatch_quarantine_cohort", "livepatch_quarantine_host"),
            *("livepatch_quarantine_id", "livepatch_quarantine_kmp"),
        ),
        "reject": _APPROVAL,
        "report": (
            _SCOPE,
            *("livepatch_report_dir", "livepatch_report_mode", "livepatch_report_request"),
            "livepatch_report_url",
        ),
        "restore": ("livepatch_backup_path",),
        "resume": (_SCOPE, _ALL_SCOPES),
    }.items()
}
_OPTIONS: dict[str, t.Any] = {"command": {"type": "str", "choices": sorted(COMMANDS)}}
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
        command = _options.parse_options(self, _OPTIONS)["command"]
        # As plays see it that choose their hosts: what the inventory has is refused below.
        pattern = schema.read({_TARGETS: self._templar.template(reader.of_play.get(_TARGETS))}, _TARGETS)
        targets, play_hosts = self._list_targets(pattern, task_vars), dict.fromkeys(task_vars["ansible_play_hosts_all"])
        selected = [name for name in targets if name in play_hosts]
        if not selected and (command is None or (not targets and _TARGETS in reader.of_play)):
            # Ansible would do nothing, and exit with 0.
            raise AnsibleActionFail(
                f"No host of the inventory matches {_TARGETS} ({pattern}) and --limit. Correct the pattern, or the "
                "inventory (-i)"
            )
        host = None
        if command is None:
            lines = [*_find_pattern_names(selected, task_vars["groups"]), *self._validate(reader, selected)]
        else:
            # Under --limit a command may run with the variables of another host, localhost mostly. It acts on the
            # rollouts of the targets only where these are recorded in the same place.
            host = _select_host(selected or play_hosts, task_vars["groups"])
            common = {*_PLACE, *(() if self._is_of_all_scopes(reader) else {_SCOPE} & COMMANDS[command])}
            lines = self._validate(reader, selected or dict.fromkeys([*targets, host]), common, names_too=False)
            lines = list(dict.fromkeys([*lines, *self._validate(reader, [host], COMMANDS[command])]))
        if not lines:
            return {"changed": False, "host": host}
        message = lines[0]
        if len(lines) > 1:
            _formatting.show_lines(self._display.display, lines)
            settings = list(dict.fromkeys(line.partition(":")[0] for line in lines))
            message = f"{len(lines)} settings are not valid, see above: {_formatting.abbreviate(settings)}"
        return {"changed": False, "failed": True, "msg": _formatting.to_printable(f"{message}. No host was touched")}

    def _validate(
        self,
        reader: hostvars.VariablesReader,
        names: t.Iterable[str],
        only: t.Collection[str] | None = None,
        names_too: bool = True,
    ) -> list[str]:
        """
        :param only: the settings whose values are checked, None for all.
        :param names_too: whether the names of extra variables are checked as well.
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
                and (
                    only is None
                    or variable in only
                    or (names_too and variable in reader.extra and variable not in schema.SETTINGS)
                )
            }
            registered = {*manager._nonpersistent_fact_cache.get(name, ()), *manager._vars_cache.get(name, ())}
            validator.check_host(name, variables, registered)
        return validator.describe_problems()

    def _is_of_all_scopes(self, reader: hostvars.VariablesReader) -> bool:
        """Whether the command acts on each scope, so that hosts may have several."""
        return bool(schema.read({_ALL_SCOPES: self._templar.template(reader.of_play.get(_ALL_SCOPES))}, _ALL_SCOPES))

    def _list_targets(self, pattern: str, task_vars: dict[str, t.Any]) -> list[str]:
        """The hosts of a pattern, whatever --limit says."""
        lookup = lookup_loader.get("ansible.builtin.inventory_hostnames", loader=self._loader, templar=self._templar)
        return list(lookup.run([pattern], variables=task_vars))


def _is_pattern(name: str, groups: t.Container[str]) -> bool:
    """Whether plays that choose hosts by their names take a name for other hosts."""
    return name in groups or split_host_pattern(name) != [name] or name[0] in "!&~" or bool(set(name) & set("*?["))


def _find_pattern_names(names: t.Iterable[str], groups: t.Container[str]) -> list[str]:
    """A line where some of these hosts cannot be chosen by their names."""
    wrong = [name for name in names if _is_pattern(name, groups)]
    line = (
        f"inventory_hostname: Ansible reads {_formatting.abbreviate(wrong)} as a pattern or a group, and would choose "
        "other hosts: use letters, digits, dots, hyphens and underscores, and put the name into ansible_host"
    )
    return [line] if wrong else []


def _select_host(names: t.Iterable[str], groups: t.Container[str]) -> str:
    """:raises AnsibleActionFail: none of them can be chosen by its name."""
    for name in names:
        if not _is_pattern(name, groups):
            return name
    raise AnsibleActionFail(
        f"Ansible reads the names of these hosts as patterns or groups ({_formatting.abbreviate(list(names))}): rename "
        "one of them"
    )
