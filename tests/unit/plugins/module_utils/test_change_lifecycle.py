# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The life of a patch on a host: back and forth, out again, recorded, confirmed, interrupted, crashed."""

import json
import re
from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils import _ensure, _host_facts, _journal, _run_result
from ansible_collections.fleet.livepatch.plugins.module_utils._change.request import Request
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import (
    AnotherRun,
    BadOption,
    Fenced,
    InstallFailed,
    LivepatchError,
    LoadRefused,
    NextBootFailed,
    NotBegun,
    NotDone,
    RepositoryDown,
    TransitionStalled,
    Unmeasured,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Completed, Host
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.policy import Policy, QuarantineEntry

_ONE, _TWO, _THREE = "1-150400.9.3.1", "2-150400.2.1", "3-150400.2.1"
_POLICY = Policy("if_older_than", 600, 60)
_JOURNAL = "/var/lib/fleet.livepatch/journal.json"
_HOLD = "/etc/dracut.conf.d/99-fleet-livepatch-hold.conf"


def _request(**what: Any) -> Request:
    policy = {name: what.pop(name) for name in list(what) if name in Policy._fields}
    given = {"timeout": 10.0, "on_stall": "reverse", "check_mode": False, "run": "the-run"}
    return Request(_POLICY._replace(**policy), **dict(given, **what))


def _bring(machine: Any, **what: Any) -> Any:
    return _ensure.ensure_state(machine, _request(**what))


def _entry(machine: Any) -> Any:
    return json.loads(machine.read_text(_JOURNAL))


def _livepatch(machine: Any) -> Any:
    return _host_facts.gather_facts(machine, _POLICY)["livepatch"]


def _reboot(machine: Any) -> None:
    for name in machine.active():
        machine.drop("/sys/kernel/livepatch/" + name)
    for name in machine.loaded():
        machine.drop("/sys/module/" + name)
    machine.put("/proc/sys/kernel/random/boot_id", "5a0cf4f4-7e6f-4a57-a2f7-4a4d0f1b6c12")


# Back and forth


@pytest.mark.parametrize("multiversion", [True, False])
def test_there_and_back(machine: Any, multiversion: bool) -> None:
    machine.multiversion = multiversion
    path = [(1, "outdated"), (2, "outdated"), (3, "patched"), (2, "outdated"), (1, "outdated")]
    for level, state in path:
        told = _bring(machine, level=level, allow_downgrade=True, check_mode=True)
        done = _bring(machine, level=level, allow_downgrade=True)
        assert (told["changed"], done["changed"]) == (True, True)
        assert told["after"] == done["after"], "check mode is true to what happens"
        assert (done["after"]["level"], done["after"]["state"]) == (level, state)
        assert machine.active() == [machine.module(done["after"]["kmp"])]
        assert machine.loaded() == machine.active(), "what was replaced is unloaded"
        again = _bring(machine, level=level, allow_downgrade=True)
        assert again["changed"] is False
        assert again["after"] == done["after"]
    assert machine.installed == [_ONE], "the next boot must not bring a newer one back"
    done = _bring(machine, state="absent", allow_unsupported=True)
    assert done["after"] == {"state": "unpatched", "level": None, "patches": [], "kmp": None}
    assert (machine.active(), machine.loaded(), machine.installed) == ([], [], [])
    assert _bring(machine, state="absent", allow_unsupported=True)["changed"] is False


def test_downgrade_needs_leave(machine: Any) -> None:
    _bring(machine)
    with pytest.raises(
        NotDone, match=r"2-150400.2.1 .older than 3-150400.2.1, which is installed .allow_downgrade allows"
    ):
        _bring(machine, level=2)
    assert machine.installed == [_THREE]


def test_latest_goes_back_from_what_the_policy_bars(machine: Any) -> None:
    _bring(machine)
    done = _bring(machine, exclude=(_THREE,), allow_downgrade=True)
    assert done["after"]["level"] == 2


def test_downgrade_that_the_kernel_refuses(machine: Any) -> None:
    _bring(machine)
    machine.offer(_TWO, refused="Invalid parameters")
    machine.says = "livepatch: Livepatch patch (x) is not compatible with the already installed livepatches."
    with pytest.raises(
        LoadRefused, match=r"changed the system in a way that this one does not support.*Reboot the host"
    ) as caught:
        _bring(machine, level=2, allow_downgrade=True)
    assert caught.value.result["after"] == caught.value.result["before"]
    assert (machine.installed, machine.active()) == ([_THREE], [machine.module(_THREE)])


def test_downgrade_that_stalls(machine: Any) -> None:
    _bring(machine)
    machine.offer(_TWO, seconds=None)
    with pytest.raises(TransitionStalled, match="and was reversed"):
        _bring(machine, level=2, allow_downgrade=True)
    assert (machine.installed, machine.active()) == ([_THREE], [machine.module(_THREE)])


def test_present_takes_any_level(machine: Any) -> None:
    machine.have(_TWO)
    machine.have_active(_TWO)
    assert _bring(machine, state="present")["changed"] is False
    assert _bring(machine, state="present", level=3)["after"]["level"] == 3


def test_absent_costs_support(machine: Any) -> None:
    _bring(machine)
    with pytest.raises(NotDone, match=r"marks SUSE's kernels as unsupported.*level: 1"):
        _bring(machine, state="absent")
    assert machine.active() == [machine.module(_THREE)]


def test_absent_in_check_mode(machine: Any) -> None:
    _bring(machine)
    told = _bring(machine, state="absent", allow_unsupported=True, check_mode=True)
    assert machine.active() == [machine.module(_THREE)]
    assert told["after"] == _bring(machine, state="absent", allow_unsupported=True)["after"]


def test_absent_that_stalls(machine: Any) -> None:
    _bring(machine)
    machine.levels[_THREE]["back"] = None
    machine.levels[_THREE]["seconds"] = 1.0
    with pytest.raises(TransitionStalled, match="was reversed: it is active as before") as caught:
        _bring(machine, state="absent", allow_unsupported=True)
    assert caught.value.result["after"]["state"] == "patched"
    assert machine.installed == [_THREE]


def test_previous(machine: Any) -> None:
    machine.have(_TWO)
    machine.have_active(_TWO)
    _bring(machine)
    assert _entry(machine)["previous"] == _TWO
    assert _bring(machine, state="previous")["after"]["level"] == 2


def test_previous_was_nothing(machine: Any) -> None:
    _bring(machine)
    assert _entry(machine)["previous"] is None
    done = _bring(machine, state="previous")
    assert done["after"]["level"] == 1, "the initial KMP replaces everything with nothing"


def test_previous_of_nothing(machine: Any) -> None:
    with pytest.raises(NotDone, match="journal names no KMP"):
        _bring(machine, state="previous")
    with pytest.raises(BadOption, match="state is previous"):
        _bring(machine, state="previous", level=2)


# The journal


def test_each_phase_is_recorded_before_it_begins(machine: Any, monkeypatch: Any) -> None:
    seen = []
    run = machine.run

    def running(argv: Any, environment: Any = None) -> Any:
        if argv[0] in ("insmod", "rmmod") or ("install" in argv and "--dry-run" not in argv):
            seen.append((argv[0], _entry(machine)["phase"]))
        return run(argv, environment)

    monkeypatch.setattr(machine, "run", running)
    machine.have(_TWO)
    machine.have_active(_TWO)
    _bring(machine, rollout="r", plan="p")
    assert seen == [("zypper", "installing"), ("insmod", "loading"), ("rmmod", "verifying")]
    entry = _entry(machine)
    assert {key: entry[key] for key in ("run", "rollout", "plan", "phase", "previous", "problem")} == {
        "run": "the-run",
        "rollout": "r",
        "plan": "p",
        "phase": "done",
        "previous": _TWO,
        "problem": None,
    }
    assert entry["kmp"] == f"{machine.kmp}-{_THREE}"
    assert entry["boot_id"] == machine.read_text("/proc/sys/kernel/random/boot_id")


@pytest.mark.parametrize("phase", [*_journal.UNFINISHED, _journal.SOAKING])
def test_crash(machine: Any, phase: str) -> None:
    _bring(machine)
    entry = dict(_entry(machine), phase=phase)
    machine.put(_JOURNAL, json.dumps(entry))
    assert _livepatch(machine)["state"] == "patched"
    _reboot(machine)
    told = _livepatch(machine)
    assert told["state"] == "crashed"
    assert f"the host went down while {machine.kmp}-{_THREE} was " in told["reason"]
    with pytest.raises(NotDone, match="its state is crashed"):
        _bring(machine)
    assert machine.active() == []
    assert _journal.clear_journal(machine, "it was the disk", True)["changed"] is True
    assert _livepatch(machine)["state"] == "crashed", "check mode"
    assert _journal.clear_journal(machine, "it was the disk", False)["changed"] is True
    assert _livepatch(machine)["state"] == "installed"
    assert _journal.clear_journal(machine, "it was the disk", False)["changed"] is False
    assert _bring(machine)["after"]["state"] == "patched"


def test_crash_that_has_damaged_something(machine: Any) -> None:
    _bring(machine)
    machine.put(_JOURNAL, json.dumps(dict(_entry(machine), phase="installing")))
    machine.put(machine.file(_THREE), b"")
    _reboot(machine)
    told = _livepatch(machine)
    assert told["state"] == "crashed"
    assert "In addition, " in told["reason"]
    assert "Reinstall the package" in told["reason"]


@pytest.mark.parametrize("phase", [_journal.DONE, _journal.FAILED])
def test_reboot_is_no_crash(machine: Any, phase: str) -> None:
    _bring(machine)
    machine.put(_JOURNAL, json.dumps(dict(_entry(machine), phase=phase)))
    _reboot(machine)
    assert _livepatch(machine)["state"] == "installed"


def _assert_unknown_until_cleared(machine: Any, reason: str = "") -> None:
    told = _livepatch(machine)
    assert told["state"] == "unknown"
    assert reason in told["reason"]
    assert "livepatch_journal" in told["reason"]
    with pytest.raises(NotDone, match="its state is unknown"):
        _bring(machine)
    _journal.clear_journal(machine, "looked at it", False)
    assert _bring(machine)["after"]["state"] == "patched"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"schema": 7, "phase": "done"}',
        '{"phase": "done"}',
        '{"schema": 1, "phase": "done"}',
        '{"schema": 1, "phase": "gone", "kmp": null, "boot_id": null, "problem": null, "previous": null, "run": null}',
        "[" * 100000,
        "9" * 5000,
    ],
    ids=range(9),
)
def test_damaged_journal(machine: Any, text: str) -> None:
    machine.put(_JOURNAL, text)
    _assert_unknown_until_cleared(machine)


