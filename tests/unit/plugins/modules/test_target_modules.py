# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import importlib
import json
from typing import Any

import pytest
from ansible.module_utils import basic

from ansible_collections.fleet.livepatch.plugins.module_utils import _argspec, _module, _run_result
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Completed, Host
from tests.support import factories

_THREE = "3-150400.2.1"


@pytest.fixture
def run(machine: Any, monkeypatch: Any, capsys: Any) -> Any:
    """Runs a module's main on the machine: its exit code and the JSON that it prints."""

    def running(module: str, **arguments: Any) -> Any:
        sent = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", sent)
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        monkeypatch.setattr(_module, "Host", lambda: machine)
        main = importlib.import_module("ansible_collections.fleet.livepatch.plugins.modules." + module).main
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, json.loads(capsys.readouterr().out)

    return running


def test_kernel_info(run: Any) -> None:
    rc, printed = run("kernel_info")
    assert rc == 0
    assert printed["kernel"]["build_id"] == "3b43fad5034874490492495d552c0af6a5fab235"
    assert not printed.get("changed")


def test_kmp_info(run: Any, machine: Any) -> None:
    rc, printed = run("kmp_info", refresh="always", lock_timeout=5)
    assert rc == 0
    assert printed["kmp"]["selected"]["evr"] == _THREE
    assert len(printed["kmp"]["candidates"]) == 3
    assert machine.ran("refresh")


def test_livepatch_info(run: Any) -> None:
    rc, printed = run("livepatch_info")
    assert rc == 0
    assert set(printed) >= {"kernel", "kmp", "livepatch"}
    assert printed["livepatch"]["state"] == "unpatched"
    assert printed["livepatch"]["compliance"]["wanted"] == 3
    assert printed["livepatch"]["compliance"]["up_to_date"] is False
    assert len(json.dumps(printed)) < 6000


@pytest.mark.parametrize(
    ("gather", "blocks", "names"),
    [
        (["kernel"], {"kernel"}, None),
        (["livepatch", "kmp"], {"livepatch", "kmp"}, None),
        (["functions"], {"livepatch"}, {"vmlinux": ["cmdline_proc_show"]}),
    ],
)
def test_livepatch_info_gathers(run: Any, gather: list, blocks: set, names: Any) -> None:
    run("livepatch")
    _rc, printed = run("livepatch_info", gather=gather)
    assert set(printed) & {"kernel", "kmp", "livepatch"} == blocks
    if "livepatch" in blocks:
        (patch,) = printed["livepatch"]["patches"]
        assert (patch["objects"], patch.get("functions")) == ({"vmlinux": 1}, names)


def test_livepatch_info_tells_of_a_run_that_ends_while_the_host_is_looked_at(run: Any, monkeypatch: Any) -> None:
    asked = [None, {"failed": False, "changed": True}]
    monkeypatch.setattr(_run_result, "wait_for_result", lambda *_arguments: asked.pop(0))
    _rc, printed = run("livepatch_info", run="the-run", wait=5)
    assert printed["livepatch"]["job"] == {"failed": False, "changed": True}


def test_livepatch(run: Any, machine: Any) -> None:
    rc, printed = run("livepatch")
    assert rc == 0
    assert printed["changed"] is True
    assert printed["before"]["state"] == "unpatched"
    assert printed["after"] == {"state": "patched", "level": 3, "patches": ["livepatch_3_150400_2_1"], "kmp": _THREE}
    assert printed["livepatch"]["state"] == "patched"
    assert printed["transition"]["by"] == "kernel log"
    assert "diff" not in printed
    assert machine.active() == ["livepatch_3_150400_2_1"]
    printed.pop("invocation", None)  # what it was asked, which older ansible-cores repeat
    assert len(json.dumps(printed)) < 6000


def test_livepatch_stalls(run: Any, machine: Any) -> None:
    machine.offer(_THREE, seconds=None)
    rc, printed = run("livepatch", timeout=5)
    assert rc != 0
    assert printed["failed"] is True
    assert "within 5 s because of kworker/1:2+events (tid 54, kernel_thread) and was reversed" in printed["msg"]
    assert printed["changed"] is False
    assert (printed["before"]["state"], printed["after"]["state"]) == ("unpatched", "unpatched")
    assert printed["livepatch"]["blockers"][0]["command"] == "kworker/1:2+events"
    assert machine.slept < 7


def test_livepatch_leaves(run: Any, machine: Any) -> None:
    machine.offer(_THREE, seconds=None)
    rc, printed = run("livepatch", timeout=5, on_stall="leave")
    assert rc != 0
    assert printed["livepatch"]["state"] == "stalled"
    assert machine.active() == ["livepatch_3_150400_2_1"]


