# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a task failed on a host, in one line, with what to do about it. PRIVATE to the collection. Pure."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import to_one_line

# Patterns of what ssh, sudo or Ansible reports, the first that matches counts: what it means, and what to do about it
_KNOWN_ERRORS: tuple[tuple[str, str, str], ...] = (
    (
        r"Could not resolve hostname|Name or service not known|Temporary failure in name resolution",
        "{address} cannot be resolved",
        "correct ansible_host in the inventory, or the name resolution of the control node",
    ),
    (
        r"Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED",
        "SSH host key verification failed for {address}",
        "check that {address} is this host, then correct known_hosts",
    ),
    (
        r"Permission denied \(|Too many authentication failures|Invalid/incorrect password|Authentication fail",
        "SSH authentication failed for {user}",
        "check ansible_user and its key or password",
    ),
    (
        r"no such identity|Load key .* (?:error|invalid)",
        "the SSH private key cannot be read",
        "check ansible_ssh_private_key_file",
    ),
    (
        r"Connection refused",
        "connection refused by {address}",
        "check ansible_host and ansible_port, and that sshd runs",
    ),
    (
        r"waiting for privilege escalation prompt",
        "sudo on {address} did not answer in time",
        "check the host's load and name resolution, or raise the timeout (--timeout, or timeout in ansible.cfg)",
    ),
    (
        r"timed out|No route to host|Network is unreachable|Host is down",
        "{address} does not answer",
        "check that the host is up, and the network between",
    ),
    (
        r"(?i)missing sudo password|a (?:terminal|password) is required|Duplicate become password prompt",
        "sudo requires a password for {user}",
        "set ansible_become_password (or --ask-become-pass), or allow {user} to use sudo without a password",
    ),
    (
        r"(?i)incorrect sudo password|sorry, try again|incorrect password attempt",
        "sudo rejected the password of {user}",
        "correct ansible_become_password",
    ),
    (
        r"(?i)not in the sudoers|may not run sudo|not allowed to execute",
        "{user} is not allowed to use sudo",
        "allow {user} in sudoers, or set another ansible_user",
    ),
    (
        r"(?i)interpreter .*not found|python[\d.]*: (?:command )?not found|python[\d.]*: No such file",
        "the host has no Python that Ansible can use",
        "install Python 3, or correct ansible_python_interpreter",
    ),
    (
        r"future feature annotations is not defined|SyntaxError",
        "the host's Python is too old for this ansible-core",
        "set ansible_python_interpreter to a newer one, or use ansible-core 2.16 for Python 3.6",
    ),
    (
        r"No start of json char|MODULE FAILURE",
        "the module ended without a result (killed, or out of memory)",
        "check the system journal of {address}",
    ),
    (
        r"Connection (?:reset|closed)|Broken pipe|Shared connection to .* closed|Connection aborted",
        "the connection to {address} was lost",
        "check the host's console: it may have crashed",
    ),
)
# Of ssh that has not reached the host
_NO_CONNECTION = r"ssh: connect to host|Could not resolve hostname|Connection refused|No route to host"
# Of a result that failed and gives no reason
NO_MESSAGE = "the task failed without a message"


def is_unconnected(text: str | None) -> bool:
    """Whether a connection was never there, as ssh reports it; else it may have broken in the middle of something."""
    return re.search(_NO_CONNECTION, text or "") is not None


def describe_error(result: t.Mapping[str, t.Any] | None, variables: t.Mapping[str, t.Any]) -> str | None:
    """The error that a task's result reports, None where it succeeded.

    :param variables: the host's, for its address and user.
    """
    if result is None or not (result.get("unreachable") or result.get("failed")):
        return None
    prefix = "unreachable: " if result.get("unreachable") else ""
    names = {
        "address": format_address(variables),
        "user": str(variables.get("ansible_user") or "the remote user"),
    }
    # Messages of our own modules are clear already; those of Ansible and its tools are explained.
    if "kernel" not in result:
        output = "\n".join(str(result.get(key) or "") for key in ("msg", "module_stderr", "module_stdout", "exception"))
        for pattern, meaning, remedy in _KNOWN_ERRORS:
            if re.search(pattern, output):
                return f"{prefix}{meaning.format(**names)}; {remedy.format(**names)}"
    return prefix + to_one_line(str(result.get("msg") or NO_MESSAGE))


def format_address(variables: t.Mapping[str, t.Any]) -> str:
    """Where Ansible reaches the host."""
    host = str(variables.get("ansible_host") or variables.get("inventory_hostname") or "its address")
    return f"{host} port {variables['ansible_port']}" if variables.get("ansible_port") else host
