# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of the playbooks, as the role rollout's argument specification has them. PRIVATE to the collection.

That file is the only list of them: what they are called, their types and defaults, and whether one holds for the run or
for a host.
"""

from __future__ import annotations

import copy
import dataclasses
import difflib
import functools
import types
import typing as t
from pathlib import Path

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._options import is_blank

PREFIX = "livepatch_"
# What the playbooks register and pass on
INTERNAL_PREFIX = "__livepatch_"
# What the playbooks put out, and AWX hands to the next job as extra variables; what the playbook status leaves in the
# fact cache, and what docs/inventory makes of that. A hash of a plan is a setting as well.
OUTPUTS = frozenset(
    {
        *("livepatch_status", "livepatch_rollout_id", "livepatch_plan_hosts"),
        *("livepatch_recorded", "livepatch_recorded_hours"),
    }
)

_FILE = Path(__file__).resolve().parents[3] / "roles/rollout/meta/argument_specs.yml"
_SCOPES = {"Run setting.": "run", "Host setting.": "host"}
_SECRET = "Its value is never shown."
# Of an argument specification, what ArgumentSpecValidator knows
_SPEC_KEYS = ("type", "elements", "default", "choices", "required", "options")


@dataclasses.dataclass(frozen=True)
class Setting:
    """One setting."""

    name: str
    scope: str  # run or host
    type: str
    elements: str | None
    default: t.Any
    choices: tuple[str, ...] | None
    secret: bool  # its value is left out of messages
    description: tuple[str, ...]  # without scope and secrecy
    spec: t.Mapping[str, t.Any]  # as ArgumentSpecValidator takes it

    def convert(self, value: t.Any) -> t.Any:
        """The value in the setting's type; a blank one is the default.

        :raises PlanError: Ansible does not convert it.
        """
        if is_blank(value):
            return copy.deepcopy(self.default)
        result = self._validator.validate({self.name: value})
        if result.error_messages:
            detail = "its value is not shown" if self.secret else result.error_messages[0]
            raise PlanError(f"{self.name} is not valid: {detail}")
        return _drop_missing(result.validated_parameters[self.name])

    @functools.cached_property
    def _validator(self) -> ArgumentSpecValidator:
        return ArgumentSpecValidator({self.name: dict(self.spec)})


def read(variables: t.Mapping[str, t.Any], name: str) -> t.Any:
    """A setting's typed value among these variables, or its default.

    :raises PlanError: the value has the wrong type.
    """
    return SETTINGS[name].convert(variables.get(name))


def read_rendered(templar: t.Any, variables: t.Mapping[str, t.Any], *options: str) -> dict[str, t.Any]:
    """Settings' typed values among variables of Ansible's, which may be templates.

    What is no template is not rendered: options of a task are, in each worker anew.

    :param templar: of an action plugin.
    :param options: what the settings are called without their prefix; the values are by these names, too.
    :raises PlanError: a value has the wrong type.
    """
    names = {option: PREFIX + option for option in options}
    rendered = {name: templar.template(variables[name]) for name in names.values() if name in variables}
    return {option: read(rendered, name) for option, name in names.items()}


def find_nearest(name: str) -> str | None:
    """The setting that an unknown name most likely means."""
    # What all names begin with makes none of them likely.
    nearest = difflib.get_close_matches(name[len(PREFIX) :], [known[len(PREFIX) :] for known in SETTINGS], 1)
    return PREFIX + nearest[0] if nearest else None


def _drop_missing(value: t.Any) -> t.Any:
    """The value without the keys that were not given, which the validation adds as None."""
    if isinstance(value, dict):
        return {key: _drop_missing(part) for key, part in value.items() if part is not None}
    return [_drop_missing(part) for part in value] if isinstance(value, list) else value


def _load() -> dict[str, Setting]:
    with open(_FILE, encoding="utf-8") as file:
        options = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["argument_specs"]["main"][
            "options"
        ]
    return {name: _parse(name, option) for name, option in options.items()}


def _parse(name: str, option: t.Mapping[str, t.Any]) -> Setting:
    first, *rest = option["description"]
    scope, _separator, mark = first.partition(". ")
    return Setting(
        name,
        _SCOPES[scope.rstrip(".") + "."],
        option["type"],
        option.get("elements"),
        option.get("default"),
        tuple(option["choices"]) if "choices" in option else None,
        mark == _SECRET,
        tuple(rest),
        types.MappingProxyType(_build_spec(option)),
    )


def _build_spec(option: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    spec = {key: option[key] for key in _SPEC_KEYS if key in option}
    if "options" in spec:
        spec["options"] = {name: _build_spec(each) for name, each in spec["options"].items()}
    return spec


SETTINGS: t.Mapping[str, Setting] = types.MappingProxyType(_load())
