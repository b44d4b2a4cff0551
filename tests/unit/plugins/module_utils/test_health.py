# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import re
from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils import _health
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import log

_SINCE = {"boot_id": "one", "taint": 512, "log": 100, "at": 1800001000.0}
_QUIET = ["livepatch: 'x': patching complete"]
_WARNING = "WARNING: CPU: 0 PID: 1 at kernel/x.c:1 x+0x1/0x2"


def _now(lines: Any = (), first: int = 100, boot_id: Any = "one", taint: Any = 512) -> _health.Now:
    """The log's record number 100 is the baseline's last."""
    records = [log.Record(0, first + number, 1.0, text) for number, text in enumerate(["before", *lines])]
    return _health.Now(boot_id, taint, records)


def _since(**what: Any) -> Any:
    return dict(_SINCE, **what)


@pytest.mark.parametrize(
    "since, now, verdict, problems, reason",
    [
        (_SINCE, _now(), "pass", [], None),
        (_SINCE, _now(_QUIET), "pass", [], None),
        (None, _now([_WARNING]), "inconclusive", [], "no change has recorded"),
        # Taint
        (_SINCE, _now(taint=512 | 1 << 15 | 1 << 12 | 1 << 13), "pass", [], None),
        (_SINCE, _now(taint=512 | 1 << 7), "fail", [("taint", "the kernel has set taint flags: D")], None),
        (_SINCE, _now(taint=512 | 1 << 7 | 1 << 14), "fail", [("taint", "the kernel has set taint flags: D L")], None),
        (_since(taint=0), _now(), "fail", [("taint", "the kernel has set taint flags: W")], None),
        (_since(taint=None), _now(), "inconclusive", [], "taint cannot be read"),
        (_SINCE, _now(taint=None), "inconclusive", [], "taint cannot be read"),
        # The log
        (_SINCE, _now([_WARNING, "Call Trace:"]), "fail", [("warning", _WARNING)], None),
        (_since(log=101), _now([_WARNING]), "pass", [], None),
        (_since(log=99), _now([_WARNING]), "fail", [("warning", _WARNING)], None),
        (_since(log=98), _now(), "inconclusive", [], "1 records of the kernel's log are lost"),
        (_since(log=5), _now([_WARNING]), "fail", [("warning", _WARNING)], "94 records"),
        (_since(log=None), _now([_WARNING]), "inconclusive", [], "log cannot be read"),
        (_SINCE, _health.Now("one", 512, []), "inconclusive", [], "log cannot be read"),
        # The boot
        (
            _SINCE,
            _now([_WARNING], boot_id="two", taint=128),
            "fail",
            [("rebooted", "the host has booted since: boot ID two, it was one")],
            "before the boot is lost",
        ),
        (_since(boot_id=None), _now(boot_id=None), "inconclusive", [], "boot ID cannot be read"),
    ],
)
def test_judge(since: Any, now: Any, verdict: str, problems: Any, reason: Any) -> None:
    told = _health.assess_health(since, now)
    assert told["verdict"] == verdict
    assert [(one["what"], one["text"]) for one in told["problems"]] == problems
    assert told["complete"] is (reason is None)
    assert (reason or "") in (told["reason"] or "")
    assert told["since"] == since


def test_it_is_small() -> None:
    told = _health.assess_health(_SINCE, _now(["BUG: KASAN: use-after-free in " + "x" * 1000] * 50, taint=128))
    assert len(told["problems"]) == 10
    assert max(len(one["text"]) for one in told["problems"]) == 160


@pytest.mark.parametrize("passed, verdict", [(True, "pass"), (None, "pass"), (False, "fail")])
def test_probes(passed: Any, verdict: str) -> None:
    probe = {"kind": "service", "name": "nginx", "passed": passed, "text": "failed"}
    told = _health.add_health_checks(_health.assess_health(_SINCE, _now()), [probe])
    assert told["verdict"] == verdict
    assert told["problems"] == ([{"what": "health_check", "text": "nginx: failed"}] if passed is False else [])


def test_probes_that_pass_prove_nothing_of_the_kernel() -> None:
    probe = {"kind": "service", "name": "nginx", "passed": True, "text": "active"}
    assert _health.add_health_checks(_health.assess_health(None, _now()), [probe])["verdict"] == "inconclusive"


def test_failed_probe_is_not_crowded_out() -> None:
    probe = {"kind": "service", "name": "nginx", "passed": False, "text": "failed"}
    told = _health.add_health_checks(_health.assess_health(_SINCE, _now([_WARNING] * 50)), [probe])
    assert told["problems"][0]["what"] == "health_check"
    assert len(told["problems"]) == 10


@pytest.mark.parametrize(
    "tainted, records, problem",
    [
        ("x", ["6,99,1,-;x\n"], "/proc/sys/kernel/tainted holds 'x', which is not a number"),
        ("-1", ["6,99,1,-;x\n"], "/proc/sys/kernel/tainted holds -1"),
        ("9" * 5000, ["6,99,1,-;x\n"], "which is not a number"),
        ("512", ["Welcome to Linux\n"], "/dev/kmsg holds 'Welcome to Linux.*no record of the kernel's log"),
        ("512", ["6,99,-;x\n"], "no record"),
        ("512", ["6,99," + "9" * 5000 + ",-;x\n"], "no record"),
    ],
)
def test_what_cannot_be_read_is_told(host: Any, tainted: str, records: Any, problem: str) -> None:
    host.put("/proc/sys/kernel/tainted", tainted)
    host.log = records
    health = _health.assess_health(_SINCE, _health.read_now(host, "one"))
    assert (health["verdict"], health["problems"]) == ("inconclusive", [])
    assert re.search(problem, health["reason"])


def test_baseline(host: Any) -> None:
    host.put("/proc/sys/kernel/tainted", "512")
    host.log = ["6,99,1,-;x\n", "6,100,2,-;y\n"]
    assert _health.build_baseline(host, _health.read_now(host, "one")) == _SINCE
    host.log = []
    host.remove("/proc/sys/kernel/tainted")
    assert _health.build_baseline(host, _health.read_now(host, "one")) == dict(_SINCE, log=None, taint=None)
