# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether what later steps of a rollout take can be understood at all, asked before any host is touched. PRIVATE to the
collection. Pure.
"""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils.errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout import hooks, run, windows

_SECONDS = ("livepatch_soak", "livepatch_run_limit", "livepatch_window_reserve")


def insist(variables_of_all: run.Variables, now: float) -> None:
    """:param variables_of_all: of hosts that have these in common.
    :raises PlanError: one of them cannot be understood: its name, and what it has to be.
    """
    common: t.Mapping[str, t.Any] = next(iter(variables_of_all.values()), {})
    for names, what in ((_SECONDS, "a number of seconds"), (("livepatch_slices",), "a number of jobs")):
        for name in names:
            _insist_on_number(name, common.get(name, 0), what)
    windows.check(common.get("livepatch_windows") or (), common.get("livepatch_blackouts") or (), now, 0)
    hooks.parse(common.get("livepatch_hooks") or ())


def _insist_on_number(name: str, value: t.Any, what: str) -> None:
    try:
        int(value)
    except (TypeError, ValueError) as exc:
        raise PlanError(f"{name} is {value!r}: it is {what}. Nothing was done") from exc
