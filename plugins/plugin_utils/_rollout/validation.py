# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one check of the settings of a run, before any host is touched. PRIVATE to the collection. Pure.

Ansible takes any variable that it does not know, and makes text of what was never text (an unquoted 22:00 is the number
1320, on is true). A misspelled limit is no limit then. So all names that begin with ``livepatch_`` must be known, and
values have their types before Ansible converts them.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import itertools
import math
import re
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils import _health_checks
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import policy as policies
from ansible_collections.fleet.livepatch.plugins.plugin_utils import _formatting, _jmespath
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._options import is_blank, parse_file_mode
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import (
    change_windows,
    common_options,
    references,
    schema,
    settings,
    webhooks,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates import runner

# What is given with a command, and why not in the inventory
_ONLY_TYPED = {
    "livepatch_change_reason": "where it would be the reason for each change of an open rollout",
    "livepatch_targets": "where plays that choose their hosts do not see it",
    "livepatch_takeover_reason": "where each run would take the rollout over from another one",
}
_SKIP_GATES = "livepatch_skip_gates"
_NAMES_ALLOWED = "livepatch_names_allowed"
# What the playbooks pass to the roles; an extra variable would take its place.
ROLE_INTERNALS = frozenset(
    {
        *("install_confirm", "install_expect", "install_fence", "install_plan", "install_policy", "install_preflight"),
        *("install_level", "install_refresh", "install_rollout", "install_state", "rollback_fence", "rollback_plan"),
        *("verify_policy", "verify_run"),
    }
)
# Text that may be given as a whole number: it says what was typed.
_NUMBERS_ALLOWED = re.compile(
    r"livepatch_(canaries|reserves|max_per_\w+|budget\w*|waves\[\]|approval\[\]|wave|seed|reason)"
    r"|livepatch_policy\.(kmp_version|max_version)"
)
# Lines of a message, hosts in a line, characters of a value
_MAX_LINES = 20
_MAX_HOSTS = 3
_MAX_VALUE = 100
# More than any number of hosts, seconds or days, and what each program that reads it takes
_LARGEST_NUMBER = 2**31 - 1
# No text in any encoding, or cut off there
_NOT_TEXT = re.compile("[\0\ud800-\udfff]")
_QUOTE = "put the text in quotes"
_INTERNAL = "internal to the playbooks. Leave it out"


@dataclasses.dataclass
class _Problem:
    """What is wrong with one setting on some hosts."""

    name: str
    text: str
    hosts: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class _Checked:
    """A value in its type, or why it is refused."""

    value: t.Any = None
    problem: str | None = None


Render = t.Callable[[str, t.Any], t.Any]


class Validator:
    """Checks the variables of one host after the other, and keeps what is wrong.

    :param extra: names of the extra variables.
    :param of_play: names of those, and of what import_playbook was given.
    :param render: makes of a host and a value the value without templates.
    :param now: seconds since the epoch.
    :raises PlanError: ``render`` raises it where a template cannot be rendered.
    """

    def __init__(self, extra: t.Collection[str], of_play: t.Collection[str], render: Render, now: float) -> None:
        self._extra = frozenset(extra)
        self._of_play = frozenset(of_play)
        self._render = render
        self._now = now
        self._problems: dict[tuple[str, str], _Problem] = {}
        self._checked: dict[tuple[str, str], _Checked] = {}
        # By name of a run setting, by its value: the hosts that have it
        self._run_values: dict[str, dict[str, tuple[_Checked, list[str]]]] = {}
        self._unknown: dict[str, dict[str, list[str]]] = {}
        self._hosts: list[str] = []
        for name in self._extra & ROLE_INTERNALS:
            self._add(name, "internal to the rollout. Leave it out")
        for name in self._extra:
            if name.startswith(schema.INTERNAL_PREFIX):
                self._add(name, _INTERNAL)

    def check_host(self, host: str, variables: t.Mapping[str, t.Any], registered: t.Container[str] = ()) -> None:
        """
        :param variables: all of the host's, extra variables among them, not rendered.
        :param registered: names that the run itself has registered for the host.
        """
        self._hosts.append(host)
        values: dict[str, _Checked] = {}
        unknown = []
        for name in variables:
            if name.startswith(schema.PREFIX):
                if name in schema.SETTINGS:
                    values[name] = self._check_value(host, schema.SETTINGS[name], variables[name])
                elif name not in schema.OUTPUTS:
                    unknown.append(name)
            elif name.startswith(schema.INTERNAL_PREFIX) and name not in self._extra and name not in registered:
                self._add(name, _INTERNAL, host)
        for name, why in _ONLY_TYPED.items():
            typed = values.get(name, _Checked())
            if name not in self._of_play and typed.value not in (None, schema.SETTINGS[name].default):
                self._add(name, f"set in the inventory, {why}. Use -e", host)
        allowed = values.get(_NAMES_ALLOWED, _Checked()).value or ()
        for name in unknown:
            if not any(fnmatch.fnmatchcase(name, pattern) for pattern in allowed):
                self._add(name, _describe_unknown(name), host)
        for name, checked in values.items():
            if checked.problem is not None:
                self._add(name, checked.problem, host)
            elif schema.SETTINGS[name].scope == "run":
                by_value = self._run_values.setdefault(name, {})
                by_value.setdefault(repr(checked.value), (checked, []))[1].append(host)

    def describe_problems(self) -> list[str]:
        """One line for each problem; none where all is well."""
        common = {name: self._compare(name) for name in self._run_values}
        gates, skip = common.get("livepatch_gates"), common.get(_SKIP_GATES)
        if skip:
            try:
                runner.parse_gates(gates or [], skip)
            except PlanError as exc:
                if str(exc).startswith(_SKIP_GATES):
                    self._add(_SKIP_GATES, _strip_name(_SKIP_GATES, str(exc)), *self._hosts)
        if common.get("livepatch_max_per_domain") and common.get("livepatch_domain_keys", []) == []:
            text = "it limits nothing, since no host has a failure domain: set livepatch_domain_keys"
            self._add("livepatch_max_per_domain", text, *self._hosts)
        lines = sorted(self._format(problem) for problem in self._problems.values())
        if len(lines) > _MAX_LINES:
            return [*lines[: _MAX_LINES - 1], f"and {len(lines) - _MAX_LINES + 1} more problems"]
        return lines

    def _add(self, name: str, text: str, *names: str) -> None:
        self._problems.setdefault((name, text), _Problem(name, text)).hosts.extend(names)

    def _format(self, problem: _Problem) -> str:
        if problem.name in self._extra:
            where = " (-e)"
        elif not problem.hosts or len(problem.hosts) == len(self._hosts) > 1:
            where = ""
        else:
            where = f" of {_formatting.abbreviate(problem.hosts, _MAX_HOSTS)}"
        return f"{problem.name}{where}: {problem.text}"

    def _check_value(self, host: str, setting: schema.Setting, value: t.Any) -> _Checked:
        if _has_template(value):
            if schema.INTERNAL_PREFIX in repr(value):
                # What hosts have answered must not change what is done with others.
                return _Checked(problem=f"its template uses a variable {schema.INTERNAL_PREFIX}*: {_INTERNAL}")
            try:
                value = self._render(host, value)
            except PlanError as exc:
                return _Checked(problem=f"its template cannot be rendered: {exc}")
        # Hosts whose value reads the same have the same one.
        key = (setting.name, repr(value))
        if key not in self._checked:
            self._checked[key] = _check(setting, value, self._now)
        return self._checked[key]

    def _compare(self, name: str) -> t.Any:
        """What all hosts have, None where they differ."""
        setting, by_value = schema.SETTINGS[name], dict(self._run_values[name])
        given = {host for _checked, hosts in by_value.values() for host in hosts}
        refused = {host for problem in self._problems.values() if problem.name == name for host in problem.hosts}
        without = [host for host in self._hosts if host not in given and host not in refused]
        if without:
            default = setting.convert(None)
            checked, hosts = by_value.get(repr(default), (_Checked(default), []))
            by_value[repr(default)] = (checked, [*hosts, *without])
        if len(by_value) == 1:
            return next(iter(by_value.values()))[0].value
        parts = [
            f"{'one value' if setting.secret else text} on {_formatting.abbreviate(hosts, _MAX_HOSTS)}"
            for text, (_checked, hosts) in list(by_value.items())[:3]
        ]
        if setting.secret:
            parts[1:] = [part.replace("one value", "another", 1) for part in parts[1:]]
        self._add(
            name,
            f"{', '.join(parts)}. It holds for the whole run: set it for all hosts, best with -e",
            *self._hosts,
        )
        return None


def _describe_unknown(name: str) -> str:
    nearest = schema.find_nearest(name)
    hint = f"Did you mean {nearest}? " if nearest else ""
    return f"unknown. {hint}If it is yours, add it to {_NAMES_ALLOWED}"


def _has_template(value: t.Any) -> bool:
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, dict):
        return any(_has_template(part) for part in value.values())
    return isinstance(value, (list, tuple)) and any(_has_template(part) for part in value)


