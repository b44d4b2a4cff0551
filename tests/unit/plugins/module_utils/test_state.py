# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from typing import Any, Dict

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils import _state

_RELEASE = "6.1.0-56-cloud-amd64"
_NAME = "kernel-livepatch-6_1_0-56-cloud-amd64"
_EVRS = {1: "1-150400.9.3.1", 2: "2-150400.2.1", 3: "3-150400.2.1", 14: "14-150400.2.1"}


def _kernel(**more: Any) -> Dict[str, Any]:
    image = {"path": "/boot/vmlinuz", "build_id": "3b43", "version": None, "matches_running": True, "basis": "build_id"}
    return dict(
        {
            "release": _RELEASE,
            "build_id": "3b43",
            "image": image,
            "livepatch_supported": True,
            "confinement": None,
            "unmeasured": {},
        },
        **more,
    )


_REBUILT = {
    "path": "/boot/vmlinuz",
    "build_id": "7f76",
    "version": "6.1 #2",
    "matches_running": False,
    "basis": "build_id",
}


def _package(level: int, **more: Any) -> Dict[str, Any]:
    evr = _EVRS[level]
    module = "livepatch_" + evr.replace(".", "_").replace("-", "_")
    return dict(
        {
            "name": _NAME,
            "evr": evr,
            "arch": "x86_64",
            "level": level,
            "module": module,
            "module_path": "/lib/modules/x/livepatch/" + module + ".ko",
            "module_build_id": "m" + str(level),
            "module_signer": None,
            "vermagic": _RELEASE + " SMP",
            "cves": [],
            "signed": "RSA",
            "target_release": _RELEASE,
        },
        **more,
    )


def _kmp(
    installed: Any = None, selected: Any = None, rejected: Any = (), unmeasured: Any = (), basis: str = "build_id"
) -> Dict[str, Any]:
    newest = _package(selected) if selected else None
    return {
        "name": _NAME,
        "installed": _package(installed) if isinstance(installed, int) else installed,
        "selected": _package(selected) if selected else None,
        "newest": newest and {"evr": newest["evr"], "level": selected, "basis": basis, "cves": []},
        "rejected": list(rejected),
        "unmeasured": dict(unmeasured),
    }


def _patch(level: Any, enabled: bool = True, transition: bool = False, **more: Any) -> Dict[str, Any]:
    name = _package(level)["module"] if isinstance(level, int) else level
    return dict(
        {
            "name": name,
            "enabled": enabled,
            "transition": transition,
            "replace": None,
            "stack_order": None,
            "build_id": "m" + str(level),
            "objects": {"vmlinux": 2, "ext4": 1},
        },
        **more,
    )


_OTHER = {"name": _NAME, "evr": "4-1", "code": "other_build", "reason": "built for another build of this kernel"}


