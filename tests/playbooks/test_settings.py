# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings are taken or refused before any connection is opened; what each of them may be is a unit test."""

from __future__ import annotations

import json
import re
import typing as t
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import schema
from tests.support import cores
from tests.support.controller import Run
from tests.support.fake_fleet import FakeFleet, FakeHost

_PLAYBOOKS = Path(__file__).parents[2] / "playbooks"
# A message has twenty lines.
_CHUNK = 18
_HOSTS = ("a1", "a2", "b1")

Make = Callable[[str], FakeFleet]


def _list_playbooks() -> list[str]:
    return sorted(path.stem for path in _PLAYBOOKS.glob("[!_]*.yml"))


def _misspell() -> list[str]:
    """Each setting's name without one letter, where that is no other setting's."""
    names = []
    for setting in schema.SETTINGS:
        drops = [setting[:at] + setting[at + 1 :] for at in range(len(setting) - 2, len(schema.PREFIX), -1)]
        names.append(next(name for name in drops if name not in schema.SETTINGS))
    return names


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    fleets: dict[str, FakeFleet] = {}

    def of_version(version: str) -> FakeFleet:
        if version not in fleets:
            fleets[version] = FakeFleet(tmp_path_factory.mktemp("fake_fleet"), cores.environment(version))
        return fleets[version]

    return of_version


@pytest.fixture
def fake_fleet(make: Make) -> FakeFleet:
    return make(cores.NEWEST)


def _run(
    fake_fleet: FakeFleet,
    playbook: str,
    extra: dict[str, t.Any] | None = None,
    common: dict[str, t.Any] | None = None,
    hosts: dict[str, dict[str, t.Any]] | None = None,
) -> Run:
    fleet = {name: FakeHost({}, (hosts or {}).get(name, {})) for name in _HOSTS}
    return fake_fleet.run(
        fleet, [f"fleet.livepatch.{playbook}", "-e", json.dumps(extra or {})], {}, common=common or {}
    )


def _assert_refused(fake_fleet: FakeFleet, run: Run, *lines: str) -> None:
    assert run.rc == 2, run.output
    assert "No host was touched" in run.output
    assert [line for line in lines if line not in run.output] == [], run.output
    assert fake_fleet.connections() == [], run.output


def _assert_taken(run: Run) -> None:
    assert "No host was touched" not in run.output, run.output


def test_each_playbook_validates_first() -> None:
    for name in _list_playbooks():
        text = (_PLAYBOOKS / f"{name}.yml").read_text()
        first = text[text.index("- name: ") :]
        imported = r"- name: Validate the settings\n  ansible.builtin.import_playbook: _(validate|operate)\.yml\n"
        assert re.match(imported, first), name


def _chunks() -> list[t.Any]:
    """All misspelled names, some for each playbook in turn; `make test` does without what only other names repeat."""
    names, playbooks = _misspell(), _list_playbooks()
    parts = [names[at : at + _CHUNK] for at in range(0, len(names), _CHUNK)]
    return [pytest.param(playbooks[number % len(playbooks)], part, id=str(number)) for number, part in enumerate(parts)]


@pytest.mark.parametrize(("playbook", "names"), _chunks())
def test_a_misspelled_name_is_refused(fake_fleet: FakeFleet, playbook: str, names: list[str]) -> None:
    run = _run(fake_fleet, playbook, dict.fromkeys(names, 1))
    _assert_refused(fake_fleet, run, *(f"{name} (-e): unknown. Did you mean livepatch_" for name in names))


@pytest.mark.slow
@pytest.mark.parametrize("playbook", _list_playbooks())
def test_each_playbook_refuses(fake_fleet: FakeFleet, playbook: str) -> None:
    run = _run(fake_fleet, playbook, {"livepatch_budgt": 1, "__livepatch_rollout": {}, "livepatch_scope": 90})
    _assert_refused(
        fake_fleet,
        run,
        "livepatch_budgt (-e): unknown. Did you mean livepatch_budget?",
        "__livepatch_rollout (-e): internal",
        "livepatch_scope (-e): is the number 90",
    )


