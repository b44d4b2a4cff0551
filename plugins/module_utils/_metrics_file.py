# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file for the textfile collector of node_exporter. PRIVATE to the collection: it may change at any time."""

from typing import Any, Dict

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host


def write_metrics(host: Host, folder: str, text: str, check_mode: bool) -> Dict[str, Any]:
    """Write the file, so that the collector never reads a part of it.

    :raises BadOption: there is no such folder.
    """
    if not host.is_dir(folder):
        raise BadOption(
            f"metrics_dir is {folder}, which is no directory of this host",
            "Install node_exporter, and set it to its --collector.textfile.directory",
        )
    if not check_mode:
        host.save(f"{folder}/livepatch.prom", text, 0o644)
    # The text has the time of its measurement: it differs in each run, and none of that is a change of the host.
    return {"changed": False}