@pytest.mark.parametrize(
    "key, value",
    [
        ("kmp", ["x"]),
        ("kmp", "x"),
        ("kmp", "a-1-1;reboot\n"),
        ("previous", 7),
        ("deadline", "soon"),
        ("deadline", float("nan")),
        ("fence", "1"),
        ("fence", True),
        ("baseline", []),
        ("baseline", {"boot_id": "one", "taint": -1, "log": 7, "at": 1}),
        ("baseline", {"boot_id": "one"}),
        ("steps", [["loading"]]),
        ("problem", "\ud800"),
        ("boot_id", 7),
    ],
)
def test_journal_with_a_damaged_field(machine: Any, key: str, value: Any) -> None:
    _bring(machine)
    machine.put(_JOURNAL, json.dumps(dict(_entry(machine), **{key: value})))
    livepatch = _livepatch(machine)
    assert livepatch["state"] == "unknown"
    assert re.search(f"it has no valid {key}|it holds NaN", livepatch["reason"])
    with pytest.raises(NotDone, match="its state is unknown"):
        _bring(machine)


def test_journal_of_another_version(machine: Any) -> None:
    _bring(machine)
    machine.put(_JOURNAL, json.dumps({"schema": 2, "phases": ["loaded"]}))
    reason = "it has schema 2, of another version of the collection, and this one reads 1"
    _assert_unknown_until_cleared(machine, reason)


def test_journal_cannot_be_written(machine: Any, monkeypatch: Any) -> None:
    def full(path: str, text: str) -> None:
        raise Unmeasured(f"cannot write {path}: No space left on device")

    monkeypatch.setattr(machine, "save", full)
    with pytest.raises(Unmeasured, match="No space left"):
        _bring(machine)
    assert (machine.installed, machine.active()) == ([], []), "nothing is done that is not recorded"


def test_two_at_once(machine: Any) -> None:
    other = Host(machine.resolve_path("/"))
    lock = other.lock(_journal.LOCK, 0)
    assert machine.is_locked(_journal.LOCK)
    with pytest.raises(AnotherRun, match="did not end within 60 s"):
        _bring(machine)
    with pytest.raises(AnotherRun, match="is working on the host now"):
        _journal.clear_journal(machine, "no", False)
    assert _bring(machine, check_mode=True)["changed"] is True
    other.unlock(lock)
    done = _bring(machine)
    assert done["changed"] is True
    assert done["livepatch"]["journal"]["running"] is False, "it does not mean itself"
    assert not machine.is_locked(_journal.LOCK)


def test_a_rollouts_run_waits_for_the_one_before(machine: Any, monkeypatch: Any) -> None:
    """The controller has died, and what it has started works on: the run that resumes the rollout comes at once."""
    other = Host(machine.resolve_path("/"))
    lock = other.lock(_journal.LOCK, 0)
    with pytest.raises(AnotherRun, match="did not end within 60 s"):
        _bring(machine)
    with pytest.raises(AnotherRun, match="did not end within 820 s"):
        _bring(machine, fence=7)
    sleep, ends = machine.sleep, machine.clock() + 800

    def goes_by(seconds: float) -> None:
        sleep(seconds)
        if machine.clock() >= ends and machine.is_locked(_journal.LOCK):
            machine.have(_THREE)
            machine.have_active(_THREE)
            other.unlock(lock)

    monkeypatch.setattr(machine, "sleep", goes_by)
    told = _bring(machine, fence=7)
    assert (told["changed"], told["after"]["level"]) == (False, 3)


# What an earlier run has left


def _killed_in(machine: Any, phase: str, kmp: str = _THREE) -> None:
    entry = {
        "schema": 1,
        "run": "killed",
        "rollout": None,
        "plan": None,
        "kmp": f"{machine.kmp}-{kmp}",
        "previous": None,
        "boot_id": machine.read_text("/proc/sys/kernel/random/boot_id"),
        "phase": phase,
        "problem": None,
        "at": 1.0,
        "deadline": machine.clock() + 10 if phase == "migrating" else None,
    }
    machine.put(_JOURNAL, json.dumps(entry))


def test_killed_while_it_migrates(machine: Any) -> None:
    machine.have(_THREE)
    machine.start(_THREE)
    _killed_in(machine, "migrating")
    told = _livepatch(machine)
    assert (told["state"], told["journal"]["interrupted"]) == ("transitioning", True)
    done = _bring(machine)
    assert (done["before"]["state"], done["after"]["state"], done["changed"]) == ("transitioning", "patched", True)
    assert _entry(machine)["phase"] == "done"


