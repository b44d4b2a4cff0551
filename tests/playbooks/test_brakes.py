# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What operators do to an open rollout acts on it, from wherever it is done, or exits with an error.

A rollout has patched its canary a1, and a2 would start next: its log tells whether it did. Where the rollout is
recorded is said in each way that Ansible has, and operators come from another folder, as another user, with --limit, or
to a coordinator whose sudo wants a password.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import random
import re
import shutil
import subprocess
import tempfile
import typing as t
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import another_user, cores
from tests.support.fake_fleet import FakeFleet, FakeHost
from tests.support.locks import locked

_ACTIONS = ("halt", "approve", "reject", "abort", "quarantine", "rollback", "report")
_SETTINGS = ("scope", "store_path", "coordinator")
_PLACES = ("group_vars", "host_vars", "-e", "templated")
_WAYS = ("--limit", "another folder", "another user", "sudo with a password")
# Of so many `make test` takes some
_SAMPLE = 7
_SEED = 1
_SCOPE = "web"
_SUDO = Path(__file__).parents[1] / "support/fakes/sudo"


class Cell(t.NamedTuple):
    """
    :ivar setting: which of those that say where the rollout is recorded.
    :ivar place: where it is set.
    :ivar way: how the operator comes.
    """

    action: str
    setting: str
    place: str
    way: str

    @property
    def may_refuse(self) -> bool:
        """A rollback of a canary that --limit leaves out."""
        return (self.action, self.way) == ("rollback", "--limit")


CELLS = [Cell(*parts) for parts in itertools.product(_ACTIONS, _SETTINGS, _PLACES, _WAYS)]


def _choose_sample() -> list[Cell]:
    """Cells that have as many pairs of values as so few can have, and those that may refuse last."""
    chooser = random.Random(_SEED)
    left = {pair for cell in CELLS for pair in itertools.combinations(enumerate(cell), 2)}
    sample: list[Cell] = []
    for number in range(_SAMPLE):
        action = _ACTIONS[number % len(_ACTIONS)]
        cells = [cell for cell in CELLS if cell.action == action and not cell.may_refuse]
        chooser.shuffle(cells)
        best = max(cells, key=lambda cell: len(left & set(itertools.combinations(enumerate(cell), 2))))
        left -= set(itertools.combinations(enumerate(best), 2))
        sample.append(best)
    return sample


def _list_parameters() -> list[t.Any]:
    sample = _choose_sample()
    return [
        pytest.param(cell, id="-".join(cell).replace(" ", "_"), marks=[] if cell in sample else [pytest.mark.slow])
        for cell in CELLS
    ]


@dataclasses.dataclass(frozen=True)
class _Snapshots:
    """A rollout whose next wave waits for an approval, has it, and is halted: its hosts, its store."""

    folder: Path
    plan_hash: str
    rollout: str

    def place(self, state: str, hosts: Path, store: Path) -> None:
        shutil.rmtree(hosts)
        shutil.copytree(self.folder / "hosts", hosts)
        store.parent.mkdir(parents=True, exist_ok=True)
        another_user.share(store.parent)
        for file in store.parent.glob(f"{store.name}*"):
            file.unlink()
        shutil.copy(self.folder / f"{state}.sqlite3", store)
        another_user.share(store)


def _make(fake_fleet: FakeFleet) -> None:
    hosts = {name: FakeHost(variables={"livepatch_canary": name == "a1"}) for name in ("a1", "a2")}
    fake_fleet.make({**hosts, "c1": FakeHost()}, {}, common={"livepatch_waves": [1]})


# Of each run: the hosts are those of the rollout, c1 is none of them
_RUN = {"livepatch_targets": "a", "livepatch_approval": ["all"]}


def _prepare(fake_fleet: FakeFleet, folder: Path) -> None:
    """Makes the snapshots in a new folder."""
    folder.mkdir()
    store = folder / "rollouts.sqlite3"
    place = {"livepatch_store_path": str(store), "livepatch_scope": _SCOPE, "livepatch_targets": "a"}

    def run(playbook: str, **extra: t.Any) -> str:
        run = fake_fleet.again([f"fleet.livepatch.{playbook}", "-e", json.dumps({**place, **extra})])
        assert run.rc == 0, run.output
        return run.output

    _make(fake_fleet)
    waiting = run("rollout", livepatch_approval=["all"])
    plan_hash = re.findall(r"^Plan ([0-9a-f]{64})$", waiting, re.MULTILINE)[-1]
    run("approve", livepatch_plan_hash=plan_hash, livepatch_wave="0")
    run("rollout", livepatch_approval=["all"])
    assert fake_fleet.touched() == {"a1": ["3-1"]}
    shutil.copytree(fake_fleet.folder("a1").parent, folder / "hosts")
    shutil.copy(store, folder / "waiting.sqlite3")
    run("approve", livepatch_plan_hash=plan_hash, livepatch_wave="1")
    shutil.copy(store, folder / "approved.sqlite3")
    halted = run("halt", livepatch_reason="the array misbehaves")
    shutil.copy(store, folder / "halted.sqlite3")
    (rollout,) = set(re.findall(r"rollout ([0-9a-f]{32}) of plan", " ".join(halted.split())))
    (folder / "known.json").write_text(json.dumps([plan_hash, rollout]))


