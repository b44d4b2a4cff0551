# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hosts answered, as steps of a rollout read it."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.answer import read_result
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import changes, hostvars
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.host_settings import HostSettings
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.outcome import TaskAnswers
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.plan import PlannedHost
from tests.support import answers


def test_answers_registered_by_another_name_are_missed() -> None:
    with pytest.raises(PlanError, match="no host of the play has the variable __livepatch_host"):
        hostvars.require_gathered({"web1": {"asked": {}}, "web2": {}})
    hostvars.require_gathered({"web1": {"__livepatch_host": {}}, "web2": {}})


@pytest.mark.parametrize("name", [hostvars.SOAK_PROBE, hostvars.SLOW])
def test_results_of_a_loop_are_by_the_host_that_was_asked(name: str) -> None:
    results = [
        {"__livepatch_member": {"host": "web1", **HostSettings().build_probe()}, "changed": False},
        {"__livepatch_member": {"host": "web3", **HostSettings().build_probe()}, "changed": True},
    ]
    variables: dict[str, t.Any] = {"web1": {name: {"results": results}}, "web2": {}, "web4": {name: {}}}
    found = hostvars.get_member_answers(variables, name)
    assert {name: answer.changed for name, answer in found.items()} == {"web1": False, "web3": True}


def test_what_a_host_has_answered_last_is_what_it_is() -> None:
    """Of a slow host that is what it has answered in another one's loop; a host that is lost is as it was before."""

    def state(name: str) -> dict[str, t.Any]:
        return answers.gathered(livepatch={"state": name})

    slow = {**state("patched"), "__livepatch_member": {"host": "web1"}}
    asked = {hostvars.GATHERED: state("unpatched")}
    variables: dict[str, dict[str, t.Any]] = {
        "web1": {**asked, hostvars.VERIFY: {**state("in_transition"), "in_flight": True}},
        "web2": {**asked, hostvars.VERIFY: state("outdated"), hostvars.SLOW: {"results": [slow]}},
        "web3": {**asked, hostvars.VERIFY: {"unreachable": True, "msg": "Connection refused"}},
        "web4": {**asked, hostvars.VERIFY: state("patched"), hostvars.ROLLED_BACK: state("installed")},
        "web5": {},
    }
    latest = hostvars.get_latest_answers(variables)
    states = {name: answer and answer.livepatch and answer.livepatch.state for name, answer in latest.items()}
    assert states == {
        "web1": "patched",
        "web2": "outdated",
        "web3": "unpatched",
        "web4": "installed",
        "web5": None,
    }


#
# What was started
#

STARTED = {"changed": True, "run": "r", "max_seconds": 240}
CHANGE = changes.Change({"state": "latest"}, {"refresh": "never"}, 300, patience=10)
WAY_BACK = changes.Change({"state": "previous"}, {"refresh": "never"}, 300)


@pytest.mark.parametrize(
    ("change", "variables", "expected"),
    [
        (CHANGE, {hostvars.INSTALL: STARTED, hostvars.ROLLBACK: {**STARTED, "run": "back"}}, "r"),
        (WAY_BACK, {hostvars.INSTALL: STARTED, hostvars.ROLLBACK: {**STARTED, "run": "back"}}, "back"),
        # Registered by an earlier rollout of the same run, and reset since
        (CHANGE, {hostvars.INSTALL: {}}, None),
        (CHANGE, {}, None),
        (CHANGE, {hostvars.INSTALL: {"changed": False, "skipped": True}}, None),
        (WAY_BACK, {hostvars.INSTALL: STARTED}, None),
    ],
)
def test_a_run_is_collected_by_what_was_registered_when_it_was_started(
    change: changes.Change, variables: dict[str, t.Any], expected: str | None
) -> None:
    running = hostvars.find_running("web1", variables, change)
    assert (running and (running.host, running.run, running.max_seconds)) == (expected and ("web1", expected, 240))


#
# What became of planned hosts
#

_KERNEL = {"kernel": {"build_id": answers.BUILD_ID, "boot_id": answers.BOOT_ID}}
PATCHED = answers.gathered(**_KERNEL, livepatch={"job": answers.job()})
UNPATCHED = answers.gathered(**_KERNEL, livepatch={"state": "unpatched"})
IN_FLIGHT = {**answers.gathered(**_KERNEL, livepatch={"state": "transitioning"}), "in_flight": True}


def determine(
    slow: t.Mapping[str, t.Any] | None = None,
    rollout: str | None = None,
    started: t.Mapping[str, t.Any] | None = None,
    **verify: t.Mapping[str, t.Any],
) -> dict[str, str]:
    """The outcomes of hosts that all were started.

    :param slow: by host, what hosts have answered that were collected later.
    """
    row = {
        "cohort": "c",
        "wave": 1,
        "build_id": answers.BUILD_ID,
        "boot_id": answers.BOOT_ID,
        "kmp": f"{answers.KMP}-3-1",
        "level": 3,
        "why": None,
    }
    planned = [PlannedHost.from_row(name, row) for name in verify]
    variables = {
        name: {hostvars.GATHERED: UNPATCHED, hostvars.INSTALL: started or STARTED, hostvars.VERIFY: registered}
        for name, registered in verify.items()
    }
    later = None
    if slow is not None:
        install = read_result(started or STARTED)
        later = {name: TaskAnswers(install, read_result(slow[name]) if name in slow else None) for name in verify}
    rows = hostvars.determine_outcomes(planned, rollout, variables, False, later)
    assert {row.cohort for row in rows} <= {"c"}
    return {row.host: row.outcome for row in rows}


def test_a_host_in_flight_has_no_outcome_yet() -> None:
    assert determine(web1=PATCHED, web2=IN_FLIGHT) == {"web1": "done"}
    # Whether it was reached or not
    away = {"changed": False, "unreachable": False, "in_flight": True, "lost": True, "msg": "Connection refused"}
    assert determine(web1=away) == {}
    assert determine({"web1": IN_FLIGHT}, web1=IN_FLIGHT) == {}


def test_a_slow_host_goes_by_what_it_has_answered_last() -> None:
    gone = {"changed": False, "unreachable": True, "lost": True, "msg": "Connection refused"}
    found = determine({"web1": PATCHED, "web2": gone}, web1=IN_FLIGHT, web2=IN_FLIGHT)
    assert found == {"web1": "done", "web2": "lost"}
    assert determine({}, web1=IN_FLIGHT) == {"web1": "lost"}, "it was not asked any more"


def test_a_slow_host_that_was_away_when_it_was_to_start_may_not_have_begun() -> None:
    nothing = {**UNPATCHED, "lost": True}
    away = {**STARTED, "unreachable": True, "msg": "Connection refused"}
    assert determine({"web1": nothing}, started=away, web1=IN_FLIGHT) == {"web1": "skipped"}
    assert determine({"web1": nothing}, web1=IN_FLIGHT) == {"web1": "failed"}, "it has begun, and was killed"
    assert determine({"web1": {**PATCHED, "lost": True}}, web1=IN_FLIGHT) == {"web1": "done"}