def test_livepatch_check_mode(run: Any, machine: Any) -> None:
    rc, printed = run("livepatch", _ansible_check_mode=True)
    assert (rc, printed["changed"]) == (0, True)
    assert machine.active() == machine.installed == []
    assert (printed["before"]["state"], printed["after"]["state"]) == ("unpatched", "patched")


def test_livepatch_detaches(run: Any, machine: Any) -> None:
    rc, printed = run("livepatch", detach=True, run="the-run")
    printed.pop("invocation", None)
    assert (rc, printed) == (0, {"changed": False, "detached": True})
    result = _run_result.wait_for_result(Host(machine.resolve_path("/")), "the-run", 20)
    assert (result["failed"], result["changed"], result["after"]["level"]) == (False, True, 3)
    assert machine.active() == ["livepatch_3_150400_2_1"]


def test_livepatch_detaches_and_fails(run: Any, machine: Any) -> None:
    run("livepatch", detach=True, run="the-run", state="previous")
    result = _run_result.wait_for_result(Host(machine.resolve_path("/")), "the-run", 20)
    assert (result["failed"], result["refused"], machine.active()) == (True, True, [])


def test_livepatch_detaches_nothing_in_check_mode(run: Any, machine: Any) -> None:
    rc, printed = run("livepatch", detach=True, run="the-run", _ansible_check_mode=True)
    assert (rc, printed["changed"], "detached" in printed) == (0, True, False)
    assert not machine.list_names("/var/lib/fleet.livepatch/runs")


@pytest.mark.parametrize(
    ("options", "problem"), [({"run": "../x"}, "run is '../x'"), ({"policy": {"severity": "high"}}, "severity")]
)
def test_bad_options_are_refused_before_it_detaches(run: Any, machine: Any, options: Any, problem: str) -> None:
    rc, printed = run("livepatch", detach=True, **options)
    assert rc != 0 and problem in printed["msg"]
    assert not machine.list_names("/var/lib/fleet.livepatch/runs")


def test_nothing_is_measured(run: Any, machine: Any) -> None:
    machine.remove("/proc/sys/kernel/osrelease")
    rc, printed = run("livepatch_info")
    assert rc != 0
    assert "Is /proc mounted" in printed["msg"]


@pytest.mark.parametrize("allowed, state", [(False, "not_covered"), (True, "unpatched")])
def test_allow_name_match(run: Any, machine: Any, allowed: bool, state: str) -> None:
    for evr in list(machine.levels):
        machine.offer(evr, tag=None)
    machine.package = None
    assert run("livepatch_info", policy={"allow_name_match": allowed})[1]["livepatch"]["state"] == state


def test_wrong_option(run: Any) -> None:
    rc, printed = run("livepatch", on_stall="force")
    assert rc != 0
    assert "on_stall" in printed["msg"]


# Health and health checks


def test_probes(run: Any, machine: Any, monkeypatch: Any) -> None:
    machine.log = ["6,1,1000,-;before\n"]
    run("livepatch")
    monkeypatch.setattr(
        machine, "run", _answering(machine.run, {"systemctl": (0, "active", ""), "look": (2, "", "ill")})
    )
    rc, printed = run("livepatch_info", health_checks={"services": ["nginx"]})
    told = printed["livepatch"]
    assert (rc, told["health"]["verdict"]) == (0, "pass")
    assert told["health_checks"] == [{"kind": "service", "name": "nginx", "passed": True, "text": "active"}]
    for check_mode, verdict, passed in ((False, "fail", False), (True, "pass", None)):
        rc, printed = run("livepatch_info", health_checks={"commands": ["look"]}, _ansible_check_mode=check_mode)
        told = printed["livepatch"]
        assert (rc, told["health"]["verdict"], told["health_checks"][0]["passed"]) == (0, verdict, passed)
    rc, printed = run("livepatch_info", health_checks={"commands": ["look"]})
    assert printed["livepatch"]["health"]["problems"] == [{"what": "health_check", "text": "look: exit code 2: ill"}]


def _answering(otherwise: Any, answers: Any) -> Any:
    def running(argv: Any, environment: Any = None, seconds: Any = None) -> Any:
        if argv[0] not in answers:
            return otherwise(argv, environment)
        assert seconds == 10
        return Completed(*answers[argv[0]])

    return running


def test_no_probes(run: Any) -> None:
    printed = run("livepatch_info")[1]
    assert printed["livepatch"]["health_checks"] == []
    assert printed["livepatch"]["health"]["verdict"] == "inconclusive"


def test_bad_probe(run: Any) -> None:
    rc, printed = run("livepatch_info", health_checks={"urls": ["ftp://x"]})
    assert rc != 0
    assert "is not an HTTP URL" in printed["msg"]


