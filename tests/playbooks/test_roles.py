# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The roles in a user's own playbook: their results, and settings that are blank or null; the hosts are fakes."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from tests.support import cores
from tests.support.controller import Run
from tests.support.fake_fleet import FakeFleet, FakeHost

_HOSTS = {"a1": FakeHost(), "a2": FakeHost()}
_RETURNED = {
    "install": ["install_result.changed == expected", "install_result.after.level == 3"],
    "verify": ["verify_result.livepatch.state == 'patched'", "verify_result.kernel.build_id is defined"],
}
# What AWX sends for the optional questions of a survey that got no answer, and what `livepatch_x:` is in an inventory
_BLANK = {
    "livepatch_allow_downgrade": "",
    "livepatch_allow_unsupported": None,
    "livepatch_timeout": "",
    "livepatch_lock_timeout": None,
    "livepatch_on_stall": "",
    "livepatch_repair_boot": "",
    "livepatch_kernel_lock": None,
    "livepatch_lock": "",
    "livepatch_refresh": "",
    "livepatch_preflight_tolerate": "",
    "livepatch_policy": None,
    "livepatch_health_checks": "",
}


@pytest.fixture(scope="module", params=cores.EACH)
def fake_fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FakeFleet:
    return FakeFleet(tmp_path_factory.mktemp("fake_fleet"), cores.environment(request.param))


def _run(fake_fleet: FakeFleet, roles: t.Mapping[str, t.Iterable[str]], *arguments: str, changed: bool = True) -> Run:
    """Roles, each with what has to hold after it."""
    tasks: list[dict[str, t.Any]] = []
    for role, conditions in roles.items():
        tasks.append({"ansible.builtin.import_role": {"name": f"fleet.livepatch.{role}"}})
        tasks.append({"ansible.builtin.assert": {"that": list(conditions)}, "vars": {"expected": changed}})
    playbook = fake_fleet.inventory.parent / "roles.yml"
    playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    return fake_fleet.again([str(playbook), *arguments])


def test_roles_return_their_results_and_a_second_run_changes_nothing(fake_fleet: FakeFleet) -> None:
    fake_fleet.make(_HOSTS, {}, common={})
    checked = _run(fake_fleet, {"install": ["install_result.changed"]}, "--check")
    assert (checked.rc, checked.changed, fake_fleet.touched()) == (0, 2, {}), checked.output
    first = _run(fake_fleet, _RETURNED)
    assert (first.rc, first.changed) == (0, 2), first.output
    second = _run(fake_fleet, _RETURNED, changed=False)
    assert (second.rc, second.changed) == (0, 0), second.output
    back = _run(fake_fleet, {"rollback": ["rollback_result.changed == expected"]})
    assert (back.rc, back.changed) == (0, 2), back.output


def test_blank_and_null_mean_the_default(fake_fleet: FakeFleet) -> None:
    fake_fleet.make(_HOSTS, {}, common={})
    run = _run(fake_fleet, _RETURNED, "-e", json.dumps(_BLANK))
    assert (run.rc, run.changed) == (0, 2), run.output


def test_extra_variables_named_as_the_results_change_nothing(fake_fleet: FakeFleet) -> None:
    fake_fleet.make(_HOSTS, {}, common={})
    extra = ("-e", json.dumps({"install_started": {}, "install_result": {}, "verify_result": {}}))
    run = _run(fake_fleet, {"install": [], "verify": []}, *extra)
    assert (run.rc, run.changed) == (0, 2), run.output


def test_a_run_that_was_only_started_is_waited_for(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    """As the README of the role verify has it."""
    fake_fleet.make(_HOSTS, {}, common={})
    start = {"name": "fleet.livepatch.install", "tasks_from": "start"}
    started = {"verify_run": "{{ install_started.run }}"}
    tasks = [
        {"ansible.builtin.import_role": start},
        {"ansible.builtin.import_role": {"name": "fleet.livepatch.verify"}, "vars": started},
        {"ansible.builtin.assert": {"that": _RETURNED["verify"]}},
    ]
    playbook = tmp_path / "started.yml"
    playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    run = fake_fleet.again([str(playbook)])
    assert (run.rc, run.changed) == (0, 2), run.output
