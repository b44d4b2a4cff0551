# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rollout goes by: which settings it keeps, and what becomes of each that a later run is given."""

from __future__ import annotations

import collections
import json
import typing as t

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import controls, host_settings, schema
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import settings as plan_settings
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.strictness import DIFFERENT, LOOSER, TIGHTER
from tests.support.plans import make_plan

NIGHT = {"days": ["sat", "sun"], "start": "22:00", "minutes": 360, "tz": "UTC"}
SHORT = {**NIGHT, "start": "23:00", "minutes": 60, "reason": "backups"}
GATE = {"name": "latency", "type": "http", "url": "https://eve:s3cret@mon/ok?token=s3cret", "url_password": "s3cret"}
HOOK = {"url": "https://hooks.example/s3cret", "secret": "s3cret", "headers": {"Authorization": "s3cret"}}

# Of each setting that has an order, a value and one that is tighter
ORDERED: list[tuple[str, t.Any, t.Any]] = [
    ("livepatch_allow_downgrade", True, False),
    ("livepatch_allow_unsupported", True, False),
    ("livepatch_approval", ["2"], ["1", "2"]),
    ("livepatch_approval", ["1", "2"], ["all"]),
    ("livepatch_approval", [], ["2"]),
    ("livepatch_approver_not_starter", False, True),
    ("livepatch_blackouts", [], [{"from": "2026-12-20", "to": "2026-12-27"}]),
    ("livepatch_budget", "5", "0"),
    ("livepatch_budget", "10%", "5%"),
    ("livepatch_budget", "10%", "0"),
    ("livepatch_budget_batch", None, "5"),
    ("livepatch_budget_cohort", None, "100%"),
    ("livepatch_budget_lost", "1", "0"),
    ("livepatch_budget_rollout", "3", "2"),
    ("livepatch_budget_unreachable", None, "0"),
    ("livepatch_gates", [], [GATE]),
    ("livepatch_gates", [GATE], [{**GATE, "name": "errors"}, GATE]),
    ("livepatch_halt_scope", "kmp", "rollout"),
    ("livepatch_halt_scope", "cohort", "kmp"),
    ("livepatch_health_checks", {}, {"services": ["nginx"]}),
    ("livepatch_health_checks", {"urls": ["a"], "timeout": 5}, {"urls": ["a", "b"], "timeout": 5}),
    ("livepatch_lock", False, True),
    ("livepatch_max_in_flight", 100, 2),
    ("livepatch_preflight_tolerate", ["disk", "log"], ["log"]),
    ("livepatch_prestaged", False, True),
    ("livepatch_soak", 60, 61),
    ("livepatch_webhooks", [HOOK], [HOOK, {"url": "https://other/x"}]),
    ("livepatch_window_min_remaining", 60, 61),
    ("livepatch_windows", [], [NIGHT]),
    ("livepatch_windows", [NIGHT], [SHORT]),
    ("livepatch_windows", [NIGHT], [{**NIGHT, "days": ["sat"]}]),
    ("livepatch_windows", [NIGHT, {**NIGHT, "days": ["mon"]}], [NIGHT]),
]
# Of each that has none, two values
UNORDERED: list[tuple[str, t.Any, t.Any]] = [
    ("livepatch_approval", ["1"], ["2"]),
    ("livepatch_blackouts", [NIGHT], [SHORT]),
    ("livepatch_budget", "5", "10%"),
    ("livepatch_filter", None, "name == 'a1'"),
    ("livepatch_gates", [GATE], [{**GATE, "max_ratio": 2}]),
    ("livepatch_health_checks", {"urls": ["a"], "timeout": 5}, {"urls": ["a"], "timeout": 6}),
    ("livepatch_health_checks", {"urls": ["a"]}, {"services": ["a"]}),
    ("livepatch_kernel_lock", None, True),
    ("livepatch_kernel_versions", None, ">=6.4"),
    ("livepatch_levels", ">=2", ">=3"),
    ("livepatch_on_stall", "reverse", "leave"),
    ("livepatch_policy", {}, {"min_age": 3}),
    ("livepatch_preflight_tolerate", ["disk"], ["log"]),
    ("livepatch_repair_boot", False, True),
    ("livepatch_timeout", 60, 600),
    ("livepatch_unreachable_timeout", 300, 60),
    ("livepatch_webhooks", [HOOK], [{**HOOK, "url": "https://other/s3cret"}]),
    ("livepatch_window_min_remaining", None, 0),
    ("livepatch_windows", [NIGHT], [{**NIGHT, "tz": "Europe/Berlin"}]),
    ("livepatch_windows", [NIGHT], [{**NIGHT, "start": "21:00"}]),
]


