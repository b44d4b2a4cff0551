#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: livepatch_info
short_description: Gather live patch facts
description:
  - Returns in one round trip the running kernel, the KMP that belongs to it, and the state of the host's live patch.
  - A host is V(patched) only when the newest KMP that belongs to the running build is active and its transition is
    over. Each other case has its own state and reason.
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.target
  - fleet.livepatch.attributes.info
  - fleet.livepatch.policy
options:
  gather:
    description:
      - Which parts to return. V(functions) is V(livepatch) with the names of the functions that each patch replaces,
        object by object, in RV(livepatch.patches); a patch may replace hundreds.
      - All of them are gathered whatever is returned, since the state rests on all of them.
    type: list
    elements: str
    choices: [livepatch, kernel, kmp, functions]
    default: [livepatch, kernel, kmp]
  run:
    description:
      - The ID of a detached run of M(fleet.livepatch.livepatch). The module waits for its end first.
      - Its result is returned in RV(livepatch.job).
    type: str
  wait:
    description: How many seconds to wait for the end of O(run) at most. RV(livepatch.job) is null if it has not ended.
    type: int
    default: 0
  on_unreachable:
    description:
      - What becomes of a host that cannot be reached, or that does not answer as this module does. V(fail) fails, as
        any module does.
      - V(report) returns RV(problem) instead, so that a fleet can be assessed as a whole, the hosts that do not answer
        included.
    type: str
    choices: [fail, report]
    default: fail
  unreachable_timeout:
    description: How many seconds a host that cannot be reached is tried again, every ten seconds.
    type: int
    default: 0
  health_checks:
    description:
      - Checks of the host that RV(livepatch.health) includes. One that fails makes its verdict V(fail).
      - They run one after the other, after the live patch was examined. A check that cannot be run has failed.
    type: dict
    suboptions:
      commands:
        description:
          - Commands that must exit with 0. They must change nothing, since this module changes nothing. In check mode
            they are not run.
          - Each is split into words as a shell does, and run without one. If you need a shell, write V(sh -c 'a | b').
        type: list
        elements: str
        default: []
      urls:
        description:
          - URLs, C(http) or C(https), that the host itself requests. The status of the answer must be from 200 to 399.
          - Certificates are verified. A redirection counts as an answer and is not followed.
        type: list
        elements: str
        default: []
      services:
        description: Units of systemd that must be active.
        type: list
        elements: str
        default: []
      timeout:
        description: How many seconds each check may take.
        type: int
        default: 10
seealso:
  - module: fleet.livepatch.livepatch
  - module: fleet.livepatch.kernel_info
  - module: fleet.livepatch.kmp_info
"""

EXAMPLES = r"""
- name: Gather live patch facts
  fleet.livepatch.livepatch_info:
  become: true
  register: result

- name: Gather the names of the replaced functions
  fleet.livepatch.livepatch_info:
    gather: [functions]
  become: true

- name: Check the health of the host since it was patched
  fleet.livepatch.livepatch_info:
    gather: [livepatch]
    health_checks:
      urls: ["http://localhost:8080/health"]
      services: [nginx.service]
  become: true

- name: Require that the host is patched
  ansible.builtin.assert:
    that: result.livepatch.state == 'patched'
    fail_msg: "{{ result.livepatch.reason }}"
"""

RETURN = r"""
problem:
  description: What is wrong and what to do, in one line. There is nothing else then.
  returned: with O(on_unreachable=report), when the host gave no answer, or one that this module does not give
  type: str
  sample: "unreachable: nothing listens at 192.0.2.7 port 22; check ansible_host and ansible_port, and that sshd runs"