@pytest.mark.parametrize(
    "kernel, kmp, patches, stalled, state, words",
    [
        # not_covered
        pytest.param(
            _kernel(livepatch_supported=False), _kmp(None, 3), [], False, "not_covered", "CONFIG_LIVEPATCH", id="no klp"
        ),
        pytest.param(_kernel(), _kmp(), [], False, "not_covered", "no repository offers " + _NAME, id="no KMP"),
        pytest.param(
            _kernel(),
            _kmp(rejected=[_OTHER]),
            [],
            False,
            "not_covered",
            "4-1 is refused: built for another build",
            id="TRAP: same uname -r, another build",
        ),
        # unknown
        pytest.param(
            _kernel(build_id=None, unmeasured={"build_id": "notes cut off"}),
            _kmp(3, 3),
            [_patch(3)],
            False,
            "unknown",
            "notes cut off",
            id="no build ID",
        ),
        pytest.param(
            _kernel(),
            _kmp(3, unmeasured={"candidates": "lab is down"}),
            [_patch(3)],
            False,
            "unknown",
            "lab is down",
            id="repository down",
        ),
        pytest.param(
            _kernel(),
            _kmp(None, 3, unmeasured={"installed": "no rpm"}),
            [],
            False,
            "unknown",
            "no rpm",
            id="RPM database unreadable",
        ),
        pytest.param(
            _kernel(), _kmp(None, 3), [_patch("kpatch_x")], False, "unknown", "kpatch_x is active", id="of no package"
        ),
        pytest.param(
            _kernel(),
            _kmp(3, None, [_OTHER]),
            [_patch(3)],
            False,
            "unknown",
            "not among the KMPs",
            id="not for this build",
        ),
        pytest.param(
            _kernel(), _kmp(3, None), [_patch(3)], False, "unknown", "no repository offers", id="active, not offered"
        ),
        # mismatch
        pytest.param(
            _kernel(),
            _kmp(_package(3, target_release="6.1.0-55-cloud-amd64"), 3),
            [_patch(3)],
            False,
            "mismatch",
            "was built for 6.1.0-55-cloud-amd64",
            id="TRAP: the kernel ignores the release in vermagic",
        ),
        pytest.param(
            _kernel(),
            _kmp(_package(3, target_release="6.1.0-55-cloud-amd64"), 3),
            [],
            False,
            "mismatch",
            "the running kernel is " + _RELEASE,
            id="for another release, not loaded",
        ),
        pytest.param(
            _kernel(), _kmp(3, 3), [_patch(3, build_id="zz")], False, "mismatch", "is not the one in", id="other module"
        ),
        pytest.param(
            _kernel(image=_REBUILT),
            _kmp(3, 3),
            [_patch(3)],
            False,
            "mismatch",
            "(build ID 3b43) is not the installed one: /boot/vmlinuz holds build ID 7f76",
            id="the kernel package was rebuilt",
        ),
        pytest.param(
            _kernel(image=dict(_REBUILT, basis="version")),
            _kmp(None, 3),
            [],
            False,
            "mismatch",
            "holds 6.1 #2; its package was probably rebuilt",
            id="the kernel package was rebuilt, by its version",
        ),
        pytest.param(
            _kernel(image=_REBUILT), _kmp(), [], False, "mismatch", "Boot the", id="mismatch goes before not_covered"
        ),
        pytest.param(
            _kernel(image=_REBUILT),
            _kmp(3, 3),
            [_patch(3, True, True)],
            True,
            "mismatch",
            "Boot the",
            id="mismatch goes before stalled",
        ),
        pytest.param(
            _kernel(image=_REBUILT),
            _kmp(3, 3),
            [_patch("kpatch_x"), _patch(3)],
            False,
            "conflict",
            "kpatch_x is active",
            id="conflict goes before another build",
        ),
        pytest.param(
            _kernel(image=_REBUILT),
            _kmp(3, unmeasured={"candidates": "lab is down"}),
            [_patch(3)],
            False,
            "unknown",
            "lab is down",
            id="unknown goes before another build",
        ),
        pytest.param(
            _kernel(image=_REBUILT, livepatch_supported=False),
            _kmp(),
            [],
            False,
            "not_covered",
            "CONFIG_LIVEPATCH",
            id="another build, which cannot be patched either",
        ),
        pytest.param(
            _kernel(image=dict(_REBUILT, matches_running=None)),
            _kmp(3, 3),
            [_patch(3)],
            False,
            "patched",
            "is active",
            id="not known whether it is the installed one",
        ),
        # transitioning, stalled
        pytest.param(
            _kernel(),
            _kmp(3, 3),
            [_patch(3, True, True)],
            False,
            "transitioning",
            "moving to livepatch_3",
            id="TRAP: enabled=1 transition=1",
        ),
        pytest.param(
            _kernel(),
            _kmp(3, 3),
            [_patch(3, False, True)],
            False,
            "transitioning",
            "moving from livepatch_3",
            id="from",
        ),
        pytest.param(
            _kernel(),
            _kmp(3, 3),
            [_patch(2), _patch(3, True, True)],
            False,
            "transitioning",
            "moving to livepatch_3",
            id="TRAP: a replaced patch stays enabled until the end",
        ),
        pytest.param(
            _kernel(),
            _kmp(None, 3),
            [_patch("x", True, True)],
            False,
            "transitioning",
            "moving to x",
            id="of no package",
        ),
        pytest.param(
            _kernel(), _kmp(3, 3), [_patch(3, True, True)], True, "stalled", "to livepatch_3_150400_2_1", id="stalled"
        ),
        pytest.param(_kernel(), _kmp(3, 3), [_patch(3)], True, "patched", "is active", id="stalled and yet came"),
        # conflict
        pytest.param(
            _kernel(),
            _kmp(3, 3),
            [_patch("kpatch_x"), _patch(3)],
            False,
            "conflict",
            "kpatch_x is active",
            id="conflict",
        ),
        pytest.param(
            _kernel(),
            _kmp(_package(3, target_release="6.1.0-55-cloud-amd64"), 3),
            [_patch("kpatch_x"), _patch(3)],
            False,
            "conflict",
            "kpatch_x is active",
            id="conflict goes before mismatch",
        ),
        # installed
        pytest.param(_kernel(), _kmp(3, 3), [], False, "installed", "module is not active", id="installed"),
        pytest.param(_kernel(), _kmp(2, 3), [], False, "installed", "2-150400.2.1 is installed", id="installed, older"),
        pytest.param(_kernel(), _kmp(3, 3), [_patch(3, False)], False, "installed", "not active", id="TRAP: disabled"),
        pytest.param(
            _kernel(),
            _kmp(3, 3),
            [_patch(2)],
            False,
            "installed",
            "livepatch_2_150400_2_1 is active",
            id="old one active",
        ),
        # unpatched, outdated, baseline, patched
        pytest.param(_kernel(), _kmp(None, 3), [], False, "unpatched", "exists and is not installed", id="unpatched"),
        pytest.param(
            _kernel(), _kmp(2, 3), [_patch(2)], False, "outdated", "3-150400.2.1 is the newest", id="outdated"
        ),
        pytest.param(_kernel(), _kmp(1, 2), [_patch(1)], False, "outdated", "is the newest", id="level 1 of 2"),
        pytest.param(_kernel(), _kmp(1, 1), [_patch(1)], False, "baseline", "fixes nothing", id="TRAP: level 1"),
        pytest.param(_kernel(), _kmp(3, 3), [_patch(3)], False, "patched", "on build ID 3b43", id="patched"),
        pytest.param(
            _kernel(), _kmp(14, 14), [_patch(14)], False, "patched", "14-", id="TRAP: level 14 is not level 1"
        ),
        pytest.param(
            _kernel(), _kmp(3, 3), [_patch(3, build_id=None)], False, "patched", "is active", id="kernel hides build ID"
        ),
        pytest.param(
            _kernel(),
            _kmp(_package(3, module_build_id=None), 3),
            [_patch(3)],
            False,
            "patched",
            "is active",
            id="file has no build ID",
        ),
        # Wrong today
        pytest.param(
            _kernel(),
            _kmp(3, 3),
            [_patch(2, False), _patch(3)],
            False,
            "patched",
            "is active",
            id="TRAP: a replaced patch is shown disabled for a moment",
        ),
        pytest.param(
            _kernel(),
            _kmp(None, 3),
            [_patch("x", False)],
            False,
            "unpatched",
            "exists",
            id="TRAP: a disabled patch of no package",
        ),
        pytest.param(
            _kernel(),
            _kmp(3, 2, [dict(_OTHER, evr="3-150400.2.1", code="name_only")]),
            [_patch(3)],
            False,
            "unknown",
            "3-150400.2.1",
            id="active one is newer than what belongs to the kernel",
        ),
        pytest.param(
            _kernel(),
            _kmp(3, 2, [dict(_OTHER, evr="3-150400.2.1")]),
            [],
            False,
            "mismatch",
            "was built for another build",
            id="TRAP: installed for another build of the same release",
        ),
        pytest.param(
            _kernel(),
            _kmp(3, None, [dict(_OTHER, evr="3-150400.2.1", code="name_only", reason="only its name fits")]),
            [],
            False,
            "installed",
            "it is refused: only its name fits",
            id="installed, and refused by its name",
        ),
        pytest.param(
            _kernel(),
            _kmp(3, 3),
            [_patch("hotfix")],
            False,
            "conflict",
            "hotfix is active, which is not of",
            id="TRAP: somebody else's patch is active, and ours is not yet",
        ),
        pytest.param(
            _kernel(),
            _kmp(3, 3, basis="name"),
            [_patch(3)],
            False,
            "patched",
            "only its name ties it",
            id="matched by name alone",
        ),
    ],
)
def test_judge(kernel: Any, kmp: Any, patches: Any, stalled: bool, state: str, words: str) -> None:
    verdict = _state.assess_state(kernel, kmp, patches, stalled)
    assert verdict.state == state
    assert words in verdict.reason