class _Brakes:
    """An operator, and the rollout."""

    def __init__(self, fake_fleet: FakeFleet, snapshots: _Snapshots, folder: Path) -> None:
        self._fleet = fake_fleet
        self._snapshots = snapshots
        self._folder = folder
        self._hosts = fake_fleet.folder("a1").parent
        self._inventory = json.loads(fake_fleet.inventory.read_text())
        (folder / "password").write_text("secret\n")

    def prepare(self, cell: Cell, state: str) -> None:
        store = self._folder / "shared/rollouts.sqlite3"
        self._snapshots.place(state, self._hosts, store)
        if cell.way == "another user":
            for path in [self._hosts, *self._hosts.rglob("*")]:
                path.chmod(0o777)
        self._extra = dict(_RUN)
        inventory = json.loads(json.dumps(self._inventory))
        groups, common = inventory["all"]["children"], inventory["all"]["vars"]
        common["livepatch_store_group"] = another_user.GROUP
        away = cell.setting == "coordinator" or cell.way == "sudo with a password"
        values = {"scope": _SCOPE, "store_path": str(store), "coordinator": "c1" if away else "localhost"}
        templates = {
            "scope": "{{ ['w', 'eb'] | join }}",
            "store_path": "{{ inventory_dir }}" + str(store).removeprefix(str(self._fleet.inventory.parent)),
            "coordinator": "{{ groups['c'][0] }}" if away else "{{ 'localhost' }}",
        }
        for setting, value in values.items():
            name = f"livepatch_{setting}"
            if setting != cell.setting:
                common[name] = value
            elif cell.place == "-e":
                self._extra[name] = value
            elif cell.place == "host_vars":
                for variables in groups["a"]["hosts"].values():
                    variables[name] = value
            else:
                groups["a"]["vars"] = {name: templates[setting] if cell.place == "templated" else value}
        if cell.way == "sudo with a password":
            groups["c"]["vars"] = {"ansible_become": True, "ansible_become_exe": str(_SUDO)}
        self._fleet.inventory.write_text(json.dumps(inventory))

    def run(self, cell: Cell, playbook: str, **extra: str) -> tuple[int, str]:
        """As the operator; the rollout itself is run as it was before."""
        operator = playbook != "rollout"
        command = [f"fleet.livepatch.{playbook}", "-i", str(self._fleet.inventory)]
        command += ["-e", json.dumps({**self._extra, **extra})]
        environment, folder, prefix = self._fleet.environment(), self._fleet.inventory.parent, ()
        if cell.way == "sudo with a password":
            command += ["--become-password-file", str(self._folder / "password")]
        if operator and cell.way == "--limit":
            command += ["--limit", "a2"]
        if operator and cell.way == "another folder":
            folder = Path("/")
        if operator and cell.way == "another user":
            environment, prefix = another_user.adapt(environment, self._folder), another_user.COMMAND
        bin_ = cores.environment(cores.NEWEST)
        run = subprocess.run(
            [*prefix, str(bin_ / "ansible-playbook"), *command],
            cwd=folder,
            env={**environment, "ANSIBLE_NOCOLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return run.returncode, run.stdout

    def has_started(self) -> bool:
        """Whether the host that was next was given a patch."""
        return "a2" in self._fleet.touched()


@pytest.fixture(scope="module")
def brakes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Brakes]:
    another_user.require()
    # Pytest's folders are for root only
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        fake_fleet = FakeFleet(Path(name), cores.environment(cores.NEWEST))
        # Of all processes that run these tests one prepares it
        base = tmp_path_factory.getbasetemp()
        folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "brakes"
        with locked(folder.with_suffix(".lock")):
            if not (folder / "known.json").exists():
                _prepare(fake_fleet, folder)
        snapshots = _Snapshots(folder, *json.loads((folder / "known.json").read_text()))
        _make(fake_fleet)
        yield _Brakes(fake_fleet, snapshots, Path(name))


_REASON = {"livepatch_reason": "the array misbehaves"}
# What is typed beside the playbook's name
_TYPED: dict[str, Callable[[str], dict[str, str]]] = {
    "halt": lambda _hash: _REASON,
    "approve": lambda plan_hash: {"livepatch_plan_hash": plan_hash, "livepatch_wave": "1"},
    "reject": lambda plan_hash: {"livepatch_plan_hash": plan_hash, "livepatch_wave": "1", **_REASON},
    "abort": lambda _hash: _REASON,
    "quarantine": lambda _hash: {"livepatch_quarantine": "add", "livepatch_quarantine_host": "a2", **_REASON},
    "rollback": lambda _hash: _REASON,
    "report": lambda _hash: {},
}
_STATES = {"approve": "waiting", "report": "halted"}


def test_without_a_brake_the_next_host_starts(brakes: _Brakes) -> None:
    cell = Cell("", "scope", "group_vars", "")
    brakes.prepare(cell, "approved")
    rc, output = brakes.run(cell, "rollout")
    assert (rc, brakes.has_started()) == (0, True), output


@pytest.mark.parametrize("cell", _list_parameters())
def test_it_brakes_or_fails(brakes: _Brakes, cell: Cell) -> None:
    brakes.prepare(cell, _STATES.get(cell.action, "approved"))
    snapshots = brakes._snapshots
    rc, output = brakes.run(cell, cell.action, **_TYPED[cell.action](snapshots.plan_hash))
    if rc != 0:
        print(f"REFUSED {cell}")
        assert cell.may_refuse, output
        return
    if cell.action == "report":
        assert snapshots.rollout[:12] in output, output
        assert "halted" in output, output
        return
    _rc, after = brakes.run(cell, "rollout")
    assert brakes.has_started() == (cell.action == "approve"), f"{output}\n{after}"


def test_few_may_refuse() -> None:
    assert sum(cell.may_refuse for cell in CELLS) <= len(CELLS) / 5
