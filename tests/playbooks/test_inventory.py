# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inventories that group hosts by what status has recorded in Ansible's fact cache; the hosts are fake."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from tests.support import cores
from tests.support.fake_fleet import FakeFleet, FakeHost

_CONSTRUCTED = Path(__file__).parents[2] / "docs/inventory/livepatch.constructed.yml"
_PATCHED = FakeHost({"active": "3-1"})
_OUTDATED = FakeHost({"active": "2-1"})
_FLEET = {"a1": _PATCHED, "a2": _OUTDATED, "a3": _OUTDATED, "b1": FakeHost({"gone": True})}


@pytest.fixture(scope="module", params=cores.EACH)
def fake_fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FakeFleet:
    return FakeFleet(tmp_path_factory.mktemp("fake_fleet"), cores.environment(request.param))


@pytest.fixture(scope="module")
def asked(fake_fleet: FakeFleet, tmp_path_factory: pytest.TempPathFactory) -> FakeFleet:
    """Status has run over the fleet with a fact cache. Then a host came that it has not seen, and one was patched."""
    cache = str(tmp_path_factory.mktemp("facts"))
    settings = {"ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": cache}
    run = fake_fleet.run(_FLEET, ["fleet.livepatch.status"], settings, common={})
    assert run.rc == 0, run.output
    fake_fleet.make({**_FLEET, "a3": _PATCHED, "c1": _PATCHED}, settings, common={})
    return fake_fleet


def _inventory(fake_fleet: FakeFleet, *arguments: str, example: Path = _CONSTRUCTED) -> dict[str, t.Any]:
    run = fake_fleet.typed(["ansible-inventory", "-i", str(fake_fleet.inventory), "-i", str(example), *arguments])
    assert run.returncode == 0, run.stdout
    told: dict[str, t.Any] = json.loads(run.stdout)
    return told


def _groups(fake_fleet: FakeFleet, example: Path = _CONSTRUCTED) -> dict[str, list[str]]:
    """The hosts of each group that the example makes."""
    told = _inventory(fake_fleet, "--list", example=example)
    return {name: sorted(group["hosts"]) for name, group in told.items() if name.startswith("livepatch_")}


def test_hosts_are_grouped_by_what_status_found(asked: FakeFleet) -> None:
    groups = _groups(asked)
    cohorts = sorted(hosts for name, hosts in groups.items() if name.startswith("livepatch_cohort_"))
    assert cohorts == [["a1"], ["a2", "a3"]]
    assert {name: hosts for name, hosts in groups.items() if not name.startswith("livepatch_cohort_")} == {
        "livepatch_state_outdated": ["a2", "a3"],
        "livepatch_state_patched": ["a1"],
        "livepatch_state_unknown": ["b1", "c1"],
    }


def test_what_is_a_day_old_is_not_known_any_more(asked: FakeFleet, tmp_path: Path) -> None:
    later = tmp_path / "later.yml"
    later.write_text(_CONSTRUCTED.read_text().replace("now().timestamp()", "now().timestamp() + 25 * 3600"))
    everybody = sorted(_FLEET)
    assert _groups(asked, later) == {"livepatch_stale": everybody, "livepatch_state_unknown": [*everybody, "c1"]}
    assert int(_inventory(asked, "--host", "a1", example=later)["livepatch_recorded_hours"]) == 25
    assert int(_inventory(asked, "--host", "a1")["livepatch_recorded_hours"]) == 0


def test_a_run_may_be_limited_to_a_group_and_believes_only_what_hosts_say(asked: FakeFleet) -> None:
    (cohort,) = (name for name, hosts in _groups(asked).items() if "_cohort_" in name and "a2" in hosts)
    limit = ["-i", str(asked.inventory), "-i", str(_CONSTRUCTED), "--limit", "livepatch_state_outdated"]
    run = asked.typed(["ansible-playbook", "fleet.livepatch.plan", *limit, "-e", "livepatch_output=json"])
    assert run.returncode == 0, run.stdout
    plan = json.loads(run.stdout[run.stdout.index("\n{\n") : run.stdout.rindex("\n}\n") + 3])
    assert {name: f"livepatch_cohort_{host['cohort']}" for name, host in plan["hosts"].items()} == {"a2": cohort}
    assert set(plan["left_out"]) == {"a3"}, "it was outdated and is not any more"


def test_without_a_cache_nothing_is_known(fake_fleet: FakeFleet) -> None:
    fake_fleet.make(_FLEET, {}, common={})
    assert _groups(fake_fleet) == {"livepatch_state_unknown": sorted(_FLEET)}
