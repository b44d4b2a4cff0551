# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ansible, ssh and sudo say of a host that gives no answer, and what a person is told."""

from __future__ import annotations

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _task_errors

VARIABLES = {"inventory_hostname": "web1", "ansible_host": "192.0.2.7", "ansible_port": 2222, "ansible_user": "ops"}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("ssh: Could not resolve hostname web1: Name or service not known", "its name is unknown"),
        ("ssh: connect to host 192.0.2.7 port 2222: Connection refused", "nothing listens at 192.0.2.7 port 2222"),
        ("ssh: connect to host 192.0.2.7 port 2222: Connection timed out", "192.0.2.7 port 2222 does not answer"),
        ("ops@192.0.2.7: Permission denied (publickey).", "ssh lets ops not in"),
        ("Host key verification failed.", "its ssh host key is not the known one"),
        ("Shared connection to 192.0.2.7 closed.", "the connection to 192.0.2.7 port 2222 broke"),
        (
            "Timeout (12s) waiting for privilege escalation prompt: ",
            "sudo on 192.0.2.7 port 2222 did not answer in time",
        ),
        ("Incorrect sudo password", "sudo does not take the password for ops"),
    ],
)
def test_why_a_host_is_unreachable(said, told):
    result = {"unreachable": True, "msg": "Task failed: Failed to connect to the host via ssh: " + said}
    assert _task_errors.describe_error(result, VARIABLES).startswith(f"unreachable: {told}; ")


@pytest.mark.parametrize(
    ("key", "said", "told"),
    [
        ("msg", "Task failed: Missing sudo password", "sudo wants a password for ops"),
        ("module_stderr", "sudo: a password is required", "sudo wants a password for ops"),
        ("module_stderr", "ops is not in the sudoers file.", "ops may not use sudo"),
        ("module_stderr", "/bin/sh: 1: /usr/bin/python3: not found", "it has no Python that Ansible can use"),
        ("module_stderr", "SyntaxError: future feature annotations is not defined", "its Python is too old"),
        ("msg", "Module result deserialization failed: No start of json char found", "the module ended without"),
        ("module_stderr", "Killed", "the module ended without an answer"),
    ],
)
def test_why_a_task_failed(key, said, told):
    assert _task_errors.describe_error({"failed": True, "msg": "MODULE FAILURE", key: said}, VARIABLES).startswith(told)


def test_what_a_module_of_ours_says_is_passed_on_as_it_is():
    result = {"failed": True, "msg": "the kernel refused x.ko: Connection timed out", "kernel": {}}
    assert _task_errors.describe_error(result, VARIABLES) == "the kernel refused x.ko: Connection timed out"


def test_unknown_words_are_passed_on_in_one_line():
    assert _task_errors.describe_error({"failed": True, "msg": "a\n  b"}, {}) == "a b"
    assert _task_errors.describe_error({"failed": True}, {}) == "it failed without a message"
    assert len(_task_errors.describe_error({"failed": True, "msg": "x" * 5000}, {})) == 500


def test_words_that_a_terminal_would_obey():
    hostile = "its vendor is \x1b[2J\x1b]0;owned\x07Somebody\u202e"
    assert _task_errors.describe_error({"failed": True, "msg": hostile}, {}) == "its vendor is ?[2J?]0;owned?Somebody?"


@pytest.mark.parametrize("result", [None, {}, {"changed": True}, {"failed": False, "unreachable": False}])
def test_success_is_no_problem(result):
    assert _task_errors.describe_error(result, VARIABLES) is None
