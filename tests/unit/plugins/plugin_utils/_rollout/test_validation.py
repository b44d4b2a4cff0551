# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one check of the settings of a run."""

from __future__ import annotations

import datetime
import time
import typing as t
from collections.abc import Mapping

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import schema, validation

INTERNAL = "internal to the playbooks. Leave it out"
NOW = datetime.datetime(2026, 11, 30, tzinfo=datetime.timezone.utc).timestamp()
GOOD: dict[str, t.Any] = {
    "livepatch_alert_values": ["critical"],
    "livepatch_approval": [0, "all"],
    "livepatch_assertions": "length(hosts) > `0`",
    "livepatch_blackouts": [{"from": datetime.date(2026, 12, 20), "to": "2027-01-03", "reason": "year end"}],
    "livepatch_budget": 3,
    "livepatch_canaries": "10%",
    "livepatch_criticality": "0.2",
    "livepatch_domain_keys": "dc,rack",
    "livepatch_gates": [{"name": "desk", "type": "http", "url": "https://desk.example.com"}],
    "livepatch_health_checks": {"commands": ["true"], "services": ["sshd"], "timeout": 3},
    "livepatch_kernel_lock": "false",
    "livepatch_kernel_versions": ">=6.4",
    "livepatch_max_runtime": "60",
    "livepatch_on_stall": "leave",
    "livepatch_policy": {"kmp_version": 3, "issued_before": "2026-05-31", "severity": "low"},
    "livepatch_prestaged": "yes",
    "livepatch_reason": 4711,
    "livepatch_seed": 7,
    "livepatch_service_group": ["web", "db"],
    "livepatch_skip_gates": {"desk": "closed at night"},
    "livepatch_waves": [1, "25%"],
    "livepatch_wave": 1,
    "livepatch_webhooks": [{"url": "https://chat.example.com/x", "secret": "s"}],
    "livepatch_windows": [{"days": ["sat"], "start": "22:00", "minutes": 360, "tz": "Europe/Berlin"}],
}


def check(
    hosts: Mapping[str, Mapping[str, t.Any]],
    extra: Mapping[str, t.Any] | None = None,
    registered: Mapping[str, set[str]] | None = None,
    render: validation.Render = lambda _host, value: value,
    of_play: t.Collection[str] = (),
) -> list[str]:
    validator = validation.Validator(extra or {}, {*(extra or {}), *of_play}, render, NOW)
    for name, variables in hosts.items():
        validator.check_host(name, {**variables, **(extra or {})}, (registered or {}).get(name, ()))
    return validator.describe_problems()


def test_what_is_valid_is_accepted() -> None:
    assert check({}) == check({"a1": {}}) == check({"a1": GOOD}) == check({"a1": {}, "a2": {}}, GOOD) == []
    host = {name: value for name, value in GOOD.items() if schema.SETTINGS[name].scope == "host"}
    assert check({"a1": host, "a2": {}}) == []


@pytest.mark.parametrize("name", list(schema.SETTINGS))
def test_blank_is_the_default(name: str) -> None:
    for blank in ("", None, " "):
        assert check({"a1": {name: blank}, "a2": {}}) == []


@pytest.mark.parametrize("name", list(schema.SETTINGS))
def test_a_name_with_a_letter_dropped_is_refused(name: str) -> None:
    """Each letter is dropped in turn; a name that is then another setting's is no mistake that can be seen."""
    for at in range(len(schema.PREFIX), len(name)):
        misspelled = name[:at] + name[at + 1 :]
        if misspelled in schema.SETTINGS or misspelled == schema.PREFIX:
            continue
        (line,) = check({"a1": {}, "a2": {misspelled: 1}})
        assert line.startswith(f"{misspelled} of a2: unknown. Did you mean livepatch_")
        if len(name) > len(schema.PREFIX) + 6:
            assert f" {name}? " in line or schema.find_nearest(misspelled) in line
        assert check({"a1": {}}, {misspelled: 1})[0].startswith(f"{misspelled} (-e): unknown. ")


