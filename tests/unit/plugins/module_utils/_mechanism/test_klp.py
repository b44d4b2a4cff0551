# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import KernelRefused, LoadRefused, Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Completed
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism import klp, mechanisms

_BASE = "/sys/kernel/livepatch/livepatch_3_150400_2_1"
_NAME = "livepatch_3_150400_2_1"


def _put(host: Any, enabled: str = "1", transition: str = "0", **more: str) -> None:
    host.put(_BASE + "/enabled", enabled)
    host.put(_BASE + "/transition", transition)
    host.put(_BASE + "/vmlinux/patched", "1")
    host.put(_BASE + "/vmlinux/cmdline_proc_show,1/")
    host.put(_BASE + "/vmlinux/a,2/")
    for name, value in more.items():
        host.put(_BASE + "/" + name, value)


@pytest.mark.parametrize(
    "case, expected",
    [
        ("6.1-nothing", []),
        ("6.1-level2", [("livepatch_2_150400_2_1", True, False, None)]),
        ("6.1-level3", [("livepatch_3_150400_2_1", True, False, None)]),
        # Level 1 is active while those of levels 2 and 3 are in the kernel
        ("6.1-level321", [("livepatch_1_150400_9_3_1", True, False, None)]),
        ("6.12-level2", [("livepatch_2_150400_2_1", True, False, True)]),
        ("6.12-level3", [("livepatch_3_150400_2_1", True, False, True)]),
        ("6.12-level321", [("livepatch_1_150400_9_3_1", True, False, True)]),
    ],
)
def test_recorded(host: Any, recorded_tree: Any, case: str, expected: Any) -> None:
    for path, content in recorded_tree("sysfs-" + case).items():
        host.put(path, content)
    assert [(one.name, one.enabled, one.transition, one.replace) for one in klp.Klp(host).list_patches()] == expected
    assert all(one.stack_order is None for one in klp.Klp(host).list_patches())


@pytest.mark.parametrize(
    "enabled, transition", [("1", "1"), ("1", "0"), ("0", "1"), ("0", "0")], ids=["to", "there", "from", "window"]
)
def test_states(host: Any, enabled: str, transition: str) -> None:
    _put(host, enabled, transition)
    (one,) = klp.Klp(host).list_patches()
    assert (one.enabled, one.transition) == (enabled == "1", transition == "1")
    assert klp.Klp(host).is_in_transition(_NAME) is (transition == "1")


@pytest.mark.parametrize(
    "more, replace, stack_order",
    [
        ({}, None, None),
        ({"replace": "1"}, True, None),
        ({"replace": "0"}, False, None),
        ({"replace": "1", "stack_order": "12"}, True, 12),
        ({"signal": "", "force": ""}, None, None),
    ],
)
def test_attributes_that_a_kernel_may_lack(host: Any, more: Any, replace: Any, stack_order: Any) -> None:
    _put(host, **more)
    (one,) = klp.Klp(host).list_patches()
    assert (one.replace, one.stack_order) == (replace, stack_order)


def test_functions(host: Any) -> None:
    _put(host)
    host.put(_BASE + "/ext4/patched", "0")
    host.put(_BASE + "/ext4/ext4_f,1/")
    host.put(_BASE + "/empty/")
    (one,) = klp.Klp(host).list_patches()
    assert one.functions == {"vmlinux": ["a", "cmdline_proc_show"], "ext4": ["ext4_f"], "empty": []}


def test_build_id(host: Any, note: Any) -> None:
    _put(host)
    assert klp.Klp(host).list_patches()[0].build_id is None
    host.put(f"/sys/module/{_NAME}/notes/.note.gnu.build-id", note(b"GNU\0", 3, b"\xab" * 20))
    assert klp.Klp(host).list_patches()[0].build_id == "ab" * 20


@pytest.mark.parametrize("last", ["/enabled", "/transition", "/replace", "/vmlinux", "/vmlinux/a,2"])
def test_vanishes_while_it_is_read(host: Any, monkeypatch: Any, last: str) -> None:
    """Objects go first, then the directory: whatever is read next is not there."""
    _put(host, replace="1")
    host.put("/sys/kernel/livepatch/other/enabled", "1")
    host.put("/sys/kernel/livepatch/other/transition", "0")
    text, is_dir = host.read_text, host.is_dir

    def watched(read: Any) -> Any:
        def reading(path: str) -> Any:
            if path == _BASE + last:
                host.drop(_BASE)
            return read(path)

        return reading

    monkeypatch.setattr(host, "read_text", watched(text))
    monkeypatch.setattr(host, "is_dir", watched(is_dir))
    found = {one.name: one for one in klp.Klp(host).list_patches()}
    assert "other" in found
    if last in ("/enabled", "/transition"):
        assert _NAME not in found
    else:
        assert found[_NAME].functions in ({}, {"vmlinux": []})


