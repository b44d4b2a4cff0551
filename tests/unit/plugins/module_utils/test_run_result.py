# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host keeps of detached runs. How they are waited for is in test_change_lifecycle.py."""

import os
from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils import _journal, _run_result
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption, Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host

_FOLDER = "/var/lib/fleet.livepatch/runs"


@pytest.fixture
def host(tmp_path: Any) -> Host:
    return Host(str(tmp_path))


def _put(host: Host, name: str, text: str) -> None:
    os.makedirs(host.resolve_path(_FOLDER), exist_ok=True)
    with open(host.resolve_path(f"{_FOLDER}/{name}"), "w") as stream:
        stream.write(text)


@pytest.mark.parametrize("run", ["6f1c3f6a5c0b4b0f8f4f0c8a2c1d9e7b", "the-run", "nightly_2026.11", "x" * 100])
def test_a_run_is_found_by_its_id_alone(host: Host, run: str) -> None:
    result = {"changed": True, "msg": None, "livepatch": {"state": "patched"}, "warnings": []}
    _run_result.save_result(host, run, result)
    assert _run_result.wait_for_result(host, run, 0) == {"changed": True, "msg": None, "failed": False}
    assert _run_result.wait_for_result(host, "another", 0) is None


@pytest.mark.parametrize(
    "run",
    ["", ".", "..", "../journal", "a/b", "/x", ".x", "-x", "a b", "a\n", "a\0", "\u00e9", "x" * 101],
)
def test_what_is_no_name_names_no_file(host: Host, run: str) -> None:
    with pytest.raises(BadOption):
        _run_result.build_path(run)
    with pytest.raises(BadOption):
        _run_result.save_result(host, run, {"changed": True})
    _put(host, "../journal.json", '{"changed": true}')
    assert _run_result.wait_for_result(host, run, 0) is None


@pytest.mark.parametrize("text", [" ", "{", "[]", "null", "7", '{"run": 1}', "[" * 100000, '{"changed": true', "\0"])
def test_what_is_damaged_is_no_result(host: Host, text: str) -> None:
    _put(host, "the-run.json", text)
    assert _run_result.wait_for_result(host, "the-run", 0) is None


def test_what_cannot_be_read_is_no_result(host: Host) -> None:
    os.makedirs(host.resolve_path(f"{_FOLDER}/the-run.json"))
    assert _run_result.wait_for_result(host, "the-run", 0) is None


def test_only_the_newest_are_kept(host: Host) -> None:
    for number in range(25):
        _run_result.save_result(host, f"run{number}", {"changed": False})
        os.utime(host.resolve_path(f"{_FOLDER}/run{number}.json"), (number, number))
    _put(host, "killed.json.new", "{")
    os.utime(host.resolve_path(f"{_FOLDER}/killed.json.new"), (1, 1))
    # Its clock goes back, and it is kept all the same.
    _run_result.save_result(host, "last", {"changed": True})
    os.utime(host.resolve_path(f"{_FOLDER}/last.json"), (0, 0))
    assert set(host.list_names(_FOLDER)) == {"last.json", *(f"run{number}.json" for number in range(16, 25))}
    # Once more by the same name: it counts once.
    _run_result.save_result(host, "last", {"changed": True})
    assert len(host.list_names(_FOLDER)) <= 10


def test_the_journal_is_asked_first(host: Host) -> None:
    os.makedirs(host.resolve_path("/var/lib/fleet.livepatch"))
    change = _journal.Change("the-run", None, None, None, None)
    journal = _journal.Journal(host)
    journal.begin(change, None, "installing", None, None)
    _run_result.save_result(host, "the-run", {"changed": False})
    assert _run_result.wait_for_result(host, "the-run", 0) == {"changed": False, "failed": False}
    journal.end(_journal.FAILED, problem="no")
    assert _run_result.wait_for_result(host, "the-run", 0)["msg"] == "no"  # type: ignore[index]


def test_a_disk_that_is_full(host: Host, tmp_path: Any) -> None:
    (tmp_path / "var").touch()
    with pytest.raises(Unmeasured):
        _run_result.save_result(host, "the-run", {"changed": True})


def test_what_is_no_file_is_left_alone(host: Host) -> None:
    for number in range(12):
        os.makedirs(host.resolve_path(f"{_FOLDER}/old{number}"))
    _run_result.save_result(host, "the-run", {"changed": True})
    assert _run_result.wait_for_result(host, "the-run", 0) == {"changed": True, "failed": False}


def test_nobody_but_its_owner_writes_a_result(host: Host) -> None:
    mask = os.umask(0)
    try:
        assert _run_result.claim(host, "the-run")
        modes = [os.stat(host.resolve_path(_run_result.build_path("the-run"))).st_mode & 0o777]
        _run_result.save_result(host, "the-run", {"changed": True})
    finally:
        os.umask(mask)
    modes.append(os.stat(host.resolve_path(_run_result.build_path("the-run"))).st_mode & 0o777)
    assert modes == [0o644, 0o644]