def test_targets_of_the_inventory_are_refused() -> None:
    """Plays choose their hosts before they have any host's variables."""
    name = "livepatch_targets"
    refused = "set in the inventory, where plays that choose their hosts do not see it. Use -e"
    assert check({"a1": {name: "web"}, "a2": {name: "web"}}) == [f"{name}: {refused}"]
    assert f"{name} of a1: {refused}" in check({"a1": {name: "web"}, "a2": {}})
    assert check({"a1": {name: "all"}, "a2": {}}) == []
    assert check({"a1": {}, "a2": {}}, {name: "web"}) == []
    assert check({"a1": {name: "web"}}, of_play={name}) == [], "import_playbook was given it"


@pytest.mark.parametrize("blank", [None, "", " "])
def test_a_gate_is_skipped_for_a_reason_only(blank: str | None) -> None:
    settings = {"livepatch_gates": GOOD["livepatch_gates"], "livepatch_skip_gates": {"desk": blank}}
    assert check({"a1": {}}, settings) == ["livepatch_skip_gates (-e): the reason for desk is missing"]


def test_names_of_the_operator_are_allowed_by_name_or_pattern() -> None:
    theirs = {"livepatch_site": 1, "livepatch_owner_of_it": 2}
    assert len(check({"a1": theirs})) == 2
    for allowed in (["livepatch_site", "livepatch_owner_*"], "livepatch_site,livepatch_owner_*"):
        assert check({"a1": {**theirs, "livepatch_names_allowed": allowed}}) == []
        assert len(check({"a1": {**theirs, "livepatch_sit": 1, "livepatch_names_allowed": allowed}})) == 1


@pytest.mark.parametrize("name", [*sorted(schema.OUTPUTS), "livepatch_plan_hash"])
def test_what_the_playbooks_put_out_is_passed_over(name: str) -> None:
    assert check({"a1": {}, "a2": {}}, {name: "0f343b0931126a20"}) == []


def test_internal_names_are_refused_but_where_the_run_has_registered_them() -> None:
    name = "__livepatch_admission"
    assert check({"a1": {}, "a2": {name: {}}}) == [f"{name} of a2: {INTERNAL}"]
    assert check({"a1": {}}, {name: {}}) == [f"{name} (-e): {INTERNAL}"]
    assert check({"a1": {name: {}}}, registered={"a1": {name}}) == []
    # What is given with -e would take the place of what is registered.
    assert check({"a1": {}}, {name: {}}, registered={"a1": {name}}) == [f"{name} (-e): {INTERNAL}"]


