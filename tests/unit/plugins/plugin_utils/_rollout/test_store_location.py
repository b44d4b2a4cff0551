# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which store a command uses: that of all users of a control node, or the user's own."""

from __future__ import annotations

import grp
import os
import pwd
import types
import typing as t
from pathlib import Path

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import store_client

_ACTION = types.SimpleNamespace(_templar=types.SimpleNamespace(template=lambda value: value))
_USER = pwd.getpwuid(os.geteuid()).pw_name


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shared"
    monkeypatch.setattr(store_client, "_SHARED_FOLDER", folder)
    return folder


def _locate(**variables: t.Any) -> store_client.Location:
    return store_client.locate(_ACTION, {f"livepatch_{name}": value for name, value in variables.items()})


def test_without_a_shared_folder_the_store_is_the_user_s_own(shared: Path) -> None:
    location = _locate()
    assert location.path.endswith("/fleet.livepatch/rollouts.sqlite3")
    assert (location.group, location.is_own) == (None, True)
    own = f", which has rollouts of {_USER} on this control node only"
    assert location.describe() == f"store {location.path}{own}"


def test_the_shared_folder_is_used_with_its_group(shared: Path) -> None:
    shared.mkdir()
    shared.chmod(0o2770)
    group = grp.getgrgid(shared.stat().st_gid).gr_name
    assert _locate() == store_client.Location("localhost", f"{shared}/rollouts.sqlite3", "default", group)
    assert _locate().describe() == f"store {shared}/rollouts.sqlite3"
    assert _locate(store_group="operators").group == "operators"
    shared.chmod(0o700)
    assert _locate().group is None


def test_who_may_not_write_the_shared_folder_is_refused(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared.mkdir()
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    with pytest.raises(
        store_client.StoreError, match=f"is in {shared}, and {_USER} may not write there: become a member"
    ):
        _locate()
    # It says nothing of a store that is named.
    assert _locate(store_path="/srv/rollouts.sqlite3").path == "/srv/rollouts.sqlite3"


def test_a_store_is_named_by_an_absolute_path(shared: Path) -> None:
    with pytest.raises(
        store_client.StoreError, match=r"is 'x/y\.db', which means another file in each working directory"
    ):
        _locate(store_path="x/y.db")
    assert _locate(store_path="~/y.db").path == os.path.expanduser("~/y.db")


def test_the_store_of_a_coordinator_is_there(shared: Path) -> None:
    shared.mkdir()
    location = _locate(coordinator="c1")
    assert location.path == "/var/lib/fleet.livepatch/rollouts.sqlite3"
    assert location.describe() == "store /var/lib/fleet.livepatch/rollouts.sqlite3 on c1"
