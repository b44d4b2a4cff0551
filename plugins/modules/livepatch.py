#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: livepatch
short_description: Live patch the running kernel
description:
  - Installs the newest KMP that belongs to the running kernel, loads its module, watches the kernel's migration to
    its end on the host itself, and verifies what is true then.
  - Each step is recorded on the host before it is taken (the journal). So an interrupted run is taken up by the next
    one,
    and a host that crashed in the middle is told as V(crashed) and left alone until
    M(fleet.livepatch.livepatch_journal)
    clears it.
  - It does what is missing and no more. A host that is up to date is left alone.
  - It fails when the host is not up to date afterwards, and C(livepatch.state) says what it is instead.
    A migration is never forced.
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.target
  - fleet.livepatch.policy
attributes:
  check_mode:
    description: Says what it would do without doing it.
    support: full
  diff_mode:
    description: Returns what it changed, or would change.
    support: full
  idempotent:
    description: Run twice it changes nothing the second time.
    support: full
options:
  state:
    description:
      - V(latest) brings the host to the newest level there is for its running kernel.
      - V(present) is content with whatever level is active, unless O(level) or O(version) asks for one.
      - V(previous) goes back to what was active before the last change, as the host's journal names it. Where nothing
        was, it goes to the initial KMP on SUSE's kernels (level 1, which replaces everything with nothing), and refuses
        elsewhere, since Red Hat advises against unloading a live patch. Asked twice it stays, since a way back is not
        gone back from. Where the last change failed, and nothing of it is left, it stays as well. What O(policy) wants
        of the KMPs that fit (O(policy.severity), O(policy.exclude) and so on) does not keep it from what it had before;
        what is not trusted, and O(policy.quarantine), does.
      - V(absent) disables what is active and removes the KMPs of the running kernel.
    type: str
    choices: [latest, present, absent, previous]
    default: latest
  level:
    description:
      - The patch level that is wanted, instead of the newest.
    type: int
  version:
    description:
      - The version that is wanted, V(3) or V(3-150400.2.1), instead of the newest. The same as O(policy.kmp_version).
    type: str
  allow_downgrade:
    description:
      - Whether an older level may take the place of a newer one. The newer ones are removed, so that the next boot does
        not bring them back.
      - The kernel may refuse it, where a patch has changed the system in a way that the older level does not know.
    type: bool
    default: false
  allow_unsupported:
    description:
      - Whether a live patch may be disabled (O(state=absent)) on a system whose vendor then no longer supports the
        kernel,
        as SUSE does. The supported way back is O(level=1) with O(allow_downgrade=true).
    type: bool
    default: false
  timeout:
    description: How many seconds the kernel's migration may take.
    type: int
    default: 60
  on_stall:
    description:
      - What to do with a migration that has not completed within O(timeout).
      - V(reverse) turns it round, and removes what was installed for it, so that the host is left as it was before.
        V(leave) lets it run on.
      - The module fails in both cases, and C(livepatch.blockers) names the threads that kept it from completing.
    type: str
    choices: [reverse, leave]
    default: reverse
  confirm:
    description:
      - Whether what is active may be part of the next boot at once.
      - With V(false) a new level is kept out of the initrd, and out of the service that loads it at boot, until the
        module
        runs with V(true) again. So a patch that crashes the kernel minutes after it was loaded does not crash it at
        every
        boot. Until then a boot with another boot ID counts as a crash.
    type: bool
    default: true
  download_only:
    description:
      - Whether to bring the KMP's file to the host, look into it, and stop there, so that it is at hand when it is to
        be applied. What speaks against the KMP fails the module now.
    type: bool
    default: false
  repair_boot:
    description:
      - Whether to put in order what loads the live patch at boot, where C(livepatch.next_boot) says that something is
        missing. The initrd is made anew (C(dracut)), or C(kpatch.service) is enabled.
    type: bool
    default: false
  kernel_lock:
    description:
      - V(true) locks the running kernel's package in the package manager, so that no kernel comes in that the fleet
        has no
        KMP for, and C(zypper purge-kernels) does not take the KMP away with its kernel. V(false) takes such a lock away
        again, and never one that an administrator has set. By default locks are left as they are.
    type: bool
  expect:
    description:
      - What a plan was made for. The module refuses before it changes anything when the host is another one now.
    type: dict
    default: {}
    suboptions:
      build_id:
        description: The build ID of the running kernel.
        type: str
      kmp:
        description: The version and release of the KMP that is to be applied.
        type: str
      begun:
        description:
          - The O(rollout) has begun its change of the host already. That one is finished, and nothing new is begun.
            Where it has failed, the module fails for the same reason.
        type: bool
        default: false
  run:
    description: An ID for this run, under which the host's journal records it. By default one is made.
    type: str
  rollout:
    description: The rollout that this run is a part of, for the journal.
    type: str
  plan:
    description:
      - The hash of the plan that this run is a part of, for the journal.
      - With O(state=previous) only a change that was made for this plan is gone back from. A host whose last change was
        another one is left as it is, and the module succeeds.
    type: str
  fence:
    description:
      - The number of the rollout's run, which grows with each. The host keeps the highest that it has seen, and refuses
        a run with a lower one before anything is done, since a newer run has taken the rollout over.
      - With it the module waits for another run of it on the host as long as that may take, which is 2 minutes and ten
        times O(timeout) and O(lock_timeout), since a controller that has died may have left one working.
      - Without it nothing is checked, and another run is waited for as long as O(lock_timeout) says.
    type: int
  preflight:
    description:
      - Whether to look first at what M(fleet.livepatch.livepatch_preflight_info) looks at, state and transition aside,
        and to refuse a change where a check fails. A warning refuses nothing.
      - A host that needs no change is not looked at, nor is one for O(state=absent).
    type: bool
    default: false
  preflight_tolerate:
    description: Checks of O(preflight) whose failure is no reason to refuse.
    type: list
    elements: str
    choices: [package_lock, disk, signature, ftrace, probes, agents, taint, log, kdump]
    default: []
