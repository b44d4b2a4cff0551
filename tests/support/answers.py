# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers of hosts, whole as the modules give them, of which a test names what it is about."""

from __future__ import annotations

import copy
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.answer import Answer, read_result

BUILD_ID = "ab" * 20
BOOT_ID = "5a0cf4f4-7e6f-4a57-a2f7-4a4d0f1b6c11"
RELEASE = "6.4.0-default"
KMP = "kernel-livepatch-6_4_0-default"


def package(level: int = 3, **differs: t.Any) -> dict[str, t.Any]:
    """A KMP."""
    return {
        "name": KMP,
        "evr": f"{level}-1",
        "arch": "x86_64",
        "level": level,
        "module": f"livepatch_{level}_1",
        "module_path": f"/lib/modules/{RELEASE}/livepatch/livepatch-{level}_1.ko",
        "module_build_id": "cd" * 20,
        "cves": ["CVE-2099-0003"],
        "severity": "important",
        "issued": f"2026-11-0{level}",
        "repository": "updates",
        "signed": "RSA/SHA512, Mon Nov 23 17:58:31 2026, Key ID 6a262477b1d712c8",
        "vendor": "SUSE",
        "target_release": RELEASE,
        "downloaded": True,
        "installed_at": 1800001000,
        **differs,
    }


def job(**differs: t.Any) -> dict[str, t.Any]:
    """The result of a detached run."""
    return {
        "failed": False,
        "changed": True,
        "msg": None,
        "before": {"state": "unpatched", "level": None, "patches": [], "kmp": None},
        "after": {"state": "patched", "level": 3, "patches": ["livepatch_3_1"], "kmp": "3-1"},
        "transition": {"seconds": 1.2, "by": "kernel log"},
        "transaction": [f"install {KMP}-3-1.x86_64"],
        **differs,
    }


def journal(**differs: t.Any) -> dict[str, t.Any]:
    return {
        "run": "r",
        "rollout": None,
        "plan": None,
        "fence": None,
        "phase": "done",
        "kmp": f"{KMP}-3-1",
        "previous": None,
        "boot_id": BOOT_ID,
        "at": 1800001000.5,
        "problem": None,
        "given": True,
        "running": False,
        "interrupted": False,
        **differs,
    }


BLOCKER: dict[str, t.Any] = {
    "tid": 54,
    "command": "kworker/1:2+events",
    "kernel_thread": True,
    "state": "D",
    "cpu": 1,
    "stack": "msleep",
    "class": "kernel_thread",
    "advice": "report it to the vendor",
}
BASELINE: dict[str, t.Any] = {"boot_id": BOOT_ID, "taint": 0, "log": 612, "at": 1800001000.5}
REJECTION: dict[str, t.Any] = {"name": KMP, "evr": "2-1", "code": "older", "reason": "older level than 3-1"}
_GATHERED: dict[str, t.Any] = {
    "changed": False,
    "kernel": {
        "release": RELEASE,
        "version": "6.4.0",
        "arch": "x86_64",
        "flavor": "default",
        "build_id": BUILD_ID,
        "package": {"name": "kernel-default", "evr": "6.4.0-1", "arch": "x86_64"},
        "image": {
            "path": f"/boot/vmlinuz-{RELEASE}",
            "build_id": BUILD_ID,
            "version": f"{RELEASE} (geeko@buildhost) #1 SMP PREEMPT_DYNAMIC",
            "matches_running": True,
            "basis": "build_id",
        },
        "proc_version": f"Linux version {RELEASE} (geeko@buildhost) (gcc) #1 SMP PREEMPT_DYNAMIC",
        "confinement": None,
        "boot_id": BOOT_ID,
        "livepatch_supported": True,
        "mechanism": "klp",
        "taint": {"value": 32768, "flags": ["K"]},
        "lockdown": None,
        "module_signature_enforced": False,
        "next_boot": {"release": RELEASE, "basis": "grub"},
        "reboot_pending": False,
        "unmeasured": {"lockdown": "/sys/kernel/security/lockdown is not there"},
    },
    "kmp": {
        "name": KMP,
        "installed": package(),
        "selected": package(),
        "newest": {"evr": "3-1", "level": 3, "basis": "build_id", "cves": ["CVE-2099-0003"]},
        "match": {"basis": "build_id", "witnesses": ["it is tagged"], "pending": []},
        "pinned_by": None,
        "covered_until": None,
        "rejected": [],
        "lock": "none",
        "metadata_age": 812,
        "unmeasured": {"covered_until": "no lifecycle-data package is installed"},
    },
    "livepatch": {
        "state": "patched",
        "reason": "so it is",
        "evidence": {
            "build_id": BUILD_ID,
            "match": "build_id",
            "image_matches_running": True,
            "package": f"{KMP}-3-1.x86_64",
            "signature": "RSA/SHA512, Mon Nov 23 17:58:31 2026, Key ID 6a262477b1d712c8",
            "target_release": RELEASE,
            "module_file_build_id": "cd" * 20,
            "module_build_id": "cd" * 20,
            "patch": "livepatch_3_1",
            "enabled": True,
            "transition": False,
            "replace": None,
            "stack_order": None,
            "module_signer": None,
            "vermagic": f"{RELEASE} SMP preempt mod_unload modversions ",
            "functions": 1,
            "threads_left": 0,
        },
        "compliance": {
            "cves_fixed": ["CVE-2099-0003"],
            "cves_open": [],
            "kernel_fixed": 1,
            "wanted": 3,
            "up_to_date": True,
            "pinned_by": None,
            "covered_until": None,
        },
        "level": 3,
        "persistent": True,
        "patches": [
            {
                "name": "livepatch_3_1",
                "enabled": True,
                "transition": False,
                "replace": None,
                "stack_order": None,
                "build_id": "cd" * 20,
                "objects": {"vmlinux": 1},
            }
        ],
        "transition": {"running": False, "patch": None, "to": None},
        "blockers": [],
        "next_boot": {
            "release": RELEASE,
            "kmp": "3-1",
            "level": 3,
            "loaded_by": "initrd",
            "held": False,
            "missing": [],
        },
        "health": {"verdict": "pass", "problems": [], "since": None, "complete": True, "reason": None},
        "journal": None,
        "job": None,
        "health_checks": [],
        "unmeasured": {},
    },
}


def gathered(**differs: t.Any) -> dict[str, t.Any]:
    """A result of livepatch_info.

    :param differs: blocks, of which the keys replace those of a patched host; of mappings in them only those named.
    """
    return _merge(copy.deepcopy(_GATHERED), differs)


def _merge(base: dict[str, t.Any], differs: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    for key, value in differs.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        base[key] = _merge(base[key], value) if both else value
    return base


def answer(**differs: t.Any) -> Answer:
    """The same, as it is read."""
    read = read_result(gathered(**differs))
    assert read.facts is not None, read.msg
    return read
