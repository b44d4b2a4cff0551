# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role awx, with the real modules of awx.awx against a stand-in for the API that keeps objects."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support import collection, examples, web
from tests.support.awx import FIELDS, Awx
from tests.support.controller import Controller, Run
from tests.support.jobs import PROJECT

# It takes a minute each.
pytestmark = pytest.mark.slow

_CHECKOUT = Path(__file__).parents[2]
_GUIDE = _CHECKOUT / "docs/awx/README.md"
_NAME = "Live patching"
_DESCRIPTION: dict[str, t.Any] = {
    "awx_inventory": "Servers",
    "awx_credentials": ["ssh"],
    "awx_scm_url": "https://git.example.com/livepatch.git",
    "awx_image": "registry.example.com/livepatch-ee:1",
    "awx_variables": {
        "livepatch_coordinator": "store1",
        "livepatch_approval": [1],
        "livepatch_gates": [{"name": "errors", "type": "http", "url": "https://gate.example.com"}],
    },
    "awx_secrets": {"prometheus_username": "reader", "prometheus_password": "hush", "webhook_secret": "psst"},
    "awx_schedules": {
        "reconcile": "DTSTART;TZID=Europe/Berlin:20261201T220000 RRULE:FREQ=DAILY;INTERVAL=1 "
        "EXRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=FR",
        "status": "DTSTART:20261201T060000Z RRULE:FREQ=DAILY;INTERVAL=1",
    },
    "awx_approvers": ["Operators"],
    "awx_notifications": [
        {
            "name": "chat",
            "type": "webhook",
            "configuration": {
                "url": "https://chat.example.com/hook",
                "http_method": "POST",
                "headers": {},
                "username": "",
                "password": "swordfish",
                "disable_ssl_verification": False,
            },
        },
        {
            "name": "log",
            "type": "webhook",
            "configuration": {"url": "https://log.example.com", "http_method": "POST", "headers": {"X": "1"}},
            "events": ["started", "success"],
        },
    ],
}


