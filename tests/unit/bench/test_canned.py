# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Canned hosts answer by what they are asked, however it comes to them."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench import canned

RUN, OTHER = "a" * 32, "b" * 32
BOOT = "5a0cf4f4-7e6f-4a57-a2f7-4a4d0f1b6c11"
FOLDER = "/run/ansible/ansible-tmp-1796091987.75-7609-51"


def payload(module: str, **arguments: t.Any) -> bytes:
    """As Ansible sends it."""
    given = {"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_module_name": module, "_ansible_verbosity": 0}}
    return f"def main():\n    pass\nmain(\nparams={json.dumps(given)!r},\nzip_data='UEsDBBQ',\n)\n".encode()


def record(folder: Path, number: int, host: str, command: str, sent: bytes, output: str) -> None:
    row = {"host": host, "command": command, "sent": sent.decode("latin-1"), "status": 0, "output": output}
    (folder / f"{number}.5-1").write_text(json.dumps(row))


def info(**more: t.Any) -> bytes:
    return payload("fleet.livepatch.livepatch_info", refresh="never", **more)


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[canned.CannedHosts]:
    """Two recorded hosts of one kernel each: gathered, started detached by a file, collected."""
    (records := tmp_path / "records").mkdir()
    for number, host in enumerate(("s001", "s002")):
        at, job = number * 10, f"j77{number}.8"
        start = payload("fleet.livepatch.livepatch", rollout=RUN, confirm=False)
        record(records, at, host, "python", info(), f'{{"boot_id": "{BOOT}", "state": "unpatched", "by": "{host}"}}')
        record(records, at + 1, host, f"dd of={FOLDER}/module.py bs=65536", start, "")
        wrapper = payload("async_wrapper")
        record(records, at + 2, host, f"dd of={FOLDER}/async_wrapper.py bs=65536", wrapper, "")
        run = f"python {FOLDER}/async_wrapper.py {job} 3600 {FOLDER}/module.py"
        record(records, at + 3, host, run, b"", f'{{"started": 1, "ansible_job_id": "{job}"}}')
        early = f'{{"journal": {{"run": "{OTHER}", "running": true}}, "rollout": "{RUN}"}}'
        record(records, at + 4, host, "python", info(run=OTHER, wait=30), early)
        done = f'{{"journal": {{"run": "{OTHER}", "running": false}}, "rollout": "{RUN}", "boot_id": "{BOOT}"}}'
        record(records, at + 5, host, "python", info(run=OTHER, wait=30), done)
        record(records, at + 6, host, f"mkdir {FOLDER}", b"", f"tmp={FOLDER}")
    (folder := tmp_path / "hosts").mkdir()
    durations = {3: 20.0}
    with canned.CannedHosts(
        folder, 4, canned.read_records(records), lambda number: durations.get(number, 0.0)
    ) as fleet:
        yield fleet


def start(hosts: canned.CannedHosts, name: str, rollout: str) -> str:
    """As the recorded ones were: detached, from files."""
    module = payload("fleet.livepatch.livepatch", rollout=rollout, confirm=False)
    folder = "/run/ansible/ansible-tmp-42.1-2-3"
    assert hosts.answer(name, f"dd of={folder}/module.py bs=1", module) == (0, 0.0, "")
    hosts.answer(name, f"dd of={folder}/async_wrapper.py bs=1", payload("async_wrapper"))
    status, seconds, output = hosts.answer(name, f"python {folder}/async_wrapper.py j5.6 9 {folder}/module.py", b"")
    assert (status, seconds) == (0, 0.0)
    return output


def test_what_ansible_sends_is_read() -> None:
    assert canned.parse_payload(payload("a.b.c", x=1)) == ("a.b.c", {"x": 1})
    assert canned.parse_payload(b"#!/bin/sh\n") is None


def test_a_host_has_a_boot_of_its_own(hosts: canned.CannedHosts) -> None:
    first, second = (json.loads(hosts.answer(name, "python", info())[2]) for name in ("c00001", "c00003"))
    assert first["by"] == second["by"] == "s001", "of the same kernel"
    assert len({first["boot_id"], second["boot_id"], BOOT}) == 3
    assert json.loads(hosts.answer("c00002", "python", info())[2])["by"] == "s002"


def test_a_run_is_that_of_who_asks(hosts: canned.CannedHosts) -> None:
    hosts.answer("c00001", "python", info())
    assert json.loads(start(hosts, "c00001", "c" * 32)) == {"started": 1, "ansible_job_id": "j5.6"}
    status, seconds, output = hosts.answer("c00001", "python", info(run="d" * 32, wait=30))
    assert (status, seconds) == (0, 0.0)
    collected = json.loads(output)
    assert collected["journal"] == {"run": "d" * 32, "running": False}
    assert (collected["rollout"], collected["boot_id"]) == ("c" * 32, canned.build_boot_id("c00001"))
    assert hosts.started == ["c00001"]


def test_a_module_is_known_however_it_comes(hosts: canned.CannedHosts) -> None:
    """A start by pipelining: recorded it was one from files, of the same module."""
    status, _seconds, output = hosts.answer(
        "c00002", "python", payload("fleet.livepatch.livepatch", rollout="e" * 32, confirm=False)
    )
    assert (status, json.loads(output)["started"], hosts.started) == (0, 1, ["c00002"])


def test_who_waits_for_a_slow_host_waits(hosts: canned.CannedHosts) -> None:
    start(hosts, "c00003", "c" * 32)
    _status, seconds, output = hosts.answer("c00003", "python", info(run="d" * 32, wait=30))
    assert 15 < seconds <= 20
    assert not json.loads(output)["journal"]["running"]
    for wait in (5, 0):
        _status, seconds, output = hosts.answer("c00003", "python", info(run="d" * 32, wait=wait))
        assert seconds == wait
        assert json.loads(output)["journal"]["running"], "it goes on longer than this wait"


def test_a_plain_command_is_answered_with_its_own_folder(hosts: canned.CannedHosts) -> None:
    asked = "/run/ansible/ansible-tmp-9.9-9-9"
    assert hosts.answer("c00001", f"mkdir {asked}", b"") == (0, 0.0, f"tmp={asked}")


def test_what_was_not_recorded_fails(hosts: canned.CannedHosts) -> None:
    with pytest.raises(LookupError, match="no such call"):
        hosts.answer("c00001", "uname -a", b"")
    with pytest.raises(LookupError, match=r"ansible\.builtin\.setup"):
        hosts.answer("c00001", "python", payload("ansible.builtin.setup"))
    hosts.failures.append("c00001: no such call")
    with pytest.raises(RuntimeError, match="1 calls of canned hosts have failed"):
        hosts.check()


def test_over_ssh(hosts: canned.CannedHosts, tmp_path: Path) -> None:
    """The stand-in for ssh, with its input and its exit status."""
    import os
    import subprocess

    run = subprocess.run(
        [str(Path(canned.__file__).with_name("canned_ssh")), "-o", "x=y", "c00001", "python"],
        input=info(),
        env={**os.environ, **hosts.environment},
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (run.returncode, json.loads(run.stdout)["state"]) == (0, "unpatched")
    assert hosts.requests == 1
    left = sorted(path.name for path in (tmp_path / "hosts").iterdir())
    assert left == ["requests"]
