# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a task on a host gave no answer, in one line, with the way out. PRIVATE to the collection. Pure."""

from __future__ import annotations

import re
import typing as t

# The first pattern that is found in what ssh, sudo or Ansible said, what it means, and what to do about it.
_KNOWN: tuple[tuple[str, str, str], ...] = (
    (
        r"Could not resolve hostname|Name or service not known|Temporary failure in name resolution",
        "its name is unknown",
        "correct ansible_host ({address}) in the inventory, or the name service",
    ),
    (
        r"Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED",
        "its ssh host key is not the known one",
        "check that {address} is this host, then mend known_hosts",
    ),
    (
        r"Permission denied \(|Too many authentication failures|Invalid/incorrect password|Authentication fail",
        "ssh lets {user} not in",
        "check ansible_user and the key or password given for it",
    ),
    (
        r"no such identity|Load key .* (?:error|invalid)",
        "the ssh key cannot be read",
        "check ansible_ssh_private_key_file",
    ),
    (
        r"Connection refused",
        "nothing listens at {address}",
        "check ansible_host and ansible_port, and that sshd runs",
    ),
    (
        r"waiting for privilege escalation prompt",
        "sudo on {address} did not answer in time",
        "look at its load and its name service, or give it longer (--timeout, ansible.cfg: timeout)",
    ),
    (
        r"timed out|No route to host|Network is unreachable|Host is down",
        "{address} does not answer",
        "check that the host is up, and the way to it",
    ),
    (
        r"(?i)missing sudo password|a (?:terminal|password) is required|Duplicate become password prompt",
        "sudo wants a password for {user}",
        "give one (--ask-become-pass, ansible_become_password), or let {user} use sudo without",
    ),
    (
        r"(?i)incorrect sudo password|sorry, try again|incorrect password attempt",
        "sudo does not take the password for {user}",
        "correct ansible_become_password",
    ),
    (
        r"(?i)not in the sudoers|may not run sudo|not allowed to execute",
        "{user} may not use sudo",
        "give {user} that right, or choose another ansible_user",
    ),
    (
        r"(?i)interpreter .*not found|python[\d.]*: (?:command )?not found|python[\d.]*: No such file",
        "it has no Python that Ansible can use",
        "install Python 3, or correct ansible_python_interpreter",
    ),
    (
        r"future feature annotations is not defined|SyntaxError",
        "its Python is too old for this ansible-core",
        "set ansible_python_interpreter to a newer one, or use ansible-core 2.16 for Python 3.6",
    ),
    (
        r"No start of json char|MODULE FAILURE",
        "the module ended without an answer (killed, or out of memory?)",
        "look at the journal of {address}",
    ),
    (
        r"Connection (?:reset|closed)|Broken pipe|Shared connection to .* closed|Connection aborted",
        "the connection to {address} broke",
        "look at the host's console: it may have crashed",
    ),
)


def describe_error(result: t.Mapping[str, t.Any] | None, variables: t.Mapping[str, t.Any]) -> str | None:
    """The problem that a task's result tells of, None where it succeeded.

    :param variables: the host's, for what its address and user are.
    """
    if result is None or not (result.get("unreachable") or result.get("failed")):
        return None
    said = "\n".join(str(result.get(key) or "") for key in ("msg", "module_stderr", "module_stdout", "exception"))
    lost = "unreachable: " if result.get("unreachable") else ""
    words = {"address": format_address(variables), "user": str(variables.get("ansible_user") or "the user")}
    # What our own modules say is clear already; what Ansible and its tools say is put in words.
    if "kernel" not in result:
        for pattern, meaning, todo in _KNOWN:
            if re.search(pattern, said):
                return f"{lost}{meaning.format(**words)}; {todo.format(**words)}"
    return lost + to_one_line(str(result.get("msg") or "it failed without a message"))


def format_address(variables: t.Mapping[str, t.Any]) -> str:
    """Where the host is reached, as people are told."""
    host = str(variables.get("ansible_host") or variables.get("inventory_hostname") or "its address")
    return f"{host} port {variables['ansible_port']}" if variables.get("ansible_port") else host


def to_one_line(text: str, most: int = 500) -> str:
    """White space folded, cut at ``most`` characters; what a terminal would obey is shown as a question mark."""
    folded = "".join(letter if letter.isprintable() else "?" for letter in re.sub(r"\s+", " ", text).strip())
    return folded if len(folded) <= most else folded[: most - 3] + "..."