livepatch:
  description: The state of the host's live patch.
  returned: if O(gather) has V(livepatch) or V(functions)
  type: dict
  contains:
    state:
      description:
        - One of V(crashed), V(unknown), V(conflict), V(mismatch), V(not_covered), V(stalled), V(transitioning),
          V(installed), V(unpatched), V(outdated), V(baseline), V(patched).
      returned: always
      type: str
      sample: patched
    reason:
      description: The reason for this state.
      returned: always
      type: str
      sample: kernel-livepatch-6_1_0-56-cloud-amd64-3-150400.2.1 is active on build ID 3b43fad50348
    evidence:
      description: What RV(livepatch.state) rests on, as read from the kernel, the module's file and the RPM database.
      returned: always
      type: dict
      sample:
        build_id: 3b43fad5034874490492495d552c0af6a5fab235
        package: kernel-livepatch-6_1_0-56-cloud-amd64-3-150400.2.1.x86_64
        patch: livepatch_3_150400_2_1
        target_release: 6.1.0-56-cloud-amd64
        enabled: true
        transition: false
    compliance:
      description: What the state means for the operator.
      returned: always
      type: dict
      contains:
        cves_fixed:
          description: The CVEs that the active KMP fixes, by its advisories, or by its changelog where there are none.
          returned: always
          type: list
          elements: str
          sample: [CVE-2099-0002]
        cves_open:
          description: The CVEs that the newest KMP fixes and the active one does not.
          returned: always
          type: list
          elements: str
          sample: [CVE-2099-0003]
        kernel_fixed:
          description: How many CVEs newer kernel packages fix that no KMP does. M(fleet.livepatch.kmp_info) names them.
          returned: always
          type: int
          sample: 1
        wanted:
          description: The level that O(policy) selects, null where it admits none that is newer.
          returned: always
          type: int
          sample: 3
        up_to_date:
          description: Whether what is active is what O(policy) wants, null where that is unknown.
          returned: always
          type: bool
          sample: false
        pinned_by:
          description: The part of O(policy) that bars the newest KMP, null where none does.
          returned: always
          type: str
          sample: null
        covered_until:
          description: The last day on which the vendor patches this kernel, if a C(lifecycle-data) package has it.
          returned: always
          type: str
          sample: "2027-03-31"
      sample:
        cves_open: [CVE-2099-0003]
        cves_fixed: [CVE-2099-0002]
        kernel_fixed: 1
        wanted: 3
        up_to_date: false
        pinned_by: null
        covered_until: "2027-03-31"
    level:
      description: The level that is active, null where none is.
      returned: always
      type: int
      sample: 3
    persistent:
      description: Whether the next boot keeps it. RV(livepatch.next_boot) lists what is missing.
      returned: always
      type: bool
      sample: true
    patches:
      description: The patches in the kernel, with the number of functions replaced in each object.
      returned: always
      type: list
      elements: dict
      sample:
        - name: livepatch_3_150400_2_1
          enabled: true
          transition: false
          replace: null
          stack_order: null
          build_id: 8b2c9c0e0a4b2f3c8d7e6f5a4b3c2d1e0f9a8b7c
          objects: {vmlinux: 1}
    transition:
      description: The running transition, if there is one.
      returned: always
      type: dict
      sample: {running: false, patch: null, to: null}
    blockers:
      description:
        - Threads that keep a slow transition from completing, ten at most, each with its class and what to do about it.
          Their number in all is C(threads_left) in RV(livepatch.evidence).
        - C(class) is one of V(stopped), V(vcpu), V(tracing), V(isolated_cpu), V(kernel_thread), V(uninterruptible),
          V(cpu_bound), V(sleeping).
      returned: always
      type: list
      elements: dict
      sample:
        - tid: 54
          command: kworker/1:2+events
          kernel_thread: true
          state: D
          cpu: 1
          stack: msleep
          class: kernel_thread
          advice: report it to the vendor
    next_boot:
      description:
        - What the next boot starts with, and what is C(missing) for it to keep the live patch. C(held) is true while a
          new level is kept out of it until it is confirmed.
        - Null where no KMP is installed.
      returned: always
      type: dict
      sample: {release: 6.1.0-56-cloud-amd64, kmp: 3-150400.2.1, level: 3, loaded_by: initrd, held: false, missing: []}
    health:
      description:
        - The health of the kernel since the last change of its live patch began (RV(livepatch.journal)).
        - C(verdict) is V(fail) where there are C(problems), V(pass) where there are none and all could be examined,
          else V(inconclusive).
        - C(problems) has ten at most. C(what) is V(rebooted), V(taint) (flags that loading a live patch does not set by
          itself), V(health_check) (of O(health_checks)), or what the kernel's log reports, V(panic), V(oops), V(bug),
          V(warning), V(lockup), V(hung_task), V(rcu_stall).
        - C(since) is what was recorded before the change, null where nothing was. C(complete) is whether all could be
          examined, C(reason) why not, such as a log that the kernel has overwritten since.
      returned: always
      type: dict
      sample:
        verdict: fail
        problems:
          - {what: warning, text: "WARNING: CPU: 0 PID: 812 at fs/proc/cmdline.c:9 cmdline+0x12/0x30"}
        since: {boot_id: 5a0cf4f4-7e6f-4a57-a2f7-4a4d0f1b6c11, taint: 0, log: 612, at: 1800001000.5}
        complete: true
        reason: null
    health_checks:
      description: The result of each check of O(health_checks). C(passed) is null for a command in check mode.
      returned: always
      type: list
      elements: dict
      sample:
        - {kind: service, name: nginx.service, passed: true, text: active}
    journal:
      description:
        - The host's record of the last change. C(phase) is how far it got, C(previous) what was active before,
          C(problem) why it failed, C(running) whether a run is working on the host now, C(interrupted) whether the run
          that began the change was killed in the middle, C(given) whether the kernel was given the KMP's module (null
          where that is not known), C(fence) the highest number of a rollout's run that has worked
          on the host.
        - Null where nothing was ever changed.
      returned: always
      type: dict
      sample: {phase: done, kmp: kernel-livepatch-6_1_0-56-cloud-amd64-3-150400.2.1, previous: 2-150400.2.1, problem:
      null}
    job:
      description:
        - The result of O(run), C(failed), C(changed), C(msg), C(before), C(after), C(transition), C(transaction), and
          C(refused), C(stalled) and C(fenced) where M(fleet.livepatch.livepatch) returned them.
        - Null without O(run), while it runs, and for one that was killed before it recorded a result.
      returned: always
      type: dict
      sample: null
    unmeasured:
      description: The reason for each key that is null.
      returned: always
      type: dict
      sample: {persistent: no KMP is installed that the next boot could load}
