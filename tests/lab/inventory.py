# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Ansible inventory of the running hosts."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable

from tests.lab import ssh
from tests.lab.host import Host
from tests.lab.keys import Keys


def render(hosts: Iterable[Host], keys: Keys) -> str:
    """Return the inventory. Scalars are written as JSON, which YAML includes, so that any path is quoted right."""
    common = " ".join(shlex.quote(word) for word in ssh.options(keys))
    shared = {
        "ansible_host": ssh.ADDRESS,
        "ansible_user": "ops",
        "ansible_ssh_private_key_file": str(keys.client),
        "ansible_ssh_common_args": common,
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    lines = ["---", "lab:", "  vars:"]
    lines += [f"    {name}: {json.dumps(value)}" for name, value in shared.items()]
    lines.append("  hosts:")
    for host in hosts:
        lines.append(f"    {host.name}:")
        lines.append(f"      ansible_port: {host.port}")
        lines.append(f"      failure_domain: {host.domain}")
    return "\n".join(lines) + "\n"
