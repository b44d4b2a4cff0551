#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: kmp_info
short_description: Tell which KMP belongs to the running kernel
description:
  - Asks the host's package manager which kernel module packages with live patches (KMPs) there are for the kernel
    that
    runs, selects the newest one that belongs to it, and says why the others do not.
  - What could not be measured is null, and RV(kmp.unmeasured) says why. A repository that does not answer is told
    there, as the reason why nothing is known of RV(kmp.candidates).
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.target
  - fleet.livepatch.attributes.info
  - fleet.livepatch.attributes.policy
seealso:
  - module: fleet.livepatch.kernel_info
  - module: fleet.livepatch.livepatch_info
"""

EXAMPLES = r"""
- name: Ask which KMP there is for the running kernel
  fleet.livepatch.kmp_info:
    refresh: always
  become: true
  register: asked

- name: Show it
  ansible.builtin.debug:
    var: asked.kmp.selected
"""

RETURN = r"""
kmp:
  description: The KMPs for the running kernel.
  returned: success
  type: dict
  contains:
    name:
      description: The name that a KMP for the running kernel has.
      returned: always
      type: str
      sample: kernel-livepatch-6_1_0-56-cloud-amd64
    installed:
      description: The installed KMP of this name, null where there is none.
      returned: always
      type: dict
      sample: null
    selected:
      description: The newest KMP that belongs to the running kernel, null where there is none.
      returned: always
      type: dict
      sample:
        name: kernel-livepatch-6_1_0-56-cloud-amd64
        evr: 3-150400.2.1
        arch: x86_64
        level: 3
        module: null
        cves: null
        severity: null
        issued: null
        repository: updates
        signed: null
        target_release: null
    match:
      description:
        - On what basis RV(kmp.selected) belongs to the running kernel, V(build_id) or V(name), and what says so.
      returned: always
      type: dict
      sample:
        basis: build_id
        witnesses:
          - name carries the running release 6.1.0-56-cloud-amd64
          - package is tagged for the running build ID 3b43fad5034874490492495d552c0af6a5fab235
    candidates:
      description: All versions of the KMP that are installed or offered.
      returned: always
      type: list
      elements: dict
      sample: []
    rejected:
      description: The candidates that were not selected, each with its reason.
      returned: always
      type: list
      elements: dict
      sample:
        - name: kernel-livepatch-6_1_0-56-cloud-amd64
          evr: 2-150400.2.1
          reason: older level than 3-150400.2.1
    metadata_age:
      description: Seconds since the oldest of the repositories' metadata were last checked.
      returned: always
      type: int
      sample: 812
    unmeasured:
      description: Why a key is null, key by key.
      returned: always
      type: dict
      sample: {issued: this version reads no advisories}
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleet.livepatch.plugins.module_utils import _options
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import identity
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import kmp


def main() -> None:
    module = AnsibleModule(argument_spec=_options.POLICY, supports_check_mode=True)
    policy = _options.policy(module.params)

    def work(host: Host) -> Dict[str, Any]:
        kernel = identity.read(host)
        return {"kmp": kmp.block(host, kernel, kmp.ask(host, kernel, policy), policy)}

    _options.run(module, work)


if __name__ == "__main__":
    main()
