# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection to the coordinator in a task on another host has what Ansible's executor would give it."""

from __future__ import annotations

import multiprocessing
import types
import typing as t
from collections.abc import Iterator, Mapping

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import coordinator

# As the variables of the host that is about to start have made it
_ACTION = types.SimpleNamespace(
    _play_context=types.SimpleNamespace(password="host's", become_pass="host's"),
    _task=types.SimpleNamespace(become_method="sudo"),
)


class _Variables(Mapping[str, t.Any]):
    """Rendered when they are read, and not all of them can be."""

    def __init__(self, **values: t.Any) -> None:
        self._values = values

    def __getitem__(self, name: str) -> t.Any:
        if name == "greeting":
            raise ValueError("'nowhere' is undefined")
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(["greeting", *self._values])

    def __len__(self) -> int:
        return 1 + len(self._values)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> types.SimpleNamespace:
    """What -k and -K have asked for, as a worker of Ansible's has it."""
    passwords = types.SimpleNamespace(password="from -k", become_pass="from -K")
    worker = types.SimpleNamespace(_play_context=passwords)
    monkeypatch.setattr(multiprocessing, "current_process", lambda: worker)
    return passwords


def _open(**variables: t.Any) -> t.Any:
    return coordinator._open_connection(_ACTION, "c1", _Variables(**variables))


def test_what_was_asked_for_reaches_the_coordinator(asked: types.SimpleNamespace) -> None:
    connection = _open(ansible_host="192.0.2.1", ansible_ssh_common_args="-o X=y", ansible_remote_tmp="/srv/tmp")
    assert connection._play_context.remote_addr == "192.0.2.1"
    assert connection.get_option("password") == "from -k"
    assert connection.get_option("ssh_common_args") == "-o X=y"
    assert connection._shell.get_option("remote_tmp") == "/srv/tmp"
    assert connection.become.name == "sudo"
    assert connection.become.get_option("become_pass") == "from -K"


def test_the_coordinator_s_own_comes_first(asked: types.SimpleNamespace) -> None:
    connection = _open(ansible_password="c1's", ansible_become_method="su", ansible_su_pass="c1's")
    assert connection.get_option("password") == "c1's"
    assert (connection.become.name, connection.become.get_option("become_pass")) == ("su", "c1's")
    assert _open(ansible_become=False).become is None


@pytest.mark.parametrize("worker", [True, False])
def test_no_password_of_another_host_goes_there(
    asked: types.SimpleNamespace, monkeypatch: pytest.MonkeyPatch, worker: bool
) -> None:
    asked.password = asked.become_pass = ""
    if not worker:
        monkeypatch.setattr(multiprocessing, "current_process", lambda: None)
    connection = _open()
    assert connection.get_option("password") is None
    assert connection.become.get_option("become_pass") is None
