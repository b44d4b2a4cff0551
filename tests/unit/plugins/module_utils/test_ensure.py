# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json
from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils import _ensure
from ansible_collections.fleet.livepatch.plugins.module_utils._change.request import Request
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import (
    InstallFailed,
    LoadRefused,
    NotDone,
    PackageDiffers,
    RepositoryDown,
    TransactionRefused,
    TransitionStalled,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.policy import Policy

_ONE, _TWO, _THREE = "1-150400.9.3.1", "2-150400.2.1", "3-150400.2.1"
_MODULE_2, _MODULE_3 = "livepatch_2_150400_2_1", "livepatch_3_150400_2_1"


def _request(timeout: float = 60, on_stall: str = "reverse", check_mode: bool = False) -> Request:
    return Request(Policy("if_older_than", 600, 60, False), timeout, on_stall, check_mode)


def _entry(machine: Any) -> Any:
    return json.loads(machine.read_text("/var/lib/fleet.livepatch/journal.json"))


def _changes(machine: Any) -> Any:
    return [
        call[0] if call[0] != "zypper" else "remove" if "remove" in call else "install"
        for call in machine.calls
        if _is_change(call)
    ]


def _is_change(call: Any) -> bool:
    return call[0] in ("insmod", "rmmod") or (("install" in call or "remove" in call) and "--dry-run" not in call)


def test_unpatched(machine: Any) -> None:
    result = _ensure.ensure_state(machine, _request())
    assert result["changed"] is True
    assert result["before"] == {"state": "unpatched", "level": None, "patches": [], "kmp": None}
    assert result["after"] == {"state": "patched", "level": 3, "patches": [_MODULE_3], "kmp": _THREE}
    assert result["transition"]["by"] == "kernel log"
    assert result["transition"]["seconds"] == pytest.approx(1.5, abs=0.11)
    assert result["livepatch"]["state"] == "patched"
    assert result["livepatch"]["transition"] == {"running": False, "patch": None, "to": None}
    assert result["livepatch"]["blockers"] == []
    assert result["livepatch"]["compliance"]["cves_fixed"] == ["CVE-2099-0002", "CVE-2099-0003"]
    assert result["livepatch"]["compliance"]["up_to_date"] is True
    assert result["livepatch"]["evidence"]["module_build_id"] == "3" * 40
    assert result["livepatch"]["patches"][0]["objects"] == {"vmlinux": 1}
    assert "functions" not in result["livepatch"]["patches"][0]
    assert "candidates" not in result["kmp"]
    assert _changes(machine) == ["install", "insmod"]
    assert machine.ran("insmod") == [["insmod", machine.file(_THREE)]]


def test_check_mode(machine: Any) -> None:
    result = _ensure.ensure_state(machine, _request(check_mode=True))
    assert result["changed"] is True
    assert result["after"] == {"state": "patched", "level": 3, "kmp": _THREE, "patches": [_MODULE_3]}
    assert result["livepatch"]["state"] == "unpatched"
    assert _changes(machine) == []
    assert (machine.active(), machine.installed, machine.slept) == ([], [], 0)


def test_check_mode_of_level_one(machine: Any) -> None:
    del machine.levels[_TWO], machine.levels[_THREE]
    assert _ensure.ensure_state(machine, _request(check_mode=True))["after"]["state"] == "baseline"


@pytest.mark.parametrize("check_mode", [False, True])
def test_second_run_changes_nothing(machine: Any, check_mode: bool) -> None:
    _ensure.ensure_state(machine, _request())
    del machine.calls[:]
    result = _ensure.ensure_state(machine, _request(check_mode=check_mode))
    assert result["changed"] is False
    assert result["before"] == result["after"]
    assert result["after"]["state"] == "patched"
    assert result["transition"] == {"seconds": None, "by": None}
    assert _changes(machine) == []


def test_level_two_active(machine: Any) -> None:
    machine.have(_TWO)
    machine.have_active(_TWO)
    result = _ensure.ensure_state(machine, _request())
    assert (result["before"]["state"], result["before"]["level"]) == ("outdated", 2)
    assert result["after"] == {"state": "patched", "level": 3, "patches": [_MODULE_3], "kmp": _THREE}
    assert sorted(machine.installed) == [_TWO, _THREE]
    assert _changes(machine) == ["install", "insmod", "rmmod"], "the module that was replaced goes"
    assert machine.loaded() == [_MODULE_3]


def test_only_level_one(machine: Any) -> None:
    del machine.levels[_TWO], machine.levels[_THREE]
    result = _ensure.ensure_state(machine, _request())
    assert (result["changed"], result["after"]["state"], result["after"]["level"]) == (True, "baseline", 1)
    assert _ensure.ensure_state(machine, _request())["changed"] is False


def test_installed_and_not_loaded(machine: Any) -> None:
    machine.have(_THREE)
    result = _ensure.ensure_state(machine, _request())
    assert (result["before"]["state"], result["after"]["state"]) == ("installed", "patched")
    assert _changes(machine) == ["insmod"]


def test_packages_script_loads_it(machine: Any) -> None:
    machine.scripts_load = True
    result = _ensure.ensure_state(machine, _request())
    assert result["after"]["state"] == "patched"
    assert machine.ran("insmod") == []
    assert machine.slept >= 1.5


def test_script_cannot_load_it(machine: Any) -> None:
    machine.scripts_load = True
    machine.offer(_THREE, refused="Invalid parameters")
    with pytest.raises(LoadRefused):
        _ensure.ensure_state(machine, _request())


def test_refused_by_the_kernel(machine: Any) -> None:
    machine.have(_TWO)
    machine.have_active(_TWO)
    machine.offer(_THREE, refused="Invalid parameters")
    with pytest.raises(LoadRefused, match=r"Invalid parameters \(kernel log: livepatch: failed to enable") as caught:
        _ensure.ensure_state(machine, _request())
    result = caught.value.result
    # The host is as before, packages too: the next boot must not try what the kernel refused
    assert result["changed"] is False
    assert result["after"] == {"state": "outdated", "level": 2, "patches": [_MODULE_2], "kmp": _TWO}
    assert result["before"] == result["after"]
    assert "state is now outdated" in str(caught.value)
    assert machine.installed == [_TWO]
    assert _entry(machine)["phase"] == "failed"


def test_level_of_a_disabled_patch(machine: Any) -> None:
    machine.have(_THREE)
    machine.have_active(_THREE)
    machine.put(f"/sys/kernel/livepatch/{_MODULE_3}/enabled", "0")
    # Before Linux 5.1 it stays like that, and is loaded anew; this one is still in use.
    with pytest.raises(LoadRefused, match="cannot be removed") as caught:
        _ensure.ensure_state(machine, _request())
    assert caught.value.result["before"] == {"state": "installed", "level": None, "patches": [_MODULE_3], "kmp": _THREE}


@pytest.mark.parametrize(
    "expect, told",
    [
        ({"build_id": "0" * 40}, "the plan was made for " + "0" * 40),
        ({"kmp": "4-1"}, "the newest KMP is 3-150400.2.1, the plan was made for 4-1"),
    ],
)
def test_changed_since_it_was_planned(machine: Any, expect: Any, told: str) -> None:
    with pytest.raises(NotDone, match=told) as caught:
        _ensure.ensure_state(machine, _request()._replace(expect=expect))
    assert caught.value.result["changed"] is False
    assert machine.active() == []
    assert caught.value.result["kmp"]["installed"] is None


def test_stalls_and_is_reversed(machine: Any) -> None:
    machine.offer(_THREE, seconds=None)
    with pytest.raises(
        TransitionStalled, match=r"did not complete within 10 s because of kworker.* and was reversed"
    ) as caught:
        _ensure.ensure_state(machine, _request(10))
    result = caught.value.result
    assert (machine.active(), machine.loaded(), machine.installed) == ([], [], [])
    assert result["after"] == result["before"]
    assert result["after"]["state"] == "unpatched"
    assert result["changed"] is False
    (blocker,) = result["livepatch"]["blockers"]
    assert (blocker["tid"], blocker["command"], blocker["class"]) == (54, "kworker/1:2+events", "kernel_thread")
    assert machine.slept == pytest.approx(11, abs=0.4)
    assert [_entry(machine)[key] for key in ("phase", "changed")] == ["failed", False]
    assert "was reversed" in _entry(machine)["problem"]


def test_stalls_and_is_left(machine: Any) -> None:
    machine.offer(_THREE, seconds=None)
    with pytest.raises(TransitionStalled, match="and was left running") as caught:
        _ensure.ensure_state(machine, _request(10, "leave"))
    result = caught.value.result
    assert machine.active() == [_MODULE_3]
    assert machine.read_text(f"/sys/kernel/livepatch/{_MODULE_3}/enabled") == "1"
    assert result["after"]["state"] == "stalled"
    assert result["livepatch"]["transition"] == {"running": True, "patch": _MODULE_3, "to": True}
    assert [one["tid"] for one in result["livepatch"]["blockers"]] == [54]


def test_reversal_stalls_as_well(machine: Any) -> None:
    machine.offer(_THREE, seconds=None, back=None)
    with pytest.raises(TransitionStalled, match="and neither did its reversal") as caught:
        _ensure.ensure_state(machine, _request(10))
    assert caught.value.result["after"]["state"] == "stalled"
    assert machine.read_text(f"/sys/kernel/livepatch/{_MODULE_3}/enabled") == "0"
    assert machine.slept == pytest.approx(20, abs=0.4)


def test_tries_again_after_a_reversal(machine: Any) -> None:
    machine.offer(_THREE, seconds=None)
    with pytest.raises(TransitionStalled):
        _ensure.ensure_state(machine, _request(10))
    machine.offer(_THREE)
    del machine.calls[:]
    result = _ensure.ensure_state(machine, _request(10))
    assert (result["before"]["state"], result["after"]["state"]) == ("unpatched", "patched")
    assert _changes(machine) == ["install", "insmod"]


def test_leftover_module(machine: Any) -> None:
    machine.have(_THREE)
    machine.have_leftover(_THREE)
    assert _ensure.ensure_state(machine, _request())["after"]["state"] == "patched"
    assert _changes(machine) == ["rmmod", "insmod"]


def test_leftover_module_that_stays(machine: Any) -> None:
    machine.have(_THREE)
    machine.have_leftover(_THREE, 1)
    with pytest.raises(LoadRefused, match=f"inactive module {_MODULE_3} is in the kernel and cannot be removed"):
        _ensure.ensure_state(machine, _request())
    assert machine.slept == pytest.approx(15, abs=0.2)
    assert machine.ran("insmod") == []


def _let_go_after(machine: Any, monkeypatch: Any, seconds: float) -> None:
    sleep = machine.sleep

    def slept(interval: float) -> None:
        sleep(interval)
        if machine.slept >= seconds and machine.moving is None and not machine.active():
            machine.put(f"/sys/module/{_MODULE_3}/refcnt", "0")

    monkeypatch.setattr(machine, "sleep", slept)


def test_leftover_module_that_is_let_go(machine: Any, monkeypatch: Any) -> None:
    machine.have(_THREE)
    machine.have_leftover(_THREE, 1)
    _let_go_after(machine, monkeypatch, 3)
    assert _ensure.ensure_state(machine, _request())["after"]["state"] == "patched"


def test_waiting_before_is_not_the_migrations_time(machine: Any, monkeypatch: Any) -> None:
    machine.have(_THREE)
    machine.have_leftover(_THREE, 1)
    _let_go_after(machine, monkeypatch, 9)
    assert _ensure.ensure_state(machine, _request(10))["after"]["state"] == "patched"


@pytest.mark.parametrize("scripts_load", [True, False])
def test_what_is_seen_in_the_package_turns_the_choice(machine: Any, scripts_load: bool) -> None:
    machine.scripts_load = scripts_load
    machine.offer(_THREE, target="6.1.0-55-cloud-amd64")
    result = _ensure.ensure_state(machine, _request())
    assert (result["after"]["state"], result["after"]["level"]) == ("patched", 2)
    assert machine.installed == [_TWO]
    (warning,) = result["warnings"]
    assert warning.startswith(f"{machine.kmp}-{_THREE} is refused: its module was built for 6.1.0-55-cloud-amd64")
    again = _ensure.ensure_state(machine, _request())
    assert again["changed"] is False
    assert again["kmp"]["newest"]["level"] == 2, "the file is still there, and what is in it is still known"


def test_plan_was_made_for_what_turned_out_wrong(machine: Any) -> None:
    machine.offer(_THREE, signature="unsigned")
    with pytest.raises(NotDone, match=r"newest KMP is 2-.*was made for 3-.*is refused: it is not signed") as caught:
        _ensure.ensure_state(machine, _request()._replace(expect={"kmp": _THREE}))
    assert caught.value.result["changed"] is False
    assert _changes(machine) == []


def test_plan_was_made_for_what_turned_out_wrong_and_all_else_is_done(machine: Any) -> None:
    machine.have(_TWO)
    machine.have_active(_TWO)
    machine.offer(_THREE, signature="unsigned")
    assert _ensure.ensure_state(machine, _request())["changed"] is False
    machine.drop("/var/cache/zypp/packages")
    with pytest.raises(NotDone, match=r"newest KMP is 2-.*was made for 3-"):
        _ensure.ensure_state(machine, _request()._replace(expect={"kmp": _THREE}))


def test_cut_off_in_the_cache(machine: Any) -> None:
    """It says nothing of what the repository offers: there is a newer level, and it is downloaded again."""
    machine.have(_TWO)
    machine.have_active(_TWO)
    machine.have_cut_off(_THREE)
    told = _ensure.ensure_state(machine, _request(check_mode=True))
    assert (told["before"]["state"], told["after"]["level"], told["kmp"]["rejected"][0]["code"]) == (
        "outdated",
        3,
        "older",
    )
    assert told["livepatch"]["compliance"]["up_to_date"] is False
    assert machine.read_text(machine.package_file(_THREE)) == "pack", "who only asks removes nothing"

    got = _ensure.ensure_state(machine, _request()._replace(download_only=True))
    assert (got["changed"], machine.read_text(machine.package_file(_THREE))) == (True, "packed")
    assert _ensure.ensure_state(machine, _request())["after"]["level"] == 3


def test_no_room_for_the_download(machine: Any) -> None:
    machine.have(_TWO)
    machine.have_active(_TWO)
    machine.cuts_off = True
    with pytest.raises(RepositoryDown, match="cannot be fetched: No space left on device") as caught:
        _ensure.ensure_state(machine, _request()._replace(download_only=True))
    assert caught.value.result["livepatch"]["state"] == "outdated"
    assert machine.read_bytes(machine.package_file(_THREE)) is None


def test_damaged_in_the_repository(machine: Any) -> None:
    machine.have(_TWO)
    machine.have_active(_TWO)
    machine.offer(_THREE, signature="bad")
    for _again in range(2):
        result = _ensure.ensure_state(machine, _request())
        assert (result["changed"], result["after"]["level"], _changes(machine)) == (False, 2, [])
        assert "is refused: its file or a signature in it is damaged" in result["warnings"][0]


def test_transaction_is_refused(machine: Any) -> None:
    machine.offer(_THREE, besides=[("remove", "vital", "1-1", "noarch")])
    with pytest.raises(TransactionRefused, match=r"would also remove vital-1-1.noarch") as caught:
        _ensure.ensure_state(machine, _request())
    assert "remove vital-1-1.noarch" in caught.value.result["transaction"]
    assert caught.value.result["livepatch"]["state"] == "unpatched"
    assert _changes(machine) == []


def test_installed_is_not_what_was_downloaded(machine: Any) -> None:
    """Another repository may have another package of the same name and version."""
    machine.offer(_THREE, installs="6.1.0-55-cloud-amd64")
    with pytest.raises(NotDone, match=r"was not loaded: its module was built for 6\.1\.0-55-cloud-amd64") as caught:
        _ensure.ensure_state(machine, _request())
    assert machine.ran("insmod") == []
    assert caught.value.result["after"]["state"] == "mismatch"
    assert caught.value.result["changed"] is True


@pytest.mark.parametrize(
    "options, words",
    [
        ({"kmp_version": "7"}, r"policy admits no KMP .unpatched.*3-150400.2.1 \(kmp_version asks for 7\)"),
        (
            {"severity": "critical"},
            r"2-150400.2.1 \(its severity is unknown, and the policy admits critical and above\)",
        ),
    ],
)
def test_policy_admits_none(machine: Any, options: Any, words: str) -> None:
    request = _request()
    with pytest.raises(NotDone, match=words):
        _ensure.ensure_state(machine, request._replace(policy=request.policy._replace(**options)))
    assert _changes(machine) == []


def test_pinned(machine: Any) -> None:
    request = _request()
    request = request._replace(policy=request.policy._replace(kmp_version="2"))
    result = _ensure.ensure_state(machine, request)
    assert (result["after"]["state"], result["after"]["level"]) == ("outdated", 2)
    assert result["livepatch"]["compliance"]["up_to_date"] is True
    assert result["livepatch"]["compliance"]["wanted"] == 2
    assert "kmp_version asks for 2" in result["livepatch"]["compliance"]["pinned_by"]
    assert result["livepatch"]["compliance"]["cves_open"] is None, "nobody says what level 3 fixes"
    assert _ensure.ensure_state(machine, request)["changed"] is False
    # Without the pin it goes on, and with it there is no way back.
    assert _ensure.ensure_state(machine, _request())["after"]["level"] == 3
    with pytest.raises(NotDone, match=r"older than 3-150400.2.1, which is installed"):
        _ensure.ensure_state(machine, request)


def test_zypper_says_yes_and_does_nothing(machine: Any) -> None:
    machine.lies = True
    with pytest.raises(InstallFailed, match="not installed, though the package manager reported success"):
        _ensure.ensure_state(machine, _request())
    assert machine.ran("insmod") == []


def test_another_package_of_that_name_was_installed(machine: Any, monkeypatch: Any) -> None:
    """By name, version and signer it is the one that was examined; nothing of it is loaded, and it does not stay."""
    record = machine._record

    def swapped(evr: str) -> str:
        text: str = record(evr)
        return text.replace("digest of", "another digest of") if evr in machine.installed else text

    monkeypatch.setattr(machine, "_record", swapped)
    with pytest.raises(PackageDiffers, match="is not the one that was examined: its digests or its signature differ"):
        _ensure.ensure_state(machine, _request())
    assert machine.ran("insmod") == []
    assert machine.installed == []


def test_patch_goes_away_after_it_was_applied(machine: Any, monkeypatch: Any) -> None:
    """The end of a transition is no success by itself: what is true afterwards is looked at."""
    sleep = machine.sleep

    def slept(seconds: float) -> None:
        sleep(seconds)
        machine.drop("/sys/kernel/livepatch/" + _MODULE_3)

    monkeypatch.setattr(machine, "sleep", slept)
    with pytest.raises(
        NotDone, match=r"was applied, and the host is still not up to date .the host.s state is now installed"
    ) as caught:
        _ensure.ensure_state(machine, _request())
    assert caught.value.result["after"]["state"] == "installed"


def test_install_fails(machine: Any, monkeypatch: Any, recorded: Any) -> None:
    monkeypatch.setattr(machine, "_install", lambda wanted: recorded("zypper-6.1-install-down"))
    with pytest.raises(InstallFailed, match="Couldn't connect to server") as caught:
        _ensure.ensure_state(machine, _request())
    assert (caught.value.result["changed"], caught.value.result["after"]["state"]) == (False, "unpatched")


def test_locked(machine: Any) -> None:
    machine.locked = True
    with pytest.raises(NotDone, match="its state is unknown: zypper waited 60 s") as caught:
        _ensure.ensure_state(machine, _request())
    assert caught.value.result["changed"] is False
    assert _changes(machine) == []


@pytest.mark.parametrize(
    "prepare, state",
    [
        pytest.param(lambda one: one.drop("/sys/kernel/livepatch"), "not_covered", id="no livepatch"),
        pytest.param(lambda one: one.levels.clear(), "not_covered", id="no KMP"),
        pytest.param(lambda one: one.put("/sys/kernel/notes", b"\4"), "unknown", id="no build ID"),
        pytest.param(lambda one: one.have_active(_TWO), "unknown", id="patch of no package"),
        pytest.param(
            lambda one: [one.offer(evr, tag="f" * 40) for evr in list(one.levels)], "not_covered", id="rebuilt"
        ),
    ],
)
@pytest.mark.parametrize("check_mode", [False, True])
def test_cannot(machine: Any, prepare: Any, state: str, check_mode: bool) -> None:
    prepare(machine)
    with pytest.raises(NotDone, match="cannot live patch this host, its state is " + state) as caught:
        _ensure.ensure_state(machine, _request(check_mode=check_mode))
    assert caught.value.result["before"]["state"] == state
    assert caught.value.result["changed"] is False
    assert _changes(machine) == []


def test_download_only(machine: Any) -> None:
    request = _request()._replace(download_only=True)
    checked = _ensure.ensure_state(machine, request._replace(check_mode=True))
    assert (checked["changed"], checked["after"]) == (True, checked["before"])
    assert not any("download" in call for call in machine.calls)

    result = _ensure.ensure_state(machine, request)
    assert (result["changed"], result["kmp"]["selected"]["downloaded"]) == (True, True)
    assert (_changes(machine), machine.installed, machine.active()) == ([], [], [])
    assert result["livepatch"]["state"] == "unpatched"
    assert machine.read_text("/var/lib/fleet.livepatch/journal.json") is None

    del machine.calls[:]
    again = _ensure.ensure_state(machine, request)
    assert (again["changed"], again["kmp"]["selected"]["evr"]) == (False, _THREE)
    assert not any("download" in call for call in machine.calls)


def test_download_only_waits_for_no_migration(machine: Any) -> None:
    machine.offer(_TWO, seconds=None)
    machine.have(_TWO)
    machine.start(_TWO)
    with pytest.raises(NotDone, match="its state is transitioning"):
        _ensure.ensure_state(machine, _request()._replace(download_only=True))
    assert machine.slept == 0


def test_download_only_of_what_is_installed(machine: Any) -> None:
    machine.have(_THREE)
    result = _ensure.ensure_state(machine, _request()._replace(download_only=True))
    assert (result["changed"], _changes(machine)) == (False, [])


def test_download_only_of_what_turns_out_wrong(machine: Any) -> None:
    """What cannot be applied tonight is told now."""
    machine.offer(_THREE, signature="unsigned")
    request = _request()._replace(download_only=True, expect={"kmp": _THREE})
    with pytest.raises(NotDone, match=r"was made for 3-.*is refused: it is not signed"):
        _ensure.ensure_state(machine, request)
    assert _changes(machine) == []


def test_waits_for_anothers_migration(machine: Any) -> None:
    machine.have(_TWO)
    machine.start(_TWO)
    result = _ensure.ensure_state(machine, _request())
    assert (result["before"]["state"], result["after"]["state"]) == ("outdated", "patched")


def test_anothers_migration_does_not_end(machine: Any) -> None:
    machine.offer(_TWO, seconds=None)
    machine.have(_TWO)
    machine.start(_TWO)
    with pytest.raises(TransitionStalled, match="nothing was done: the transition of " + _MODULE_2) as caught:
        _ensure.ensure_state(machine, _request(10))
    assert caught.value.result["changed"] is False
    assert [one["tid"] for one in caught.value.result["livepatch"]["blockers"]] == [54]
    assert _changes(machine) == []
    assert machine.slept == pytest.approx(10, abs=0.2)


def test_anothers_migration_that_exceeds_the_limit_is_stalled(machine: Any) -> None:
    machine.offer(_TWO, seconds=None)
    machine.have(_TWO)
    machine.start(_TWO)
    with pytest.raises(TransitionStalled) as caught:
        _ensure.ensure_state(machine, _request(10))
    assert caught.value.result["before"]["state"] == "stalled"


def test_check_mode_does_not_wait(machine: Any) -> None:
    machine.have(_TWO)
    machine.start(_TWO)
    with pytest.raises(NotDone, match="its state is transitioning"):
        _ensure.ensure_state(machine, _request(check_mode=True))
    assert machine.slept == 0


def test_another_migration_begins_during_the_installation(machine: Any, monkeypatch: Any) -> None:
    machine.offer(_TWO, seconds=None)
    install = machine._install

    def installs(wanted: str) -> Any:
        machine.start(_TWO)
        return install(wanted)

    monkeypatch.setattr(machine, "_install", installs)
    with pytest.raises(TransitionStalled, match=f"the transition of {_MODULE_2} did not end") as caught:
        _ensure.ensure_state(machine, _request(10))
    assert machine.ran("insmod") == []
    assert caught.value.result["after"]["state"] == "stalled"


def test_completes_while_blockers_are_looked_for(machine: Any, monkeypatch: Any) -> None:
    machine.offer(_THREE, seconds=10.3)
    names = machine.list_names

    def slow(path: str) -> Any:
        if path == "/proc":
            machine.sleep(1.0)
        return names(path)

    monkeypatch.setattr(machine, "list_names", slow)
    assert _ensure.ensure_state(machine, _request(10))["after"]["state"] == "patched"


def test_completes_while_the_reversal_is_recorded(machine: Any, monkeypatch: Any) -> None:
    """The record is on the disk before the reversal, and a disk takes its time."""
    machine.offer(_THREE, seconds=None)
    save = machine.save

    def slow(path: str, text: str) -> None:
        save(path, text)
        if '"phase": "reversing"' in text:
            machine.moving[2] = 0.0
            machine.sleep(0.1)

    monkeypatch.setattr(machine, "save", slow)
    result = _ensure.ensure_state(machine, _request(10))
    assert (result["after"]["state"], machine.active()) == ("patched", [_MODULE_3])
    assert result["transition"]["by"] == "kernel log"
    assert _entry(machine)["phase"] == "done"
