# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands of the guides do what the guides say; the hosts are pretended."""

from __future__ import annotations

import re
import shlex
import typing as t
from pathlib import Path

import pytest
import yaml

from tests.support import cores
from tests.support.pretended import Pretence, Pretended

_CHECKOUT = Path(__file__).parents[2]
_GUIDES = [_CHECKOUT / "README.md", *sorted((_CHECKOUT / "docs").glob("*.md"))]
_NAMES = [str(path.relative_to(_CHECKOUT)) for path in _GUIDES]
# What ends badly since it has to, over hosts that are well
_BAD = ("nothing to bring hosts back from", "none of these hosts has a patch of that rollout")


def _blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)


def _commands(block: str) -> list[list[str]]:
    lines = block.splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.startswith("ansible-playbook ")]


def _groups() -> t.Iterator[t.Any]:
    """The commands of each block that has some, which are typed one after the other."""
    for guide, name in zip(_GUIDES, _NAMES, strict=True):
        blocks = [*_blocks(guide, "console"), *_blocks(guide, "")]
        for number, commands in enumerate(filter(None, map(_commands, blocks))):
            yield pytest.param(commands, id=f"{name}-{number}")


@pytest.fixture(scope="module")
def pretence(tmp_path_factory: pytest.TempPathFactory) -> Pretence:
    return Pretence(tmp_path_factory.mktemp("pretence"), cores.environment(cores.NEWEST))


@pytest.mark.parametrize("commands", list(_groups()))
def test_commands(pretence: Pretence, tmp_path: Path, commands: list[list[str]]) -> None:
    pretence.make({name: Pretended() for name in ("web1", "web2", "app1")}, {}, common={})
    hash_ = ""
    for _program, *words in commands:
        at = words.index("-i")
        typed = [*words[:at], *words[at + 2 :], "-e", f"livepatch_report_dir={tmp_path}"]
        # The group web is w among these hosts.
        typed = [word.replace("HASH", hash_).replace("livepatch_targets=web", "livepatch_targets=w") for word in typed]
        run = pretence.again(typed)
        told = f"{shlex.join(typed)}\n{run.output}"
        assert run.rc == 0 or any(text in run.output for text in _BAD), told
        plan = re.search(r"^(?:Plan|The open plan) ([0-9a-f]{64})$", run.output, re.MULTILINE)
        hash_ = plan[1] if plan else hash_


def test_commands_are_found() -> None:
    assert len(list(_groups())) > 10


def test_make_knows_its_targets() -> None:
    typed = []
    for guide in _GUIDES:
        lines = "".join([*_blocks(guide, "console"), *_blocks(guide, "")]).splitlines()
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
def test_variables_are_those_of_the_readme(guide: Path) -> None:
    known = set(re.findall(r"`(livepatch_[a-z_]+)`", (_CHECKOUT / "README.md").read_text()))
    for block in _blocks(guide, "yaml"):
        used = {name for name in _variables(yaml.safe_load(block)) if name.startswith("livepatch_")}
        assert used <= known, block


@pytest.mark.parametrize("guide", _GUIDES, ids=_NAMES)
def test_links_lead_somewhere(guide: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", guide.read_text()):
        assert "://" in target or (guide.parent / target).exists(), target
