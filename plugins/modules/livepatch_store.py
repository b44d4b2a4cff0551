#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: livepatch_store
short_description: Read and write what is recorded of rollouts
description:
  - Does one thing with the store of the rollouts, a SQLite file on the host that coordinates them
    (C(livepatch_coordinator)). It holds plans, what became of hosts, what gates have measured, approvals, the
    quarantine, halts, and who runs a
    rollout.
  - It is what the playbooks of this collection work with. To look at it or to change it use them,
    P(fleet.livepatch.install#role) and the like do not need it.
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
attributes:
  check_mode:
    description: Reads what it is asked for. Does nothing instead of writing, and returns null.
    support: full
  diff_mode:
    description: Returns what it changed, or would change.
    support: none
  idempotent:
    description: Run twice it changes nothing the second time.
    support: partial
    details: That depends on O(command). A halt, a quarantine or a plan that is there already stays as it is.
options:
  path:
    description: The file. It is made, with its folder, when something is first written.
    type: path
    default: /var/lib/fleet.livepatch/rollouts.sqlite3
  command:
    description: What to do.
    type: str
    required: true
    choices:
      - abandon
      - approvals
      - approve
      - begin
      - gate
      - halt
      - halted
      - load_plan
      - quarantine_add
      - quarantine_clear
      - quarantine_list
      - release
      - renew
      - results
      - save_plan
      - show
      - start
      - status
      - take
      - unhalt
  arguments:
    description: What O(command) needs, by name.
    type: dict
    default: {}
seealso:
  - module: fleet.livepatch.livepatch_plan
"""

EXAMPLES = r"""
- name: Look at the open rollout, or the last one
  fleet.livepatch.livepatch_store:
    command: show
    arguments:
      scope: default
  register: shown
"""

RETURN = r"""
store:
  description: What was asked for, or null.
  returned: success
  type: raw
  sample: {rollout: {status: soaking}, halt: null, lease: null, quarantine: []}
holder:
  description: Who has the lease, with C(owner), C(fence) and C(since).
  returned: when another run has it
  type: dict
  sample: {fence: 1795593600, owner: {user: ops, machine: control, pid: 4711}}
"""

import time
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleet.livepatch.plugins.module_utils import _options
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._store import commands
from ansible_collections.fleet.livepatch.plugins.module_utils._store.store import Store


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": "/var/lib/fleet.livepatch/rollouts.sqlite3"},
            "command": {"type": "str", "required": True, "choices": sorted(commands.READING + commands.WRITING)},
            "arguments": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )

    def work(_host: Host) -> Dict[str, Any]:
        params = module.params
        told = commands.do(Store(params["path"], time.time), params["command"], params["arguments"], module.check_mode)
        changed = (
            told["changed"] if isinstance(told, dict) and "changed" in told else params["command"] in commands.WRITING
        )
        return {"changed": changed and not module.check_mode, "store": told}

    _options.run(module, work)


if __name__ == "__main__":
    main()
