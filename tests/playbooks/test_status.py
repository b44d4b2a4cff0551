# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What status shows, and what makes it end badly; the hosts are fake."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import jsonschema
import pytest

from tests.support import cores, web
from tests.support.controller import Run
from tests.support.fake_fleet import FakeFleet, FakeHost

STATUS = "fleet.livepatch.status"
PATCHED = {"active": "3-1"}
SCHEMA = Path(__file__).parents[2] / "docs/report.schema.json"
ALL_PATCHED = "length(hosts[?state != 'patched']) == `0`"


@pytest.fixture(scope="module")
def fake_fleet(tmp_path_factory: pytest.TempPathFactory) -> FakeFleet:
    return FakeFleet(tmp_path_factory.mktemp("fake_fleet"), cores.environment(cores.NEWEST))


def _status(fake_fleet: FakeFleet, hosts: dict[str, FakeHost], **settings: t.Any) -> Run:
    return fake_fleet.run(hosts, [STATUS, "-e", json.dumps(settings)], {}, common={})


def _fleet() -> dict[str, FakeHost]:
    return {f"a{number}": FakeHost(PATCHED) for number in range(5)}


def test_hosts_alike_are_one_row(fake_fleet: FakeFleet) -> None:
    run = _status(fake_fleet, {**_fleet(), "b1": FakeHost()})
    assert run.rc == 0, run.output
    table = run.output[run.output.index("STATE ") :].splitlines()
    assert [line.split()[0] for line in table[1:3]] == ["unpatched", "patched"]
    assert table[2].endswith("  5      a0, a1, a2 and 2 more")
    assert "6 hosts: 1 unpatched, 5 patched" in table


def test_what_makes_no_sense_of_one_host_is_refused_by_its_name(fake_fleet: FakeFleet) -> None:
    run = _status(fake_fleet, {**_fleet(), "b1": FakeHost(PATCHED, {"livepatch_criticality": "high"})})
    assert run.rc == 2, run.output
    assert "livepatch_criticality of b1: is 'high': give a number. No host was touched" in run.output
    assert fake_fleet.connections() == []


@pytest.mark.parametrize("required", [ALL_PATCHED, [ALL_PATCHED, "counts.unknown == `0`"]])
def test_what_is_required_decides_how_it_ends(fake_fleet: FakeFleet, required: t.Any) -> None:
    assert _status(fake_fleet, _fleet(), livepatch_assertions=required).rc == 0
    run = _status(fake_fleet, {**_fleet(), "b1": FakeHost()}, livepatch_assertions=required)
    assert run.rc == 2
    assert f"livepatch_assertions: assertion failed: {ALL_PATCHED}" in run.output
    assert "6 hosts: 1 unpatched, 5 patched" in run.output, "it is shown all the same"