def _check(setting: schema.Setting, value: t.Any, now: float) -> _Checked:
    if is_blank(value):
        return _Checked(setting.convert(None))
    problem = find_type_problem(setting.name, setting.spec, value)
    if problem is not None:
        return _Checked(problem="the type is wrong (its value is not shown)" if setting.secret else problem)
    if setting.name == _SKIP_GATES:
        # The conversion would drop them, and the gates be asked.
        unsaid = [name for name, reason in value.items() if is_blank(reason)] if isinstance(value, dict) else []
        if unsaid:
            return _Checked(problem=f"the reason for {', '.join(unsaid)} is missing")
    try:
        converted = setting.convert(value)
        check_meaning(setting.name, converted, now)
    except (PlanError, BadOption) as exc:
        return _Checked(problem=_strip_name(setting.name, str(exc)))
    return _Checked(converted)


def _strip_name(name: str, text: str) -> str:
    """The message without the setting's name, which its line begins with."""
    return re.sub(rf"^{name}( is not valid)?:? ", "", text)


def find_type_problem(name: str, spec: t.Mapping[str, t.Any], value: t.Any) -> str | None:
    """Why a value is not what was typed, or would become something else; None where Ansible may convert it."""
    problem = _find_problem(name, spec, value) or _find_unrecordable(name, value)
    if problem is None:
        return None
    path, text = problem
    inner = path[len(name) :].strip("[].")
    return f"{inner} {text}" if inner else text