def test_evidence() -> None:
    assert _state.collect_evidence(_kernel(), _kmp(3, 3), [_patch(2), _patch(3)]) == {
        "build_id": "3b43",
        "match": "build_id",
        "image_matches_running": True,
        "package": _NAME + "-3-150400.2.1.x86_64",
        "signature": "RSA",
        "target_release": _RELEASE,
        "module_file_build_id": "m3",
        "module_build_id": "m3",
        "patch": "livepatch_3_150400_2_1",
        "enabled": True,
        "transition": False,
        "replace": None,
        "stack_order": None,
        "module_signer": None,
        "vermagic": _RELEASE + " SMP",
        "functions": 3,
    }


def test_evidence_of_nothing() -> None:
    found = _state.collect_evidence(_kernel(), _kmp(None, 3), [_patch(2)])
    assert (found.pop("build_id"), found.pop("match")) == ("3b43", "build_id")
    assert found.pop("image_matches_running") is True
    assert set(found.values()) == {None}


def test_a_crash_comes_before_all_that_it_may_have_damaged() -> None:
    verdict = _state.assess_state(_kernel(), _kmp(3, 3), [_patch(3)], False, "the host went down")
    assert verdict == ("crashed", "the host went down")
    damaged = _kmp(3, 3)
    damaged["unmeasured"] = {"installed": "the database is damaged"}
    verdict = _state.assess_state(_kernel(), damaged, [], False, "the host went down")
    assert verdict == ("crashed", "the host went down. In addition, the database is damaged")