def test_killed_while_it_stalls(machine: Any) -> None:
    machine.offer(_THREE, seconds=None)
    machine.have(_THREE)
    machine.start(_THREE)
    _killed_in(machine, "migrating")
    machine.sleep(11)
    told = _livepatch(machine)
    assert told["state"] == "stalled", "its limit is in the journal"
    assert [one["tid"] for one in told["blockers"]] == [54]
    with pytest.raises(TransitionStalled, match="and was reversed"):
        _bring(machine)
    assert machine.active() == []


def test_left_running_is_told_later_too(machine: Any) -> None:
    machine.offer(_THREE, seconds=None)
    with pytest.raises(TransitionStalled, match="left running"):
        _bring(machine, on_stall="leave")
    told = _livepatch(machine)
    assert (told["state"], told["journal"]["phase"]) == ("stalled", "failed")
    steps = _entry(machine)["steps"]
    assert [phase for phase, _at in steps] == ["installing", "loading", "migrating", "stalled", "failed"]
    assert steps[3][1] - steps[2][1] == pytest.approx(10, abs=0.4)
    with pytest.raises(TransitionStalled, match="and was reversed"):
        _bring(machine)


def test_limit_counts_from_the_kernels_own_line(machine: Any, monkeypatch: Any) -> None:
    """A script starts the migration, and the package manager takes its time to come to an end."""
    machine.offer(_THREE, seconds=None)
    machine.scripts_load = True
    run = machine.run

    def slow(argv: Any, environment: Any = None) -> Any:
        answer = run(argv, environment)
        if "install" in argv and "--dry-run" not in argv:
            machine.sleep(4)
        return answer

    monkeypatch.setattr(machine, "run", slow)
    with pytest.raises(TransitionStalled, match="did not complete within 10 s"):
        _bring(machine)
    assert machine.slept == pytest.approx(11, abs=0.5)


def test_killed_and_what_follows_fails(machine: Any) -> None:
    """What was under way ends well, and what this run is for does not: it has failed."""
    machine.have(_TWO)
    machine.start(_TWO)
    _killed_in(machine, "migrating", _TWO)
    machine.cuts_off = True
    with pytest.raises(RepositoryDown):
        _bring(machine)
    told = _run_result.wait_for_result(machine, "the-run", 5)
    assert (told["failed"], told["changed"], told["after"]["level"]) == (True, True, 2)
    assert "cannot be fetched" in told["msg"]


@pytest.mark.parametrize("phase", ["installing", "loading", "verifying"])
def test_killed(machine: Any, phase: str) -> None:
    machine.have(_THREE)
    if phase == "verifying":
        machine.have_active(_THREE)
    _killed_in(machine, phase)
    assert _livepatch(machine)["journal"]["interrupted"] is True
    assert _bring(machine)["after"]["state"] == "patched"
    assert _entry(machine)["phase"] == "done"
    assert _livepatch(machine)["journal"]["interrupted"] is False
    assert _bring(machine)["changed"] is False


def test_collect(machine: Any) -> None:
    assert _run_result.wait_for_result(machine, "the-run", 5) is None
    assert machine.slept == pytest.approx(5, abs=0.3), "it may yet begin"
    _bring(machine)
    told = _run_result.wait_for_result(machine, "the-run", 5)
    assert (told["failed"], told["changed"], told["msg"], told["after"]["level"]) == (False, True, None, 3)
    assert told["transition"]["by"] == "kernel log"


def test_collect_what_failed(machine: Any) -> None:
    machine.offer(_THREE, refused="Invalid parameters")
    with pytest.raises(LoadRefused):
        _bring(machine)
    told = _run_result.wait_for_result(machine, "the-run", 5)
    assert told["failed"] is True
    assert "Invalid parameters" in told["msg"]


def test_collect_what_never_began(machine: Any) -> None:
    _run_result.save_result(machine, "the-run", {"failed": True, "msg": "no zypper", "kernel": {}})
    assert _run_result.wait_for_result(machine, "the-run", 60) == {"failed": True, "msg": "no zypper"}
    assert machine.slept == 0


def test_collect_what_waits_for_the_run_before(machine: Any, monkeypatch: Any) -> None:
    """That one takes longer than a run takes to begin. Between the two nobody works for a moment."""
    _killed_in(machine, "loading")
    ends = machine.clock() + 200
    sleep = machine.sleep

    def goes_by(seconds: float) -> None:
        sleep(seconds)
        if machine.clock() > ends + 1:
            _run_result.save_result(machine, "the-run", {"changed": False})

    monkeypatch.setattr(machine, "sleep", goes_by)
    monkeypatch.setattr(machine, "is_locked", lambda path: machine.clock() < ends)
    assert _run_result.wait_for_result(machine, "the-run", 600) == {"changed": False, "failed": False}
    # And one that has gone away without a word is not waited for any longer than it may take to begin.
    before = machine.slept
    assert _run_result.wait_for_result(machine, "another", 600) is None
    assert machine.slept - before == pytest.approx(120, abs=0.3)


def test_collect_what_was_killed(machine: Any) -> None:
    _killed_in(machine, "loading")
    assert _run_result.wait_for_result(machine, "killed", 60) is None
    assert machine.slept < 1


def test_collect_what_ends_while_it_is_asked(machine: Any, monkeypatch: Any) -> None:
    _killed_in(machine, "verifying")

    def ends(path: str) -> bool:
        ended = dict(_entry(machine), phase="done", changed=True)
        machine.put(_JOURNAL, json.dumps(ended))
        return False

    monkeypatch.setattr(machine, "is_locked", ends)
    assert _run_result.wait_for_result(machine, "killed", 60)["changed"] is True


def _kill(machine: Any, monkeypatch: Any, method: str, **what: Any) -> None:
    """A run ends in the middle."""
    with monkeypatch.context() as patched:
        patched.setattr(machine, method, _die)
        with pytest.raises(KeyboardInterrupt):
            _bring(machine, **what)


@pytest.mark.parametrize("confirm", [True, False])
@pytest.mark.parametrize("multiversion", [True, False])
@pytest.mark.parametrize("method", ["sleep", "_insmod"])
def test_what_was_killed_is_undone_by_who_takes_it_up(
    machine: Any, monkeypatch: Any, method: str, multiversion: bool, confirm: bool
) -> None:
    machine.multiversion = multiversion
    machine.scripts_make_initrd = True
    machine.have(_TWO)
    machine.have_active(_TWO)
    _have_dracut(machine)
    machine.offer(_THREE, seconds=None)
    _kill(machine, monkeypatch, method, confirm=confirm)
    assert (_THREE in machine.installed, bool(machine.read_text(_HOLD))) == (True, not confirm)
    assert "and was reversed" in str(_failure(machine))
    assert (machine.installed, machine.read_text(_HOLD)) == ([_TWO], None)
    told = _livepatch(machine)
    assert (told["state"], told["level"], told["persistent"]) == ("outdated", 2, True)
    # The record has come to its end: what is installed from now on is not this change's
    assert _entry(machine)["undo"] is None


def test_what_was_left_running_is_undone_when_it_is_reversed(machine: Any) -> None:
    machine.offer(_THREE, seconds=None)
    assert "left running" in str(_failure(machine, on_stall="leave"))
    assert machine.installed == [_THREE]
    assert "and was reversed" in str(_failure(machine))
    assert machine.installed == []