class World:
    """A control node, and the API that it reaches."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self.awx = Awx(path.name for path in PROJECT.glob("*.yml"))
        organization = self.awx.add("organizations", name="Default")
        self.awx.add("teams", name="Operators", organization=organization)
        self.awx.add("inventories", name="Servers", organization=organization)
        machine = self.awx.add("credential_types", name="Machine", kind="ssh")
        self.awx.add("credentials", name="ssh", organization=organization, credential_type=machine)
        self.before = copy.deepcopy(self.awx.objects)

    def run(self, *arguments: str, **changed: t.Any) -> Run:
        """The role, as it is described but for what is changed."""
        own = {"roles": ["fleet.livepatch.awx"], "vars": {**_DESCRIPTION, **changed}}
        return self.play({"hosts": "localhost", "gather_facts": False, **own}, *arguments)

    def play(self, play: t.Mapping[str, t.Any], *arguments: str) -> Run:
        playbook = self.controller.folder / "awx.yml"
        playbook.write_text(json.dumps([play]))
        self.awx.changes.clear()
        with web.served(self.awx.answer) as url:
            self.controller.settings = {"CONTROLLER_HOST": url, "CONTROLLER_OAUTH_TOKEN": "token"}
            return self.controller.run([str(playbook), "-i", "localhost,", "-c", "local", *arguments])

    def template(self, name: str) -> dict[str, t.Any]:
        return self.awx.named("job_templates")[f"{_NAME}: {name}"]


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Controller:
    return Controller(tmp_path_factory.mktemp("controller"))


@pytest.fixture
def world(controller: Controller) -> Iterator[World]:
    """With the modules of awx.awx."""
    there = controller.folder / "collections/ansible_collections/awx"
    there.symlink_to(collection.fetched("awx", "awx") / "ansible_collections/awx")
    yield World(controller)
    there.unlink()


def test_all_is_made_then_nothing_changes_then_nothing_is_left(world: World) -> None:
    made = world.run()
    assert made.rc == 0, made.output
    _check_what_was_described(world)
    there = copy.deepcopy(world.awx.objects)

    again = world.run()
    assert (again.rc, again.changed, world.awx.changes) == (0, 0, []), again.output
    assert world.awx.objects == there

    gone = world.run(awx_state="absent")
    assert gone.rc == 0, gone.output
    assert world.awx.objects == world.before
    more = world.run(awx_state="absent")
    assert (more.rc, more.changed, world.awx.changes) == (0, 0, []), more.output


def _check_what_was_described(world: World) -> None:
    awx = world.awx
    templates = awx.named("job_templates")
    playbooks = {path.name for path in PROJECT.glob("*.yml")}
    assert {one["playbook"] for one in templates.values()} == playbooks, "each playbook has a template"
    reconcile = world.template("reconcile")
    assert reconcile["playbook"] == "rollout.yml" and not reconcile["allow_simultaneous"]
    assert [name for name, one in templates.items() if one["use_fact_cache"]] == [f"{_NAME}: status"]
    assert json.loads(reconcile["extra_vars"]) == _DESCRIPTION["awx_variables"]
    assert awx.linked("job_templates", reconcile["name"], "credentials") == [_NAME, "ssh"]
    assert awx.linked("job_templates", reconcile["name"], "notification_templates_error") == [f"{_NAME}: chat"]
    assert awx.linked("job_templates", f"{_NAME}: changes", "notification_templates_error") == []
    assert awx.linked("job_templates", reconcile["name"], "notification_templates_success") == [f"{_NAME}: log"]
    assert awx.linked("workflow_job_templates", _NAME, "notification_templates_approvals") == [f"{_NAME}: chat"]
    type_ = awx.named("credential_types")[_NAME]
    injected = type_["injectors"]["extra_vars"]
    assert injected["livepatch_prometheus_password"] == "{{ prometheus_password }}"
    assert {text.strip("{} ") for text in injected.values()} == {one["id"] for one in type_["inputs"]["fields"]}
    assert awx.named("credentials")[_NAME]["inputs"] == _DESCRIPTION["awx_secrets"]
    schedules = {name: one["rrule"] for name, one in awx.named("schedules").items()}
    assert schedules == {f"{_NAME}: {name}": rule for name, rule in _DESCRIPTION["awx_schedules"].items()}
    following = {
        name: [
            awx.linked("workflow_job_template_nodes", name, f"{edge}_nodes")
            for edge in ("success", "failure", "always")
        ]
        for name in awx.named("workflow_job_template_nodes")
    }
    assert following == {
        "plan": [["changes"], [], []],
        "changes": [["approval"], ["report"], []],
        "approval": [["reconcile"], ["report"], []],
        "reconcile": [[], [], ["report"]],
        "report": [[], [], []],
    }
    assert awx.named("workflow_approval_templates")[f"{_NAME}: approval"]["timeout"] == 86400
    assert awx.may("workflow_job_templates", _NAME, "approval_role") == ["Operators"]
    may = {name for name in templates if awx.may("job_templates", name, "execute_role")}
    assert may == {f"{_NAME}: {name}" for name in ("approve", "reject", "halt", "resume", "abort")}
    secrets = [
        question["type"]
        for name in templates
        if templates[name]["survey_enabled"]
        for question in awx.survey(name)["spec"]
    ]
    assert secrets and "password" not in secrets


def test_what_is_changed_is_changed(world: World) -> None:
    assert world.run().rc == 0
    less = world.run(
        awx_schedules={"status": "DTSTART:20261201T060000Z RRULE:FREQ=HOURLY;INTERVAL=2"},
        awx_secrets={},
        awx_variables={"livepatch_coordinator": "store2"},
    )
    assert less.rc == 0, less.output
    assert [one["rrule"][-10:] for one in world.awx.named("schedules").values()] == ["INTERVAL=2"]
    assert json.loads(world.template("plan")["extra_vars"]) == {"livepatch_coordinator": "store2"}
    assert set(world.awx.named("credentials")) == {"ssh"}
    assert world.awx.linked("job_templates", f"{_NAME}: plan", "credentials") == ["ssh"]


def test_secrets_are_written_when_that_is_asked_for(world: World) -> None:
    assert world.run().rc == 0
    other = {**_DESCRIPTION["awx_secrets"], "webhook_secret": "swordtail"}
    assert world.run(awx_secrets=other).rc == 0
    assert world.awx.named("credentials")[_NAME]["inputs"]["webhook_secret"] == "psst", (
        "nobody can tell that it differs"
    )
    told = world.run(awx_secrets=other, awx_update_secrets=True)
    assert world.awx.named("credentials")[_NAME]["inputs"]["webhook_secret"] == "swordtail", told.output
    assert not any(secret in told.output for secret in ("swordtail", "hush", "swordfish"))


def test_check_mode_changes_nothing(world: World) -> None:
    assert world.run().rc == 0
    checked = world.run("--check", awx_timeout=60)
    assert (checked.rc, world.awx.changes) == (0, []), checked.output
    assert checked.changed > 0


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"awx_inventory": "Serbers"}, "Serbers"),
        (
            {"awx_schedules": {"reconcile": "DTSTART:20261201T220000Z RRULE:FREQ=DAILY"}},
            "INTERVAL required in rrule",
        ),
        ({"awx_schedules": {"recon": "DTSTART:20261201T220000Z RRULE:FREQ=DAILY;INTERVAL=1"}}, "recon"),
        ({"awx_variables": {}}, "livepatch_coordinator"),
        ({"awx_secrets": {"prometheus_pasword": "hush"}}, "prometheus_pasword"),
    ],
)
def test_what_is_wrong_is_told(world: World, changed: dict[str, t.Any], problem: str) -> None:
    run = world.run(**changed)
    assert run.rc != 0
    assert problem in run.output
    assert "hush" not in run.output


def test_the_example(world: World) -> None:
    (play,) = examples.of_role("awx")
    run = world.play(play)
    assert run.rc == 0, run.output
    assert len(world.awx.objects["schedules"]) == 2


def test_the_guide(world: World, tmp_path: Path) -> None:
    """What it shows, as somebody types it who has awx.awx; AWX and the git repository are elsewhere only."""
    folder, repository = tmp_path / "checkout", tmp_path / "livepatch.git"
    (folder / ".cache").mkdir(parents=True)
    (folder / ".cache/build").symlink_to(world.controller.folder / "artifact")
    (folder / "docs").symlink_to(_CHECKOUT / "docs")
    collections = tmp_path / "collections/ansible_collections"
    collections.mkdir(parents=True)
    (collections / "awx").symlink_to(world.controller.folder / "collections/ansible_collections/awx")
    subprocess.run(["git", "init", "--quiet", "--bare", repository], check=True)
    world.controller.settings = {
        "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "collections"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        **{f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{repository}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://git.example.com/livepatch.git",
    }

    def typed(text: str, where: Path = folder) -> None:
        run = subprocess.run(
            ["bash", "-euxc", text],
            cwd=where,
            env=world.controller.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout

    project, objects, again, image = examples.blocks(_GUIDE, "console")
    described, changed, sliced = map(yaml.safe_load, examples.blocks(_GUIDE, "yaml"))
    typed(project)
    # What AWX does with it
    typed(f"git clone --quiet --branch=main {repository} project", tmp_path)
    typed("ansible-galaxy collection install -r collections/requirements.yml -p there", tmp_path / "project")
    assert (tmp_path / "project/there/ansible_collections/fleet/livepatch/MANIFEST.json").exists()
    world.awx.playbooks = {path.name for path in (tmp_path / "project").glob("*.yml")}
    with web.served(world.awx.answer) as url:
        objects = objects.replace("https://awx.example.com", url)
        (folder / "awx.yml").write_text(yaml.safe_dump(described))
        typed(objects)
        assert set(world.awx.named("schedules")) == {f"{_NAME}: status"}
        for added, kinds in ((changed, ("status", "reconcile")), (sliced, ("reconcile", "wave"))):
            described[0]["tasks"][0]["vars"].update(added)
            (folder / "awx.yml").write_text(yaml.safe_dump(described))
            # In the same terminal
            typed("\n".join([*re.findall("^export .*", objects, re.MULTILINE), again]))
            assert set(world.awx.named("schedules")) == {f"{_NAME}: {kind}" for kind in kinds}
    typed(image)
    assert (folder / "livepatch-ee/Containerfile").exists()
    clicked = set(re.findall(r"`(Live patching[^`]*)`", _GUIDE.read_text()))
    assert len(clicked) > 5
    assert clicked <= {name for kind in FIELDS for name in world.awx.named(kind)}


def test_without_the_modules_it_says_so(controller: Controller) -> None:
    run = World(controller).run()
    assert run.rc != 0
    assert "awx.awx" in run.output and "ansible-galaxy collection install awx.awx" in run.output, run.output


def test_the_stand_in_refuses_what_it_does_not_know() -> None:
    awx = Awx(["plan.yml"])
    for kind in FIELDS:
        with pytest.raises(Exception, match=r"not known|required"):
            awx.add(kind, name="x", nonsense=1)