@pytest.mark.parametrize("version", cores.EACH)
def test_what_is_wrong_is_refused_by_name_and_host(make: Make, version: str) -> None:
    fake_fleet = make(version)
    common = {
        "livepatch_windows": [{"start": 1320, "minutes": 60}],
        "livepatch_criticality": "{{ {'gold': 0.9, 'lead': 'heavy'}[tier] }}",
        "livepatch_webhooks": [{"url": "hunter2"}],
    }
    hosts = {
        "a1": {"tier": "gold", "__livepatch_admission": {}, "livepatch_soak": 60, "livepatch_timeout": "{{ nope }}"},
        "a2": {"tier": "lead", "livepatch_owner": "me", "livepatch_on_stall": "revers", "livepatch_refresh": True},
        "b1": {"livepatch_policy": "min_age=7"},
    }
    run = _run(fake_fleet, "rollout", {"livepatch_approvals": [2], "install_fence": 1}, common, hosts)
    _assert_refused(
        fake_fleet,
        run,
        "livepatch_windows: start is the number 1320 (YAML reads an unquoted 22:00 as 1320): put the text in quotes",
        "livepatch_criticality of a2: is 'heavy': give a number",
        "livepatch_criticality of b1: its template cannot be rendered: ",
        "livepatch_webhooks: ",
        "__livepatch_admission of a1: internal to the playbooks. Leave it out",
        "livepatch_soak: 60 on a1, 0 on a2, b1. It holds for the whole run: set it for all hosts, best with -e",
        "livepatch_timeout of a1: its template cannot be rendered: ",
        "livepatch_owner of a2: unknown. ",
        "livepatch_on_stall of a2: value of livepatch_on_stall must be one of: reverse, leave, got: revers",
        "livepatch_refresh of a2: is the boolean true",
        "livepatch_policy of b1: is text: give a mapping, with -e as JSON",
        "livepatch_approvals (-e): unknown. Did you mean livepatch_approval?",
        "install_fence (-e): internal to the rollout. Leave it out",
    )
    assert "hunter2" not in run.output


@pytest.mark.parametrize("version", cores.EACH)
def test_what_is_right_is_taken(make: Make, version: str) -> None:
    """Templates, JSON as text, numbers as text, names of one's own, and a host that no play has."""
    fake_fleet = make(version)
    common = {
        "livepatch_criticality": "{{ {'gold': 0.9}[tier] | default(0.1) }}",
        "livepatch_names_allowed": ["livepatch_site_*"],
        "livepatch_site_owner": "me",
        "livepatch_soak": "{{ minutes * 0 }}",
        "minutes": 0,
    }
    hosts = {
        "a1": {"tier": "gold", "livepatch_canary": "yes"},
        "a2": {"tier": "tin", "livepatch_timeout": "{{ minutes + 5 }}"},
        "b1": {"livepatch_on_stall": "revers"},
    }
    run = _run(fake_fleet, "plan", {"livepatch_targets": "a", "livepatch_max_in_flight": "7"}, common, hosts)
    _assert_taken(run)
    assert run.rc == 0, run.output
    assert set(fake_fleet.connections()) == {"a1", "a2"}


