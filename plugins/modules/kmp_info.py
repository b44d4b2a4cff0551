#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: kmp_info
short_description: Gather the KMPs for the running kernel
description:
  - Queries the host's package manager for the kernel module packages with live patches (KMPs) for the running kernel,
    selects the newest one that belongs to it and that O(policy) admits, and returns the reason why each other one is
    refused.
  - Nothing is downloaded. Packages in the package manager's cache are examined, signature and module; a package that is
    not on the host yet is examined by M(fleet.livepatch.livepatch), before it is installed.
  - A key that could not be measured is null, and RV(kmp.unmeasured) has the reason. A repository that does not answer
    is reported there, as the reason why RV(kmp.candidates) are unknown.
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.target
  - fleet.livepatch.attributes.info
  - fleet.livepatch.policy
seealso:
  - module: fleet.livepatch.kernel_info
  - module: fleet.livepatch.livepatch_info
"""

EXAMPLES = r"""
- name: Gather the KMPs for the running kernel
  fleet.livepatch.kmp_info:
    refresh: always
  become: true
  register: result

- name: Show the selected one
  ansible.builtin.debug:
    var: result.kmp.selected
"""

RETURN = r"""
kmp:
  description: The KMPs for the running kernel.
  returned: success
  type: dict
  contains:
    name:
      description: The name of a KMP for the running kernel.
      returned: always
      type: str
      sample: kernel-livepatch-6_1_0-56-cloud-amd64
    newest:
      description:
        - The newest KMP that belongs to the running kernel, whatever O(policy) admits, with what ties it to the kernel
          (see RV(kmp.match)). Null where there is none.
      returned: always
      type: dict
      sample: {evr: 3-150400.2.1, level: 3, basis: build_id, cves: [CVE-2099-0002, CVE-2099-0003]}
    pinned_by:
      description: Why RV(kmp.newest) is not RV(kmp.selected), null where it is.
      returned: always
      type: str
      sample: null
    kernel_fixed:
      description: The CVEs that newer kernel packages fix, by their advisories, and that RV(kmp.selected) does not fix.
      returned: always
      type: list
      elements: str
      sample: [CVE-2099-0004]
    covered_until:
      description: The last day on which the vendor patches this kernel, if a C(lifecycle-data) package has it.
      returned: always
      type: str
      sample: "2027-03-31"
    installed:
      description:
        - The newest installed KMP of this kernel, null where there is none.
        - C(installed_at) is when, in seconds since the epoch, by the RPM database; null where it does not say.
      returned: always
      type: dict
      sample: null
    selected:
      description:
        - The newest KMP that belongs to the running kernel and that O(policy) admits, null where there is none.
        - C(cves), C(severity) and C(issued) are those of its advisory. Without one C(cves) are those of its changelog.
          C(module), C(signed), C(vendor) and C(target_release) are known of a package that is on the host, installed or
          not, which C(downloaded) shows.
      returned: always
      type: dict
      sample:
        name: kernel-livepatch-6_1_0-56-cloud-amd64
        evr: 3-150400.2.1
        arch: x86_64
        level: 3
        module: null
        module_path: null
        module_build_id: null
        cves: [CVE-2099-0002, CVE-2099-0003]
        severity: important
        issued: "2026-05-12"
        repository: updates
        signed: null
        vendor: null
        target_release: null
        downloaded: false
        installed_at: null
    match:
      description:
        - On what basis RV(kmp.selected) belongs to the running kernel, the evidence, and what is not verified yet.
        - V(build_id) when it is tagged for the build that runs. V(signed_image) when the running kernel was traced to
          the installed image, that to its package, and this to the vendor that signs the KMP. V(name) when O(policy)
          allows that.
      returned: always
      type: dict
      sample:
        basis: build_id
        witnesses:
          - name carries the running release 6.1.0-56-cloud-amd64
          - package is tagged for the running build ID 3b43fad5034874490492495d552c0af6a5fab235
        pending:
          - signature, vendor and module of the package are checked when it has been downloaded
    candidates:
      description: All versions of the KMP that are installed or offered, of more than 500 the newest.
      returned: always
      type: list
      elements: dict
      sample: []
    rejected:
      description:
        - The candidates that were not selected, each with a code for programs and a reason. Those for other kernels
          come last, once for each name.
        - C(code) is C(other_kernel), C(other_flavor), C(bad_version), C(stale_repository), C(unavailable),
          C(other_arch), C(other_build), C(name_only), C(retracted), C(empty), C(unsigned), C(unknown_key),
          C(bad_signature), C(other_signer), C(wrong_kernel), C(other_requires), C(other_vendor), C(unloadable),
          C(locked), C(quarantined), C(excluded), C(other_version), C(cut_off), C(too_young), C(not_admitted),
          C(older) or C(downgrade).
        - With C(stale_repository) and C(unavailable) the reason names a repository whose signatures are not checked,
          and that has older metadata than before, or cannot be read. The other repositories count as usual.
        - Of very many only the first are listed. The last of them says how many more there are.
      returned: always
      type: list
      elements: dict
      sample:
        - name: kernel-livepatch-6_1_0-56-cloud-amd64
          evr: 2-150400.2.1
          code: older
          reason: older level than 3-150400.2.1
    lock:
      description:
        - Whose lock keeps other programs from installing KMPs. V(own) is the collection's
          (O(fleet.livepatch.livepatch#module:lock)), V(foreign) another one with the same effect, V(none) where there
          is none.
      returned: always
      type: str
      sample: none
    metadata_age:
      description:
        - Seconds since the oldest of the repositories' metadata were last checked, or since those that offer KMPs for
          this kernel were made, by their own time stamp, where that is longer ago.
      returned: always
      type: int
      sample: 812
    unmeasured:
      description: The reason for each key that is null.
      returned: always
      type: dict
      sample: {issued: no repository has an advisory for it}
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleet.livepatch.plugins.module_utils import _argspec, _kernel_facts
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._module import run_module
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import kmp


def main() -> None:
    module = AnsibleModule(argument_spec=_argspec.POLICY, supports_check_mode=True)

    def work(host: Host) -> Dict[str, Any]:
        policy = _argspec.build_policy(module.params, host)
        kernel = _kernel_facts.gather_kernel(host)
        return {"kmp": kmp.build_block(host, kernel, kmp.query_offer(host, kernel, policy), policy)}

    run_module(module, work)


if __name__ == "__main__":
    main()