def test_what_was_installed_before_stays(machine: Any) -> None:
    machine.have(_THREE)
    machine.offer(_THREE, seconds=None)
    assert f"{_THREE} was installed before, and still is: the next boot may load it" in str(_failure(machine))
    assert machine.installed == [_THREE]


def test_what_an_earlier_version_has_left_stays(machine: Any) -> None:
    """Its journal does not say what was there before."""
    machine.have(_THREE)
    machine.offer(_THREE, seconds=None)
    machine.start(_THREE)
    _killed_in(machine, "migrating")
    assert f"{_THREE} was installed before, and still is: the next boot may load it" in str(_failure(machine))
    assert machine.installed == [_THREE]


_WAY_BACK = {
    "was_absent": True,
    "previous_evr": None,
    "was_held": False,
    "was_persistent": False,
    "previous_arch": None,
    "previous_digests": [],
}


@pytest.mark.parametrize(
    "undo",
    [dict(_WAY_BACK, was_masked=False), {"was_absent": True}, {"absent": True}, sorted(_WAY_BACK), "nothing", 1],
)
@pytest.mark.parametrize("method", ["sleep", "_insmod", "_install"])
def test_a_way_back_that_another_version_has_recorded_is_unknown(
    machine: Any, monkeypatch: Any, method: str, undo: Any
) -> None:
    """What it had installed stays; what this run installs is undone."""
    machine.offer(_THREE, seconds=None)
    _kill(machine, monkeypatch, method)
    machine.put(_JOURNAL, json.dumps(dict(_entry(machine), undo=undo)))
    was_installed = _THREE in machine.installed
    problem = str(_failure(machine))
    assert "and was reversed" in problem
    assert (f"{_THREE} was installed before, and still is" in problem) is was_installed
    assert machine.installed == [_THREE] * was_installed
    assert _entry(machine)["undo"] is None


def test_collect_what_goes_on_after_a_change_has_ended(machine: Any, monkeypatch: Any) -> None:
    """The run sees out a migration that was under way, and then does what it is for: it has not ended in between."""
    machine.have(_TWO)
    machine.start(_TWO)
    _killed_in(machine, "migrating", _TWO)
    told = []
    collector, run = Host(machine.resolve_path("/")), machine.run

    def running(argv: Any, environment: Any = None, seconds: Any = None) -> Any:
        if argv[0] == "zypper" and "download" in argv:
            told.append((_entry(machine)["phase"], _run_result.wait_for_result(collector, "the-run", 0)))
        return run(argv, environment, seconds)

    monkeypatch.setattr(machine, "run", running)
    _bring(machine)
    assert told == [("done", None)]
    assert _run_result.wait_for_result(collector, "the-run", 0)["after"]["level"] == 3


# The next boot


def _have_dracut(machine: Any) -> None:
    """The initrd is what dracut makes of what is there: with the modules, unless it is told to leave them out."""
    machine.put("/usr/lib/dracut/modules.d/99kernel-livepatch/")
    machine.dracut = True
    machine.make_initrd()


def _die(*_args: Any) -> None:
    raise KeyboardInterrupt


def test_next_boot_of_nothing(machine: Any) -> None:
    told = _livepatch(machine)
    assert (told["persistent"], told["next_boot"]) == (None, None)
    assert told["unmeasured"]["persistent"]


def test_nothing_loads_it_at_boot(machine: Any) -> None:
    told = _bring(machine)["livepatch"]
    assert told["persistent"] is False
    assert told["next_boot"]["missing"] == ["nothing puts the module into the initrd: install kernel-livepatch-tools"]


def test_initrd(machine: Any) -> None:
    _have_dracut(machine)
    told = _bring(machine)["livepatch"]
    assert told["persistent"] is False
    assert (
        f"does not hold {machine.kmp}-{_THREE}: add it with dracut --force /boot/initrd-"
        in told["next_boot"]["missing"][0]
    )
    done = _bring(machine, repair_boot=True)
    assert (done["changed"], done["livepatch"]["persistent"], done["livepatch"]["next_boot"]["missing"]) == (
        True,
        True,
        [],
    )
    assert _bring(machine, repair_boot=True)["changed"] is False


def test_held_until_it_is_confirmed(machine: Any) -> None:
    _have_dracut(machine)
    machine.scripts_make_initrd = True
    told = _bring(machine, confirm=False)["livepatch"]
    assert machine.read_text(_HOLD)
    assert (told["state"], told["persistent"], told["next_boot"]["held"]) == ("patched", False, True)
    assert "until it is confirmed" in told["next_boot"]["missing"][0]
    assert _entry(machine)["phase"] == "soaking"
    assert _bring(machine, confirm=False)["changed"] is False
    assert _bring(machine, check_mode=True)["changed"] is True
    done = _bring(machine)
    assert (done["changed"], done["livepatch"]["persistent"]) == (True, True)
    assert machine.read_text(_HOLD) is None
    assert _entry(machine)["phase"] == "done"
    assert _bring(machine)["changed"] is False


def test_what_is_confirmed_is_what_was_planned(machine: Any) -> None:
    """Another build of the version that the operator asks for has come out since, which nobody has tried."""
    _have_dracut(machine)
    _bring(machine, kmp_version="2", confirm=False)
    machine.offer("2-150400.9.1")
    done = _bring(machine, state="present", refresh="never", kmp_version=_TWO)
    assert (machine.installed, machine.active()) == ([_TWO], [machine.module(_TWO)])
    assert (done["livepatch"]["persistent"], done["livepatch"]["compliance"]["up_to_date"]) == (True, True)
    assert (_entry(machine)["phase"], machine.read_text(_HOLD)) == ("done", None)


def test_hold_ends_with_what_it_was_for(machine: Any) -> None:
    _have_dracut(machine)
    machine.offer(_THREE, seconds=None)
    with pytest.raises(TransitionStalled):
        _bring(machine, confirm=False)
    assert machine.read_text(_HOLD) is None


@pytest.mark.parametrize("fault", ["fails", "lies", "hold"])
def test_hold_ends_where_nothing_was_installed(machine: Any, monkeypatch: Any, recorded: Any, fault: str) -> None:
    _have_dracut(machine)
    machine.have_service()
    machine.have(_TWO)
    machine.have_active(_TWO)
    run = machine.run

    def runs(argv: Any, environment: Any = None) -> Any:
        if fault == "hold" and argv == ["systemctl", "disable", "kpatch.service"]:
            run(argv)
            return Completed(1, "", "Access denied")
        return run(argv, environment)

    monkeypatch.setattr(machine, "run", runs)
    if fault == "fails":
        monkeypatch.setattr(machine, "_install", lambda wanted: recorded("zypper-6.1-install-down"))
    machine.lies = fault == "lies"
    _failure(machine, confirm=False)
    assert (machine.read_text(_HOLD), machine.service_enabled(), machine.installed) == (None, True, [_TWO])
    assert _livepatch(machine)["next_boot"]["held"] is False


@pytest.mark.parametrize(
    "confirm, words", [(True, "the next boot may load it"), (False, "it is kept out of the next boot until")]
)
def test_what_was_installed_and_is_refused(machine: Any, confirm: bool, words: str) -> None:
    _have_dracut(machine)
    machine.scripts_make_initrd = True
    machine.offer(_THREE, refused="Invalid parameters")
    machine.have(_THREE)
    machine.make_initrd()
    failed = _failure(machine, confirm=confirm)
    assert f"was installed before, and still is: {words}" in str(failed)
    assert _livepatch(machine)["persistent"] is confirm