# Where it is within the value, and what is wrong there
_TypeProblem = tuple[str, str] | None


def _find_problem(path: str, spec: t.Mapping[str, t.Any], value: t.Any) -> _TypeProblem:
    check = _TYPE_CHECKS.get(spec.get("type", "str"))
    return None if value is None or check is None else check(path, spec, value)


def _find_unrecordable(path: str, value: t.Any) -> _TypeProblem:
    """What neither a record nor a report can keep as it was given."""
    if isinstance(value, dict):
        parts = [(path, key) for key in value] + [(f"{path}.{key}", part) for key, part in value.items()]
        return next((problem for problem in itertools.starmap(_find_unrecordable, parts) if problem), None)
    if isinstance(value, (list, tuple)):
        problems = (_find_unrecordable(f"{path}[]", part) for part in value)
        return next((problem for problem in problems if problem), None)
    if isinstance(value, str) and (wrong := _NOT_TEXT.search(value)):
        return path, f"has the character U+{ord(wrong[0]):04X}, which no record keeps: leave it out"
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and not abs(value) <= _LARGEST_NUMBER:
        return path, f"has the number {_abbreviate_value(value)}: give one up to {_LARGEST_NUMBER}, or text"
    return None


def _find_text_problem(path: str, spec: t.Mapping[str, t.Any], value: t.Any) -> _TypeProblem:
    if isinstance(value, bool):
        return path, f"is the boolean {str(value).lower()} (YAML reads on, off, yes and no so): {_QUOTE}"
    if isinstance(value, int) and _NUMBERS_ALLOWED.fullmatch(path):
        return None
    if isinstance(value, (int, float)):
        return path, f"is the number {value} (YAML reads an unquoted 22:00 as 1320): {_QUOTE}"
    if isinstance(value, (list, tuple, dict)):
        return path, f"is a {'mapping' if isinstance(value, dict) else 'list'}: give text"
    return None


def _is_nan(number: int | float) -> bool:
    return isinstance(number, float) and math.isnan(number)


def _find_number_problem(path: str, spec: t.Mapping[str, t.Any], value: t.Any) -> _TypeProblem:
    is_int = spec["type"] == "int"
    number: int | float | None = None
    if isinstance(value, str):
        if re.fullmatch(r"\s*[+-]?[0-9]+(\.[0-9]+)?\s*", value) and not (is_int and "." in value):
            number = float(value)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        number = value
    wanted = "a whole number" if is_int else "a number"
    # Of what is no number (.nan) nothing is true.
    if number is None or _is_nan(number) or (is_int and isinstance(value, float) and not value.is_integer()):
        return path, f"is {_abbreviate_value(value)}: give {wanted}"
    if number < 0:
        return path, f"is {_abbreviate_value(value)}: give {wanted} that is not below 0"
    if number > _LARGEST_NUMBER:
        return path, f"is {_abbreviate_value(value)}: give {wanted} up to {_LARGEST_NUMBER}"
    return None


def _abbreviate_value(value: t.Any) -> str:
    text = repr(value)
    return text if len(text) <= _MAX_VALUE else f"{text[:_MAX_VALUE]}..."


