#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: livepatch
short_description: Live patch the running kernel
description:
  - Installs the newest KMP that belongs to the running kernel, loads its module, waits for the kernel's migration on
    the host itself, and verifies the result.
  - Each step is recorded on the host before it is taken, in the journal. The next run takes up an interrupted one. A
    host that crashed in the middle has the state V(crashed), and no live patch is applied to it until
    M(fleet.livepatch.livepatch_journal) clears the journal.
  - It does only what is missing. A host that is up to date is not changed.
  - It fails when the host is not up to date afterwards, and C(livepatch.state) shows its state. A migration is never
    forced.
  - With O(detach=true) it returns as soon as it has started, and a connection that breaks does no harm. C(async) is not
    supported.
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.target
  - fleet.livepatch.policy
attributes:
  check_mode:
    description: Predicts what it would change, without changing anything.
    support: full
  diff_mode:
    description: Returns what it changed, or would change.
    support: full
  idempotent:
    description: Changes nothing when it is run a second time.
    support: full
options:
  state:
    description:
      - V(latest) brings the host to the newest level for its running kernel.
      - V(present) accepts any active level, unless O(level) or O(version) asks for one.
      - V(previous) goes back to what was active before the last change, as the host's journal names it. Where nothing
        was active, it goes to the initial KMP on SUSE's kernels (level 1, which replaces everything with nothing), and
        fails elsewhere, since Red Hat advises against unloading a live patch. A second run changes nothing, nor does a
        run after a change that failed and left nothing behind. What O(policy) wants of the KMPs that fit
        (O(policy.severity), O(policy.exclude) and so on) does not bar the previous level; missing trust and
        O(policy.quarantine) do.
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
      - Whether an older level may replace a newer one. The newer ones are removed, so that the next boot does not load
        them.
      - The kernel may refuse it, where a patch has changed the system in a way that the older level does not support.
    type: bool
    default: false
  allow_unsupported:
    description:
      - Whether a live patch may be disabled (O(state=absent)) on a system whose vendor no longer supports the kernel
        then, such as SUSE. The supported way back is O(level=1) with O(allow_downgrade=true).
    type: bool
    default: false
  timeout:
    description: How many seconds the kernel's migration may take.
    type: int
    default: 60
  on_stall:
    description:
      - What to do with a migration that has not completed within O(timeout).
      - V(reverse) reverses it, and removes what was installed for it, so that the host is as it was before. V(leave)
        leaves it running.
      - The module fails in both cases, and C(livepatch.blockers) lists the threads that kept it from completing.
    type: str
    choices: [reverse, leave]
    default: reverse
  confirm:
    description:
      - Whether the next boot may load what is active now.
      - With V(false) a new level is kept out of the initrd, and out of the service that loads it at boot, until the
        module runs with V(true). So a patch that crashes the kernel minutes after it was loaded does not crash it at
        every boot. Until then a reboot counts as a crash.
    type: bool
    default: true
  download_only:
    description:
      - Whether to only download the KMP's file to the host and examine it, so that it is there when it is to be
        applied. The module fails now if something speaks against the KMP.
    type: bool
    default: false
  repair_boot:
    description:
      - Whether to repair what loads the live patch at boot, where C(livepatch.next_boot) shows that something is
        missing. The initrd is rebuilt with C(dracut), or C(kpatch.service) is enabled.
    type: bool
    default: false
  kernel_lock:
    description:
      - V(true) locks the running kernel's package in the package manager, so that no kernel is installed that the fleet
        has no KMP for, and C(zypper purge-kernels) does not remove the KMP with its kernel. V(false) removes this lock,
        but never one that an administrator has set. By default locks are left as they are.
    type: bool
  lock:
    description:
      - V(true) locks all KMPs in the package manager, so that nothing else installs one, such as C(zypper patch),
        C(dnf upgrade), dnf-automatic, C(dnf kpatch auto), or Uyuni. This module passes over the lock, which stays in
        place meanwhile. V(false) removes it. By default it is left as it is.
      - Locks that others have set are never removed, and hold for this module, too.
      - zypper's lock is an entry of C(/etc/zypp/locks), dnf's is a line of C(excludepkgs) in C(/etc/dnf/dnf.conf).
      - Where it cannot be set, that is a warning, since the live patch is not to blame; with O(lock_only=true) it is an
        error.
    type: bool
  lock_only:
    description: Whether to do nothing but what O(lock) says.
    type: bool
    default: false
  expect:
    description:
      - What a plan was made for. The module fails before it changes anything if the host is different now.
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
          - Whether the O(rollout) has begun its change of the host already. Then that change is finished, and nothing
            new is begun. Where it has failed, the module fails for the same reason.
        type: bool
        default: false
  detach:
    description:
      - Whether to only start the work, in a process of its own, which no end of a connection, a login session or a
        terminal ends. Where systemd runs, it has a scope of its own, C(fleet-livepatch-*.scope).
      - Its result is returned by M(fleet.livepatch.livepatch_info) with O(fleet.livepatch.livepatch_info#module:run).
        The host keeps the results of the newest ten runs.
      - In check mode nothing is started, and the module returns its prediction.
    type: bool
    default: false
  run:
    description:
      - An ID for this run, which the host's journal records. By default one is made. No two runs may have the same.
      - With O(detach=true) it has up to 100 letters, digits, dots, hyphens and underscores, and the first is a letter
        or a digit.
    type: str
  rollout:
    description: The rollout that this run is a part of, for the journal.
    type: str
  plan:
    description:
      - The hash of the plan that this run is a part of, for the journal.
      - With O(state=previous) only a change that was made for this plan is undone. A host whose last change was another
        one is not changed, and the module succeeds.
    type: str
  fence:
    description:
      - The number of the rollout's run, which grows with each run. The host records the highest one, and refuses a run
        with a lower one before anything is done, since a newer run has taken over the rollout.
      - With it the module waits for another run on the host as long as that may take, which is 2 minutes and ten times
        O(timeout) and O(lock_timeout), since a control node that has died may have left one working.
      - Without it nothing is checked, and the module waits for another run as long as O(lock_timeout).
    type: int
  preflight:
    description:
      - Whether to run the checks of M(fleet.livepatch.livepatch_preflight_info) first, without state and transition,
        and to refuse a change where a check fails. A warning refuses nothing.
      - A host that needs no change is not checked, nor is one with O(state=absent).
    type: bool
    default: false
  preflight_tolerate:
    description: Checks of O(preflight) that may fail without refusing a change.
    type: list
    elements: str
    choices: [package_lock, disk, signature, ftrace, tracers, agents, taint, log, kdump]
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

- name: Downgrade to level 2
  fleet.livepatch.livepatch:
    state: present
    level: 2
    allow_downgrade: true
  become: true

- name: Apply a level, and keep it out of the next boot until it is confirmed
  fleet.livepatch.livepatch:
    confirm: false
  become: true

- name: Start, and hold neither a fork nor a connection while it works
  fleet.livepatch.livepatch:
    detach: true
  become: true
  register: started

- name: Wait for the result on the host, half a minute at most
  fleet.livepatch.livepatch_info:
    run: "{{ started.run }}"
    wait: 30
  become: true
  register: ended
  changed_when: ended.livepatch.job.changed | default(false)
  failed_when: ended.livepatch.job.failed | default(true)
"""

RETURN = r"""
run:
  description: The ID of this run, under which the host's journal records it.
  returned: always
  type: str
  sample: 6f1c3f6a5c0b4b0f8f4f0c8a2c1d9e7b
detached:
  description: True where the run was started and goes on by itself. The keys below are then not known yet.
  returned: with O(detach=true), unless in check mode
  type: bool
  sample: true
began:
  description: When it was started, in seconds since the epoch, by the clock of the control node.
  returned: unless a halt kept it from starting
  type: float
  sample: 1795593600.5
max_seconds:
  description:
    - How many seconds the run may take at the most by O(timeout) and O(lock_timeout), with its reversal, and after
      another run that it has to wait for.
  returned: unless a halt kept it from starting
  type: int
  sample: 2640
msg:
  description: Why it failed, or why O(state=previous) changed nothing.
  returned: on failure, and where O(state=previous) leaves the host as it is
  type: str
  sample: "nothing was done: the last change of this host was not made for this plan"
refused:
  description:
    - True where trying again will not help. The vendor advises against it, there is nothing to go back to, or the
      kernel loads that module only after a reboot.
  returned: on such a failure
  type: bool
  sample: true
fenced:
  description: True where a run with a higher O(fence) has taken over the host. Nothing was done.
  returned: on such a failure
  type: bool
  sample: true
halted:
  description: True where the rollouts of the host's scope are halted. Nothing was done.
  returned: on such a failure
  type: bool
  sample: true
before:
  description: State, active level, installed KMP and the kernel's patches before.
  returned: when known
  type: dict
  sample: {state: unpatched, level: null, kmp: null, patches: []}
after:
  description: The same afterwards. In check mode what is expected.
  returned: when known
  type: dict
  sample: {state: patched, level: 3, kmp: 3-150400.2.1, patches: [livepatch_3_150400_2_1]}
transition:
  description:
    - How many seconds the kernel's migration took, and by which clock, V(kernel log) or V(watch).
      Both are null where nothing was migrated.
  returned: when known
  type: dict
  sample: {seconds: 1.204, by: kernel log}
transaction:
  description:
    - What installing the KMP does, step by step, as the package manager computed it beforehand. It is refused if it
      does anything but install the KMP and a few dependencies.
    - Null where nothing had to be installed, empty where all KMPs were refused that were examined.
  returned: when known
  type: list
  elements: str
  sample: [install kernel-livepatch-6_1_0-56-cloud-amd64-3-150400.2.1.x86_64]
livepatch:
  description: The live patch afterwards, with the keys that M(fleet.livepatch.livepatch_info) returns.
  returned: when known
  type: dict
  sample: {state: patched, level: 3}
kernel:
  description: The running kernel, with the keys that M(fleet.livepatch.kernel_info) returns.
  returned: when known
  type: dict
  sample: {release: 6.1.0-56-cloud-amd64, build_id: 3b43fad5034874490492495d552c0af6a5fab235}
kmp:
  description: The KMPs for it, with the keys that M(fleet.livepatch.kmp_info) returns but for C(candidates).
  returned: when known
  type: dict
  sample: {name: kernel-livepatch-6_1_0-56-cloud-amd64, metadata_age: 812}
"""

import contextlib
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
    # A lost connection ends the terminal, and a limit of Ansible ends the process group: neither must kill a package
    # manager in the middle of its work.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # Where it is ignored, no process learns how a program of its own has ended.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with contextlib.suppress(OSError):
        os.setsid()

    def work(host: Host) -> Dict[str, Any]:
        params = module.params
        run = params["run"] or _ensure.make_run_id()
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
            run,
            params["rollout"],
            params["plan"],
            params["fence"],
            params["preflight"],
            params["preflight_tolerate"],
            download_only=params["download_only"],
            lock=params["lock"],
            lock_only=params["lock_only"],
        )
        if params["detach"] and not module.check_mode:
            from ansible_collections.fleet.livepatch.plugins.module_utils import _detached

            _detached.start_detached(host, run, lambda host: _ensure.ensure_state(host, request))
            return {"changed": False, "detached": True}
        return _ensure.ensure_state(host, request)

    run_module(module, work)


if __name__ == "__main__":
    main()