def test_hold_stays_with_what_it_is_for(machine: Any, monkeypatch: Any) -> None:
    """What the kernel refused cannot be taken away again: it must not be loaded at the next boot."""
    _have_dracut(machine)
    machine.have_service()
    machine.offer(_THREE, refused="Invalid parameters")
    monkeypatch.setattr(machine, "_remove", lambda wanted: Completed(104, "<stream/>", "no"))
    assert "is still installed" in str(_failure(machine, confirm=False))
    assert (bool(machine.read_text(_HOLD)), machine.service_enabled(), machine.installed) == (True, False, [_THREE])


@pytest.mark.parametrize("multiversion", [True, False])
@pytest.mark.parametrize("what", [{"seconds": None}, {"refused": "Invalid parameters"}])
def test_next_boot_keeps_what_it_kept(machine: Any, what: Any, multiversion: bool) -> None:
    """An initrd that was made under the hold is without the level that was there before, too."""
    machine.multiversion = multiversion
    machine.scripts_make_initrd = True
    machine.have(_TWO)
    machine.have_active(_TWO)
    _have_dracut(machine)
    assert _livepatch(machine)["persistent"] is True
    machine.offer(_THREE, **what)
    failed = _failure(machine, confirm=False)
    told = _livepatch(machine)
    assert (told["level"], told["persistent"], told["next_boot"]["held"]) == (2, True, False)
    assert "next boot" not in str(failed)


def test_next_boot_cannot_be_made_as_it_was(machine: Any, monkeypatch: Any) -> None:
    machine.scripts_make_initrd = True
    machine.have(_TWO)
    machine.have_active(_TWO)
    _have_dracut(machine)
    machine.offer(_THREE, seconds=None)
    remove = machine._remove

    def fills_the_disk(wanted: str) -> Any:
        machine.dracut = False
        return remove(wanted)

    monkeypatch.setattr(machine, "_remove", fills_the_disk)
    failed = _failure(machine, confirm=False)
    assert "was reversed" in str(failed)
    assert "The next boot is not as it was: dracut could not make" in str(failed)


def test_next_boot_does_not_get_what_failed(machine: Any, monkeypatch: Any) -> None:
    machine.have(_TWO)
    machine.have_active(_TWO)
    _have_dracut(machine)
    machine.offer(_THREE, refused="Invalid parameters")
    monkeypatch.setattr(machine, "_remove", lambda wanted: Completed(104, "<stream/>", "no"))
    _failure(machine)
    assert not machine.ran("dracut")


def test_hold_of_an_earlier_change_stays(machine: Any, monkeypatch: Any, recorded: Any) -> None:
    _have_dracut(machine)
    _bring(machine, level=2, confirm=False)
    monkeypatch.setattr(machine, "_install", lambda wanted: recorded("zypper-6.1-install-down"))
    _failure(machine, confirm=False)
    assert machine.read_text(_HOLD)


def test_initrd_cannot_be_made(machine: Any) -> None:
    _have_dracut(machine)
    _bring(machine, confirm=False)
    machine.dracut = False
    with pytest.raises(Exception, match=r"dracut could not make /boot/initrd-.*no space") as caught:
        _bring(machine)
    assert caught.value.result["livepatch"]["state"] == "patched"


@pytest.mark.parametrize("killed", [False, True])
def test_initrd_is_made_by_the_next_run(machine: Any, monkeypatch: Any, killed: bool) -> None:
    """Confirmed is what the next boot has, not what dracut was asked for."""
    _have_dracut(machine)
    _bring(machine, confirm=False)
    with monkeypatch.context() as patched:
        patched.setattr(machine, *(("make_initrd", _die) if killed else ("dracut", False)))
        with pytest.raises(KeyboardInterrupt if killed else NextBootFailed):
            _bring(machine)
    told = _livepatch(machine)
    assert (told["persistent"], told["next_boot"]["held"], _entry(machine)["phase"]) == (False, True, "soaking")
    assert _bring(machine, check_mode=True)["changed"] is True
    done = _bring(machine)["livepatch"]
    assert (done["persistent"], done["next_boot"]["held"], _entry(machine)["phase"]) == (True, False, "done")
    assert _bring(machine)["changed"] is False


def test_removal_ends_what_was_left_to_make(machine: Any, monkeypatch: Any) -> None:
    _have_dracut(machine)
    _bring(machine, confirm=False)
    machine.dracut = False
    _failure(machine)
    _bring(machine, state="absent", allow_unsupported=True)
    machine.have(_THREE)
    assert _livepatch(machine)["next_boot"]["held"] is False


def test_next_boot_cannot_be_mended(machine: Any) -> None:
    _have_dracut(machine)
    machine.have(_TWO)
    machine.have_active(_TWO)
    machine.dracut = False
    failed = _failure(machine, repair_boot=True)
    assert isinstance(failed, NextBootFailed)
    assert (failed.result["before"]["level"], failed.result["after"]["level"], failed.result["changed"]) == (2, 3, True)
    entry = _entry(machine)
    assert (entry["phase"], entry["changed"], entry["after"]["level"]) == ("failed", True, 3)
    assert "dracut could not make" in entry["problem"]
    assert _run_result.wait_for_result(machine, "the-run", 5)["failed"] is True
    machine.dracut = True
    assert _bring(machine, repair_boot=True)["livepatch"]["persistent"] is True
    _reboot(machine)
    assert _livepatch(machine)["state"] == "installed", "it was no crash"


@pytest.mark.parametrize("killed", [False, True])
def test_a_change_that_could_not_be_confirmed(machine: Any, monkeypatch: Any, killed: bool) -> None:
    _have_dracut(machine)
    _bring(machine, level=2, confirm=False)
    with monkeypatch.context() as patched:
        patched.setattr(machine, *(("make_initrd", _die) if killed else ("dracut", False)))
        with pytest.raises(KeyboardInterrupt if killed else NextBootFailed):
            _bring(machine)
    assert _entry(machine)["phase"] == ("verifying" if killed else "failed")
    done = _bring(machine)
    assert (done["changed"], done["livepatch"]["persistent"]) == (True, True)
    assert (_entry(machine)["phase"], _entry(machine)["problem"]) == ("done", None)


def test_to_confirm_leaves_the_record_of_another_failure(machine: Any, monkeypatch: Any) -> None:
    _have_dracut(machine)
    _bring(machine, level=2, confirm=False)
    machine.offer(_THREE, refused="Invalid parameters")
    _failure(machine, confirm=False)
    assert _bring(machine, level=2)["livepatch"]["persistent"] is True
    assert (_entry(machine)["phase"], "Invalid parameters" in _entry(machine)["problem"]) == ("failed", True)


# The lock on the kernel's package


def test_kernel_lock(machine: Any) -> None:
    machine.put("/boot/.keep")
    assert _bring(machine, kernel_lock=True)["changed"] is True
    assert machine.locks == ["kernel-cloud-amd64"]
    assert _bring(machine, kernel_lock=True)["changed"] is False
    assert _bring(machine)["changed"] is False
    assert _bring(machine, kernel_lock=False, check_mode=True)["changed"] is True
    assert machine.locks == ["kernel-cloud-amd64"]
    assert _bring(machine, kernel_lock=False)["changed"] is True
    assert machine.locks == []
    assert _bring(machine, kernel_lock=False)["changed"] is False


def test_kernel_lock_that_cannot_be_set(machine: Any) -> None:
    """A collector that asks the journal hears of it, too: the patch is active, and what was asked for is not done."""
    machine.locks = None
    with pytest.raises(InstallFailed, match="zypper addlock kernel-cloud-amd64 exited with 1: no space") as caught:
        _bring(machine, kernel_lock=True)
    assert caught.value.result["livepatch"]["state"] == "patched"
    told = _run_result.wait_for_result(machine, "the-run", 5)
    assert (told["failed"], told["changed"], told["after"]["level"]) == (True, True, 3)
    assert "zypper addlock" in told["msg"]
    machine.locks = []
    assert _bring(machine, kernel_lock=True)["changed"] is True


