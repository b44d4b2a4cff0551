# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ansible, ssh and sudo report of a host that gives no answer, and how it is explained."""

from __future__ import annotations

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _task_errors

VARIABLES = {"inventory_hostname": "web1", "ansible_host": "192.0.2.7", "ansible_port": 2222, "ansible_user": "ops"}


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("ssh: Could not resolve hostname web1: Name or service not known", "192.0.2.7 port 2222 cannot be resolved"),
        ("ssh: connect to host 192.0.2.7 port 2222: Connection refused", "connection refused by 192.0.2.7 port 2222"),
        ("ssh: connect to host 192.0.2.7 port 2222: Connection timed out", "192.0.2.7 port 2222 does not answer"),
        ("ops@192.0.2.7: Permission denied (publickey).", "SSH authentication failed for ops"),
        ("Host key verification failed.", "SSH host key verification failed for 192.0.2.7 port 2222"),
        ("Shared connection to 192.0.2.7 closed.", "the connection to 192.0.2.7 port 2222 was lost"),
        (
            "Timeout (12s) waiting for privilege escalation prompt: ",
            "sudo on 192.0.2.7 port 2222 did not answer in time",
        ),
        ("Incorrect sudo password", "sudo rejected the password of ops"),
    ],
)
def test_why_a_host_is_unreachable(output, message):
    result = {"unreachable": True, "msg": "Task failed: Failed to connect to the host via ssh: " + output}
    assert _task_errors.describe_error(result, VARIABLES).startswith(f"unreachable: {message}; ")


@pytest.mark.parametrize(
    ("key", "output", "message"),
    [
        ("msg", "Task failed: Missing sudo password", "sudo requires a password for ops"),
        ("module_stderr", "sudo: a password is required", "sudo requires a password for ops"),
        ("module_stderr", "ops is not in the sudoers file.", "ops is not allowed to use sudo"),
        ("module_stderr", "/bin/sh: 1: /usr/bin/python3: not found", "the host has no Python that Ansible can use"),
        ("module_stderr", "SyntaxError: future feature annotations is not defined", "the host's Python is too old"),
        ("msg", "Module result deserialization failed: No start of json char found", "the module ended without"),
        ("module_stderr", "Killed", "the module ended without a result"),
    ],
)
def test_why_a_task_failed(key, output, message):
    result = {"failed": True, "msg": "MODULE FAILURE", key: output}
    assert _task_errors.describe_error(result, VARIABLES).startswith(message)


def test_what_a_module_of_ours_says_is_passed_on_as_it_is():
    result = {"failed": True, "msg": "the kernel refused x.ko: Connection timed out", "kernel": {}}
    assert _task_errors.describe_error(result, VARIABLES) == "the kernel refused x.ko: Connection timed out"


def test_unknown_words_are_passed_on_in_one_line():
    assert _task_errors.describe_error({"failed": True, "msg": "a\n  b"}, {}) == "a b"
    assert _task_errors.describe_error({"failed": True}, {}) == "the task failed without a message"
    assert len(_task_errors.describe_error({"failed": True, "msg": "x" * 5000}, {})) == 500


def test_words_that_a_terminal_would_obey():
    hostile = "its vendor is \x1b[2J\x1b]0;owned\x07Somebody\u202e"
    assert _task_errors.describe_error({"failed": True, "msg": hostile}, {}) == "its vendor is ?[2J?]0;owned?Somebody?"


@pytest.mark.parametrize("result", [None, {}, {"changed": True}, {"failed": False, "unreachable": False}])
def test_success_is_no_problem(result):
    assert _task_errors.describe_error(result, VARIABLES) is None
