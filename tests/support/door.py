# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever the host's code returns in a test is held against what the control node takes for an answer.

So no test of the host's code can pass with a result that would make the host unknown.
"""

from __future__ import annotations

import functools
import json
import typing as t
from collections.abc import Callable

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils import (
    _ensure,
    _host_facts,
    _journal,
    _kernel_facts,
    _metrics_file,
    _preflight,
    _run_result,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import LivepatchError
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import kmp
from ansible_collections.fleet.livepatch.plugins.module_utils._repository import kinds
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers import answer, change, fields

_ROUTES: tuple[tuple[t.Any, str, Callable[[t.Any], t.Any]], ...] = (
    (_ensure, "ensure_state", lambda result: answer.parse_result(_drop(result, "warnings"), "livepatch")),
    (_host_facts, "gather_facts", lambda result: answer.parse_result(result, "livepatch_info")),
    (_kernel_facts, "gather_kernel", lambda result: answer.parse_result({"kernel": result}, "kernel_info")),
    (kmp, "build_block", lambda result: answer.parse_result({"kmp": result}, "kmp_info")),
    (_journal, "clear_journal", lambda result: answer.parse_result(result, "livepatch_journal")),
    (kinds, "configure_repository", lambda result: answer.parse_result(result, "livepatch_repository")),
    (_metrics_file, "write_metrics", lambda result: answer.parse_result(result, "livepatch_metrics")),
    (_preflight, "run_checks", lambda result: answer.parse_result({"preflight": result}, "livepatch_preflight_info")),
    (_run_result, "wait_for_result", fields.optional(change.job)),
)


def _drop(result: t.Mapping[str, t.Any], key: str) -> dict[str, t.Any]:
    return {name: value for name, value in result.items() if name != key}


def _watch(function: Callable[..., t.Any], parse: Callable[[t.Any], t.Any]) -> Callable[..., t.Any]:
    @functools.wraps(function)
    def call(*arguments: t.Any, **named: t.Any) -> t.Any:
        try:
            result = function(*arguments, **named)
        except LivepatchError as exc:
            if function.__name__ in ("ensure_state", "configure_repository"):
                parse(json.loads(json.dumps({"failed": True, "msg": str(exc), **exc.result, **exc.marks})))
            raise
        parse(json.loads(json.dumps(result)))
        return result

    return call


def watch_results(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, parse in _ROUTES:
        monkeypatch.setattr(module, name, _watch(getattr(module, name), parse))