def _find_list_problem(path: str, spec: t.Mapping[str, t.Any], value: t.Any) -> _TypeProblem:
    elements = spec.get("elements", "str")
    if isinstance(value, str):
        if elements == "dict" or value.lstrip().startswith(("[", "{")):
            return path, "is text: give a list, with -e as JSON, such as -e '{\"name\": [...]}'"
        value = value.split(",")
    if isinstance(value, dict):
        return path, "is a mapping: give a list"
    inner = {"type": elements, "options": spec.get("options")}
    parts = value if isinstance(value, (list, tuple)) else [value]
    if any(is_blank(part) for part in parts):
        return path, "has a blank element: leave it out"
    problems = (_find_problem(f"{path}[]", inner, part) for part in parts)
    return next((problem for problem in problems if problem), None)


def _find_mapping_problem(path: str, spec: t.Mapping[str, t.Any], value: t.Any) -> _TypeProblem:
    if isinstance(value, str):
        # Templates combine it with other mappings, which no text can be
        return path, "is text: give a mapping, with -e as JSON, such as -e '{\"name\": {...}}'"
    if not isinstance(value, dict):
        return path, f"is {value!r}: give a mapping"
    options = spec.get("options") or {}
    problems = (_find_problem(f"{path}.{key}", options[key], part) for key, part in value.items() if key in options)
    return next((problem for problem in problems if problem), None)


_TYPE_CHECKS: dict[str, t.Callable[[str, t.Mapping[str, t.Any], t.Any], _TypeProblem]] = {
    "str": _find_text_problem,
    "path": _find_text_problem,
    "int": _find_number_problem,
    "float": _find_number_problem,
    "list": _find_list_problem,
    "dict": _find_mapping_problem,
}


def check_meaning(name: str, value: t.Any, now: float) -> None:
    """What a step that needs the setting would say, hours later.

    :param value: in the setting's type.
    :raises PlanError: it cannot be meant.
    :raises BadOption: the same, of what a host is given.
    """
    option = {"livepatch_budget": "budget_wave"}.get(name, name[len(schema.PREFIX) :])
    if option in settings.SETTING_NAMES:
        settings.Settings.from_options({**settings.read_defaults(), option: value})
    elif name in _MEANINGS:
        _MEANINGS[name](value, now)


def _check_approval(value: list[str], now: float) -> None:
    for wave in value:
        common_options.parse_wave("livepatch_approval", wave)


def _check_criticality(value: float, now: float) -> None:
    if value > 1:
        raise PlanError(f"{value} is not from 0 (goes first) to 1 (goes last)")


def _check_health_checks(value: dict[str, t.Any], now: float) -> None:
    if value:
        _health_checks.parse_health_checks(value)


def _check_lease(value: int, now: float) -> None:
    if not 20 <= value <= 600:
        raise PlanError(f"{value} is not from 20 to 600 seconds")


def _check_policy(value: dict[str, t.Any], now: float) -> None:
    given: dict[str, t.Any] = {
        key: tuple(part) if isinstance(part, list) else part for key, part in value.items() if part is not None
    }
    policies.validate_policy(policies.Policy("never", 0, 0, **given), now)


def _check_service_group(value: t.Any, now: float) -> None:
    names = value if isinstance(value, list) else [value]
    if not all(isinstance(name, str) for name in names):
        raise PlanError(f"{value!r} is neither text nor a list of text: {_QUOTE}")


def _check_assertions(value: t.Any, now: float) -> None:
    for assertion in value if isinstance(value, list) else [value]:
        if not isinstance(assertion, str):
            raise PlanError(f"{assertion!r} is no expression: {_QUOTE}")
        _jmespath.compile_expression("livepatch_assertions", assertion)


_MEANINGS: dict[str, t.Callable[[t.Any, float], t.Any]] = {
    "livepatch_approval": _check_approval,
    "livepatch_assertions": _check_assertions,
    "livepatch_backup_path": lambda value, now: common_options.require_absolute("livepatch_backup_path", value),
    "livepatch_blackouts": lambda value, now: change_windows.check_windows((), value, now, 0),
    "livepatch_criticality": _check_criticality,
    "livepatch_gates": lambda value, now: runner.parse_gates(value, {}),
    "livepatch_health_checks": _check_health_checks,
    "livepatch_lease": _check_lease,
    "livepatch_plan_hash": lambda value, now: references.check_hash("livepatch_plan_hash", value) if value else None,
    "livepatch_policy": _check_policy,
    "livepatch_report_mode": lambda value, now: parse_file_mode("livepatch_report_mode", value) if value else None,
    "livepatch_service_group": _check_service_group,
    "livepatch_store_path": lambda value, now: common_options.require_absolute("livepatch_store_path", value),
    "livepatch_wave": lambda value, now: common_options.parse_wave("livepatch_wave", value),
    "livepatch_webhooks": lambda value, now: webhooks.parse_webhooks(value),
    "livepatch_windows": lambda value, now: change_windows.check_windows(value, (), now, 0),
}