seealso:
  - module: fleet.livepatch.livepatch_info
  - module: fleet.livepatch.livepatch_journal
"""

EXAMPLES = r"""
- name: Live patch the running kernel
  fleet.livepatch.livepatch:
    state: latest
    timeout: 120
  become: true

- name: Go back to level 2
  fleet.livepatch.livepatch:
    state: present
    level: 2
    allow_downgrade: true
  become: true

- name: Try a level, and keep it out of the next boot for now
  fleet.livepatch.livepatch:
    confirm: false
  become: true
"""

RETURN = r"""
run:
  description: The ID of this run, under which the host's journal records it.
  returned: always
  type: str
  sample: 6f1c3f6a5c0b4b0f8f4f0c8a2c1d9e7b
max_seconds:
  description:
    - How many seconds the run may take at the most by O(timeout) and O(lock_timeout), with its reversal, and after
      another run that it has to wait for.
  returned: unless a halt kept it from starting
  type: int
  sample: 2640
msg:
  description: Why it failed, or, with O(state=previous), why there was nothing to do.
  returned: on failure, and where O(state=previous) leaves the host as it is on purpose
  type: str
  sample: "nothing was done: the last change of this host was not made for this plan"
refused:
  description:
    - True where the way that was asked for is closed, and trying again will not help. The vendor advises against it,
      there is nothing to go back to, or the kernel takes that module after a reboot only.
  returned: on such a failure
  type: bool
  sample: true
fenced:
  description: True where a run with a higher O(fence) has taken the host over. Nothing was done.
  returned: on such a failure
  type: bool
  sample: true
before:
  description: State, active level, installed KMP and the kernel's patches before.
  returned: when they could be told
  type: dict
  sample: {state: unpatched, level: null, kmp: null, patches: []}
after:
  description: The same afterwards. In check mode what is expected.
  returned: when they could be told
  type: dict
  sample: {state: patched, level: 3, kmp: 3-150400.2.1, patches: [livepatch_3_150400_2_1]}
transition:
  description:
    - How many seconds the kernel's migration took, and whose clock says so, V(kernel log) or V(watch).
      Both are null where nothing was migrated.
  returned: when they could be told
  type: dict
  sample: {seconds: 1.204, by: kernel log}
transaction:
  description:
    - What installing the KMP does, step by step, as the package manager computed it beforehand. It is refused if it
      does anything but install the KMP and a few dependencies.
    - Null where nothing had to be installed.
  returned: when they could be told
  type: list
  elements: str
  sample: [install kernel-livepatch-6_1_0-56-cloud-amd64-3-150400.2.1.x86_64]
livepatch:
  description: What is true of the host's live patch afterwards, with the keys that M(fleet.livepatch.livepatch_info)
    returns.
  returned: when they could be told
  type: dict
  sample: {state: patched, level: 3}
kernel:
  description: The running kernel, with the keys that M(fleet.livepatch.kernel_info) returns.
  returned: when they could be told
  type: dict
  sample: {release: 6.1.0-56-cloud-amd64, build_id: 3b43fad5034874490492495d552c0af6a5fab235}
kmp:
  description: The KMPs for it, with the keys that M(fleet.livepatch.kmp_info) returns but for C(candidates).
  returned: when they could be told
  type: dict
  sample: {name: kernel-livepatch-6_1_0-56-cloud-amd64, metadata_age: 812}
"""

import contextlib
import json
import os
import signal
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleet.livepatch.plugins.module_utils import _argspec, _ensure
from ansible_collections.fleet.livepatch.plugins.module_utils._change.request import Request
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._module import run_module


def main() -> None:
    module = AnsibleModule(argument_spec=_argspec.LIVEPATCH, supports_check_mode=True)
    # ssh that goes away takes the terminal with it, and a limit of Ansible's takes the process group: neither must
    # take a
    # package manager in the middle of its work.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.setsid()

    def work(host: Host) -> Dict[str, Any]:
        params = module.params
        request = Request(
            _argspec.build_policy(params, host),
            params["timeout"],
            params["on_stall"],
            module.check_mode,
            {name: value for name, value in params["expect"].items() if value},
            params["state"],
            params["confirm"],
            params["repair_boot"],
            params["kernel_lock"],
            params["allow_unsupported"],
            params["run"] or _ensure.make_run_id(),
            params["rollout"],
            params["plan"],
            params["fence"],
            params["preflight"],
            params["preflight_tolerate"],
            download_only=params["download_only"],
        )
        result = _ensure.ensure_state(host, request)
        if module._diff:
            result["diff"] = {
                side: json.dumps(result[side], indent=2, sort_keys=True) + "\n" for side in ("before", "after")
            }
        return result

    run_module(module, work)


if __name__ == "__main__":
    main()
