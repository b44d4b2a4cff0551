#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: livepatch_metrics
short_description: Write a host's live patch metrics to a file
description:
  - For the role P(fleet.livepatch.metrics#role) only.
  - Writes C(livepatch.prom) for the textfile collector of node_exporter, as root's and with the mode C(0644). It
    replaces the file as a whole, so that the collector never reads a part of it.
requirements:
  - Python 3.6 or later on the host, with its standard library only
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
attributes:
  check_mode:
    description: Runs in check mode without changing anything.
    support: full
    details: It fails where it would fail otherwise because of O(dir).
  diff_mode:
    description: Returns what it changed, or would change.
    support: N/A
    details: The file's time differs in each run. That is no change, so RV(ignore:changed) is always false.
  idempotent:
    description: Run twice it reports no change the second time.
    support: full
options:
  dir:
    description: The directory of the collector (C(--collector.textfile.directory)), which must exist.
    type: path
    required: true
  text:
    description: The metrics, as P(fleet.livepatch.metrics#filter) formats them.
    type: str
    required: true
seealso:
  - module: fleet.livepatch.livepatch_info
"""

EXAMPLES = r"""
- name: Write the metrics file
  fleet.livepatch.livepatch_metrics:
    dir: /var/lib/prometheus/node-exporter
    text: "{{ __livepatch_metrics | fleet.livepatch.metrics(now().timestamp()) }}"
  become: true
"""

RETURN = r""" # """

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleet.livepatch.plugins.module_utils import _argspec, _metrics_file
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._module import run_module


def main() -> None:
    module = AnsibleModule(argument_spec=_argspec.METRICS, supports_check_mode=True)

    def work(host: Host) -> Dict[str, Any]:
        return _metrics_file.write_metrics(host, module.params["dir"], module.params["text"], module.check_mode)

    run_module(module, work)


if __name__ == "__main__":
    main()