def test_an_administrators_lock_is_left_alone(machine: Any) -> None:
    _bring(machine)
    machine.locks = ["kernel-cloud-amd64"]
    assert _bring(machine, kernel_lock=True)["changed"] is False
    assert _bring(machine, kernel_lock=False)["changed"] is False
    assert machine.locks == ["kernel-cloud-amd64"]


# The lock on KMPs

_PATTERNS = ["kernel-livepatch-[0-9]*", "kgraft-patch-[0-9]*"]


def test_lock(machine: Any) -> None:
    """It holds for others, and is passed over for a level, for an older one, and on the way back."""
    assert _bring(machine, level=2, lock=True)["kmp"]["lock"] == "own"
    assert machine.locks == _PATTERNS
    assert machine.run(["zypper", "install", machine.package_file(_THREE)]).rc != 0, "others do not install one"
    assert _bring(machine, lock=True, check_mode=True)["kmp"]["selected"]["level"] == 3, "ours is no refusal"
    assert _bring(machine, lock=True)["livepatch"]["level"] == 3
    assert _bring(machine, state="previous")["livepatch"]["level"] == 2
    assert _bring(machine, level=2)["changed"] is False, "nothing is said of it, and it stays"
    assert machine.locks == _PATTERNS
    assert _bring(machine, level=2, lock=False, check_mode=True)["changed"] is True
    assert machine.locks == _PATTERNS
    off = _bring(machine, level=2, lock=False)
    assert (off["changed"], off["kmp"]["lock"], machine.locks) == (True, "none", [])
    assert _bring(machine, level=2, lock=False)["changed"] is False


@pytest.mark.parametrize("phase", ["installing", "loading", "migrating", "verifying"])
def test_a_run_that_is_killed_leaves_no_host_without_its_lock(machine: Any, monkeypatch: Any, phase: str) -> None:
    _bring(machine, level=2, lock=True)
    enter = _journal.Journal.enter

    def enter_and_die(journal: Any, entered: str, *more: Any) -> None:
        enter(journal, entered, *more)
        if entered == phase:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(_journal.Journal, "enter", enter_and_die)
        with pytest.raises(KeyboardInterrupt):
            _bring(machine, lock=True)
    assert machine.locks == _PATTERNS
    assert machine.run(["zypper", "install", machine.package_file(_THREE)]).rc != 0


def test_a_lock_that_somebody_has_removed_is_set_again(machine: Any) -> None:
    _bring(machine, lock=True)
    machine.run(["zypper", "removelock", _PATTERNS[0]])
    assert _livepatch(machine)["state"] == "patched"
    assert _bring(machine, lock=True)["changed"] is True
    assert sorted(machine.locks) == sorted(_PATTERNS)


def test_the_lock_alone(machine: Any) -> None:
    done = _bring(machine, lock=True, lock_only=True)
    assert (done["changed"], done["kmp"]["lock"], done["livepatch"]["state"]) == (True, "own", "unpatched")
    assert (machine.locks, machine.installed) == (_PATTERNS, [])
    machine.locks = None
    with pytest.raises(InstallFailed, match="no space left"):
        _bring(machine, lock=False, lock_only=True)


def test_a_lock_that_cannot_be_set_is_no_failure_of_the_patch(machine: Any) -> None:
    machine.locks = None
    done = _bring(machine, lock=True)
    assert done["livepatch"]["state"] == "patched"
    assert [warning for warning in done["warnings"] if "the lock on KMPs is not as it was asked for: zypper" in warning]


def test_locks_of_others_hold_and_stay(machine: Any) -> None:
    _bring(machine, level=2)
    machine.run(["zypper", "addlock", machine.kmp])
    _bring(machine, level=2, lock=True)
    assert machine.locks == [machine.kmp, *_PATTERNS]
    with pytest.raises(NotDone, match="it is locked in the package manager"):
        _bring(machine, level=3, lock=True)
    _bring(machine, level=2, lock=False)
    assert machine.locks == [machine.kmp]
    for pattern in _PATTERNS:
        machine.run(["zypper", "addlock", pattern])
    assert _bring(machine, level=2, lock=True)["kmp"]["lock"] == "foreign"
    assert _bring(machine, level=2, lock=False)["changed"] is False
    assert machine.locks == [machine.kmp, *_PATTERNS], "whose they were before"


def test_a_rollout_counts_no_lock_as_a_change(machine: Any) -> None:
    _bring(machine)
    done = _bring(machine, lock=True, rollout="r")
    assert (done["changed"], done["kmp"]["lock"]) == (False, "own")


# What the kernel was like before


def test_baseline(machine: Any) -> None:
    machine.put("/proc/sys/kernel/tainted", "512")
    machine.log = ["6,41,1000,-;before\n"]
    done = _bring(machine)
    entry = _entry(machine)
    boot_id = machine.read_text("/proc/sys/kernel/random/boot_id")
    assert entry["baseline"] == {"boot_id": boot_id, "taint": 512, "log": 41, "at": entry["began"]}
    assert "baseline" not in done["livepatch"]["journal"]
    # All that livepatch itself has logged and set since
    machine.put("/proc/sys/kernel/tainted", str(512 | 1 << 15))
    health = _livepatch(machine)["health"]
    assert (health["verdict"], health["problems"], health["complete"]) == ("pass", [], True)
    machine.log.append("4,500,9000,-;WARNING: CPU: 0 PID: 1 at kernel/x.c:1 x+0x1/0x2 [livepatch_3]\n")
    assert _livepatch(machine)["health"]["problems"][0]["what"] == "warning"
    _reboot(machine)
    assert [one["what"] for one in _livepatch(machine)["health"]["problems"]] == ["rebooted"]


def test_nothing_was_recorded(machine: Any) -> None:
    assert _livepatch(machine)["health"]["verdict"] == "inconclusive"
    _killed_in(machine, "migrating")  # as an earlier version left it
    health = _livepatch(machine)["health"]
    assert (health["verdict"], health["since"]) == ("inconclusive", None)


@pytest.mark.parametrize("phase, kept", [("installing", True), ("loading", True), ("failed", False)])
def test_baseline_of_what_is_taken_up(machine: Any, phase: str, kept: bool) -> None:
    machine.log = ["6,41,1000,-;before\n", "6,42,1000,-;after\n"]
    earlier = {"boot_id": machine.read_text("/proc/sys/kernel/random/boot_id"), "taint": 0, "log": 41, "at": 1.0}
    _killed_in(machine, phase)
    machine.put(_JOURNAL, json.dumps(dict(_entry(machine), baseline=earlier)))
    _bring(machine)
    assert (_entry(machine)["baseline"] == earlier) is kept


@pytest.mark.parametrize("phase", ["migrating", "failed"])
def test_baseline_of_a_migration_that_is_taken_up(machine: Any, phase: str) -> None:
    earlier = {"boot_id": machine.read_text("/proc/sys/kernel/random/boot_id"), "taint": 0, "log": 41, "at": 1.0}
    machine.have(_THREE)
    machine.start(_THREE)
    _killed_in(machine, phase)
    machine.put(_JOURNAL, json.dumps(dict(_entry(machine), baseline=earlier, back=True)))
    _bring(machine)
    assert (_entry(machine)["phase"], _entry(machine)["baseline"], _entry(machine)["back"]) == ("done", earlier, True)