@pytest.mark.parametrize("name", sorted(validation.ROLE_INTERNALS))
def test_what_rollouts_pass_to_roles_is_no_extra_variable(name: str) -> None:
    assert check({"a1": {}}, {name: 1}) == [f"{name} (-e): internal to the rollout. Leave it out"]
    # A play of one's own may set it for a role.
    assert check({"a1": {name: 1}}) == []


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        # What YAML 1.1 makes of text that is not quoted
        ("livepatch_scope", True, "is the boolean true (YAML reads on, off, yes and no so): put the text in quotes"),
        ("livepatch_reason", False, "is the boolean false"),
        ("livepatch_expires", 1320, "is the number 1320 (YAML reads an unquoted 22:00 as 1320)"),
        ("livepatch_windows", [{"start": 1320, "minutes": 60}], "start is the number 1320"),
        ("livepatch_windows", [{"days": [True], "start": "22:00", "minutes": 1}], "days is the boolean true"),
        ("livepatch_kernel_versions", 6.4, "is the number 6.4"),
        ("livepatch_plan_hash", 12345678, "is the number 12345678"),
        ("livepatch_budget", True, "is the boolean true"),
        ("livepatch_budget", 1.5, "is the number 1.5"),
        ("livepatch_waves", [True], "is the boolean true"),
        ("livepatch_waves", True, "is the boolean true"),
        ("livepatch_policy", {"kmp_version": 3.1}, "kmp_version is the number 3.1"),
        ("livepatch_service_group", [1], "[1] is neither text nor a list of text"),
        ("livepatch_service_group", True, "True is neither text nor a list of text"),
        ("livepatch_assertions", True, "True is no expression"),
        # Numbers
        ("livepatch_timeout", 90.5, "is 90.5: give a whole number"),
        ("livepatch_timeout", "90.5", "is '90.5': give a whole number"),
        ("livepatch_timeout", True, "is True: give a whole number"),
        ("livepatch_max_runtime", "1h", "is '1h': give a whole number"),
        ("livepatch_window_min_remaining", [1], "is [1]: give a whole number"),
        ("livepatch_soak", -1, "is -1: give a whole number that is not below 0"),
        ("livepatch_slices", "many", "is 'many': give a whole number"),
        ("livepatch_criticality", "high", "is 'high': give a number"),
        ("livepatch_criticality", 1.5, "1.5 is not from 0 (goes first) to 1 (goes last)"),
        ("livepatch_canary", "maybe", "argument 'livepatch_canary' is of type"),
        # Lists and mappings
        ("livepatch_scope", ["a"], "is a list: give text"),
        ("livepatch_scope", {}, "is a mapping: give text"),
        ("livepatch_waves", "['1%']", "is text: give a list"),
        ("livepatch_waves", {}, "is a mapping: give a list"),
        ("livepatch_windows", "sat 22:00", "is text: give a list"),
        ("livepatch_windows", ["sat"], "is text: give a mapping"),
        ("livepatch_policy", "min_age=7", "is text: give a mapping, with -e as JSON"),
        ("livepatch_policy", '{"min_age": 7}', "is text: give a mapping, with -e as JSON"),
        ("livepatch_policy", [1], "is [1]: give a mapping"),
        ("livepatch_policy", {"min_agee": 7}, "livepatch_policy.min_agee"),
        # Choices
        ("livepatch_on_stall", "revers", "value of livepatch_on_stall must be one of: reverse, leave, got: revers"),
        ("livepatch_preflight_tolerate", ["dsik"], "value of livepatch_preflight_tolerate must be one or more of: "),
        ("livepatch_policy", {"severity": "high"}, "value of severity must be one of"),
        # What a later step would refuse
        ("livepatch_approval", ["canaries"], "is 'canaries': set it to the number of a wave, or to all"),
        ("livepatch_approval", "1, All", "is ' All': set it to the number of a wave, or to all"),
        ("livepatch_assertions", ["length("], "'length('"),
        ("livepatch_blackouts", [{"till": "22:00"}], "till"),
        ("livepatch_budget", "some", "is 'some': set a number of hosts"),
        ("livepatch_canaries", "x", "is 'x': set a number of hosts"),
        ("livepatch_filter", "[?", "'[?'"),
        ("livepatch_gates", [{"name": "x", "type": "carrier pigeon"}], "x"),
        ("livepatch_health_checks", {"comands": []}, "livepatch_health_checks.comands"),
        ("livepatch_health_checks", ["true"], "is ['true']: give a mapping"),
        ("livepatch_health_checks", {"commands": ["echo '"]}, "health_checks.commands: "),
        ("livepatch_health_checks", {"timeout": 0}, "health_checks.timeout is 0"),
        ("livepatch_health_checks", {"urls": ["ftp://x"]}, "health_checks.urls: 'ftp://x' is not"),
        ("livepatch_kernel_versions", "6.4", "is '6.4': set a range of versions"),
        ("livepatch_max_in_flight", 0, "is 0: set it to 1 or more"),
        ("livepatch_budget", "150%", "is 150%: a share cannot be more than 100%"),
        ("livepatch_canaries", 0, "is 0, which admits no host: set it to 1 or more"),
        (
            "livepatch_max_per_domain",
            "2",
            "it limits nothing, since no host has a failure domain: set livepatch_domain_keys",
        ),
        ("livepatch_max_per_wave", "0", "is 0, which admits no host: set it to 1 or more"),
        ("livepatch_waves", ["1", "0"], "is 0, which admits no host: set it to 1 or more"),
        ("livepatch_policy", {"issued_before": "soon"}, "issued_before is 'soon'"),
        ("livepatch_skip_gates", {"desk": "x"}, "there is no gate desk"),
        ("livepatch_wave", "first", "is 'first': set it to the number of a wave, or to all"),
        ("livepatch_webhooks", [{}], "each one needs a url"),
        ("livepatch_windows", [{"start": "22:00"}], "minutes"),
    ],
)
def test_what_is_wrong_is_named(name: str, value: t.Any, problem: str) -> None:
    (line,) = check({"a1": {name: value}})
    assert line.startswith(f"{name} of a1: "), line
    assert problem in line
    (line,) = check({"a1": {}, "a2": {}}, {name: value})
    assert line.startswith(f"{name} (-e): ")


