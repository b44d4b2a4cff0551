# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Event-Driven Ansible: the real ansible-rulebook brakes a rollout, and plans; the hosts are fake."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import subprocess
import time
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader

from ansible_collections.fleet.livepatch.plugins.module_utils._store.dispatch import Store
from tests.support import cores, monitoring, rulebooks, web
from tests.support.fake_fleet import FakeFleet, FakeHost
from tests.support.jobs import PROJECT
from tests.support.rulebooks import Rulebook
from tests.support.store import empty_plan, start_rollout

# They need a Java.
pytestmark = pytest.mark.slow

_CHECKOUT = Path(__file__).parents[2]
_ROLLOUT = "fleet.livepatch.rollout"
_GUIDE = (_CHECKOUT / "docs/eda.md").read_text()
_CHOSEN, _ALERTMANAGER = map(yaml.safe_load, re.findall(r"^```yaml\n(.*?)^```", _GUIDE, re.MULTILINE | re.DOTALL))
_FILES = [*sorted((_CHECKOUT / "extensions/eda/rulebooks").glob("*.yml")), *sorted(PROJECT.glob("rulebooks/*.yml"))]


@pytest.fixture(scope="module")
def fake_fleet(tmp_path_factory: pytest.TempPathFactory) -> FakeFleet:
    return FakeFleet(tmp_path_factory.mktemp("fake_fleet"), cores.environment(cores.NEWEST))


@pytest.fixture
def fleet(fake_fleet: FakeFleet) -> FakeFleet:
    """Four hosts, and what was recorded is forgotten."""
    fake_fleet.make({name: FakeHost() for name in ("a1", "a2", "a3", "a4")}, {}, common={"livepatch_waves": [1]})
    return fake_fleet


@pytest.fixture
def brake(fleet: FakeFleet, tmp_path: Path) -> Iterator[Rulebook]:
    settings, inventory = fleet.environment(), ("-i", str(fleet.inventory))
    with rulebooks.running("fleet.livepatch.halt_on_alert", tmp_path, settings, _CHOSEN, inventory) as running:
        yield running


def _store(fake_fleet: FakeFleet) -> Store:
    return Store(str(fake_fleet.store), time.time)


@contextlib.contextmanager
def _soaking(fake_fleet: FakeFleet, seconds: int) -> Iterator[subprocess.Popen[str]]:
    """A rollout that has patched its canary and has three hosts to go."""
    with fake_fleet.started([_ROLLOUT, "-e", f"livepatch_soak={seconds}"]) as process:
        rulebooks.wait_until(lambda: process.poll() is not None or fake_fleet.touched())
        assert process.poll() is None
        yield process