kernel:
  description: The running kernel, with the keys that M(fleet.livepatch.kernel_info) returns.
  returned: if O(gather) has V(kernel)
  type: dict
  sample: {release: 6.1.0-56-cloud-amd64, build_id: 3b43fad5034874490492495d552c0af6a5fab235}
kmp:
  description: The KMPs for it, with the keys that M(fleet.livepatch.kmp_info) returns. It is returned
    without C(candidates), C(kernel_fixed) and the KMPs for other kernels.
  returned: if O(gather) has V(kmp)
  type: dict
  sample: {name: kernel-livepatch-6_1_0-56-cloud-amd64, metadata_age: 812}
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleet.livepatch.plugins.module_utils import (
    _argspec,
    _health,
    _host_facts,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._module import run_module


def main() -> None:
    module = AnsibleModule(
        argument_spec=_argspec.LIVEPATCH_INFO,
        supports_check_mode=True,
    )

    def work(host: Host) -> Dict[str, Any]:
        # What few calls ask for is imported where it is: a host compiles what is imported, each time.
        params = module.params
        wanted = job = None
        if params["health_checks"]:
            from ansible_collections.fleet.livepatch.plugins.module_utils import _health_checks

            wanted = _health_checks.parse_health_checks(params["health_checks"])
        if params["run"]:
            from ansible_collections.fleet.livepatch.plugins.module_utils import _run_result

            job = _run_result.wait_for_result(host, params["run"], params["wait"])
        gather = set(params["gather"])
        if "functions" in gather:
            gather.add("livepatch")
        observed = _host_facts.gather_facts(host, _argspec.build_policy(params, host), "functions" in gather)
        if params["run"] and job is None:
            # It may have ended while the facts were gathered, which then show that no run works on the host any more.
            job = _run_result.wait_for_result(host, params["run"], 0)
        livepatch = observed["livepatch"]
        livepatch["job"] = job
        livepatch["health_checks"] = (
            [] if wanted is None else _health_checks.run_health_checks(host, wanted, module.check_mode)
        )
        livepatch["health"] = _health.add_health_checks(livepatch["health"], livepatch["health_checks"])
        return {name: block for name, block in observed.items() if name in gather}

    run_module(module, work)


if __name__ == "__main__":
    main()