def test_a_report_is_written(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    run = _status(fake_fleet, {**_fleet(), "b1": FakeHost({"gone": True})}, livepatch_report_dir=str(tmp_path / "new"))
    assert run.rc == 0, run.output
    (page,) = (tmp_path / "new").glob("livepatch-status-default-*.html")
    assert f"Written: {page}" in run.output
    told = json.loads(page.with_suffix(".json").read_text())
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(told)
    assert [(host["name"], host["state"]) for host in told["hosts"]] == [
        *((f"a{number}", "patched") for number in range(5)),
        ("b1", "unknown"),
    ]


def test_a_report_of_a_rollout_is_written(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    hosts = {**{f"a{number}": FakeHost() for number in range(3)}, "b1": FakeHost({"refusal": "no"})}
    settings = {"livepatch_report_dir": str(tmp_path), "livepatch_metrics_dir": str(tmp_path), "livepatch_budget": 1}
    run = fake_fleet.run(hosts, ["fleet.livepatch.rollout", "-e", json.dumps(settings)], {}, common={})
    assert run.rc == 2, run.output
    (path,) = (path for path in tmp_path.glob("livepatch-rollout-default-*.json") if "vex" not in path.name)
    told = json.loads(path.read_text())
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(told)
    outcomes = {host["name"]: host["outcome"] for host in told["hosts"]}
    assert set(outcomes) == set(hosts)
    assert told["rollout"]["waves"][0]["verdict"] in ("pass", "fail")
    metrics = (tmp_path / "livepatch_rollout_default.prom").read_text()
    done = sum(outcome == "done" for outcome in outcomes.values())
    assert f'livepatch_rollout_hosts{{scope="default",outcome="done"}} {done}\n' in metrics


def test_a_kmp_that_no_rollout_has_put_there_is_told_and_others_are_locked_out(
    fake_fleet: FakeFleet, tmp_path: Path
) -> None:
    locked = {"livepatch_lock": True}
    hosts = {"a1": FakeHost(variables=locked), "a2": FakeHost()}
    # b1 has the KMP that comes with its kernel.
    hosts |= {"a3": FakeHost({"active": "2-1"}), "a4": FakeHost(PATCHED, locked)}
    hosts["b1"] = FakeHost({"active": "1-1", "build": "b"})
    settings = {"livepatch_metrics_dir": str(tmp_path), "livepatch_report_dir": str(tmp_path)}
    run = fake_fleet.run(hosts, ["fleet.livepatch.rollout", "-e", json.dumps(settings)], {}, common={})
    assert run.rc == 0, run.output
    said = run.output.partition("4 hosts in ")[0]
    assert "Drift, KMPs that no rollout of scope default has put there:" in said, "before the plan"
    (newer,) = (line for line in said.splitlines() if "-3-1 on build ID aaaaaaaaaaaa: 1 host (a4), since 20" in line)
    assert newer.endswith("; no canary of scope default has proved it")
    assert "-2-1 on build ID aaaaaaaaaaaa: 1 host (a3), since 20" in said
    assert "-1-1 on build ID" not in said
    metrics = (tmp_path / "livepatch_rollout_default.prom").read_text()
    assert 'livepatch_rollout_drifted_hosts{scope="default"} 1\n' in metrics, "a3 has the rollout's by now"
    locks = {name: any("addlock" in command for command in fake_fleet.commands(name)) for name in hosts}
    assert locks == {"a1": True, "a2": False, "a3": False, "a4": True, "b1": False}
    (path,) = (path for path in tmp_path.glob("livepatch-rollout-*.json") if "vex" not in path.name)
    outcomes = {host["name"]: host["outcome"] for host in json.loads(path.read_text())["hosts"]}
    assert outcomes == {"a1": "done", "a2": "done", "a3": "done", "a4": "unchanged", "b1": "done"}
    run = fake_fleet.again([STATUS, "-e", json.dumps({"livepatch_report_dir": str(tmp_path / "status")})])
    assert run.rc == 0, run.output
    (path,) = (path for path in (tmp_path / "status").glob("livepatch-status-*.json") if "vex" not in path.name)
    told = json.loads(path.read_text())
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(told)
    drifts = {host["name"]: host["drift"] for host in told["hosts"] if host["drift"]}
    assert list(drifts) == ["a4"]
    assert (drifts["a4"]["by"], drifts["a4"]["proven"]) == (None, True)
    assert "1 host (a4), since 20" in run.output and "; canaries of scope default have proved it" in run.output


def test_a_report_that_cannot_be_written_is_told(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    run = _status(fake_fleet, _fleet(), livepatch_report_dir=str(tmp_path / "file"))
    assert run.rc == 2
    assert "livepatch_report_dir: the report cannot be written to " in run.output
    assert "5 hosts: 5 patched" in run.output, "it is shown all the same"


def test_a_report_is_sent_from_a_node_that_is_thrown_away(fake_fleet: FakeFleet) -> None:
    taken: dict[str, str] = {}

    def take(asked: web.Asked) -> tuple[int, str]:
        taken[asked.path] = asked.headers["authorization"]
        return 201, ""

    request = {"headers": {"Authorization": "Bearer hush"}}
    with web.served(take) as url:
        run = _status(fake_fleet, _fleet(), livepatch_report_url=url, livepatch_report_request=request)
    assert run.rc == 0, run.output
    assert len(taken) == 5 and set(taken.values()) == {"Bearer hush"}
    assert f"Written: {url}/livepatch-status-default-" in run.output
    assert "hush" not in run.output
    run = _status(fake_fleet, _fleet(), livepatch_report_url=url)
    assert run.rc == 2
    assert "livepatch_report_url: the report was not uploaded: " in run.output
    assert "5 hosts: 5 patched" in run.output, "it is shown all the same"


def test_who_cannot_be_asked_fulfils_nothing(fake_fleet: FakeFleet) -> None:
    run = _status(fake_fleet, {**_fleet(), "b1": FakeHost({"gone": True})}, livepatch_assertions="`true`")
    assert run.rc == 2
    assert "livepatch_assertions: the state of 1 host is unknown (b1)" in run.output


def test_what_is_required_of_some_hosts_only_is_refused(fake_fleet: FakeFleet) -> None:
    run = _status(fake_fleet, _fleet())
    assert run.rc == 0
    hosts = {**_fleet(), "b1": FakeHost(PATCHED, {"livepatch_assertions": ALL_PATCHED})}
    run = fake_fleet.run(hosts, [STATUS], {}, common={})
    assert run.rc == 2
    assert "livepatch_assertions: " in run.output
    assert " on b1, [] on a0, a1, a2 and 2 more. It holds for the whole run" in run.output
