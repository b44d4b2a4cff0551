# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows each of the faults of `faults.py` on the commit that had them all (as root).

usage: python -m tests.tools.reproduce_faults [NUMBER...]   (all without numbers)

Real playbooks of that commit, with its names of settings and variables, over the hosts that it pretended for its own
tests: these answer from a file. Prints a line for each fault, and how many were reproduced; the exit code is 1 unless
all were.
"""

from __future__ import annotations

import contextlib
import dataclasses
import getpass
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import typing as t
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.support import cores
from tests.support.controller import end
from tests.support.trees import Tree, build_environment, place_tree
from tests.tools.faults import FAULTS, REVISION

_FAKES = Path(__file__).parents[1] / "support/fakes"
_PATIENCE = 600
# Seconds in which another rollout has ended
_OTHER_RUN = 150
# What is true of a host unless a fault needs something else
_WELL: dict[str, t.Any] = {
    "release": "6.4.0-150600.23.7-default",
    "build_id": "aaaa",
    "arch": "x86_64",
    "flavor": "default",
    "boot_id": "first",
    "state": "unpatched",
    "level": None,
    "installed": None,
    "kmp": "3-1",
    "rejected": [],
    "problems": [],
    "downloaded": False,
    "unfetched": "",
    "blind": None,
    "refusal": "",
    "stays": "",
    "stuck": "",
    "rollout": "",
    "slow": 0,
    "gone": False,
    "from": {},
}
# What the pretended modules of that commit do not do, and the real ones do
_CHANGES = {
    # Tells which health checks it was asked by
    "def ask(host: Host, module: AnsibleModule) -> None:\n": (
        '    if module.params["probes"]:\n'
        '        with (host._folder / "probes").open("a") as file:\n'
        '            file.write(json.dumps(module.params["probes"]["services"]) + "\\n")\n'
    ),
    # Keeps the number of the newest run, and refuses older ones, as `_apply.py` does
    "def apply(host: Host, module: AnsibleModule) -> None:\n": (
        '    fence = module.params["fence"]\n'
        '    newest = host.facts.get("fence")\n'
        "    if fence is not None and newest is not None and fence < newest:\n"
        '        module.fail_json(msg=f"a newer run of the rollout (number {newest}) has taken over this host, this is '
        'number {fence}", fenced=True, **host.blocks())\n'
        "    if fence is not None and not module.check_mode:\n"
        '        host.facts["fence"] = fence\n'
        "        host.save()\n"
    ),
}
_CLOCK = """\
import os
import time

path = os.environ.get("PRETENDED_HOST", "") + "/clock"
if os.path.exists(path):
    offset, now = float(open(path).read()), time.time
    time.time = lambda: now() + offset
"""
# Before that commit's own: a host that is lost after so many connections
_SSH = """\
#!/bin/sh
if [ "$#" -ge 2 ]; then
    eval "folder=\\$PRETENDED_HOSTS/\\${$(($# - 1))}"
    echo . >>"$folder/connections"
    if [ -e "$folder/last" ] && [ "$(wc -l <"$folder/connections")" -gt "$(cat "$folder/last")" ]; then
        touch "$folder/gone"
    fi