@pytest.mark.parametrize("path", _FILES, ids=lambda path: str(path.relative_to(_CHECKOUT)))
def test_rulebooks_are_what_ansible_rulebook_wants(path: Path) -> None:
    check = (
        "import sys, yaml; from ansible_rulebook.validators import Validate;"
        " Validate.rulebook(yaml.safe_load(sys.stdin))"
    )
    command = [str(rulebooks.environment() / "python"), "-c", check]
    run = subprocess.run(command, input=path.read_text(), capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_the_guide_shows_what_is_run_here() -> None:
    typed = [shlex.split(line) for line in re.findall(r"^ansible-rulebook -.*", _GUIDE, re.MULTILINE)]
    names = ("halt_on_alert", "plan_on_advisory")
    own = [rulebooks.command(f"fleet.livepatch.{name}", ["-i", "inventory.yml"]) for name in names]
    assert typed == [*own, *(rulebooks.command(f"rulebooks/{name}.yml", []) for name in names)]


def test_alertmanager_takes_the_guides_configuration(tmp_path: Path) -> None:
    path = tmp_path / "alertmanager.yml"
    path.write_text(yaml.safe_dump(_ALERTMANAGER))
    command = [str(monitoring.programs() / "amtool"), "check-config", str(path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_without_an_alert_that_was_chosen_it_never_touches_a_rollout(brake: Rulebook, fleet: FakeFleet) -> None:
    with _soaking(fleet, 10) as process:
        assert brake.alert("HighLoad", severity="warning", instance="a1:9100") == 200
        assert brake.alert("HighLoad", instance="a1:9100") == 200
        assert brake.alert("HighLoad", "resolved", severity="critical", instance="a1:9100") == 200
        assert brake.post("alerts", {"version": "4", "status": "firing", "alerts": []}) == 200
        for token in ("", "wrong"):
            assert brake.post("alerts", {"alerts": [_fires("HighLoad")]}, token=token) == 401
        ended = fleet.finish(process)
    assert (ended.rc, set(fleet.touched())) == (0, {"a1", "a2", "a3", "a4"}), ended.output
    assert _store(fleet).get_halt("default") is None
    assert "PLAY" not in brake.output, "it has not even looked"


def _fires(name: str, **labels: str) -> dict[str, t.Any]:
    return {"status": "firing", "labels": {"alertname": name, "severity": "critical", **labels}}


def test_an_alert_halts_the_rollout_that_runs(brake: Rulebook, fleet: FakeFleet, tmp_path: Path) -> None:
    (tmp_path / "alertmanager").mkdir()
    with monitoring.alertmanager(tmp_path / "alertmanager", webhook_configs=[brake.receiver]) as alertmanager:
        with _soaking(fleet, 300) as process:
            monitoring.fire(alertmanager, "HighLoad", severity="warning", instance="a1:9100")
            monitoring.fire(alertmanager, "ErrorRate", severity="critical", instance="a1:9100")
            seconds = rulebooks.wait_until(lambda: _store(fleet).get_halt("default"))
            ended = fleet.finish(process)
        print(f"halted {seconds:.1f} s after the alert was fired")
        assert seconds < 10
        assert (ended.rc, len(fleet.touched())) == (2, 1), ended.output
        assert "alert ErrorRate on a1:9100" in ended.output

        # That it is over lets nothing go on.
        monitoring.fire(alertmanager, "ErrorRate", over=True, severity="critical", instance="a1:9100")
        time.sleep(5)
        halt = _store(fleet).get_halt("default")
        assert halt is not None and halt["reason"] == "alert ErrorRate on a1:9100"
    fleet.again(["fleet.livepatch.resume"])
    assert "4 hosts: 4 done" in fleet.again([_ROLLOUT]).output


def test_where_no_rollout_is_under_way_nothing_is_halted(brake: Rulebook, fleet: FakeFleet) -> None:
    _store(fleet).save_plan("default", empty_plan("ab" * 32))
    assert brake.alert("ErrorRate", severity="critical") == 200
    brake.wait_for("No rollout is under way (scope default, store ")
    assert _store(fleet).get_halt("default") is None
    assert fleet.again([_ROLLOUT]).rc == 0


def test_of_many_alerts_one_halts(brake: Rulebook, fleet: FakeFleet) -> None:
    _begin(fleet)
    alerts = [_fires("ErrorRate", instance=f"a{number}") for number in range(100)]
    assert brake.post("alerts", {"alerts": alerts}) == 200
    rulebooks.wait_until(lambda: _store(fleet).get_halt("default"))
    brake.wait_for("PLAY RECAP")
    time.sleep(3)
    assert brake.output.count("PLAY [Halt") == 1


def test_what_is_written_on_an_alert_is_not_run(brake: Rulebook, fleet: FakeFleet, tmp_path: Path) -> None:
    _begin(fleet)
    mark = tmp_path / "run"
    brake.alert("ErrorRate", severity="page", instance=f"{{{{ lookup('ansible.builtin.pipe', 'touch {mark}') }}}}")
    rulebooks.wait_until(lambda: _store(fleet).get_halt("default"))
    halt = _store(fleet).get_halt("default")
    assert halt is not None
    assert halt["reason"] == f"alert ErrorRate on (( lookup('ansible.builtin.pipe', 'touch {mark}') ))"
    assert not mark.exists()


def _begin(fake_fleet: FakeFleet) -> None:
    """Records a rollout that is running."""
    store = _store(fake_fleet)
    fence = store.take_lease("default", {}, 600.0)["fence"]
    start_rollout(store, "default", fence, "hash")


def test_an_advisory_has_a_rollout_planned_and_no_more(fleet: FakeFleet, tmp_path: Path) -> None:
    settings, inventory = fleet.environment(), ("-i", str(fleet.inventory))
    with rulebooks.running("fleet.livepatch.plan_on_advisory", tmp_path, settings, {}, inventory) as planner:
        assert planner.post("advisory", {"id": "SUSE-2026-1"}, token="wrong") == 401
        assert planner.post("elsewhere", {"id": "SUSE-2026-1"}) == 200
        time.sleep(15)  # it takes ten seconds to see whether there are more
        assert _store(fleet).load_last_plan("default") is None
        for number in range(3):
            assert planner.post("advisory", {"id": f"SUSE-2026-{number}"}) == 200
        planner.wait_for("PLAY RECAP")
        time.sleep(3)
        first = next(line for line in planner.output.splitlines() if line.startswith("PLAY ["))
        assert planner.output.count(first) == 1, "one for all of them"
    planned = _store(fleet).load_last_plan("default")
    assert planned is not None and len(planned["document"]["hosts"]) == 4
    assert _store(fleet).show("default")["rollout"] is None
    assert fleet.touched() == {}


@pytest.mark.parametrize(
    "name, path, told, variables",
    [
        ("halt_on_alert", "alerts", {"alerts": [_fires("ErrorRate", instance="a1")]}, _CHOSEN),
        ("plan_on_advisory", "advisory", {}, {}),
    ],
)
def test_awx_is_asked_for_what_its_templates_take(
    fake_fleet: FakeFleet, tmp_path: Path, name: str, path: str, told: t.Any, variables: dict[str, t.Any]
) -> None:
    """Those of the role awx. AWX leaves out of account what a template does not ask for."""
    templates = DataLoader().load_from_file(str(_CHECKOUT / "roles/awx/vars/main.yml"))["__livepatch_awx_templates"]
    launched: list[tuple[str, dict[str, t.Any]]] = []

    def answer(asked: web.Asked) -> tuple[int, str]:
        assert asked.headers["Authorization"] == "Bearer awx"
        if asked.path.startswith("/api/v2/unified_job_templates/"):
            return 200, json.dumps({"count": len(templates), "next": None, "results": list(map(_template, templates))})
        if asked.path.startswith("/launch/"):
            launched.append((asked.path.removeprefix("/launch/"), json.loads(asked.body)["extra_vars"]))
            return 201, json.dumps({"url": "/api/v2/jobs/1/"})
        job = {"id": 1, "url": "/api/v2/jobs/1/", "status": "successful", "created": "", "artifacts": {}}
        return 200, json.dumps({**job, "version": "24.6.1", "count": 1, "next": None, "results": [job]})

    with web.served(answer) as url:
        file = PROJECT / f"rulebooks/{name}.yml"
        settings = {**fake_fleet.environment(), "EDA_CONTROLLER_URL": url, "EDA_CONTROLLER_TOKEN": "awx"}
        with rulebooks.running(file, tmp_path, settings, variables, ()) as running:
            assert running.post(path, told) == 200
            rulebooks.wait_until(lambda: launched)
    ((launch, extra),) = launched
    template = next(one for one in templates if one["name"] == launch)
    assert template["name"] == name.partition("_")[0]
    questions = {one["variable"]: one for one in template.get("survey", [])}
    assert template.get("ask_variables_on_launch") or set(extra) == set(questions)
    for variable, value in extra.items():
        assert value in questions.get(variable, {}).get("choices", [value])
    if name == "halt_on_alert":
        assert extra["livepatch_reason"] == "alert ErrorRate on a1"
        assert extra["livepatch_if_running"] == "true"


def _template(one: dict[str, t.Any]) -> dict[str, t.Any]:
    asks = {f"ask_{what}_on_launch": False for what in ("limit", "labels", "inventory", "variables")}
    return {
        "id": 1,
        "type": "job_template",
        "name": f"Live patching: {one['name']}",
        "summary_fields": {"organization": {"name": "Default"}},
        "related": {"launch": f"/launch/{one['name']}"},
        **asks,
    }
