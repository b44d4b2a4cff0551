#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: rollout_store
short_description: Read and write what is recorded of rollouts
description:
  - Does one thing with the store of the rollouts, a SQLite file on the host that coordinates them
    (C(livepatch_coordinator)).
  - It is the collection's own. Its playbooks work with it, and to look at the store or to change it use these. Commands
    and what they return may change with any release.
  - The file holds the plans, the rollouts with what became of each host, what gates have measured and judged, events,
    approvals, the quarantine, halts, and the lease, which is who may go on with the rollout of a scope. Nothing in it
    is secret, but whoever may write to it may approve and halt. So the file is its owner's alone (C(0600), a folder
    that is made for it C(0700)).
  - Keep it on a disk of that host, not on a network file system, whose locks may not hold.
  - A store that is lost is made anew. Open rollouts, approvals, halts and the quarantine are forgotten then, while what
    hosts have recorded themselves is not.
requirements:
  - Python 3.6 or later on the coordinator, with its module C(sqlite3) and SQLite 3.8 or later
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
      - event
      - gate
      - halt
      - halted
      - join
      - last_plan
      - leave
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
      - tried
      - unhalt
  arguments:
    description: What O(command) needs, by name. What is missing, unknown or of the wrong type is refused and named.
    type: dict
    default: {}
seealso:
  - module: fleet.livepatch.livepatch_plan
"""

EXAMPLES = r"""
- name: Look at the open rollout, or the last one
  fleet.livepatch.rollout_store:
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
  description: Who has the lease, with C(owner), C(fence), and in seconds since the epoch C(since) and C(until).
  returned: when another run has it
  type: dict
  sample: {fence: 1795593600, owner: {user: ops, machine: control}, since: 1795593600.5, until: 1795597200.5}
lost:
  description: True where the lease is another run's by now, which has taken the rollout over. Nothing was written.
  returned: when that is so
  type: bool
  sample: true
"""

import time
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._module import run_module
from ansible_collections.fleet.livepatch.plugins.module_utils._store import dispatch
from ansible_collections.fleet.livepatch.plugins.module_utils._store.rollouts import Store


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": "/var/lib/fleet.livepatch/rollouts.sqlite3"},
            "command": {"type": "str", "required": True, "choices": sorted(dispatch.READING + dispatch.WRITING)},
            "arguments": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )

    def work(_host: Host) -> Dict[str, Any]:
        params = module.params
        store = Store(params["path"], time.time)
        told = dispatch.do(store, params["command"], params["arguments"], module.check_mode)
        return {"changed": store.changed, "store": told}

    run_module(module, work)


if __name__ == "__main__":
    main()