fi
exec "$PRETENDED_SSH" "$@"
"""


@dataclasses.dataclass(frozen=True)
class _Run:
    rc: int
    output: str

    def has(self, *texts: str) -> bool:
        """Whether it has said all of these, however lines were broken."""
        output = " ".join(self.output.split())
        return all(text in output for text in texts)


class _Fleet:
    """A control node with that commit's collection, and hosts that it pretends.

    :ivar groups: variables of the hosts whose names begin with a letter, by letter.
    :ivar variables: of each host.
    :ivar facts: what differs from a host that is well.
    """

    def __init__(self, tree: Tree, folder: Path) -> None:
        self.folder = folder
        self._tree = tree
        self._bin = cores.environment(cores.NEWEST)
        self._hosts = folder / "hosts"
        self._environment: dict[str, str] = {}
        self.store = folder / "home/fleet.livepatch/rollouts.sqlite3"
        self.groups: dict[str, dict[str, t.Any]] = {}
        self.variables: dict[str, dict[str, t.Any]] = {}

    def use_core(self, version: str) -> None:
        """Another ansible-core than the newest."""
        self._bin = cores.environment(version)

    def make(self, hosts: Mapping[str, Mapping[str, t.Any]], **common: t.Any) -> None:
        """
        :param hosts: what differs from one that is well.
        :param common: variables of the group all.
        """
        (self.folder / "site").mkdir(exist_ok=True)
        (self.folder / "site/sitecustomize.py").write_text(_CLOCK)
        ssh = self.folder / "ssh"
        ssh.write_text(_SSH)
        ssh.chmod(0o755)
        installed = next((self._bin.parent / "lib").glob("python3*/site-packages"))
        settings = {
            "PRETENDED_HOSTS": str(self._hosts),
            "PRETENDED_SSH": str(self._tree.root / "tests/support/fakes/ssh"),
            "PRETENDED_PYTHONPATH": f"{self.folder / 'site'}:{installed}",
        }
        self._environment = build_environment(self._tree.collections, self.folder / "home", settings)
        self._common = {
            "ansible_ssh_executable": str(ssh),
            "ansible_become": False,
            "ansible_async_dir": str(self.folder / "async"),
            "ansible_python_interpreter": str((self._bin / "python").resolve()),
            "ansible_ssh_transfer_method": "piped",
            "livepatch_waves": [1],
            "livepatch_lost_grace": 1,
            **common,
        }
        for name, facts in hosts.items():
            self.add(name, **facts)

    def add(self, name: str, **facts: t.Any) -> None:
        """One more host."""
        folder = self._hosts / str(self.variables.get(name, {}).get("ansible_host", name))
        folder.mkdir(parents=True)
        self.variables.setdefault(name, {})
        (folder / "facts.json").write_text(json.dumps({**_WELL, **facts}))

    def change(self, name: str, **facts: t.Any) -> None:
        path = self._hosts / name / "facts.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))
        (self._hosts / name / "gone").unlink(missing_ok=True)

    def forget(self) -> None:
        """The same hosts, as if nothing had been done."""
        self.store.unlink()
        for name in self.variables:
            path = self._hosts / name / "facts.json"
            facts = {
                **json.loads(path.read_text()),
                **{key: _WELL[key] for key in ("state", "level", "installed", "rollout")},
            }
            facts.pop("fence", None)
            facts.pop("applied", None)
            for file in path.parent.iterdir():
                file.unlink()
            path.write_text(json.dumps(facts))

    def get_folder(self, name: str) -> Path:
        return self._hosts / name

    def build_command(self, playbook: str, *arguments: str, **extra: t.Any) -> list[str]:
        groups: dict[str, t.Any] = {}
        for name, variables in self.variables.items():
            group = groups.setdefault(name[0], {"hosts": {}, "vars": self.groups.get(name[0], {})})
            group["hosts"][name] = variables
        inventory = self.folder / "inventory.yml"
        inventory.write_text(json.dumps({"all": {"children": groups, "vars": self._common}}))
        name = playbook if "/" in playbook else f"fleet.livepatch.{playbook}"
        given = ["-e", json.dumps(extra)] if extra else []
        return [str(self._bin / "ansible-playbook"), name, "-i", str(inventory), *arguments, *given]

    def run(self, playbook: str, *arguments: str, **extra: t.Any) -> _Run:
        """Runs a playbook to its end.

        :param extra: variables that are given with -e.
        """
        with (self.folder / "output").open("w+") as output:
            process = self.start(self.build_command(playbook, *arguments, **extra), output)
            try:
                rc = process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                rc = -1
            finally:
                end(process)
            output.seek(0)
            return _Run(rc, output.read())

    def start(self, command: Sequence[str], output: t.IO[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def list_touched(self) -> list[str]:
        return sorted(mark.parent.name for mark in self._hosts.glob("*/touched"))

    def list_barred(self) -> list[str]:
        """KMPs in quarantine."""
        with contextlib.closing(sqlite3.connect(self.store)) as database:
            rows = database.execute("SELECT kmp FROM quarantine WHERE cleared IS NULL AND kmp IS NOT NULL")
            return [str(kmp) for (kmp,) in rows]


class _Seen(t.NamedTuple):
    """Whether the fault was seen, and what was."""

    fault: bool
    text: str


_Scenario = Callable[[_Fleet], _Seen]
SCENARIOS: dict[int, _Scenario] = {}
_TWO: dict[str, dict[str, t.Any]] = {"a1": {}, "a2": {}}
_OOPS = [{"what": "oops", "text": "BUG: unable to handle page fault"}]


def _reproduces(number: int) -> Callable[[_Scenario], _Scenario]:
    def add(scenario: _Scenario) -> _Scenario:
        SCENARIOS[number] = scenario
        return scenario

    return add


def _mark_canary(fleet: _Fleet, *names: str) -> None:
    for name in names:
        fleet.variables[name]["livepatch_canary"] = True


def _wait_for_approval(fleet: _Fleet, **common: t.Any) -> _Run:
    """A rollout whose canary a1 is done, and whose next wave waits for an approval."""
    fleet.make(_TWO, **common)
    _mark_canary(fleet, "a1")
    run = fleet.run("rollout", livepatch_approval=["1"])
    if fleet.list_touched() != ["a1"]:
        raise RuntimeError(f"the canary alone should have been patched: {run.output}")
    return run


@_reproduces(1)
def _limit(fleet: _Fleet) -> _Seen:
    fleet.make(_TWO)
    halted = fleet.run("halt", "--limit", "a1,a2")
    fleet.run("rollout")
    touched = fleet.list_touched()
    return _Seen(
        halted.rc == 0 and halted.has("no hosts matched") and touched == ["a1", "a2"],
        f"halt --limit a1,a2: rc {halted.rc}, patched then: {touched}",
    )


@_reproduces(2)
def _groups(fleet: _Fleet) -> _Seen:
    fleet.make(_TWO)
    fleet.groups["a"] = {"livepatch_scope": "web"}
    halted = fleet.run("halt")
    fleet.run("rollout")
    touched = fleet.list_touched()
    return _Seen(
        halted.rc == 0 and halted.has("No host starts any more") and touched == ["a1", "a2"],
        f"halt: rc {halted.rc}, 'No host starts any more', patched then: {touched}",
    )


@_reproduces(3)
def _templates(fleet: _Fleet) -> _Seen:
    fleet.make(_TWO, livepatch_store_path="{{ inventory_dir }}/x.sqlite3", livepatch_scope="k-{{ stage }}", stage="t")
    run = fleet.run("rollout")
    path = next(fleet.folder.glob("{{*/x.sqlite3"), None)
    return _Seen(
        run.rc == 0 and path is not None, f"rc {run.rc}, the store is {path and path.relative_to(fleet.folder)}"
    )


@_reproduces(4)
def _shown(fleet: _Fleet) -> _Seen:
    _wait_for_approval(fleet)
    fleet.run("halt", livepatch_halt_reason="the array misbehaves")
    shown = {name: "array misbehaves" in fleet.run(name).output for name in ("report", "status")}
    return _Seen(not any(shown.values()), f"the halt is shown by: {[name for name in shown if shown[name]] or 'none'}")


@_reproduces(5)
def _blank(fleet: _Fleet) -> _Seen:
    refusals = {f"a{number}": {"refusal": "no" if number > 1 else ""} for number in range(1, 6)}
    fleet.make(refusals, livepatch_waves=[1, 1, 1])
    _mark_canary(fleet, "a1")
    fleet.run("rollout", livepatch_budget="")
    touched = fleet.list_touched()
    return _Seen(len(touched) == 5, f"with -e livepatch_budget= hosts failed in turn: {touched[1:]}")


@_reproduces(6)
def _unknown(fleet: _Fleet) -> _Seen:
    fleet.make(_TWO)
    run = fleet.run("rollout", livepatch_approvals=["all"], livepatch_window=[], livepatch_max_inflight=1)
    return _Seen((run.rc, fleet.list_touched()) == (0, ["a1", "a2"]), f"rc {run.rc}, patched: {fleet.list_touched()}")


@_reproduces(7)
def _forgotten(fleet: _Fleet) -> _Seen:
    _wait_for_approval(fleet)
    run = fleet.run("rollout")
    return _Seen(
        (run.rc, fleet.list_touched()) == (0, ["a1", "a2"]),
        f"the same command without its -e: rc {run.rc}, patched without an approval: {fleet.list_touched()}",
    )


@_reproduces(8)
def _nights(fleet: _Fleet) -> _Seen:
    fleet.make({**_TWO, "a3": {}})
    _mark_canary(fleet, "a1")
    (fleet.get_folder("a3") / "gone").touch()
    fleet.run("rollout")
    first = fleet.list_touched()
    fleet.change("a3")
    fleet.run("rollout")
    run = fleet.run("rollback", livepatch_reason="it leaks")
    back = [
        name
        for name in ("a1", "a2", "a3")
        if json.loads((fleet.get_folder(name) / "facts.json").read_text())["level"] == 1
    ]
    return _Seen(
        (first, run.rc, back) == (["a1", "a2"], 0, ["a3"]),
        f"night 1: {first}, night 2: a3; rollback: rc {run.rc}, back are {back}",
    )


@_reproduces(9)
def _endless(fleet: _Fleet) -> _Seen:
    window = {"start": "00:00", "minutes": 360, "tz": "UTC"}
    fleet.make(_TWO, livepatch_soak=86400, livepatch_windows=[window])
    run = fleet.run("rollout")
    return _Seen(
        run.rc == 0 and run.has("none that is long enough", "comes within 60 days"),
        f"a soak of a day, windows of six hours: rc {run.rc}, patched: {fleet.list_touched()}",
    )


@_reproduces(10)
def _entries(fleet: _Fleet) -> _Seen:
    fleet.make(_TWO)
    planned = fleet.run("plan")
    (plan_hash,) = re.findall(r"^Plan ([0-9a-f]{64})$", planned.output, re.MULTILINE)
    approved = fleet.run("approve", livepatch_plan_hash=plan_hash, livepatch_expires="2020-01-01T00:00+00:00")
    add = {"livepatch_quarantine": "add", "livepatch_reason": "it leaks"}
    added = fleet.run("quarantine", livepatch_quarantine_kmp="3-1", **add)
    nowhere = fleet.run("quarantine", livepatch_quarantine_host="nosuch", **add)
    cleared = fleet.run("quarantine", livepatch_quarantine="clear", livepatch_quarantine_id=99, livepatch_reason="r")
    fleet.run("rollout")
    codes = [run.rc for run in (approved, added, nowhere, cleared)]
    return _Seen(
        codes == [0, 0, 0, 0] and fleet.list_touched() == ["a1", "a2"],
        f"approval of 2020, KMP 3-1, host nosuch, entry 99: rc {codes}, patched then: {fleet.list_touched()}",
    )


@_reproduces(11)
def _asked(fleet: _Fleet) -> _Seen:
    fleet.make({**_TWO, "a3": {}}, livepatch_waves=[2], livepatch_max_in_flight=1, livepatch_soak=1)
    _mark_canary(fleet, "a1")
    for name, variables in fleet.variables.items():
        variables["livepatch_probes"] = {"services": [f"{name}.service"]}
    fleet.run("rollout")
    asked = {name: set((fleet.get_folder(name) / "probes").read_text().split()) for name in ("a2", "a3")}
    wrong = sorted(name for name in asked if asked[name] - {f'["{name}.service"]'})
    return _Seen(bool(wrong), f"asked for another host's services: {wrong or 'none'}")


@_reproduces(12)
def _undefined_policy(fleet: _Fleet) -> _Seen:
    fleet.make(_TWO, of_the_stage={"test": {"min_age": 3}}, livepatch_policy="{{ of_the_stage[stage] }}")
    fleet.variables["a1"]["stage"] = "test"
    run = fleet.run("rollout")
    return _Seen(run.rc == 0 and "a2" in fleet.list_touched(), f"rc {run.rc}, patched: {fleet.list_touched()}")


@_reproduces(13)
def _unconfirmed(fleet: _Fleet) -> _Seen:
    # Newer ones make of it the result of a loop's item, which was looked at
    fleet.use_core(cores.OLDEST)
    (fleet.folder / "password").write_text("secret\n")
    sudo = {"ansible_become": True, "ansible_become_exe": str(_FAKES / "sudo")}
    fleet.make(_TWO, **sudo)
    _mark_canary(fleet, "a1")
    password = ("--become-password-file", str(fleet.folder / "password"))
    fleet.run("rollout", *password)
    # What the canary was asked last was to confirm
    calls = (fleet.get_folder("a1") / "sudo").read_text().splitlines()
    fleet.forget()
    (fleet.get_folder("a1") / "sudo_calls").write_text(str(len(calls) - 1))
    run = fleet.run("rollout", *password)
    return _Seen(
        run.rc == 0 and run.has("fatal: [a1", "2 done"),
        f"sudo refuses when the canary is to be confirmed: rc {run.rc}, {_find_summary(run)}",
    )


def _place_coordinator(fleet: _Fleet, **variables: t.Any) -> None:
    fleet.make(
        _TWO, livepatch_coordinator="c1", livepatch_store_path=str(fleet.folder / "c.sqlite3"), livepatch_targets="a"
    )
    fleet.add("c1")
    fleet.groups["c"] = variables


@_reproduces(14)
def _clocks(fleet: _Fleet) -> _Seen:
    _place_coordinator(fleet)
    (fleet.get_folder("c1") / "clock").write_text("-3600")
    begun = time.monotonic()
    extra = {"livepatch_soak": 1800, "livepatch_targets": "a", "livepatch_run_limit": 0}
    first = fleet.run("rollout", **extra)
    run = fleet.run("rollout", **extra)
    taken = time.monotonic() - begun
    return _Seen(
        first.has("soaks until") and fleet.list_touched() == ["a1", "a2"] and taken < 900,
        f"a soak of 1800 s, the coordinator an hour behind: over after {taken:.0f} s, rc {run.rc}",
    )


@_reproduces(15)
def _undefined_host(fleet: _Fleet) -> _Seen:
    fleet.make(_TWO)
    fleet.variables["a2"]["ansible_host"] = "{{ nope }}"
    run = fleet.run("status")
    return _Seen("nope" in run.output and not run.has("2 hosts"), f"rc {run.rc}, no table")


@_reproduces(16)
def _typing_error(fleet: _Fleet) -> _Seen:
    fleet.make({**_TWO, "b1": {"build_id": "bbbb"}})
    run = fleet.run("rollout", livepatch_on_stall="revers")
    return _Seen(bool(fleet.list_barred()), f"livepatch_on_stall=revers: rc {run.rc}, barred: {fleet.list_barred()}")


@_reproduces(17)
def _full_disk(fleet: _Fleet) -> _Seen:
    fleet.make({"a1": {"refusal": "zypper: no space left on device; nothing was installed"}, "a2": {}})
    _mark_canary(fleet, "a1")
    run = fleet.run("rollout")
    return _Seen(bool(fleet.list_barred()), f"rc {run.rc}, barred: {fleet.list_barred()}")


@_reproduces(18)
def _scopes(fleet: _Fleet) -> _Seen:
    fleet.make({**_TWO, "b1": {"build_id": "bbbb"}}, livepatch_soak=_OTHER_RUN)
    _mark_canary(fleet, "a1")
    first = fleet.folder / "first"
    with first.open("w") as output:
        process = fleet.start(fleet.build_command("rollout", livepatch_scope="web"), output)
        try:
            _wait_for(process, lambda: bool(fleet.list_touched()))
            # What the first rollout starts when its soak is over
            left = "b" if fleet.list_touched() == ["a1"] else "a"
            other = fleet.run("rollout", livepatch_scope="all", livepatch_targets=left, livepatch_soak=0)
            process.wait(_PATIENCE)
        finally:
            end(process)
    run = _Run(process.returncode, first.read_text())
    return _Seen(
        run.has("has taken over this host") and bool(fleet.list_barred()),
        f"scope all beside scope web: rc {other.rc} and {run.rc}, barred: {fleet.list_barred()}",
    )


def _wait_for(process: subprocess.Popen[str], happens: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not happens() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.2)


@_reproduces(19)
def _sudo(fleet: _Fleet) -> _Seen:
    password = fleet.folder / "password"
    password.write_text("secret\n")
    sudo = {"ansible_become": True, "ansible_become_exe": str(_FAKES / "sudo"), "ansible_become_user": "root"}
    _place_coordinator(fleet, **sudo)
    run = fleet.run("rollout", "--become-password-file", str(password), livepatch_targets="a")
    return _Seen(
        run.has("Missing sudo password") and not fleet.list_touched(),
        f"rc {run.rc}, 'Missing sudo password', patched: {fleet.list_touched()}",
    )


@_reproduces(20)
def _artifact(fleet: _Fleet) -> _Seen:
    fleet.make(_TWO)
    fleet.run("rollout")
    run = fleet.run("rollback", livepatch_reason="it leaks", livepatch_rollout="3f2a")
    levels = [json.loads((fleet.get_folder(name) / "facts.json").read_text())["level"] for name in _TWO]
    return _Seen(run.rc != 0 and levels == [3, 3], f"rollback: rc {run.rc}, levels still {levels}")


@_reproduces(21)
def _lease(fleet: _Fleet) -> _Seen:
    fleet.make({"a1": {"slow": 100000}, "a2": {}})
    _mark_canary(fleet, "a1")
    with (fleet.folder / "killed").open("w") as output:
        # As in a container of its own: whether its processes have ended is not to be known elsewhere
        apart = ["unshare", "--pid", "--fork", "--kill-child"]
        process = fleet.start([*apart, *fleet.build_command("rollout")], output)
        try:
            _wait_for(process, lambda: bool(fleet.list_touched()))
        finally:
            end(process)
    fleet.change("a1", slow=0)
    run = fleet.run("rollout")
    seconds = [int(number) for number in re.findall(r"(\d+) s\b", run.output)]
    return _Seen(
        run.rc != 0 and max(seconds, default=0) > 600, f"rc {run.rc}, to wait for: {max(seconds, default=0)} s"
    )


@_reproduces(22)
def _survey(fleet: _Fleet) -> _Seen:
    fleet.make(_TWO)
    blank = dict.fromkeys((f"livepatch_quarantine_{name}" for name in ("kmp", "cohort", "host", "id")), "")
    run = fleet.run("quarantine", livepatch_quarantine="list", livepatch_reason="", **blank)
    return _Seen(run.rc != 0, f"list with blank answers: rc {run.rc}")


@_reproduces(23)
def _names(fleet: _Fleet) -> _Seen:
    fleet.variables["vm one"] = {"ansible_host": "w1"}
    fleet.make({"vm one": {}, "a1": {}})
    runs = [fleet.run("rollout") for _number in range(2)]
    return _Seen(
        all(run.has("the run ended before its end") for run in runs),
        f"rc {[run.rc for run in runs]}, patched: {fleet.list_touched()}",
    )


@_reproduces(24)
def _marks(fleet: _Fleet) -> _Seen:
    fleet.make({name: {} for name in ("a1", "a2", "a3", "a4")})
    _mark_canary(fleet, "a1", "a2", "a3")
    kernels = {f"{letter}{number}": {"build_id": letter * 4} for letter in "bcdef" for number in (1, 2)}
    marked = _plan(fleet)["waves"][0]["hosts"]
    for name, facts in kernels.items():
        fleet.add(name, **facts)
    capped = _plan(fleet, livepatch_max_per_wave=2)["waves"][0]["hosts"]
    return _Seen(
        len(marked) == 1 and len(capped) == 6,
        f"of 3 marked hosts {len(marked)} is a canary; with livepatch_max_per_wave=2 {len(capped)} canaries go at once",
    )


def _plan(fleet: _Fleet, **extra: t.Any) -> dict[str, t.Any]:
    folder = fleet.folder / "reports"
    shutil.rmtree(folder, ignore_errors=True)
    run = fleet.run("plan", livepatch_report_dir=str(folder), **extra)
    path = next(folder.glob("livepatch-plan-*Z.json"), None)
    if path is None:
        raise RuntimeError(f"there is no report of the plan: {run.output}")
    document: dict[str, t.Any] = json.loads(path.read_text())["plan"]
    return document


@_reproduces(25)
def _added(fleet: _Fleet) -> _Seen:
    fleet.make(_TWO, livepatch_soak=3600, livepatch_run_limit=0)
    _mark_canary(fleet, "a1")
    first = fleet.run("rollout")
    fleet.add("a3")
    run = fleet.run("rollout")
    return _Seen((first.rc, run.rc) == (0, 2), f"soaks: rc {first.rc}; with another host: rc {run.rc}")


@_reproduces(26)
def _check_mode(fleet: _Fleet) -> _Seen:
    _wait_for_approval(fleet)
    run = fleet.run("rollout", "--check", livepatch_approval=["1"])
    return _Seen(not run.has("approv"), f"rc {run.rc}, nothing of the missing approval; {_find_summary(run)}")


def _find_summary(run: _Run) -> str:
    lines = re.findall(r"\d+ hosts: .*", run.output)
    return lines[-1].strip('" ') if lines else "no summary"


@_reproduces(27)
def _levels(fleet: _Fleet) -> _Seen:
    fleet.make(_TWO)
    fleet.run("rollout")
    run = fleet.run("rollback", livepatch_reason="it leaks")
    shown = re.findall(r"\S+ -> \S+", run.output)
    return _Seen(bool(shown) and "3 -> 1" not in shown, f"level 3 before, 1 now; the table: {sorted(set(shown))}")


@_reproduces(28)
def _lost(fleet: _Fleet) -> _Seen:
    _place_coordinator(fleet)
    for last in range(3, 12):
        (fleet.get_folder("c1") / "gone").unlink(missing_ok=True)
        (fleet.get_folder("c1") / "connections").unlink(missing_ok=True)
        (fleet.get_folder("c1") / "last").write_text(str(last))
        run = fleet.run("rollout", livepatch_targets="a")
        if run.has("report it as a bug"):
            return _Seen(True, f"lost after {last} connections: {re.search('KeyError.*?bug', run.output)[0]}")  # type: ignore[index]
        repeated = re.findall(r"(Connection timed out|Failed to connect to the host via ssh).*\1", run.output)
        if repeated:
            return _Seen(True, f"lost after {last} connections: the message stands twice in a line")
        (fleet.folder / "c.sqlite3").unlink(missing_ok=True)
        for name in _TWO:
            fleet.change(name, **_WELL)
    return _Seen(False, "no message twice, and none of a bug")


@_reproduces(29)
def _user(fleet: _Fleet) -> _Seen:
    fleet.make(_TWO, ansible_become=True, ansible_become_exe=str(_FAKES / "sudo"))
    fleet.groups["a"] = {"ansible_become_user": getpass.getuser() if os.geteuid() else "postgres"}
    (fleet.folder / "password").write_text("secret\n")
    fleet.run("status", "--become-password-file", str(fleet.folder / "password"))
    users = {name: sorted(set(re.findall(r"-u (\S+)", (fleet.get_folder(name) / "sudo").read_text()))) for name in _TWO}
    return _Seen(users == {name: ["postgres"] for name in _TWO}, f"modules ran as {users}")


@_reproduces(30)
def _refused(fleet: _Fleet) -> _Seen:
    fleet.make({**_TWO, "a3": {}})
    checked = fleet.run("rollout", "--check", livepatch_store_path="/proc/nope/rollouts.sqlite3")
    _mark_canary(fleet, "a1")
    run = fleet.run("rollout", livepatch_budget="150%", livepatch_waves=[2])
    budget = re.findall(r"Gate after wave 1: .*?(budget \d+)", run.output)
    return _Seen(
        checked.rc == 0 and budget == ["budget 3"],
        f"check mode with a store below /proc: rc {checked.rc}; 150% of a wave of two: {budget}",
    )


@_reproduces(31)
def _registered(fleet: _Fleet) -> _Seen:
    fleet.make(_TWO)
    play = {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [
            {"fleet.livepatch.livepatch_survey": {}, "register": "answers"},
            {
                "fleet.livepatch.livepatch_plan": {"only": True, "waves": [1]},
                "run_once": True,
                "delegate_to": "localhost",
            },
        ],
    }
    path = fleet.folder / "own.yml"
    path.write_text(json.dumps([play]))
    run = fleet.run(str(path))
    return _Seen(run.rc == 0 and run.has("0 hosts in 0 cohorts"), f"rc {run.rc}, {_find_cohorts(run)}")


def _find_cohorts(run: _Run) -> str:
    found = re.search(r"\d+ hosts? in \d+ cohorts?", run.output)
    return found[0] if found else "no plan"


def _prepare(folder: Path) -> Tree:
    """That commit's collection, with the modules that answer from a file."""
    tree = place_tree(REVISION, folder)
    source = (tree.root / "tests/support/fakes/module.py").read_text()
    for head, lines in _CHANGES.items():
        if source.count(head) != 1:
            raise RuntimeError(f"the pretended modules of {REVISION} have no {head!r}")
        source = source.replace(head, head + lines)
    for name in ("livepatch", "livepatch_info"):
        (tree.root / f"plugins/modules/{name}.py").write_text(source)
    return tree


