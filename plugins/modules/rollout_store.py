#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: rollout_store
short_description: Read and write the records of rollouts
description:
  - For this collection's playbooks only. To read the records use M(fleet.livepatch.rollout_info), to change them
    M(fleet.livepatch.rollout_control) and M(fleet.livepatch.rollout_quarantine). Commands and what they return may
    change with any release.
  - Runs commands on the store of the rollouts, a SQLite file on the coordinator (C(livepatch_coordinator)).
  - The file holds the plans, the rollouts with the outcome of each host, what gates have measured and their verdicts,
    events, approvals, the quarantine, halts, and the lease, which says which run may go on with the rollout of a scope.
    Nothing in it is secret, but those who may write to it may approve and halt. So the file is its owner's alone
    (C(0600), a folder that is created for it C(0700)), or that of a group (O(group)).
  - A file that other users may write is refused, as is one that belongs to a user other than root and the one who runs
    the module, one behind a symbolic link, and one in a folder that other users may write.
  - Keep it on a local disk, not on a network file system, whose locks may not hold.
  - A store that is lost is created anew. Open rollouts, approvals, halts and the quarantine are lost then, but not the
    journals of the hosts.
requirements:
  - Python 3.6 or later on the coordinator, with its module C(sqlite3) and SQLite 3.8 or later
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
attributes:
  check_mode:
    description: Runs in check mode without changing anything.
    support: full
    details: A command with which operators change something returns what it would change. Another one that writes is
      not run, and returns null.
  diff_mode:
    description: Returns what it changed, or would change.
    support: none
  idempotent:
    description: Run twice it changes nothing the second time.
    support: partial
    details: That depends on O(commands). A halt, an approval, a quarantine or a plan that is there already stays as it
      is.
options:
  path:
    description: The file. It is created, with its folder, by the first command that writes.
    type: path
    default: /var/lib/fleet.livepatch/rollouts.sqlite3
  group:
    description:
      - The group whose members may write the file too, C(livepatch_store_group). By default only its owner may.
    type: str
  commands:
    description: What to do, one after the other. Either all of it is done, or nothing.
    type: list
    elements: dict
    required: true
    suboptions:
      command:
        description: The command.
        type: str
        required: true
        choices:
          - abort
          - add_to_quarantine
          - approve
          - back_up
          - begin_hosts
          - check_start
          - clear_quarantine
          - find_plan
          - find_plans
          - find_subject
          - get_halt
          - halt
          - has_old
          - join_wave
          - keep_controls
          - knows_host
          - leave_wave
          - list_approvals
          - list_cohorts
          - list_quarantine
          - list_starters
          - load_admission
          - load_controls
          - load_hosts
          - load_in_flight
          - load_last_plan
          - load_outline
          - load_plan
          - load_provenance
          - load_run
          - load_slice
          - load_step
          - load_whole
          - record_gate
          - record_outcomes
          - release_lease
          - remove_old
          - renew_lease
          - restore
          - resume
          - save_plan
          - save_run
          - set_status
          - show
          - start_rollout
          - take_lease
      arguments:
        description:
          - Its arguments, by name. An argument that is missing, unknown or of the wrong type is refused by name.
        type: dict
        default: {}
seealso:
  - module: fleet.livepatch.rollout_info
"""

EXAMPLES = r"""
- name: Get the open rollout, or the last one
  fleet.livepatch.rollout_store:
    commands:
      - command: show
        arguments:
          scope: default
  register: __livepatch_store
"""

RETURN = r"""
store:
  description: What each of the commands has returned, or null.
  returned: success
  type: list
  elements: raw
  sample: [{rollout: {status: soaking}, halt: null, lease: null, quarantine: []}]
holder:
  description: The run that has the lease, with C(owner), C(fence), in seconds since the epoch C(since) and
    C(renewed), and the seconds after which it expires, C(left).
  returned: when another run has it
  type: dict
  sample: {fence: 1795593600, owner: {user: ops, machine: control}, since: 1795593600, renewed: 1795593660, left: 97}
lost:
  description: True where another run has taken the rollout over. Nothing was written.
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
from ansible_collections.fleet.livepatch.plugins.module_utils._store.dispatch import Store


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": "/var/lib/fleet.livepatch/rollouts.sqlite3"},
            "group": {"type": "str"},
            "commands": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "command": {
                        "type": "str",
                        "required": True,
                        "choices": sorted(dispatch.COMMANDS),
                    },
                    "arguments": {"type": "dict", "default": {}},
                },
            },
        },
        supports_check_mode=True,
    )

    def work(_host: Host) -> Dict[str, Any]:
        params = module.params
        store = Store(params["path"], time.time, module.check_mode, params["group"])
        results = dispatch.run_commands(store, params["commands"])
        return {"changed": store.changed, "store": results}

    run_module(module, work)


if __name__ == "__main__":
    main()
