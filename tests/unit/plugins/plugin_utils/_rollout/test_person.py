# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who approves: the person whom the control node vouches for, whatever extra variables say."""

from __future__ import annotations

import os
import pwd
import typing as t
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.person import Person, identify_person

_NAMES = {0: "root", 1000: "ops", 1001: "eve"}
_AWX = {"JOB_ID": "7", "AWX_PRIVATE_DATA_DIR": "/runner"}
_NO_LOGIN = "4294967295"


def _know(launch: str, user: str | None = None, prefixes: tuple[str, ...] = ("awx", "tower"), **more: t.Any) -> t.Any:
    """What AWX writes over the extra variables; of a job without a user it names none."""
    known = {"job_id": 7, "job_launch_type": launch, **({"user_name": user} if user else {}), **more}
    return {f"{prefix}_{key}": value for prefix in prefixes for key, value in known.items()}


def _identify(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    login: str | None = _NO_LOGIN,
    uid: int = 1000,
    environment: t.Mapping[str, str] | None = None,
    extra: t.Mapping[str, t.Any] | None = None,
) -> Person:
    def find(user: int) -> t.Any:
        return SimpleNamespace(pw_name=_NAMES[user])

    monkeypatch.setattr(pwd, "getpwuid", find)
    monkeypatch.setattr(os, "getuid", lambda: uid)
    (tmp_path / "self").mkdir()
    if login is not None:
        (tmp_path / "self/loginuid").write_text(login)
    return identify_person(extra or {}, environment or {}, tmp_path)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"login": "1001"}, "eve"),
        ({"login": "1001", "uid": 0}, "eve"),
        ({"login": "1001", "uid": 0, "environment": {"SUDO_UID": "1000", "SUDO_USER": "ops"}}, "eve"),
        ({"login": "4242"}, "the user 4242"),
        # A login is no job of AWX
        ({"login": "1001", "environment": _AWX, "extra": _know("manual", "ann")}, "eve"),
        ({"login": _NO_LOGIN}, "ops"),
        ({"login": None}, "ops"),
        ({"login": "nonsense"}, "ops"),
        ({"uid": 0}, "root"),
        ({"uid": 0, "environment": {"SUDO_UID": "1001", "SUDO_USER": "ann"}}, "eve"),
        # What is not root can set it
        (
            {"uid": 1000, "environment": {"SUDO_UID": "1001", "SUDO_USER": "eve", "LOGNAME": "eve", "USER": "eve"}},
            "ops",
        ),
        ({"uid": 0, "environment": {"SUDO_UID": "-1"}}, "root"),
        ({"extra": _know("manual", "ann")}, "ops"),
        ({"extra": _know("manual", "ann"), "environment": {"JOB_ID": "7"}}, "ops"),
    ],
)
def test_a_person_at_a_control_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, t.Any], name: str
) -> None:
    assert _identify(tmp_path, monkeypatch, **given) == Person(name)


_MANUAL = {"workflow_job_launch_type": "manual"}
_SCHEDULED = {"workflow_job_launch_type": "scheduled"}
_BY_EVE = {"awx_user_name": "eve", "tower_user_name": "eve"}


@pytest.mark.parametrize(
    ("extra", "name"),
    [
        (_know("manual", "ann"), "ann"),
        (_know("relaunch", "ann"), "ann"),
        (_know("manual", "ann", ("awx",)), "ann"),
        (_know("manual", "ann", ("tower",)), "ann"),
        (_know("workflow", "ann", **_MANUAL), "ann"),
        # AWX knows no user, and leaves the name that was given
        (_know("scheduled") | _BY_EVE, None),
        (_know("webhook") | _BY_EVE, None),
        (_know("callback") | _BY_EVE, None),
        (_know("workflow", **_SCHEDULED) | _BY_EVE, None),
        (_know("workflow", workflow_job_launch_type="workflow") | _BY_EVE, None),
        (_know("workflow") | _BY_EVE, None),
        (_know("manual"), None),
        # An AWX that writes one prefix, and a user that writes the other one
        (_know("scheduled", None, ("awx",)) | _know("manual", "eve", ("tower",)), None),
        (_know("scheduled", None, ("tower",)) | _know("manual", "eve", ("awx",)), None),
        (_know("scheduled", None, ("tower",)) | {"awx_user_name": "eve", "awx_job_launch_type": "manual"}, None),
        (_know("manual", "ann", ("awx",)) | _know("manual", "eve", ("tower",)), None),
        ({"awx_job_launch_type": "manual", "awx_user_name": "eve"}, None),
        (_know("manual", "ann") | {"awx_job_id": 8, "tower_job_id": 8}, None),
        ({}, None),
    ],
)
def test_a_job_of_awx(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extra: dict[str, t.Any], name: str | None
) -> None:
    person = _identify(tmp_path, monkeypatch, environment=_AWX, extra=extra)
    if name is not None:
        assert person == Person(name)
    else:
        assert not person.is_known
        assert person.name.startswith("AWX job 7")
        assert "eve" not in person.name and "ann" not in person.name
