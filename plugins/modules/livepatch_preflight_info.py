#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: livepatch_preflight_info
short_description: Run preflight checks for live patching
description:
  - Checks a host for known causes of failed live patching. It changes nothing.
  - It does not fail when a check fails. RV(preflight.passed) shows whether all checks passed.
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
- name: Run the preflight checks
  fleet.livepatch.livepatch_preflight_info:
  become: true
  register: result

- name: Require that no check failed
  ansible.builtin.assert:
    that: result.preflight.passed
"""

RETURN = r"""
preflight:
  description: The checks and their results.
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
        - Each check with its V(pass), V(warn) or V(fail), and the reason. The checks are V(state), V(transition),
          V(package_lock), V(disk) with each path, V(signature), V(ftrace), V(tracers), V(agents), V(taint), V(log)
          and V(kdump).
      returned: always
      type: list
      elements: dict
      sample: [{name: transition, verdict: pass, text: none runs}]
    baseline:
      description:
        - The boot ID, the taint and the number of the kernel log's last record, to separate what comes later from what
          was there before. M(fleet.livepatch.livepatch) records the same before each change, and
          M(fleet.livepatch.livepatch_info) assesses C(health) by it.
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
        return {"preflight": _preflight.run_checks(host, policy, _host_facts.gather_facts(host, policy))}

    run_module(module, work)


if __name__ == "__main__":
    main()
