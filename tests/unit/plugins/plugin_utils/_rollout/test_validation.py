# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What only later steps take is looked at before any host is touched."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import validation


def test_what_is_not_given_makes_sense() -> None:
    validation.insist({}, 0)
    validation.insist({"web1": {}}, 0)
    validation.insist({"web1": {"livepatch_soak": "60", "livepatch_slices": 8, "livepatch_windows": []}}, 0)
    for approval in ("all", "0, 1", 1, [0, "all"], []):
        validation.insist({"web1": {"livepatch_approval": approval}}, 0)


def test_probes_may_differ_from_host_to_host() -> None:
    good = {"commands": ["true"], "urls": ["http://localhost/health"], "services": ["sshd"], "timeout": 3}
    validation.insist(
        {"web1": {"livepatch_health_checks": good}, "web2": {}, "web3": {"livepatch_health_checks": {}}}, 0
    )
    with pytest.raises(
        PlanError, match=r"livepatch_health_checks of web3: health_checks\.urls: 'ftp://x' is not an HTTP URL"
    ):
        validation.insist(
            {"web1": {"livepatch_health_checks": good}, "web3": {"livepatch_health_checks": {"urls": ["ftp://x"]}}}, 0
        )


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("livepatch_max_runtime", "1h", "livepatch_max_runtime is '1h': it is a number of seconds. Nothing was done"),
        ("livepatch_soak", None, "livepatch_soak is None: it is a number of seconds"),
        ("livepatch_window_min_remaining", [1], "livepatch_window_min_remaining is"),
        ("livepatch_slices", "many", "livepatch_slices is 'many': it is a number of jobs"),
        ("livepatch_windows", [{"start": "22:00"}], "livepatch_windows: minutes"),
        ("livepatch_blackouts", [{"till": "22:00"}], "livepatch_blackouts: till is unknown"),
        (
            "livepatch_health_checks",
            {"comands": []},
            "livepatch_health_checks of web1: livepatch_health_checks.comands",
        ),
        ("livepatch_health_checks", ["true"], "livepatch_health_checks of web1: "),
        (
            "livepatch_health_checks",
            {"commands": ["echo '"]},
            "livepatch_health_checks of web1: health_checks.commands: ",
        ),
        ("livepatch_health_checks", {"timeout": 0}, "livepatch_health_checks of web1: health_checks.timeout is 0"),
        ("livepatch_approval", ["canaries"], "livepatch_approval: 'canaries' is neither all nor the number of a wave"),
        ("livepatch_approval", "1, All", "livepatch_approval: 'All' is neither"),
        ("livepatch_webhooks", [{}], "livepatch_webhooks: each one needs a url"),
    ],
)
def test_what_makes_none_is_named(name: str, value: t.Any, why: str) -> None:
    with pytest.raises(PlanError) as told:
        validation.insist({"web1": {name: value}}, 0)
    assert str(told.value).startswith(why)
