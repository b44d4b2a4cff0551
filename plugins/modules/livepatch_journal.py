#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: livepatch_journal
short_description: Clear a host's live patch journal after a crash
description:
  - A host that went down while a live patch was applied, or before it was confirmed, has the state V(crashed), and no
    live patch is applied to it any more. Clear its journal once the cause of the crash is known.
  - M(fleet.livepatch.livepatch_info) returns the same record as C(livepatch.journal).
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.target
attributes:
  check_mode:
    description: Predicts whether it would change something, without changing anything.
    support: full
  diff_mode:
    description: Returns what it changed, or would change.
    support: none
  idempotent:
    description: Changes nothing when it is run a second time.
    support: full
options:
  state:
    description: V(cleared) closes the record of a crash or of an interrupted run, and removes one that is unreadable.
    type: str
    choices: [cleared]
    default: cleared
  reason:
    description: Why the host may be live patched again. The journal records it.
    type: str
    required: true
seealso:
  - module: fleet.livepatch.livepatch_info
"""

EXAMPLES = r"""
- name: Clear the journal after a crash that the live patch did not cause
  fleet.livepatch.livepatch_journal:
    state: cleared
    reason: firmware of the disk controller was replaced, see the ticket
  become: true
"""

RETURN = r"""
before:
  description: The journal before, null where there was none or it was unreadable.
  returned: always
  type: dict
  sample: {phase: loading, kmp: kernel-livepatch-6_1_0-56-cloud-amd64-4-150400.2.1}
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleet.livepatch.plugins.module_utils import _argspec, _journal
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._module import run_module


def main() -> None:
    module = AnsibleModule(argument_spec=_argspec.JOURNAL, supports_check_mode=True)

    def work(host: Host) -> Dict[str, Any]:
        return _journal.clear_journal(host, module.params["reason"], module.check_mode)

    run_module(module, work)


if __name__ == "__main__":
    main()