def test_baseline_is_of_this_change(machine: Any) -> None:
    _bring(machine, level=2)
    first = _entry(machine)["baseline"]
    machine.sleep(5)
    _bring(machine)
    assert _entry(machine)["baseline"]["log"] > (first["log"] or 0)


# The fence


def test_fence(machine: Any) -> None:
    assert _bring(machine, fence=7)["livepatch"]["journal"]["fence"] == 7
    boot_id = machine.read_text("/proc/sys/kernel/random/boot_id")
    before = machine.read_text(_JOURNAL)
    for what in (
        {},
        {"state": "present"},
        {"level": 2, "allow_downgrade": True},
        {"state": "previous"},
        {"state": "previous", "plan": "p"},
        {"state": "absent", "allow_unsupported": True},
        {"check_mode": True},
    ):
        with pytest.raises(
            Fenced, match=r"a newer run of the rollout \(number 7\) has taken over this host, this is number 6"
        ):
            _bring(machine, fence=6, **what)
    assert (machine.active(), machine.read_text(_JOURNAL)) == ([machine.module(_THREE)], before)
    # As high, or none at all, is well; no run by hand takes the number away
    assert _bring(machine, fence=7)["changed"] is False
    assert _bring(machine)["changed"] is False
    _bring(machine, level=2, allow_downgrade=True)
    assert _entry(machine)["fence"] == 7
    # A higher one is kept even where it has nothing to do, but for check mode, and though somebody clears the journal
    _bring(machine, level=2, fence=9, check_mode=True)
    assert _entry(machine)["fence"] == 7
    assert _bring(machine, level=2, fence=8)["changed"] is False
    assert _entry(machine)["fence"] == 8
    assert (_entry(machine)["phase"], _entry(machine)["boot_id"]) == ("done", boot_id)
    machine.put(_JOURNAL, json.dumps(dict(_entry(machine), phase="loading")))
    _journal.clear_journal(machine, "looked", False)
    with pytest.raises(Fenced):
        _bring(machine, fence=7)


def test_fence_comes_before_what_is_half_done(machine: Any) -> None:
    machine.have(_THREE)
    machine.start(_THREE)
    _killed_in(machine, "migrating")
    machine.put(_JOURNAL, json.dumps(dict(_entry(machine), fence=3)))
    with pytest.raises(Fenced):
        _bring(machine, fence=2)
    assert machine.slept == 0
    assert _entry(machine)["run"] == "killed"


# What a rollout has begun


def test_what_a_rollout_has_begun_is_finished_and_nothing_else_is_begun(machine: Any) -> None:
    begun = {"rollout": "r", "expect": {"begun": True}}
    with pytest.raises(NotBegun) as refused:
        _bring(machine, **begun)
    assert refused.value.marks == {"not_begun": True}
    _bring(machine, level=2, rollout="other")
    with pytest.raises(NotBegun):
        _bring(machine, **begun)
    assert machine.active() == [machine.module(_TWO)]
    machine.start(_THREE)
    _killed_in(machine, "migrating")
    machine.put(_JOURNAL, json.dumps(dict(_entry(machine), rollout="r")))
    assert _bring(machine, **begun)["livepatch"]["state"] == "patched"
    assert _bring(machine, **begun)["changed"] is False


def test_what_has_failed_in_a_rollout_is_not_tried_again_by_it(machine: Any) -> None:
    _bring(machine, level=2)
    machine.offer(_THREE, refused="Invalid parameters")
    with pytest.raises(LoadRefused) as first:
        _bring(machine, rollout="r")
    machine.offer(_THREE)
    with pytest.raises(NotDone, match="Invalid parameters") as again:
        _bring(machine, rollout="r", expect={"begun": True})
    assert machine.active() == [machine.module(_TWO)]
    kept = {key: first.value.result[key] for key in ("before", "after")}
    assert again.value.result == kept
    assert kept["before"] == kept["after"], "nothing is left of it"
    assert _bring(machine, rollout="next")["livepatch"]["level"] == 3


# The way back, as a rollout asks for it


def test_previous_twice_stays(machine: Any) -> None:
    machine.have(_TWO)
    machine.have_active(_TWO)
    _bring(machine)
    assert _bring(machine, state="previous")["after"]["level"] == 2
    again = _bring(machine, state="previous")
    assert (again["changed"], again["after"]["level"], machine.active()) == (False, 2, [machine.module(_TWO)])
    # It is a new change that can be gone back from again
    _bring(machine, level=3)
    assert _bring(machine, state="previous")["after"]["level"] == 2


def test_previous_was_nothing_twice_stays(machine: Any) -> None:
    _bring(machine)
    _bring(machine, state="previous")
    again = _bring(machine, state="previous")
    assert (again["changed"], again["after"]["level"]) == (False, 1)


_WISHES: Any = [
    {"severity": "critical"},
    {"cves": ("CVE-2099-9999",)},
    {"min_age": 7},
    {"issued_before": "2026-01-01"},
    {"max_version": "0"},
    {"exclude": ("*",)},
]


@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("wish", _WISHES)
def test_previous_is_not_chosen_by_what_was_wanted(machine: Any, wish: Any, level: int) -> None:
    if level == 2:
        machine.have(_TWO)
        machine.have_active(_TWO)
    _bring(machine)
    done = _bring(machine, state="previous", **wish)
    assert (done["changed"], done["after"]["level"]) == (True, level)
    again = _bring(machine, state="previous", **wish)
    assert (again["changed"], again["after"]["level"]) == (False, level)


def test_previous_is_not_what_must_not_be_used(machine: Any) -> None:
    _bring(machine, level=2)
    _bring(machine)
    barred = _failure(machine, state="previous", quarantine=(QuarantineEntry("2-*", "it hangs"),))
    assert "in quarantine: it hangs" in str(barred)
    machine.offer(_TWO, signature="unsigned")
    machine.multiversion = False
    assert "it is not signed" in str(_failure(machine, state="previous"))
    assert machine.active() == [machine.module(_THREE)]


def test_previous_that_was_interrupted(machine: Any) -> None:
    _bring(machine)
    _killed_in(machine, "installing", _TWO)
    machine.put(_JOURNAL, json.dumps(dict(_entry(machine), back=True, previous=_THREE)))
    assert _bring(machine, state="previous")["after"]["level"] == 2
    assert _bring(machine, state="previous")["changed"] is False


def test_previous_of_what_was_interrupted_in_place(machine: Any) -> None:
    """The package of what was active went away before the run was killed: only the journal still knows which it was."""
    machine.multiversion = False
    machine.have_active(_TWO)
    machine.have(_THREE)
    _killed_in(machine, "installing")
    machine.put(_JOURNAL, json.dumps(dict(_entry(machine), previous=_TWO)))
    _bring(machine)
    assert _entry(machine)["previous"] == _TWO
    done = _bring(machine, state="previous")
    assert (done["changed"], done["after"]["level"], machine.active()) == (True, 2, [machine.module(_TWO)])


def test_a_change_never_goes_back_to_itself(machine: Any) -> None:
    """An administrator has installed the new package in place of the old one, and nobody recorded that."""
    machine.multiversion = False
    machine.have_active(_TWO)
    machine.have(_THREE)
    _bring(machine)
    assert _entry(machine)["previous"] is None
    assert _bring(machine, state="previous")["after"]["level"] == 1


