# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts that lie beside three that do not: whatever they answer, nothing else becomes of the others.

Each hostile host tells an honest answer in which one value is another. The answers go over the wire as they are.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sqlite3
import typing as t
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from tests.support import cores, factories, hostile
from tests.support.controller import Run
from tests.support.fake_fleet import FakeFleet, FakeHost

HONEST = ("a1", "a2", "a3")
REFUSED = "the host's answer cannot be used: "
PATCHED = {"active": "3-1"}
# What a hostile host tells instead (tests/support/fakes/ssh): its first answer, or its second; of a detached run its
# start, or its end
FIRST, START, END, SECOND = "first.now", "start.after", "end.after", "second.after"
OWNED = Path("/tmp/fleet.livepatch-owned")
# In one run; longer runs have all the hosts that one may carry
_HOSTS, _MOST_HOSTS = 120, 500


@pytest.fixture(scope="module", params=cores.EACH)
def fake_fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FakeFleet:
    return FakeFleet(tmp_path_factory.mktemp("fake_fleet"), cores.environment(request.param))


@dataclasses.dataclass(frozen=True)
class Hostile:
    """A hostile host: what it answers, and where in the order of its answers."""

    mutation: hostile.Mutation
    file: str
    honest: Mapping[str, t.Any]
    conditions: Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    variables: Mapping[str, t.Any] = dataclasses.field(default_factory=dict)

    def to_host(self) -> FakeHost:
        text = self.mutation.apply(self.honest)
        return FakeHost(self.conditions, self.variables, {self.file: text + "\n"})


