#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: livepatch_preflight_info
short_description: Tell what speaks against live patching a host now
description:
  - Looks at all that has gone wrong elsewhere, before anything is done to the host. It changes nothing.
  - It does not fail because of what it finds. RV(preflight.passed) says whether something speaks against it.
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.target
  - fleet.livepatch.attributes.info
  - fleet.livepatch.policy
seealso:
  - module: fleet.livepatch.livepatch
  - module: fleet.livepatch.livepatch_info
"""

EXAMPLES = r"""
- name: See what speaks against it
  fleet.livepatch.livepatch_preflight_info:
  become: true
  register: looked

- name: Insist on nothing speaking against it
  ansible.builtin.assert:
    that: looked.preflight.passed
"""

RETURN = r"""
preflight:
  description: What was looked at.
  returned: success
  type: dict
  contains:
    passed:
      description: Whether no check failed.
      returned: always
      type: bool
      sample: true
    checks:
      description:
        - Each check with its V(pass), V(warn) or V(fail), and why. They are state, transition, package_lock, disk,
          signature,
          ftrace, probes, agents, taint, log, kdump.
      returned: always
      type: list
      elements: dict
      sample: [{name: transition, verdict: pass, text: none runs}]
    baseline:
      description:
        - The boot, the taint and the number of the kernel log's last record before anything is done, so that what comes
          afterwards can be told from what was before. M(fleet.livepatch.livepatch) records the same of each change, and
          M(fleet.livepatch.livepatch_info) judges by it (C(health)).
      returned: always
      type: dict
      sample: {boot_id: 5a0cf4f4-7e6f-4a57-a2f7-4a4d0f1b6c11, taint: 0, log: 612, at: 1800001000.5}
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleet.livepatch.plugins.module_utils import _argspec, _host_facts, _preflight
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._module import run_module


def main() -> None:
    module = AnsibleModule(argument_spec=_argspec.POLICY, supports_check_mode=True)

    def work(host: Host) -> Dict[str, Any]:
        policy = _argspec.build_policy(module.params, host)
        return {"preflight": _preflight.examine(host, policy, _host_facts.observe(host, policy))}

    run_module(module, work)


if __name__ == "__main__":
    main()