def given(**values: t.Any) -> controls.Given:
    """What a run with one host, a1, is given."""
    run, host = {}, {}
    for name, value in values.items():
        if schema.SETTINGS[name].scope == "run":
            run[name] = value
        else:
            host[name.removeprefix("livepatch_")] = value
    return controls.Given(run, {"a1": host})


def record(**values: t.Any) -> controls.Record:
    """What a rollout has kept that was begun with these."""
    document = controls.decide(None, given(**values)).as_document(["a1"])
    # As the store does
    stored = {"controls": json.loads(json.dumps(document)), "version": 1}
    return controls.Record.from_stored("The open rollout", stored, is_rollout=True)


def get_value(decided: controls.Controls, name: str) -> t.Any:
    if schema.SETTINGS[name].scope == "run":
        return decided.run[name]
    return getattr(decided.hosts["a1"], name.removeprefix("livepatch_"))


def strip(name: str, value: t.Any) -> t.Any:
    return controls.strip_secrets(name, value)


def test_each_setting_has_one_class() -> None:
    classes = (controls.KEPT, controls.PLAN, controls.PLAN_INPUTS, controls.PLACES, controls.SECRETS)
    counted = collections.Counter(name for names in (*classes, controls.INVOCATION) for name in names)
    assert sorted(counted) == sorted(schema.SETTINGS)
    assert {name for name, count in counted.items() if count > 1} == set()


def test_what_hosts_keep_is_among_their_settings() -> None:
    of_hosts = {name for name in controls.KEPT if schema.SETTINGS[name].scope == "host"}
    known = {f"livepatch_{name}" for name in host_settings.HostSettings.__dataclass_fields__}
    assert known - of_hosts == {"livepatch_lock_timeout"}
    assert of_hosts <= known


def test_each_setting_that_is_kept_is_compared() -> None:
    assert {name for name, *_values in (*ORDERED, *UNORDERED)} == set(controls.KEPT)


@pytest.mark.parametrize(("name", "value", "tighter"), ORDERED)
def test_what_is_tighter_is_obeyed_and_told_and_what_is_looser_is_refused(
    name: str, value: t.Any, tighter: t.Any
) -> None:
    decided = controls.decide(record(**{name: value}), given(**{name: tighter}))
    assert get_value(decided, name) == strip(name, tighter)
    assert [(change.setting, change.relation) for change in decided.changes] == [(name, TIGHTER)]
    with pytest.raises(PlanError, match=rf"The open rollout goes by other settings: {name}.*-> .*\({LOOSER}\)") as told:
        controls.decide(record(**{name: tighter}), given(**{name: value}), " ")
    assert "set livepatch_change_reason" in str(told.value)
    assert "s3cret" not in str(told.value)
    taken = controls.decide(record(**{name: tighter}), given(**{name: value}), "the night is short")
    assert get_value(taken, name) == strip(name, value)
    (kept,) = taken.list_changes("eve")
    assert (kept["reason"], kept["by"], kept["relation"]) == ("the night is short", "eve", LOOSER)
    assert "s3cret" not in json.dumps([kept, taken.as_document(["a1"])])


@pytest.mark.parametrize(("name", "value", "other"), UNORDERED)
def test_what_differs_is_refused_both_ways_and_taken_for_a_reason(name: str, value: t.Any, other: t.Any) -> None:
    for before, after in ((value, other), (other, value)):
        with pytest.raises(PlanError, match=rf"{name}.*\({DIFFERENT}\)"):
            controls.decide(record(**{name: before}), given(**{name: after}))
        taken = controls.decide(record(**{name: before}), given(**{name: after}), "why")
        assert get_value(taken, name) == strip(name, after)


@pytest.mark.parametrize("name", sorted(controls.PLAN))
def test_a_plan_changes_for_no_reason(name: str) -> None:
    value: t.Any = ["7"] if schema.SETTINGS[name].type == "list" else "7"
    for reason in ("", "why"):
        with pytest.raises(PlanError, match=f"{name}: .*A plan does not change"):
            controls.decide(record(), given(**{name: value}), reason)
    assert controls.decide(record(**{name: value}), given(**{name: value})).changes == ()


@pytest.mark.parametrize(("name", "value", "other"), [*ORDERED, *UNORDERED])
def test_what_is_left_out_or_given_again_is_as_it_was(name: str, value: t.Any, other: t.Any) -> None:
    # The secrets of a gate have to be given again.
    values = (
        ([], [{"name": "a", "type": "http", "url": "https://mon/ok"}]) if name == controls.GATES else (value, other)
    )
    for before in values:
        for after in (given(), given(**{name: before})):
            decided = controls.decide(record(**{name: before}), after)
            assert decided.changes == ()
            assert get_value(decided, name) == strip(name, before)


