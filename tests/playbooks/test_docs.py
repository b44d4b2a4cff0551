# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands of the guides do what the guides say, over fake hosts."""

from __future__ import annotations

import re
import shlex
import shutil
import time
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.fleet.livepatch.plugins.module_utils._store.dispatch import Store
from tests.support import cores
from tests.support.examples import blocks
from tests.support.fake_fleet import FakeFleet, FakeHost

_CHECKOUT = Path(__file__).parents[2]
# What the one for AWX shows is run where AWX is stood for: tests/playbooks/test_awx_role.py
_AWX = _CHECKOUT / "docs/awx/README.md"
_INVENTORY = _CHECKOUT / "docs/inventory"
_GUIDES = [_CHECKOUT / "README.md", *sorted((_CHECKOUT / "docs").glob("*.md")), _AWX, _INVENTORY / "README.md"]
_NAMES = [str(path.relative_to(_CHECKOUT)) for path in _GUIDES]
# Errors that these commands must have over healthy hosts
_BAD = (
    "there is nothing to roll back",
    "none of these hosts has a patch of that rollout",
    "is not a backup of the store",
)
# Playbooks that act on what rollouts have recorded: others, before them in the guide, would have
_ON_RECORDED = ("abort", "halt", "quarantine", "report", "resume")


def _commands(block: str) -> list[list[str]]:
    programs = ("ansible-playbook ", "ansible-inventory ")
    return [shlex.split(line, comments=True) for line in block.splitlines() if line.startswith(programs)]


def _groups() -> t.Iterator[t.Any]:
    """The commands of each block that has some, which are typed one after the other."""
    for guide, name in zip(_GUIDES, _NAMES, strict=True):
        shown = [] if guide == _AWX else [*blocks(guide, "console"), *blocks(guide, "")]
        for number, commands in enumerate(filter(None, map(_commands, shown))):
            yield pytest.param(commands, id=f"{name}-{number}")


@pytest.fixture(scope="module")
def fake_fleet(tmp_path_factory: pytest.TempPathFactory) -> FakeFleet:
    return FakeFleet(tmp_path_factory.mktemp("fake_fleet"), cores.environment(cores.NEWEST))


def _record(fake_fleet: FakeFleet) -> None:
    """What the commands of the guides find: a rollout that waits, halted, and a host that is barred."""
    run = fake_fleet.again(["fleet.livepatch.rollout", "-e", '{"livepatch_approval": [0]}'])
    assert "The rollout is waiting" in run.output, run.output
    store = Store(str(fake_fleet.store), time.time)
    for scope in ("default", None):
        store.halt(scope, "the array misbehaves", "eve")
    store.add_to_quarantine([{"host": "web1", "reason": "its disk is broken", "by": "eve"}])


@pytest.mark.parametrize("commands", list(_groups()))
def test_commands(fake_fleet: FakeFleet, tmp_path: Path, commands: list[list[str]]) -> None:
    cache = {
        "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(tmp_path / "facts"),
    }
    fake_fleet.make({name: FakeHost() for name in ("web1", "web2", "app1")}, cache, common={})
    shutil.copy(_INVENTORY / "livepatch.constructed.yml", fake_fleet.inventory.parent)
    if any(words[0] == "ansible-playbook" and words[1].endswith(_ON_RECORDED) for words in commands):
        _record(fake_fleet)
    hash_ = ""
    for words in commands:
        # The group web is w among these hosts.
        typed = [word.replace("HASH", hash_).replace("livepatch_targets=web", "livepatch_targets=w") for word in words]
        typed = [word.replace("/var/backups", str(tmp_path)) for word in typed]
        typed += ["-e", f"livepatch_report_dir={tmp_path}"]
        run = fake_fleet.typed(typed)
        told = f"{shlex.join(typed)}\n{run.stdout}"
        assert run.returncode == 0 or any(text in run.stdout for text in _BAD), told
        plan = re.search(r"^(?:Plan|The open plan) ([0-9a-f]{64})$", run.stdout, re.MULTILINE)
        hash_ = plan[1] if plan else hash_


def test_commands_are_found() -> None:
    assert len(list(_groups())) > 10


def test_make_knows_its_targets() -> None:
    typed = []
    for guide in _GUIDES:
        lines = "".join([*blocks(guide, "console"), *blocks(guide, "")]).splitlines()
        typed += [shlex.split(line, comments=True) for line in lines if line.startswith("make ")]
        typed += [line.split() for line in re.findall(r"`(make [^`]+)`", guide.read_text())]
    known = set(re.findall(r"^([a-z0-9-]+):.*## ", (_CHECKOUT / "Makefile").read_text(), re.MULTILINE))
    named = {word for line in typed for word in line[1:] if "=" not in word}
    assert len(named) > 5
    assert named <= known


def _variables(told: t.Any) -> t.Iterator[str]:
    if isinstance(told, dict):
        for key, value in told.items():
            yield str(key)
            yield from _variables(value)
    elif isinstance(told, list):
        for value in told:
            yield from _variables(value)


@pytest.mark.parametrize("guide", _GUIDES, ids=_NAMES)
def test_variables_are_settings(guide: Path) -> None:
    known = set(re.findall(r"^\| `(livepatch_[a-z_]+)` ", (_CHECKOUT / "docs/settings.md").read_text(), re.MULTILINE))
    for block in blocks(guide, "yaml"):
        used = {name for name in _variables(yaml.safe_load(block)) if name.startswith("livepatch_")}
        assert used <= known, block


@pytest.mark.parametrize("guide", _GUIDES, ids=_NAMES)
def test_links_lead_somewhere(guide: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", guide.read_text()):
        assert "://" in target or (guide.parent / target).exists(), target
