# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hosts answered, as steps of a rollout read it."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import hostvars


def test_answers_registered_by_another_name_are_missed() -> None:
    with pytest.raises(PlanError, match="no host of the play has the variable __livepatch_host"):
        hostvars.require_gathered({"web1": {"asked": {}}, "web2": {}})
    hostvars.require_gathered({"web1": {"__livepatch_host": {}}, "web2": {}})


def test_results_of_a_loop_are_by_the_host_that_was_asked() -> None:
    results = [
        {"__livepatch_member": hostvars.build_member("web1", {}), "changed": False},
        {"__livepatch_member": hostvars.build_member("web3", {}), "changed": True},
    ]
    variables: dict[str, t.Any] = {"web1": {"__livepatch_soak_probe": {"results": results}}, "web2": {}}
    found = hostvars.get_member_answers(variables, hostvars.SOAK_PROBE)
    assert {name: answer.changed for name, answer in found.items()} == {"web1": False, "web3": True}
