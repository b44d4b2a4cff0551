# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long steps of a rollout may take."""

from __future__ import annotations

import types
import typing as t
from pathlib import Path

import jinja2
import pytest
import yaml

from ansible_collections.fleet.livepatch.plugins.action import livepatch
from ansible_collections.fleet.livepatch.plugins.module_utils import _run_result
from ansible_collections.fleet.livepatch.plugins.plugin_utils import _host_action, _host_change
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import timeouts
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.host_settings import HostSettings

_ROLES = Path(__file__).parents[5] / "roles"
USUAL = HostSettings()


def read(**variables: t.Any) -> HostSettings:
    """Of a host with these variables, without the prefix that all of them have."""
    return HostSettings.from_variables({f"livepatch_{name}": value for name, value in variables.items()})


@pytest.mark.parametrize(("timeout", "lock_timeout"), [(60, 60), (5, 5), (86400, 0)])
def test_a_run_has_time_to_wait_for_the_one_before_and_for_itself(
    monkeypatch: pytest.MonkeyPatch, timeout: int, lock_timeout: int
) -> None:
    twice = 2 * _run_result.longest(timeout, lock_timeout)

    def read_keyword(role: str, file: str, keyword: str, **variables: t.Any) -> t.Any:
        tasks = yaml.safe_load((_ROLES / role / "tasks" / file).read_text())
        (text,) = (task[keyword] for task in tasks if keyword in task)
        return jinja2.Environment().compile_expression(text.strip("{} "))(**variables)

    task = types.SimpleNamespace(args={"timeout": timeout, "lock_timeout": lock_timeout}, async_val=0, check_mode=False)
    action: t.Any = object.__new__(livepatch.ActionModule)
    action._task = task
    monkeypatch.setattr(_host_action.ActionBase, "run", lambda *_arguments: {})
    monkeypatch.setattr(_host_change.halt, "get_halt_reason", lambda *_arguments: None)
    monkeypatch.setattr(action, "run_module", lambda *_arguments, **_options: {})
    result = action.run(None, {})
    assert result["max_seconds"] == twice
    # Each attempt waits for 30 s on the host.
    assert read_keyword("install", "main.yml", "retries", __livepatch_install=result) * 30 == pytest.approx(
        twice, abs=30
    )
    retries = read_keyword("verify", "main.yml", "retries", verify_max_seconds=result["max_seconds"])
    assert retries * 30 == pytest.approx(twice, abs=30)


@pytest.mark.parametrize(("timeout", "lock_timeout"), [(60, 60), (5, 5), (86400, 0)])
def test_in_a_rollout_a_run_has_the_same_time(monkeypatch: pytest.MonkeyPatch, timeout: int, lock_timeout: int) -> None:
    action: t.Any = types.SimpleNamespace(
        _task=types.SimpleNamespace(check_mode=False), run_module=lambda *_arguments, **_options: {}
    )
    monkeypatch.setattr(_host_change.halt, "get_halt_reason", lambda *_arguments: None)
    settings = HostSettings(timeout=timeout, lock_timeout=lock_timeout)
    twice = 2 * _run_result.longest(timeout, lock_timeout)
    for options in (settings.build_start("3-1"), settings.build_rollback()):
        result = _host_change.start_change(action, {**options, "detach": True}, options, {})
        assert result["max_seconds"] == twice


@pytest.mark.parametrize("blank", [None, "", " ", "\t\n"])
def test_a_blank_limit_is_the_default(blank: str | None) -> None:
    blanks = read(**dict.fromkeys(("timeout", "lock_timeout", "unreachable_timeout"), blank))
    assert timeouts.compute_window_seconds([blanks], 0) == timeouts.compute_window_seconds([USUAL], 0)


def test_a_window_has_room_for_the_slowest_host() -> None:
    usual = timeouts.compute_window_seconds([USUAL, read(timeout="60")], 0)
    assert usual == 300 + 240 + 120
    assert timeouts.compute_window_seconds([USUAL, HostSettings(timeout=600)], 3600) == usual + 4 * 540 + 3600
    assert timeouts.compute_window_seconds([], 0) == usual
    with pytest.raises(PlanError, match=r"livepatch_lock_timeout is not valid: .*soon"):
        read(lock_timeout="soon")
