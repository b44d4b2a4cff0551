# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether what later steps of a rollout take can be understood at all, asked before any host is touched. PRIVATE to the
collection. Pure.
"""

from __future__ import annotations

import re
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.fleet.livepatch.plugins.module_utils import _argspec, _health_checks
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import change_windows, hostvars, webhooks

_PROBES = "livepatch_health_checks"
_SECONDS = ("livepatch_soak", "livepatch_max_runtime", "livepatch_window_min_remaining")


def insist(variables_of_all: hostvars.Variables, now: float) -> None:
    """:param variables_of_all: of hosts, which have all of these in common but what is asked of each.
    :raises PlanError: one of them cannot be understood: its name, and what it has to be.
    """
    common: t.Mapping[str, t.Any] = next(iter(variables_of_all.values()), {})
    for names, what in ((_SECONDS, "a number of seconds"), (("livepatch_slices",), "a number of jobs")):
        for name in names:
            _insist_on_number(name, common.get(name, 0), what)
    for wave in _listed(common.get("livepatch_approval") or ()):
        if not re.fullmatch(r"all|\d+", wave):
            raise PlanError(f"livepatch_approval: {wave!r} is neither all nor the number of a wave. Nothing was done")
    change_windows.check_windows(common.get("livepatch_windows") or (), common.get("livepatch_blackouts") or (), now, 0)
    webhooks.parse_webhooks(common.get("livepatch_webhooks") or ())
    _insist_on_probes(variables_of_all)


def _listed(given: t.Any) -> list[str]:
    """A list as Ansible makes one of an option that is text."""
    return [
        str(one).strip()
        for one in (given.split(",") if isinstance(given, str) else [given] if isinstance(given, int) else given)
    ]


def _insist_on_probes(variables_of_all: hostvars.Variables) -> None:
    # A host would ask for them when it is patched.
    found: list[t.Any] = []
    for name, variables in variables_of_all.items():
        given = variables.get(_PROBES)
        if not given or given in found:
            continue
        found.append(given)
        told = ArgumentSpecValidator({_PROBES: _argspec.HEALTH_CHECKS}).validate({_PROBES: given})
        try:
            if told.error_messages:
                raise PlanError(f"{_PROBES} of {name}: {told.error_messages[0]}. Nothing was done")
            _health_checks.parse_health_checks(told.validated_parameters[_PROBES])
        except BadOption as exc:
            raise PlanError(f"{_PROBES} of {name}: {exc}. Nothing was done") from exc


def _insist_on_number(name: str, value: t.Any, what: str) -> None:
    try:
        int(value)
    except (TypeError, ValueError) as exc:
        raise PlanError(f"{name} is {value!r}: it is {what}. Nothing was done") from exc