def _sample(mutations: Sequence[hostile.Mutation], count: int) -> list[hostile.Mutation]:
    """As many of them as are wanted, from all over: of each key, and of each value."""
    light = [mutation for mutation in mutations if mutation.name not in hostile.HEAVY]
    heavy = [mutation for mutation in mutations if mutation.name in hostile.HEAVY][:: max(1, len(mutations) // 60)][:3]
    # A step that has no divisor in common with the number of values: else it would be the same ones of each key.
    step = max(1, len(light) // max(1, count - len(heavy)))
    step += 1 - step % 2
    return (light[::step] + heavy)[:count]


def _record(fake_fleet: FakeFleet, host: FakeHost, arguments: Sequence[str]) -> list[dict[str, t.Any]]:
    """What a host honestly answers, in order."""
    run = fake_fleet.run({"a1": dataclasses.replace(host, answers={})}, arguments, {}, common={})
    assert run.rc == 0, run.output
    return [json.loads(text) for text in fake_fleet.told("a1")]


@dataclasses.dataclass(frozen=True)
class Traces:
    """What a run has left of the honest hosts, and what it handed over."""

    rows: Mapping[str, t.Any]
    stored: Sequence[t.Any]
    commands: Mapping[str, Sequence[str]]
    artifacts: Sequence[str]
    files: Sequence[str]


_TIMES = ("at", "created_at", "seconds", "since", "started", "ended", "verified", "fence")


def _trace(fake_fleet: FakeFleet, run: Run, folder: Path) -> Traces:
    rows = {host["name"]: host for host in _load_report(folder)["hosts"] if host["name"] in HONEST}
    stored: list[t.Any] = []
    if fake_fleet.store.exists():
        with sqlite3.connect(fake_fleet.store) as store:
            columns = [row[1] for row in store.execute("pragma table_info(outcomes)")]
            table = store.execute("select * from outcomes order by host")
            stored = [dict(zip(columns, row, strict=True)) for row in table]
    artifacts = json.loads(run.output.partition("CUSTOM STATS")[2].partition("RUN:")[2].strip() or "{}")
    # The hash is of a plan of other hosts, the ID is made anew, and the hostile hosts may fail the rollout.
    assert all(re.fullmatch(r"[0-9a-f]+|done|failed|halted", text) for text in artifacts.values()), artifacts
    files = sorted(path.suffix for path in folder.iterdir())
    commands = {name: fake_fleet.commands(name) for name in HONEST}
    assert set(rows) == set(HONEST) and all(commands.values())
    return Traces(
        _strip(rows), _strip([row for row in stored if row["host"] in HONEST]), commands, sorted(artifacts), files
    )


def _load_report(folder: Path) -> t.Any:
    paths = [path for path in folder.glob("livepatch-*.json") if "vex" not in path.name]
    assert len(paths) == 1, "the run ended without its report"
    return json.loads(paths[0].read_text(), parse_constant=pytest.fail)


def _strip(value: t.Any) -> t.Any:
    """Without what is another in each run."""
    if isinstance(value, dict):
        return {key: _strip(below) for key, below in value.items() if key not in _TIMES and "rollout" not in key}
    if isinstance(value, list):
        return [_strip(below) for below in value]
    if isinstance(value, str) and value.startswith("{"):
        return _strip(json.loads(value))
    return value


@dataclasses.dataclass
class Assault:
    """A run beside hostile hosts, and the same without them."""

    fleet: FakeFleet
    hosts: Mapping[str, Hostile]
    # Makes the arguments of ansible-playbook from the folder for its files
    arguments: Callable[[Path], Sequence[str]]
    honest: Mapping[str, FakeHost]
    # What the last run says of each host
    reasons: dict[str, str] = dataclasses.field(default_factory=dict)

    def check(self, folder: Path) -> None:
        alone = self._run({}, folder / "alone")
        beside = self._run({name: host.to_host() for name, host in self.hosts.items()}, folder / "beside")
        lost = self._list_lost()
        refused = sum(not host.mutation.accepted for host in self.hosts.values())
        reached = len(self.hosts) - len(lost)
        print(f"{reached} of {len(self.hosts)} mutations reached the control node, {refused} of them to be refused")
        problems = [
            f"{name}: {host.mutation.path} {host.mutation.name}: {self.reasons[name]}"
            for name, host in self.hosts.items()
            if (REFUSED in self.reasons[name]) is host.mutation.accepted
        ]
        assert problems == []
        assert lost == []
        assert not OWNED.exists()
        assert beside == alone

    def _run(self, others: Mapping[str, FakeHost], folder: Path) -> Traces:
        folder.mkdir(parents=True)
        hosts = {**self.honest, **others}
        settings = {"ANSIBLE_SHOW_CUSTOM_STATS": "true", "ANSIBLE_FORKS": "20"}
        run = self.fleet.run(hosts, self.arguments(folder), settings, common={})
        if not others:
            assert run.rc == 0, run.output
        # What a terminal would obey. Ansible indents its custom stats with a tabulator.
        wild = [line for line in re.split(r"\n\t?", run.output) if not hostile.is_printable_line(line)]
        assert wild == []
        self.reasons = {row["name"]: row["reason"] for row in _load_report(folder)["hosts"]}
        for event in run.ended("rollout_finish").values():
            # What a host was refused for is in its outcome, also where it was rolled back since.
            self.reasons.update({row["host"]: row["reason"] for row in event.result["outcomes"]})
        return _trace(self.fleet, run, folder)

    def _list_lost(self) -> list[str]:
        """Hosts whose answer did not go over the wire in the place of the honest one, or that are not reported."""
        lost = []
        for name, host in self.hosts.items():
            sent = self.fleet.folder(name) / "answers/sent"
            if name not in self.reasons or not sent.exists() or host.file not in sent.read_text().split():
                lost.append(f"{name}: {host.mutation.path} {host.mutation.name}: {self.reasons.get(name)}")
        return lost


def _status(folder: Path) -> list[str]:
    return ["fleet.livepatch.status", "-e", json.dumps({"livepatch_report_dir": str(folder)})]


def _plan(folder: Path) -> list[str]:
    return [
        "fleet.livepatch.plan",
        "-e",
        json.dumps({"livepatch_report_dir": str(folder), "livepatch_waves": ["100%"]}),
    ]


@pytest.mark.parametrize(
    ("arguments", "conditions", "count"),
    [(_status, PATCHED, _HOSTS), cores.slow(_status, PATCHED, _MOST_HOSTS), cores.slow(_plan, {}, 2 * _HOSTS)],
    ids=["status", "status-most", "plan"],
)
def test_playbooks_that_ask(
    fake_fleet: FakeFleet,
    tmp_path: Path,
    arguments: Callable[[Path], list[str]],
    conditions: dict[str, str],
    count: int,
) -> None:
    # Of another cohort, whose canaries are none of the honest ones
    (honest,) = _record(fake_fleet, FakeHost({**conditions, "build": "b"}), arguments(tmp_path / "recorded"))
    chosen = _sample(hostile.list_mutations(honest), count)
    hosts = {f"h{number:03}": Hostile(mutation, FIRST, honest) for number, mutation in enumerate(chosen)}
    Assault(fake_fleet, hosts, arguments, dict.fromkeys(HONEST, FakeHost(conditions))).check(tmp_path)


@pytest.mark.slow
def test_prestage(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    """Hosts that lie when they are asked, and when they have downloaded."""
    prestage = ["fleet.livepatch.prestage", "-e", "livepatch_output=json"]
    gathered, downloaded = _record(fake_fleet, FakeHost(), prestage)
    hosts = {
        f"{letter}{number:03}": Hostile(mutation, file, honest)
        for letter, file, honest, count in [("h", FIRST, gathered, 120), ("d", SECOND, downloaded, 120)]
        for number, mutation in enumerate(_sample(hostile.list_mutations(honest), count))
    }

    def run(others: Mapping[str, FakeHost]) -> tuple[dict[str, t.Any], t.Any]:
        settings = {"ANSIBLE_SHOW_CUSTOM_STATS": "true", "ANSIBLE_FORKS": "20"}
        ended = fake_fleet.run({**dict.fromkeys(HONEST, FakeHost()), **others}, prestage, settings, common={})
        # The plan is printed first.
        texts = re.findall(r"^\{$.*?^\}$", ended.output, re.MULTILINE | re.DOTALL)
        rows = {row["host"]: row for row in json.loads(texts[-1])["hosts"]}
        return rows, ({name: fake_fleet.commands(name) for name in HONEST}, {name: rows[name] for name in HONEST})

    _rows, alone = run({})
    rows, beside = run({name: host.to_host() for name, host in hosts.items()})
    wrong = [
        (name, host.mutation, rows[name])
        for name, host in hosts.items()
        if (REFUSED in rows[name]["reason"]) is host.mutation.accepted
    ]
    assert fake_fleet.sent() == len(hosts)
    assert wrong == []
    assert not OWNED.exists()
    assert beside == alone


def _rollout(folder: Path) -> list[str]:
    settings = {
        "livepatch_report_dir": str(folder),
        # All may fail in the second wave, which the hostile ones are in.
        "livepatch_waves": ["100%"],
        "livepatch_budget": "100%",
        "livepatch_budget_lost": "100%",
    }
    return ["fleet.livepatch.rollout", "-e", json.dumps(settings)]


@pytest.mark.parametrize("times", [1, cores.slow(3)])
def test_rollout(fake_fleet: FakeFleet, tmp_path: Path, times: int) -> None:
    """Hosts that lie when they are asked are in no wave; others lie when their patch is started or verified."""
    other = {"build": "b"}
    gathered, started, verified, *_rest = _record(fake_fleet, FakeHost(other), _rollout(tmp_path / "recorded"))
    plan = [
        ("h", FIRST, gathered, hostile.list_mutations(gathered), 60),
        ("s", START, started, hostile.list_mutations(started, hostile.START_KEYS), 10),
        ("v", END, verified, hostile.list_mutations(verified), 20),
    ]
    hosts = {
        f"{letter}{number:03}": Hostile(mutation, file, honest, other)
        for letter, file, honest, mutations, count in plan
        for number, mutation in enumerate(_sample(mutations, times * count))
    }
    canary = FakeHost(other, {"livepatch_canary": True})
    Assault(fake_fleet, hosts, _rollout, {**dict.fromkeys(HONEST, FakeHost()), "b1": canary}).check(tmp_path)


_REPOSITORY = {
    "repository_url": "https://mirror.example.com/main",
    "repository_key": factories.public_key("vendor", "The vendor"),
}
# By role: its variables, what its hosts are like, and how many of them lie in which of its answers; rollback runs the
# tasks of install.
_ROLES: dict[str, tuple[dict[str, t.Any], dict[str, str], dict[str, int]]] = {
    "install": ({}, {}, {START: 8, END: 16}),
    "metrics": ({"metrics_dir": "/run"}, {}, {FIRST: 40, SECOND: 80}),
    # These hosts have no package manager of their own.
    "preflight": ({"preflight_tolerate": ["package_lock"]}, {}, {FIRST: 120}),
    "repository": (_REPOSITORY, {}, {FIRST: 80}),
    "verify": ({}, PATCHED, {FIRST: 120}),
}
_SLOW_ROLES = ("metrics", "preflight", "repository", "verify")


def _write_play(folder: Path, role: str) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    tasks = [{"ansible.builtin.import_role": {"name": f"fleet.livepatch.{role}"}, "vars": _ROLES[role][0]}]
    (folder / "role.yml").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    return [str(folder / "role.yml")]


@pytest.mark.parametrize("role", [cores.slow(role) if role in _SLOW_ROLES else role for role in _ROLES])
def test_role(fake_fleet: FakeFleet, tmp_path: Path, role: str) -> None:
    play = _write_play(tmp_path, role)
    _variables, conditions, counts = _ROLES[role]
    honest = dict(zip(counts, _record(fake_fleet, FakeHost(conditions), play), strict=False))
    hosts = {
        f"{letter}{number:03}": Hostile(mutation, file, honest[file], conditions)
        for letter, (file, count) in zip("st", counts.items(), strict=False)
        for keys in [hostile.START_KEYS if file == START else None]
        for number, mutation in enumerate(_sample(hostile.list_mutations(honest[file], keys), count))
    }
    settings = {"ANSIBLE_SHOW_CUSTOM_STATS": "true", "ANSIBLE_FORKS": "20"}

    def trace(others: Mapping[str, FakeHost]) -> tuple[Run, t.Any]:
        honest_hosts = dict.fromkeys(HONEST, FakeHost(conditions))
        run = fake_fleet.run({**honest_hosts, **others}, play, settings, common={})
        results = {(event.host, event.task): _strip(event.result) for event in run.events if event.host in HONEST}
        commands = {name: fake_fleet.commands(name) for name in HONEST}
        return run, (commands, sorted(results), {name: run.stats[name] for name in HONEST})

    alone, expected = trace({})
    assert alone.rc == 0, alone.output
    beside, found = trace({name: host.to_host() for name, host in hosts.items()})
    failed = {event.host: str(event.result.get("msg")) for event in beside.events if event.outcome == "failed"}
    wrong = [
        (name, host.mutation, failed.get(name))
        for name, host in hosts.items()
        if (REFUSED in failed.get(name, "")) is host.mutation.accepted
    ]
    print(f"{fake_fleet.sent()} answers of {len(hosts)} hosts were sent")
    assert fake_fleet.sent() == len(hosts)
    assert wrong == []
    assert "CUSTOM STATS" not in beside.output
    assert not OWNED.exists()
    assert found == expected


# In the place of the parser, at the end of its file
_IDENTITY = """


def parse_output(output, module, required=()):
    text = _find_object(output)
    return None if text is None else {**json.loads(text), "warnings": []}


def _REGISTERED(sent):
    known = ("changed", "failed", "unreachable", "msg", "problem", "halted", "run", *_BLOCKS)
    return {key: sent[key] for key in known if key in sent}
"""


@pytest.mark.slow
def test_without_the_parser_it_is_seen(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    (honest,) = _record(fake_fleet, FakeHost(PATCHED), ["fleet.livepatch.status"])
    chosen = _sample(hostile.list_mutations(honest), 40)
    hosts = {f"h{number:03}": Hostile(mutation, FIRST, honest) for number, mutation in enumerate(chosen)}
    parser = fake_fleet.plugins / "plugin_utils/_answers/answer.py"
    text = parser.read_text()
    parser.write_text(text + _IDENTITY)
    try:
        with pytest.raises(AssertionError) as found:
            Assault(fake_fleet, hosts, _status, dict.fromkeys(HONEST, FakeHost(PATCHED))).check(tmp_path)
    finally:
        parser.write_text(text)
    print(str(found.value)[:300])
