#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: livepatch
short_description: Live patch the running kernel
description:
  - Installs the newest KMP that belongs to the running kernel, loads its module, watches the kernel's migration to
    its end
    on the host itself, and verifies what is true then.
  - It does what is missing and no more. A host that is up to date is left alone.
  - It fails when the host is not up to date afterwards, and C(livepatch.state) says what it is instead.
    A migration is never forced.
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.target
  - fleet.livepatch.attributes.policy
attributes:
  check_mode:
    description: Says what it would do without doing it.
    support: full
  diff_mode:
    description: Returns what it changed, or would change.
    support: full
  idempotent:
    description: Run twice it changes nothing the second time.
    support: full
options:
  state:
    description:
      - V(latest) brings the host to the newest level there is for its running kernel.
    type: str
    choices: [latest]
    default: latest
  timeout:
    description: How many seconds the kernel's migration may take.
    type: int
    default: 60
  on_stall:
    description:
      - What to do with a migration that has not completed within O(timeout).
      - V(reverse) turns it round, so that the host is left as it was before. V(leave) lets it run on.
      - The module fails in both cases, and C(livepatch.blockers) names the threads that kept it from completing.
    type: str
    choices: [reverse, leave]
    default: reverse
  expect:
    description:
      - What a plan was made for. The module refuses before it changes anything when the host is another one now.
    type: dict
    default: {}
    suboptions:
      build_id:
        description: The build ID of the running kernel.
        type: str
      kmp:
        description: The version and release of the KMP that is to be applied.
        type: str
seealso:
  - module: fleet.livepatch.livepatch_info
"""

EXAMPLES = r"""
- name: Live patch the running kernel
  fleet.livepatch.livepatch:
    state: latest
    timeout: 120
  become: true
"""

RETURN = r"""
before:
  description: State, active level, installed KMP and the kernel's patches before.
  returned: when they could be told
  type: dict
  sample: {state: unpatched, level: null, kmp: null, patches: []}
after:
  description: The same afterwards. In check mode what is expected.
  returned: when they could be told
  type: dict
  sample: {state: patched, level: 3, kmp: 3-150400.2.1, patches: [livepatch_3_150400_2_1]}
transition:
  description:
    - How many seconds the kernel's migration took, and whose clock says so, V(kernel log) or V(watch).
      Both are null where nothing was migrated.
  returned: when they could be told
  type: dict
  sample: {seconds: 1.204, by: kernel log}
transaction:
  description:
    - What installing the KMP does, step by step, as the package manager computed it beforehand. It is refused if it
      does anything but install the KMP and a few dependencies.
    - Null where nothing had to be installed.
  returned: when they could be told
  type: list
  elements: str
  sample: [install kernel-livepatch-6_1_0-56-cloud-amd64-3-150400.2.1.x86_64]
livepatch:
  description: What is true of the host's live patch afterwards, with the keys that M(fleet.livepatch.livepatch_info)
    returns.
  returned: when they could be told
  type: dict
  sample: {state: patched, level: 3}
kernel:
  description: The running kernel, with the keys that M(fleet.livepatch.kernel_info) returns.
  returned: when they could be told
  type: dict
  sample: {release: 6.1.0-56-cloud-amd64, build_id: 3b43fad5034874490492495d552c0af6a5fab235}
kmp:
  description: The KMPs for it, with the keys that M(fleet.livepatch.kmp_info) returns but for C(candidates).
  returned: when they could be told
  type: dict
  sample: {name: kernel-livepatch-6_1_0-56-cloud-amd64, metadata_age: 812}
"""

import json
import signal
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleet.livepatch.plugins.module_utils import _apply, _options
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            _options.POLICY,
            state={"type": "str", "choices": ["latest"], "default": "latest"},
            timeout={"type": "int", "default": 60},
            on_stall={"type": "str", "choices": ["reverse", "leave"], "default": "reverse"},
            expect={
                "type": "dict",
                "default": {},
                "options": {"build_id": {"type": "str"}, "kmp": {"type": "str"}},
            },
        ),
        supports_check_mode=True,
    )
    # ssh that goes away takes the terminal with it, and must not take a package manager in the middle of its work.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def work(host: Host) -> Dict[str, Any]:
        request = _apply.Request(
            _options.policy(module.params, host),
            module.params["timeout"],
            module.params["on_stall"],
            module.check_mode,
            {name: value for name, value in module.params["expect"].items() if value},
        )
        result = _apply.latest(host, request)
        if module._diff:
            result["diff"] = {
                side: json.dumps(result[side], indent=2, sort_keys=True) + "\n" for side in ("before", "after")
            }
        return result

    _options.run(module, work)


if __name__ == "__main__":
    main()
