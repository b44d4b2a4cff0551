# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work in a process of its own: real processes, each in a folder of its own."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from typing import Any, Dict

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils import _detached, _errors, _journal, _run_result
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Completed, Host

_UTILS = "ansible_collections/fleet/livepatch/plugins/module_utils"
# Does what Ansible's wrapper does with an archive. The work waits for a file, and then imports for the first time.
_WRAPPER = """
import atexit, os, shutil, signal, sys, time
root, archive = sys.argv[1:]
sys.path.insert(0, archive)
from ansible_collections.fleet.livepatch.plugins.module_utils import _detached
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host

def count_exit():
    with open(root + "/exits", "a") as stream:
        stream.write("x")

def work(host):
    with open(root + "/pid", "w") as stream:
        stream.write(str(os.getpid()))
    ends = time.monotonic() + 30
    while not os.path.exists(root + "/go") and time.monotonic() < ends:
        time.sleep(0.01)
    from ansible_collections.fleet.livepatch.plugins.module_utils import _late
    from ansible_collections.fleet.livepatch.plugins.module_utils._package import later
    import wave
    print("nothing of this is read")
    descriptors = {os.readlink("/proc/self/fd/" + name) for name in os.listdir("/proc/self/fd")[:-1]}
    seen = {"cwd": os.getcwd(), "descriptors": sorted(descriptors), "hangup": signal.getsignal(signal.SIGHUP).name,
            "leads": os.getsid(0) == os.getpid(), "session": os.getsid(0)}
    return {"changed": True, "msg": _late.TEXT + later.TEXT, "before": seen, "other": 1}

atexit.register(count_exit)
sys.stdout.write("buffered, ")
try:
    _detached.start_detached(Host(root), "the-run", work)
    print("session %d" % os.getsid(0))
finally:
    shutil.rmtree(os.path.dirname(archive))
"""


@pytest.fixture
def host(tmp_path: Any) -> Host:
    return Host(str(tmp_path))


def _build_archive(folder: Any) -> str:
    folder.mkdir()
    path = str(folder / "payload.zip")
    utils = os.path.dirname(_detached.__file__)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        parts = _UTILS.split("/")
        for count in range(1, len(parts) + 1):
            archive.writestr("/".join([*parts[:count], "__init__.py"]), "")
        for name in ("_detached", "_errors", "_host", "_journal", "_module", "_run_result", "_zip_finder"):
            archive.write(os.path.join(utils, name + ".py"), f"{_UTILS}/{name}.py")
        archive.writestr(f"{_UTILS}/_late.py", "# \u00e9\nTEXT = 'late'\n")
        archive.writestr(f"{_UTILS}/_package/__init__.py", "")
        archive.writestr(f"{_UTILS}/_package/later.py", "from . import __path__\nTEXT = ', later'\n")
    return path


def _wait_for(path: Any) -> None:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.01)


def test_it_outlives_all_that_it_was_started_with(host: Host, tmp_path: Any) -> None:
    archive = _build_archive(tmp_path / "payload")
    folder = tmp_path / "remote_tmp"
    folder.mkdir()
    reading, writing = os.pipe()
    # Pipes for its output: this returns when no process has them open any more.
    with subprocess.Popen(
        [sys.executable, "-I", "-c", _WRAPPER, str(tmp_path), archive],
        cwd=str(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[writing],
    ) as started:
        output, errors = started.communicate(timeout=20)
    os.close(writing)
    assert os.read(reading, 1) == b"", "nor any other descriptor"
    os.close(reading)
    text, session = output.decode().split("session ")
    assert (started.returncode, text, errors) == (0, "buffered, ", b"")
    folder.rmdir()
    assert not os.path.exists(archive)
    _wait_for(tmp_path / "pid")
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGHUP)
    (tmp_path / "go").touch()
    file = _run_result.build_path("the-run")
    deadline = time.monotonic() + 20
    while not host.read_text(file):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    saved = json.loads(host.read_text(file) or "")
    seen = saved.pop("before")
    assert saved == {"changed": True, "msg": "late, later"}
    assert seen.pop("session") not in (int(session), os.getsid(0))
    assert seen == {
        "cwd": "/",
        "descriptors": ["/dev/null", host.resolve_path(file)],
        "hangup": "SIG_IGN",
        "leads": False,
    }
    assert (tmp_path / "exits").read_text() == "x"


_KILLED = {
    "failed": True,
    "not_begun": True,
    "msg": "its process ended before it changed anything: it was killed, or the host restarted",
}


def _refuse(_host: Host) -> Dict[str, Any]:
    raise _errors.NoWayBack("there is none", "Go on", {"changed": False, "kernel": {}})


def _crash(_host: Host) -> Dict[str, Any]:
    return {}["x"]


def _leave(_host: Host) -> Dict[str, Any]:
    sys.exit("left")


def _die(_host: Host) -> Dict[str, Any]:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


@pytest.mark.parametrize(
    "work, expected",
    [
        (lambda _host: {"changed": False, "kernel": {}}, {"changed": False, "failed": False}),
        (_refuse, {"changed": False, "failed": True, "refused": True, "msg": "there is none. Go on"}),
        (_crash, {"failed": True, "msg": "unexpected error in test_detached.py, line {crash}: KeyError: 'x'"}),
        (_leave, _KILLED),
        (_die, _KILLED),
    ],
)
def test_what_becomes_of_the_work_is_saved(host: Host, tmp_path: Any, work: Any, expected: Any) -> None:
    def count_and_work(host: Host) -> Dict[str, Any]:
        with (tmp_path / "begun").open("a") as stream:
            stream.write("x")
        return work(host)

    _detached.start_detached(host, "the-run", count_and_work)
    _wait_for(tmp_path / "begun")
    if work is _crash:
        expected = dict(expected, msg=expected["msg"].format(crash=_crash.__code__.co_firstlineno + 1))
    assert _run_result.wait_for_result(host, "the-run", 20) == expected
    assert (tmp_path / "begun").read_text() == "x"