@pytest.mark.parametrize("name, level", [("kernel-livepatch-6_1_0-56-cloud-amd64", 1), ("kpatch-patch-6_1_0-56", None)])
def test_journal_names_itself_as_previous(machine: Any, name: str, level: Any) -> None:
    """As earlier versions wrote it."""
    _bring(machine)
    machine.put(_JOURNAL, json.dumps(dict(_entry(machine), kmp=f"{name}-{_THREE}", previous=_THREE)))
    if level is None:
        refused = _failure(machine, state="previous")
        assert (refused.marks, "no other KMP that was active before" in str(refused)) == ({"refused": True}, True)
    else:
        assert _bring(machine, state="previous")["after"]["level"] == level


@pytest.mark.parametrize("check_mode", [False, True])
def test_previous_of_a_plan(machine: Any, check_mode: bool) -> None:
    told = _bring(machine, state="previous", plan="p", check_mode=check_mode)
    assert (told["changed"], told["livepatch"]["journal"]) == (False, None)
    _bring(machine, level=2, plan="p")
    _bring(machine, plan="q")
    told = _bring(machine, state="previous", plan="p", check_mode=check_mode)
    assert (told["changed"], told["after"]["level"]) == (False, 3)
    assert told["msg"] == "nothing was done: the last change of this host was not made for this plan"
    assert _entry(machine)["plan"] == "q"
    done = _bring(machine, state="previous", plan="q")
    assert (done["changed"], done["after"]["level"]) == (True, 2)
    assert _bring(machine, state="previous", plan="q")["changed"] is False
    assert _bring(machine, state="previous", plan="p")["changed"] is False
    assert machine.active() == [machine.module(_TWO)]


def test_previous_leaves_another_plans_migration_alone(machine: Any) -> None:
    machine.have(_THREE)
    machine.start(_THREE)
    _killed_in(machine, "migrating")
    told = _bring(machine, state="previous", plan="p")
    assert (told["changed"], told["livepatch"]["state"], machine.slept) == (False, "transitioning", 0)
    assert _entry(machine)["run"] == "killed"


def test_previous_of_what_was_undone(machine: Any) -> None:
    """Nothing was active before, and the kernel took nothing: level 1 would be more than what was there."""
    machine.offer(_THREE, refused="Invalid parameters")
    with pytest.raises(LoadRefused):
        _bring(machine, plan="p")
    told = _bring(machine, state="previous", plan="p")
    assert (told["changed"], told["after"]["state"], machine.installed) == (False, "unpatched", [])


# What is refused for good, and what did not work


def _failure(machine: Any, **what: Any) -> Any:
    with pytest.raises(LivepatchError) as caught:
        _bring(machine, **what)
    return caught.value


def test_refused_by_the_kernel(machine: Any) -> None:
    machine.have(_TWO)
    machine.have_active(_TWO)
    _bring(machine)
    machine.offer(_TWO, refused="Invalid parameters")
    machine.says = "livepatch: Livepatch patch (x) is not compatible with the already installed livepatches."
    assert _failure(machine, state="previous").marks == {"refused": True}
    assert _entry(machine)["refused"] is True
    assert _run_result.wait_for_result(machine, "the-run", 5)["refused"] is True
    machine.says = "livepatch: failed to enable patch 'x'"
    assert _failure(machine, state="previous").marks == {}
    assert "refused" not in _entry(machine)
    assert "refused" not in _run_result.wait_for_result(machine, "the-run", 5)


def test_refused_by_the_vendor(machine: Any) -> None:
    _bring(machine)
    assert _failure(machine, state="absent").marks == {"refused": True}
    machine.put(_JOURNAL, json.dumps(dict(_entry(machine), kmp="kpatch-patch-5_14_0-427_13_1-1-2.el9")))
    refused = _failure(machine, state="previous")
    assert refused.marks == {"refused": True}
    assert "the vendor advises against" in str(refused)


def test_nothing_to_go_back_from(machine: Any) -> None:
    assert _failure(machine, state="previous").marks == {"refused": True}


def test_way_back_that_stalls(machine: Any) -> None:
    _bring(machine, level=2)
    _bring(machine)
    machine.offer(_TWO, seconds=None)
    assert _failure(machine, state="previous").marks == {"stalled": True}


# Preflight, as part of the change


@pytest.mark.parametrize("check_mode", [False, True])
def test_preflight(machine: Any, check_mode: bool) -> None:
    machine.put("/proc/sys/kernel/ftrace_enabled", "0")
    machine.put("/proc/sys/kernel/tainted", "128")
    wanted = r"preflight: ftrace: live patches need .*; taint: the kernel is damaged.*preflight_tolerate"
    with pytest.raises(NotDone, match=wanted) as caught:
        _bring(machine, preflight=True, preflight_tolerate=("disk",), check_mode=check_mode)
    assert (machine.installed, machine.read_text(_JOURNAL), caught.value.result["changed"]) == ([], None, False)
    assert not machine.ran("download")
    with pytest.raises(NotDone, match="preflight: taint"):
        _bring(machine, preflight=True, preflight_tolerate=("disk", "ftrace"), check_mode=check_mode)
    assert _bring(machine, preflight=True, preflight_tolerate=("disk", "ftrace", "taint"))["changed"] is True
    # Who needs nothing is not kept from it
    assert _bring(machine, preflight=True)["changed"] is False


def test_preflight_of_the_disk(machine: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(machine, "get_free_space", lambda path: 1 << 20)
    with pytest.raises(NotDone, match="disk /var/cache: 1 MiB are free"):
        _bring(machine, preflight=True)
    assert _bring(machine, preflight=True, preflight_tolerate=("disk",))["changed"] is True


def test_preflight_does_not_mind_what_is_taken_up(machine: Any) -> None:
    machine.have(_TWO)
    machine.start(_TWO)
    _killed_in(machine, "migrating", _TWO)
    assert _bring(machine, preflight=True, preflight_tolerate=("disk",))["after"]["level"] == 3


# Whether the kernel was given the module


def test_a_change_that_the_host_could_not_begin_has_given_the_kernel_nothing(machine: Any) -> None:
    machine.put("/proc/sys/kernel/ftrace_enabled", "0")
    with pytest.raises(NotDone, match=r"kernel\.ftrace_enabled is 0"):
        _bring(machine)
    assert (machine.installed, machine.loaded()) == ([], [])
    machine.put("/proc/sys/kernel/ftrace_enabled", "1")
    machine.put("/proc/sys/kernel/modules_disabled", "1")
    with pytest.raises(NotDone, match=r"kernel\.modules_disabled is 1"):
        _bring(machine)
    assert machine.read_text(_JOURNAL) is None


@pytest.mark.parametrize("scripts_load", [True, False])
def test_an_installation_that_fails_may_have_given_it(machine: Any, scripts_load: bool) -> None:
    machine.scripts_load = scripts_load
    install = machine._install

    def fail(argv: Any) -> Any:
        install(argv)
        return Completed(8, "", "No space left on device")

    machine._install = fail
    with pytest.raises(InstallFailed):
        _bring(machine)
    assert _entry(machine)["given"] is scripts_load
    assert _livepatch(machine)["journal"]["given"] is scripts_load


def test_a_stall_is_marked_and_says_what_holds_it(machine: Any) -> None:
    machine.levels[_THREE]["seconds"] = None
    with pytest.raises(TransitionStalled) as stalled:
        _bring(machine)
    assert stalled.value.marks == {"stalled": True}
    entry = _entry(machine)
    assert (entry["stalled"], entry["given"]) == (True, True)
    assert [blocker["kernel_thread"] for blocker in entry["blockers"]] == [True]
    # A run that finds it so tells the same.
    with pytest.raises(NotDone) as again:
        _bring(machine, run="another", expect={"begun": True})
    assert again.value.result["stalled"] is True and again.value.result["blockers"] == entry["blockers"]