def test_gone(host: Any) -> None:
    assert klp.Klp(host).list_patches() == []
    assert klp.Klp(host).is_in_transition(_NAME) is None
    assert klp.Klp(host).read_patch(_NAME) is None
    assert klp.Klp(host).count_references(_NAME) is None
    assert klp.Klp(host).is_loaded(_NAME) is False
    with pytest.raises(Unmeasured, match="Is sysfs mounted"):
        mechanisms.find_mechanism(host)
    host.put("/sys/kernel/notes")
    assert mechanisms.find_mechanism(host) is None
    host.put("/sys/kernel/livepatch/")
    assert isinstance(mechanisms.find_mechanism(host), klp.Klp)


def test_loaded_is_not_active(host: Any, recorded_tree: Any) -> None:
    for path, content in recorded_tree("sysfs-6.1-level321").items():
        host.put(path, content)
    assert klp.Klp(host).is_loaded("livepatch_3_150400_2_1")
    assert klp.Klp(host).count_references("livepatch_3_150400_2_1") == 0
    assert klp.Klp(host).count_references("livepatch_1_150400_9_3_1") == 1
    assert klp.Klp(host).is_in_transition("livepatch_3_150400_2_1") is None


def test_load(host: Any) -> None:
    host.answers["insmod"] = Completed(0, "", "")
    klp.Klp(host).load("/x.ko")
    assert host.calls == [["insmod", "/x.ko"]]


def test_load_refused(host: Any, monkeypatch: Any) -> None:
    host.log = ["4,7,100,-;old news\n"]

    def insmod(argv: Any, environment: Any = None) -> Completed:
        host.log.append("4,8,200,-;livepatch: failed to enable patch 'x'\n SUBSYSTEM=module\n")
        return Completed(1, "", "insmod: ERROR: could not insert module /x.ko: Invalid parameters\n")

    monkeypatch.setattr(host, "run", insmod)
    with pytest.raises(LoadRefused) as caught:
        klp.Klp(host).load("/x.ko")
    assert "refused /x.ko: Invalid parameters (kernel log: livepatch: failed to enable patch 'x')" in str(caught.value)
    assert "old news" not in str(caught.value)


def test_load_refused_without_words(host: Any) -> None:
    host.answers["insmod"] = Completed(3, "", "")
    with pytest.raises(LoadRefused, match=r"refused /x.ko: insmod exited with 3\. "):
        klp.Klp(host).load("/x.ko")


@pytest.mark.parametrize("rc", [0, 1])
def test_unload(host: Any, rc: int) -> None:
    host.answers["rmmod"] = Completed(rc, "", "")
    assert klp.Klp(host).unload("x") is (rc == 0)
    assert host.calls == [["rmmod", "x"]]


@pytest.mark.parametrize("now, written", [("1", "0"), ("0", "1")])
def test_reverse(host: Any, now: str, written: str) -> None:
    _put(host, now, "1")
    klp.Klp(host).reverse(_NAME)
    assert host.read_text(_BASE + "/enabled")[:1] == written


def test_reverse_of_nothing(host: Any) -> None:
    with pytest.raises(KernelRefused, match=_NAME + " disappeared before"):
        klp.Klp(host).reverse(_NAME)


_START = "5,1,{},-;livepatch: 'x': starting patching transition\n"
_END = "5,2,{},-;livepatch: 'x': patching complete\n"


@pytest.mark.parametrize(
    "log, expected",
    [
        pytest.param([], None, id="empty"),
        pytest.param([_START.format(1000000), _END.format(2500400)], 1.5, id="migration"),
        pytest.param([_END.format(2000000)], None, id="start has been overwritten"),
        pytest.param([_START.format(1000000)], None, id="still running"),
        pytest.param(
            [_START.format(0), _END.format(9000000), _START.format(20000000), _END.format(21250000)],
            1.25,
            id="the last",
        ),
        pytest.param([_START.format(0), _END.format(1), _START.format(5)], None, id="the last still runs"),
        pytest.param(
            [_START.format(0), "5,2,9,-;livepatch: 'x': starting unpatching transition\n"], None, id="reversed"
        ),
        pytest.param(
            [_START.format(0), "5,2,9000000,-;livepatch: 'x': unpatching complete\n"], 9.0, id="unpatching complete"
        ),
        pytest.param([_START.format(0), _END.format(5).replace("'x'", "'xy'")], None, id="of another"),
        pytest.param(
            [_START.format(0), _END.format(5).replace(";", ";usb 1-1: Product: ")], None, id="the name of a USB device"
        ),
        pytest.param([_START.format(0), _END.format(5).replace("5,", "13,", 1)], None, id="of a program"),
    ],
)
def test_logged_seconds(host: Any, log: Any, expected: Any) -> None:
    host.log = log
    began, finished = klp.Klp(host).read_log_times("x")
    assert (None if None in (began, finished) else round(finished - began, 3)) == expected


def test_a_patch_without_transition_is_not_an_absent_one(host: Any) -> None:
    host.put(f"/sys/kernel/livepatch/{_NAME}/enabled", "1")
    with pytest.raises(Unmeasured, match=r"older than Linux 4\.12"):
        klp.Klp(host).read_patch(_NAME)