@pytest.mark.parametrize("name", [name for name, setting in schema.SETTINGS.items() if setting.secret])
def test_no_value_that_may_hold_a_secret_is_shown(name: str) -> None:
    wrong = ["hunter2"] if schema.SETTINGS[name].type == "str" else "hunter2"
    (line,) = check({"a1": {name: wrong}})
    assert line.startswith(f"{name} of a1: ") and "hunter2" not in line
    other: t.Any = {"str": "hunter2", "dict": {"headers": {"x": "hunter2"}}}.get(schema.SETTINGS[name].type)
    if name == "livepatch_gates":
        other = [{"name": "x", "type": "http", "url": "https://h", "headers": {"x": "hunter2"}}]
    if name == "livepatch_webhooks":
        other = [{"url": "https://h", "secret": "hunter2"}]
    if schema.SETTINGS[name].scope == "run":
        (line,) = check({"a1": {name: other}, "a2": {}})
        assert line.startswith(f"{name}: one value on a1, another on a2") and "hunter2" not in line


def test_what_differs_between_hosts() -> None:
    hosts = {"a1": {"livepatch_soak": 60}, "a2": {"livepatch_soak": "60"}, "a3": {}}
    (line,) = check(hosts)
    assert line == (
        "livepatch_soak: 60 on a1, a2, 0 on a3. It holds for the whole run: set it for all hosts, best with -e"
    )
    # In other words the same, and what says the default
    assert check({"a1": {"livepatch_soak": 60}, "a2": {"livepatch_soak": "60"}}) == []
    assert check({"a1": {"livepatch_soak": 0}, "a2": {}, "a3": {"livepatch_soak": ""}}) == []
    assert check({"a1": {"livepatch_timeout": 1}, "a2": {}}) == []
    # One that is wrong is not different as well.
    assert len(check({"a1": {"livepatch_soak": "x"}, "a2": {}})) == 1


def test_templates_are_rendered_for_each_host() -> None:
    def render(host: str, value: t.Any) -> t.Any:
        if host == "a2":
            raise PlanError("'nope' is undefined")
        return {"{{ age }}": "soon", "{{ soak }}": 60}.get(value, value)

    hosts = {name: {"livepatch_timeout": "{{ age }}"} for name in ("a1", "a2")}
    assert check(hosts, render=render) == [
        "livepatch_timeout of a1: is 'soon': give a whole number",
        "livepatch_timeout of a2: its template cannot be rendered: 'nope' is undefined",
    ]
    nested = {"a1": {"livepatch_soak": "{{ soak }}"}, "a3": {"livepatch_soak": 60}}
    assert check(nested, render=render) == []
    inner = {"a2": {"livepatch_policy": {"exclude": ["{{ age }}"]}}}
    assert check(inner, render=render) == [
        "livepatch_policy of a2: its template cannot be rendered: 'nope' is undefined"
    ]


def test_hosts_and_problems_are_abbreviated() -> None:
    hosts = {f"a{number}": {"livepatch_timeout": "x"} for number in range(500)}
    assert check({**hosts, "b": {}}) == ["livepatch_timeout of a0, a1, a2 and 497 more: is 'x': give a whole number"]
    assert check(hosts) == ["livepatch_timeout: is 'x': give a whole number"]
    many = check({"a": {f"livepatch_x{number}": 1 for number in range(100)}})
    assert (len(many), many[-1]) == (20, "and 81 more problems")


def test_a_large_fleet_is_checked_in_a_moment() -> None:
    ours = {name: value for name, value in GOOD.items() if schema.SETTINGS[name].scope == "run"}
    others = {f"variable_{number}": number for number in range(100)}
    hosts = {f"h{number}": {**others, **ours, "livepatch_policy": {"min_age": number % 9}} for number in range(2000)}
    begun = time.process_time()
    assert check(hosts) == []
    assert time.process_time() - begun < 2