def test_where_no_result_can_be_saved_nothing_is_started(host: Host, tmp_path: Any) -> None:
    """Nothing would be known of it: without become, on a full disk."""
    (tmp_path / "var").touch()
    with pytest.raises(_errors.Unmeasured, match=r"cannot write .*the-run\.json: Not a directory\. Run as root"):
        _detached.start_detached(host, "the-run", lambda _host: {"changed": bool((tmp_path / "done").touch())})
    time.sleep(0.2)
    assert not (tmp_path / "done").exists()


def test_a_run_that_is_sent_again_is_made_once(host: Host, tmp_path: Any) -> None:
    """As ssh does where its connection breaks (retries)."""

    def count_and_wait(host: Host) -> Dict[str, Any]:
        with (tmp_path / "begun").open("a") as stream:
            stream.write("x")
        _wait_for(tmp_path / "go")
        return {"changed": True}

    _detached.start_detached(host, "the-run", count_and_wait)
    _wait_for(tmp_path / "begun")
    _detached.start_detached(host, "the-run", count_and_wait)
    assert _run_result.wait_for_result(host, "the-run", 0.5) is None, "it works"
    (tmp_path / "go").touch()
    assert _run_result.wait_for_result(host, "the-run", 20) == {"changed": True, "failed": False}
    assert (tmp_path / "begun").read_text() == "x"
    with pytest.raises(_errors.BadOption, match="a run the-run has ended on this host"):
        _detached.start_detached(host, "the-run", count_and_wait)


@pytest.mark.parametrize(
    "run, at, known",
    [("another", -60, True), ("another", 60, False), ("the-run", -60, False), (None, 0, False)],
    ids=["before", "since", "its own", "damaged"],
)
def test_a_killed_run_has_changed_nothing_where_the_journal_says_so(
    host: Host, run: Any, at: float, known: bool
) -> None:
    entry = dict.fromkeys(("kmp", "boot_id", "problem", "previous", "plan", "deadline"))
    entry.update(schema=1, phase="loading", run=run, at=time.time() + at)
    host.save(_journal.PATH, "{" if run is None else json.dumps(entry))
    lock = _run_result.claim(host, "the-run")
    assert lock is not None
    os.close(lock)
    # As another process
    other = Host(host.resolve_path("/"))
    expected = _KILLED if known else None
    assert _run_result.wait_for_result(other, "the-run", 60) == expected


def test_a_name_that_is_no_file_is_refused_at_once(host: Host) -> None:
    with pytest.raises(_errors.BadOption, match=r"run is '\.\./x'"):
        _detached.start_detached(host, "../x", _die)


def test_no_process(host: Host, monkeypatch: Any) -> None:
    def refuse() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    with pytest.raises(_errors.NotStarted, match="Resource temporarily unavailable"):
        _detached.start_detached(host, "the-run", _die)


def test_no_second_process(host: Host, monkeypatch: Any) -> None:
    fork, forks = os.fork, []

    def refuse_second() -> int:
        forks.append(1)
        if len(forks) > 1:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return fork()

    monkeypatch.setattr(os, "fork", refuse_second)
    with pytest.raises(_errors.NotStarted, match="out of memory"):
        _detached.start_detached(host, "the-run", _die)


class _Systemd(Host):
    """A host with systemd, which takes a process over at the second look."""

    def __init__(self, root: str, rc: int = 0) -> None:
        super().__init__(root)
        self.calls: Any = []
        self._rc = rc
        self.looks = 0

    def run(self, argv: Any, environment: Any = None, seconds: Any = None) -> Completed:
        self.calls.append((list(argv), seconds))
        return Completed(self._rc, "", "")

    def read_text(self, path: str) -> Any:
        assert path == "/proc/self/cgroup"
        self.looks += 1
        return "0::/user.slice/session-1.scope" if self.looks < 2 else "0::/system.slice/" + self.calls[0][0][7]

    def sleep(self, seconds: float) -> None:
        pass


@pytest.mark.parametrize(
    "runs, user, rc, calls, looks", [(True, 0, 0, 1, 2), (True, 0, 1, 1, 0), (True, 1000, 0, 0, 0), (False, 0, 0, 0, 0)]
)
def test_systemd_takes_it_over(
    tmp_path: Any, monkeypatch: Any, runs: bool, user: int, rc: int, calls: int, looks: int
) -> None:
    if runs:
        (tmp_path / "run/systemd/system").mkdir(parents=True)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    host = _Systemd(str(tmp_path), rc)
    _detached._leave_unit(host, "the-run")
    assert (len(host.calls), host.looks) == (calls, looks)
    for argv, seconds in host.calls:
        pid = str(os.getpid())
        assert argv[:2] == ["busctl", "call"] and seconds == 5
        assert argv[5:9] == [
            "StartTransientUnit",
            "ssa(sv)a(sa(sv))",
            f"fleet-livepatch-the-run-{pid}.scope",
            "fail",
        ]
        assert argv[9:] == ["2", "Description", "s", "Live patch run the-run", "PIDs", "au", "1", pid, "0"]