def test_fenced(run: Any) -> None:
    run("livepatch", fence=2)
    rc, printed = run("livepatch", fence=1)
    assert rc != 0
    assert (printed["failed"], printed["fenced"], "refused" in printed) == (True, True, False)


def test_refused(run: Any) -> None:
    rc, printed = run("livepatch", state="previous")
    assert rc != 0
    assert (printed["failed"], printed["refused"]) == (True, True)


def test_preflight_of_livepatch(run: Any, machine: Any) -> None:
    machine.put("/proc/sys/kernel/ftrace_enabled", "0")
    rc, printed = run("livepatch", preflight=True, preflight_tolerate=["disk"])
    assert rc != 0
    assert printed["msg"].startswith("preflight: ftrace: ")
    assert run("livepatch", preflight=True, preflight_tolerate=["disk", "ftrace"])[0] == 0


def test_what_can_be_tolerated_is_what_is_looked_at(run: Any) -> None:
    checks = run("livepatch_preflight_info")[1]["preflight"]["checks"]
    names = {one["name"].split()[0] for one in checks}
    assert names == {"state", "transition", *_argspec.TOLERABLE}


# The role repository's module, and the role metrics's


def _repository(**differs: Any) -> Any:
    return dict({"url": "https://mirror.example.com/main", "key": factories.public_key("vendor", "V")}, **differs)


def test_repository(run: Any) -> None:
    expected = [
        "create /etc/pki/rpm-gpg",
        "write /etc/pki/rpm-gpg/RPM-GPG-KEY-livepatch",
        "import into RPM: V ({})".format(factories.fingerprint("vendor")),
        "write /etc/zypp/repos.d/livepatch.repo",
    ]
    for check_mode, changes in ((True, expected), (False, expected), (False, [])):
        rc, printed = run("livepatch_repository", _ansible_check_mode=check_mode, **_repository())
        assert (rc, printed["changed"], printed["changes"]) == (0, bool(changes), changes)


@pytest.mark.parametrize(
    "url, shown",
    [
        ("https://mirror.example.com/main", "'https://mirror.example.com/main/repodata/repomd.xml' not found"),
        (
            "https://me:s%40cret@mirror.example.com/main",
            "'https://mirror.example.com/main/repodata/repomd.xml' not found",
        ),
        (
            "https://mirror.example.com/main?auth=s%40cret",
            "'https://mirror.example.com/main/repodata/repomd.xml?... not found",
        ),
    ],
)
def test_no_secret_of_an_address_is_shown(run: Any, machine: Any, monkeypatch: Any, url: str, shown: str) -> None:
    """zypper prints an address with the file that it misses, and parts of it elsewhere; the system's log has a line."""
    logged: Any = []
    monkeypatch.setattr(
        basic.AnsibleModule, "log", lambda _module, msg, log_args=None: logged.append(f"{msg} {log_args}")
    )
    file, mark, query = url.partition("?")
    machine.refresh_error = f"'{file}/repodata/repomd.xml{mark}{query}' not found, user me, password s@cret or s%40cret"
    rc, printed = run("livepatch_repository", **_repository(url=url))
    assert (rc, printed["changed"], len(printed["changes"])) == (1, True, 4)
    assert shown in printed["msg"]
    everything = json.dumps(printed) + " ".join(logged)
    assert logged and ("s@cret" in everything) is ("cret" not in url)
    assert ("s%40cret" in everything) is ("cret" not in url)


def test_no_registration_code_is_shown(run: Any, machine: Any, monkeypatch: Any) -> None:
    machine.put("/etc/os-release", 'VERSION_ID="15.4"')
    listed = json.dumps([{"identifier": "SLES", "version": "15.4", "status": "Registered", "regcode": "BASE-CODE"}])

    def answer(argv: Any, environment: Any = None, seconds: Any = None) -> Any:
        return Completed(0, listed, "") if "--status" in argv else Completed(67, "", f"unknown code: {argv[-1]}")

    monkeypatch.setattr(machine, "run", answer)
    rc, printed = run("livepatch_repository", kind="suseconnect", regcode="LP-CODE")
    assert rc != 0
    assert "unknown code: " in printed["msg"]
    assert "CODE" not in json.dumps(printed)


def test_metrics(run: Any, machine: Any) -> None:
    machine.put("/metrics/")
    rc, printed = run("livepatch_metrics", dir="/metrics", text="livepatch_level 3\n")
    printed.pop("invocation", None)
    assert (rc, printed) == (0, {"changed": False})
    assert machine.read_bytes("/metrics/livepatch.prom") == b"livepatch_level 3\n"
    rc, printed = run("livepatch_metrics", dir="/nothing", text="x", _ansible_check_mode=True)
    assert rc != 0 and "metrics_dir is /nothing" in printed["msg"]
