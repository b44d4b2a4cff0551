#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: livepatch_journal
short_description: Clear what a host's journal says of a crash
description:
  - A host that went down while a live patch was applied, or before it was confirmed, is V(crashed), and nothing is
    applied
    to it any more.
    This module ends that, when somebody has found out why.
  - What M(fleet.livepatch.livepatch_info) shows as C(livepatch.journal) is read from the same record.
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.target
attributes:
  check_mode:
    description: Says what it would do without doing it.
    support: full
  diff_mode:
    description: Returns what it changed, or would change.
    support: none
  idempotent:
    description: Run twice it changes nothing the second time.
    support: full
options:
  state:
    description: V(cleared) ends what the journal says of a crash, of an interrupted run, or that nobody can read.
    type: str
    choices: [cleared]
    default: cleared
  reason:
    description: Why it may go on, for the record.
    type: str
    required: true
seealso:
  - module: fleet.livepatch.livepatch_info
"""

EXAMPLES = r"""
- name: The crash was the disk controller's, not the patch's
  fleet.livepatch.livepatch_journal:
    state: cleared
    reason: firmware of the disk controller was replaced, see the ticket
  become: true
"""

RETURN = r"""
before:
  description: What the journal said, null where there was none or where it could not be read.
  returned: always
  type: dict
  sample: {phase: loading, kmp: kernel-livepatch-6_1_0-56-cloud-amd64-4-150400.2.1}
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleet.livepatch.plugins.module_utils import _journal
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._module import run_module


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["cleared"], "default": "cleared"},
            "reason": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )

    def work(host: Host) -> Dict[str, Any]:
        return _journal.cleared(host, module.params["reason"], module.check_mode)

    run_module(module, work)


if __name__ == "__main__":
    main()
