# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stands in for the modules livepatch and livepatch_info: answers from a file, and acts on nothing else.

The file is the pretended host, see tests/support/fake_fleet.py for what it holds.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleet.livepatch.plugins.module_utils import _argspec


class Host:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.facts: dict[str, t.Any] = {}
        self.read()

    def read(self) -> None:
        self.facts = json.loads((self._folder / "facts.json").read_text())

    def enter(self, phase: str) -> None:
        """What the test wants to happen from this phase on."""
        self.facts.update(self.facts["from"].pop(phase, {}))

    def save(self) -> None:
        # In one step: another process may be reading it.
        (self._folder / "facts.new").write_text(json.dumps(self.facts))
        (self._folder / "facts.new").rename(self._folder / "facts.json")

    def touch(self) -> None:
        with (self._folder / "touched").open("a") as file:
            file.write(self.facts["kmp"] + "\n")

    def vanish_if_wanted(self) -> None:
        if self.facts["gone"]:
            self.save()
            (self._folder / "gone").touch()
            sys.exit(1)

    def blocks(self) -> dict[str, t.Any]:
        facts = self.facts
        name = "kernel-livepatch-" + facts["release"]
        selected, installed = (
            {
                "name": name,
                "evr": evr,
                "arch": "x86_64",
                "level": _level(evr),
                "downloaded": facts["downloaded"],
                "issued": None,
            }
            if evr
            else None
            for evr in (facts["kmp"], facts["installed"])
        )
        return {
            "kernel": {key: facts[key] for key in ("release", "build_id", "boot_id", "arch", "flavor")},
            "kmp": {
                "name": name,
                "installed": installed,
                "selected": selected,
                "match": {"basis": "build_id", "witnesses": []} if selected else None,
                "rejected": [{"name": name, **one} for one in facts["rejected"]],
                "unmeasured": {},
            },
            "livepatch": {
                "state": facts["state"],
                "reason": "pretended",
                "evidence": {"threads_left": 0},
                "compliance": {
                    **dict.fromkeys(("cves_fixed", "cves_open", "kernel_fixed", "pinned_by", "covered_until")),
                    "wanted": selected["level"] if selected else None,
                    "up_to_date": facts["state"] in ("patched", "baseline"),
                },
                "persistent": None,
                "next_boot": None,
                "level": facts["level"],
                "patches": [],
                "transition": {"running": False, "patch": None, "to": None},
                "blockers": [],
                "health": {
                    "verdict": "fail" if facts["problems"] else "inconclusive" if facts["blind"] else "pass",
                    "problems": facts["problems"],
                    "since": {"boot_id": facts["boot_id"], "taint": 0, "log": 1, "at": 1.0},
                    "complete": facts["blind"] is None,
                    "reason": facts["blind"],
                },
                "health_checks": [],
                "journal": {"rollout": facts["rollout"], "phase": "done"} if facts["rollout"] else None,
                "job": None,
                "unmeasured": {},
            },
        }


def _level(evr: str) -> int:
    return int(evr.partition("-")[0])


def ask(host: Host, module: AnsibleModule) -> None:
    if module.params["run"] and host.facts["slow"]:
        host.facts["slow"] -= 1
        host.save()
        blocks = host.blocks()
        blocks["livepatch"]["transition"]["running"] = True
        blocks["livepatch"]["evidence"]["threads_left"] = 2
        blocks["livepatch"]["blockers"] = [{"command": "oom_reaper", "class": "kernel_thread", "tid": 7}]
        module.exit_json(**blocks)
    job = wait(host, module.params["results_file"]) if module.params["run"] else None
    host.enter("verify" if host.facts.pop("applied", False) else "ask")
    host.save()
    host.vanish_if_wanted()
    blocks = host.blocks()
    blocks["livepatch"]["job"] = job
    module.exit_json(**blocks)


def wait(host: Host, results_file: str) -> dict[str, t.Any]:
    """What became of the run that was started detached, as the real module tells it."""
    while True:
        host.read()
        host.vanish_if_wanted()
        with contextlib.suppress(OSError, ValueError):
            told = json.loads(Path(results_file).read_text())
            if "changed" in told or "failed" in told:
                host.read()  # what was told may have become true since
                kept = ("msg", "refused", "fenced", "not_begun", "changed", "transition", "before", "after")
                return {**{key: told[key] for key in kept if key in told}, "failed": bool(told.get("failed"))}
        time.sleep(0.02)


def apply(host: Host, module: AnsibleModule) -> None:
    if module.params["download_only"]:
        download(host, module)
    if module.params["state"] == "present":  # the canaries are confirmed
        module.exit_json(changed=False, **host.blocks())
    if module.params["state"] == "previous":
        go_back(host, module)
    host.enter("apply")
    facts = host.facts
    before = {key: facts[key] for key in ("state", "level")}
    expect = dict(module.params["expect"])
    if expect.pop("begun", False) and facts["rollout"] != module.params["rollout"]:
        module.fail_json(msg="the rollout has begun nothing here", not_begun=True, **host.blocks())
    for key, planned in expect.items():
        if planned and planned != facts[key]:
            module.fail_json(msg=f"{key} is {facts[key]}, the plan was made for {planned}", **host.blocks())
    after = {"state": "patched", "level": _level(facts["kmp"])}
    if module.check_mode:
        module.exit_json(changed=True, before=before, after=after, **host.blocks())
    if (facts["state"], facts["installed"]) == ("patched", facts["kmp"]):
        module.exit_json(changed=False, before=before, after=before, **host.blocks())
    host.touch()
    facts["rollout"] = module.params["rollout"] or ""
    host.save()
    host.vanish_if_wanted()
    if facts["refusal"]:
        module.fail_json(msg=facts["refusal"], **host.blocks())
    facts.update(after, installed=facts["kmp"], applied=True)
    host.save()
    transition = {"seconds": 0.1, "by": "watch"}
    module.exit_json(changed=True, before=before, after=after, transition=transition, **host.blocks())


def download(host: Host, module: AnsibleModule) -> None:
    facts = host.facts
    if facts["unfetched"]:
        module.fail_json(msg=facts["unfetched"], **host.blocks())
    changed = not facts["downloaded"]
    if not module.check_mode:
        facts.update(downloaded=True)
        host.save()
    module.exit_json(changed=changed, **host.blocks())


def go_back(host: Host, module: AnsibleModule) -> None:
    facts = host.facts
    host.vanish_if_wanted()
    if facts["stays"]:
        module.fail_json(msg=facts["stays"], refused=True, **host.blocks())
    if facts["stuck"]:
        module.fail_json(msg=facts["stuck"], **host.blocks())
    before = {key: facts[key] for key in ("state", "level")}
    facts.update(state="outdated", level=1, installed="1-1")
    host.save()
    transition = {"seconds": 0.1, "by": "watch"}
    after = {"state": "outdated", "level": 1}
    module.exit_json(changed=True, before=before, after=after, transition=transition, **host.blocks())


def main() -> None:
    host = Host(Path(os.environ["PRETENDED_HOST"]))
    options = {"results_file": {"type": "path"}, "wait": {"type": "int"}, "health_checks": _argspec.HEALTH_CHECKS}
    module = AnsibleModule(argument_spec=dict(_argspec.LIVEPATCH, **options), supports_check_mode=True)
    # One file for both modules; Ansible tells by which name it was called.
    (ask if module._name.endswith("_info") else apply)(host, module)


if __name__ == "__main__":
    main()