def main() -> int:
    if os.geteuid() != 0:
        print(__doc__, file=sys.stderr)
        return 2
    numbers = {int(word) for word in sys.argv[1:]} or set(SCENARIOS)
    signal.signal(signal.SIGTERM, lambda *_arguments: sys.exit(1))
    reproduced = 0
    chosen = [fault for fault in FAULTS if fault.number in numbers]
    with tempfile.TemporaryDirectory() as name:
        tree = _prepare(Path(name) / "collections")
        for fault in chosen:
            folder = Path(name) / str(fault.number)
            folder.mkdir()
            try:
                seen = SCENARIOS[fault.number](_Fleet(tree, folder))
            except (RuntimeError, ValueError, LookupError, OSError, sqlite3.Error) as exc:
                seen = _Seen(False, str(exc)[-2000:])
            reproduced += seen.fault
            verdict = "reproduced" if seen.fault else "NOT REPRODUCED"
            print(f"{fault.number:2} {verdict}: {fault.text} ({seen.text})", flush=True)
            if not seen.fault and (folder / "output").exists() and "SHOW" in os.environ:
                print((folder / "output").read_text()[-6000:], flush=True)
    print(f"{reproduced} of {len(chosen)} reproduced on {REVISION}")
    return 0 if reproduced == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