def test_the_difference_is_shown_with_the_hosts_that_have_it() -> None:
    each = {"a1": {"timeout": 60}, "a2": {"timeout": 60}, "a3": {"timeout": 60}}
    document = controls.decide(None, controls.Given({}, each)).as_document(each)
    kept = controls.Record.from_stored("The open rollout", {"controls": document, "version": 1}, True)
    later = {"a1": {"timeout": 90}, "a2": {"timeout": 90}, "a3": {}, "new": {"timeout": 5}}
    with pytest.raises(PlanError, match=r"livepatch_timeout of a1, a2: 60 -> 90 \(different\)\. Leave them out"):
        controls.decide(kept, controls.Given({}, later))
    decided = controls.decide(kept, controls.Given({}, later), "threads sleep for long")
    assert [decided.hosts[name].timeout for name in ("a1", "a2", "a3", "new")] == [90, 90, 60, 5]
    # Of hosts that this run does not have what was recorded stays.
    alone = controls.decide(kept, controls.Given({}, {"a1": {}})).as_document(["a1", "a2"])
    assert {name: options["timeout"] for name, options in host_settings.unpack_options(alone["hosts"]).items()} == {
        "a1": 60,
        "a2": 60,
    }


def test_hosts_that_were_asked_with_another_policy_are_known() -> None:
    kept = record(livepatch_policy={"min_age": 3})
    assert controls.decide(kept, given()).asked_otherwise == {"a1"}
    assert controls.decide(kept, given(livepatch_policy={"min_age": 3})).asked_otherwise == frozenset()


@pytest.mark.parametrize(("name", "value"), [("livepatch_gates", GATE), ("livepatch_webhooks", HOOK)])
def test_a_rotated_secret_is_no_difference_and_is_used(name: str, value: dict[str, t.Any]) -> None:
    rotated = json.loads(json.dumps(value).replace("s3cret", "new"))
    kept = record(**{name: [value]})
    assert "s3cret" not in json.dumps(kept.run)
    decided = controls.decide(kept, given(**{name: [rotated]}))
    assert decided.changes == ()
    assert controls.restore_secrets(name, decided.run[name], [rotated]) == [rotated]


def test_a_gate_whose_secrets_are_not_given_is_refused_and_a_webhook_is_told() -> None:
    with pytest.raises(
        PlanError, match=r"gates with secrets, which are not recorded \(latency\): give livepatch_gates"
    ):
        controls.decide(record(livepatch_gates=[GATE]), given())
    decided = controls.decide(record(livepatch_webhooks=[HOOK]), given())
    assert controls.list_unnotified(decided, given()) == ["https://hooks.example/***"]
    assert controls.restore_secrets("livepatch_webhooks", decided.run["livepatch_webhooks"], []) == []
    public = [{"url": "https://hooks.example/"}]
    assert controls.restore_secrets("livepatch_webhooks", strip("livepatch_webhooks", public), []) == public


def test_a_blank_value_is_not_given() -> None:
    for blank in ("", " ", None):
        variables = {"a1": dict.fromkeys(schema.SETTINGS, blank)}
        assert controls.read_given(variables) == controls.Given({}, {"a1": {}})
    read = controls.read_given({"a1": {"livepatch_budget": 5, "livepatch_timeout": "9", "livepatch_slices": 2}})
    assert read == controls.Given({"livepatch_budget": "5"}, {"a1": {"timeout": 9}})


def test_of_a_plan_of_an_earlier_version_its_own_settings_are_kept() -> None:
    document = {"max_in_flight": 7, "budgets": {"wave": "1", "batch": None}, "waves": ["1%"], "halt_scope": "kmp"}
    kept = controls.Record.from_stored("The plan x", {"controls": {"plan": document}, "version": 0}, False)
    with pytest.raises(PlanError, match="livepatch_max_in_flight: 7 -> 100"):
        controls.decide(kept, given(livepatch_max_in_flight=100))
    decided = controls.decide(kept, given(livepatch_soak=60))
    assert (decided.run["livepatch_soak"], decided.run["livepatch_max_in_flight"]) == (60, 7)
    assert decided.changes == ()


def test_what_steps_follow_of_a_plan_is_what_the_rollout_goes_by_now() -> None:
    outline = make_plan(["a1"], ["a2"], wave="5").outline
    run = controls.decide(None, given(livepatch_budget="1", livepatch_max_in_flight=2, livepatch_halt_scope="kmp")).run
    now = plan_settings.apply_values(outline, run).settings
    assert (now.budgets["wave"], now.budgets["batch"], now.max_in_flight, now.halt_scope) == ("1", None, 2, "kmp")
    # What the plan's hash is of stays.
    assert now.document == outline.settings.document