@pytest.mark.parametrize(
    ("state", "installed", "selected", "version", "expected"),
    [
        ("patched", 3, 3, None, True),
        ("patched", 3, 3, "3", True),
        ("baseline", 1, 1, None, True),
        ("outdated", 2, 3, None, False),
        # The policy asks for an older one than the newest.
        ("patched", 3, 2, "2", False),
        ("outdated", 2, 2, "2", True),
        # It admits nothing that is as new as what is active, or not what was asked for.
        ("patched", 3, None, None, True),
        ("patched", 3, None, "9", False),
        ("unpatched", None, 3, None, False),
        ("installed", 3, 3, None, False),
        # Nothing is known of these.
        ("transitioning", 3, 3, None, None),
        ("unknown", 3, 3, None, None),
        ("conflict", 3, 3, None, None),
        ("not_covered", None, None, None, None),
    ],
)
def test_up_to_date_is_what_runs_the_selected_level(
    state: str, installed: Any, selected: Any, version: Any, expected: Any
) -> None:
    kmp = {
        **dict.fromkeys(("newest", "kernel_fixed", "pinned_by", "covered_until")),
        "installed": None if installed is None else _package(installed),
        "selected": None if selected is None else _package(selected),
    }
    assert _state.assess_compliance(state, kmp, [], version)["up_to_date"] is expected