def test_variables_of_import_playbook_are_checked(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    playbook = tmp_path / "site.yml"
    given = {"livepatch_budgt": 0, "livepatch_scope": "{{ site }}", "site": "fra", "livepatch_soak": "{{ nope }}"}
    playbook.write_text(json.dumps([{"ansible.builtin.import_playbook": "fleet.livepatch.plan", "vars": given}]))
    run = fake_fleet.run({name: FakeHost() for name in _HOSTS}, [str(playbook)], {}, common={})
    _assert_refused(fake_fleet, run, "livepatch_budgt: unknown. Did you mean livepatch_budget?", "livepatch_soak: its ")
    assert "livepatch_scope" not in run.output


def test_a_template_may_use_hostvars(fake_fleet: FakeFleet) -> None:
    common = {"livepatch_repository_url": "http://{{ hostvars['a1'].inventory_hostname }}/r"}
    _assert_taken(_run(fake_fleet, "plan", {}, common))
    # Where a step reads it of another host, too.
    common = {"livepatch_criticality": "{{ 1 - hostvars['a1'].share }}"}
    run = _run(fake_fleet, "plan", {}, common, {"a1": {"share": 0.9}})
    _assert_taken(run)
    assert run.rc == 0, run.output


def test_no_template_uses_what_hosts_have_answered(fake_fleet: FakeFleet) -> None:
    common = {"livepatch_criticality": "{{ hostvars['a1'].__livepatch_host.kernel.level | default(0.5) }}"}
    run = _run(fake_fleet, "plan", {}, common)
    _assert_refused(fake_fleet, run, "livepatch_criticality: its template uses a variable __livepatch_*")


@pytest.mark.parametrize("canary", ["a1", "a2"])
def test_steps_take_what_import_playbook_was_given(fake_fleet: FakeFleet, tmp_path: Path, canary: str) -> None:
    """Of each host, before what the inventory has and after extra variables."""
    playbook = tmp_path / "site.yml"
    given = {"livepatch_canary": "{{ first }}"}
    playbook.write_text(json.dumps([{"ansible.builtin.import_playbook": "fleet.livepatch.rollout", "vars": given}]))
    hosts = {name: FakeHost(variables={"first": name == canary}) for name in _HOSTS}
    run = fake_fleet.run(hosts, [str(playbook), "--check"], {}, common={})
    canaries = run.batches[0]
    assert {"a1", "a2"} & set(canaries) == {canary}


def test_where_no_host_matches_nothing_is_done(fake_fleet: FakeFleet) -> None:
    run = _run(fake_fleet, "status", {"livepatch_targets": "nosuch"})
    assert (run.rc, fake_fleet.connections()) == (2, [])
    assert "No host of the inventory matches livepatch_targets (nosuch) and --limit" in run.output


@pytest.mark.parametrize("version", cores.EACH)
@pytest.mark.parametrize("blank", ["", None], ids=["empty", "null"])
def test_blank_is_the_default(make: Make, version: str, blank: t.Any) -> None:
    fake_fleet = make(version)
    run = _run(fake_fleet, "rollout", dict.fromkeys(schema.SETTINGS, blank))
    _assert_taken(run)
    assert run.rc == 0, run.output
    assert "3 hosts: 3 done" in run.output
    again = fake_fleet.again(["fleet.livepatch.quarantine", "-e", json.dumps(dict.fromkeys(schema.SETTINGS, blank))])
    assert again.rc == 0, again.output


@pytest.fixture(scope="module")
def artifacts(make: Make) -> dict[str, dict[str, t.Any]]:
    """What each playbook that puts something out hands to AWX."""
    fake_fleet = make(cores.NEWEST)
    handed = {}
    for playbook in ("plan", "rollout"):
        run = _run(fake_fleet, playbook)
        stats = [event.result["ansible_stats"]["data"] for event in run.events if "ansible_stats" in event.result]
        handed[playbook] = {name: value for data in stats for name, value in data.items()}
    return handed


def _pairs() -> list[t.Any]:
    quick = {("plan", "rollout"), ("rollout", "report")}
    return [
        pytest.param(one, other, marks=[] if (one, other) in quick else [pytest.mark.slow])
        for one in ("plan", "rollout")
        for other in _list_playbooks()
    ]


@pytest.mark.parametrize(("giver", "taker"), _pairs())
def test_what_one_playbook_puts_out_another_takes(
    fake_fleet: FakeFleet, artifacts: dict[str, dict[str, t.Any]], giver: str, taker: str
) -> None:
    assert artifacts[giver], "it puts something out"
    _assert_taken(_run(fake_fleet, taker, {**artifacts[giver], "livepatch_reason": "a test"}))
