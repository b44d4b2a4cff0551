# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The halt: once it is stored, or cannot be asked for, no host starts."""

from __future__ import annotations

import types
import typing as t
from pathlib import Path

import pytest
from ansible import constants

from ansible_collections.fleet.livepatch.plugins.module_utils._store.dispatch import Store
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import halt, scratch

ACTION = types.SimpleNamespace(
    _task=types.SimpleNamespace(check_mode=False), _templar=types.SimpleNamespace(template=lambda value: value)
)


_LOST = "this run has lost the lease of its rollout: another run has it, or it was aborted"


def reason(path: Path, **variables: t.Any) -> str | None:
    return halt.get_halt_reason(ACTION, {"livepatch_store_path": str(path), **variables})


def test_stored_and_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "store"
    assert reason(path) is None
    store = Store(str(path), lambda: 100.0)
    assert store.halt("default", "the array misbehaves", "eve")["changed"] is True
    assert store.halt("default", "another reason", "bob")["changed"] is False
    way_out = "(to go on, run playbook resume{})"
    assert reason(path) == f"rollouts are halted by eve: the array misbehaves {way_out.format('')}"
    assert reason(path, livepatch_scope="other") is None
    store.resume("default", "eve")
    assert reason(path) is None
    store.halt(None, "", "eve")
    everywhere = way_out.format(" with -e livepatch_all_scopes=true")
    assert reason(path, livepatch_scope="other") == f"rollouts are halted by eve: no reason was given {everywhere}"


def test_what_is_stored_since_an_answer_was_shared_is_seen_at_once(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"), lambda: 100.0)
    store.halt("other", "", "eve")
    assert reason(tmp_path / "store") is None
    for _time in range(3):
        store.halt("default", "", "eve")
        assert reason(tmp_path / "store") is not None
        store.resume("default", "eve")
        assert reason(tmp_path / "store") is None


def test_what_a_slice_has_stopped_the_rollout_judges() -> None:
    assert halt.describe_halt({"by": "a slice", "reason": "2 failed", "scope": "default"}) == (
        "rollouts are halted by a slice: 2 failed (to go on, run playbook rollout, which assesses the wave)"
    )


@pytest.mark.parametrize("content", [b"not a database" * 100, None])
def test_a_store_that_cannot_be_asked_halts(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "store"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    assert "cannot check whether rollouts are halted" in str(reason(path))


@pytest.mark.parametrize("kept", ['{"sta', "[]", "null", '"x"'])
def test_a_shared_answer_that_cannot_be_read_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    scratch.find_path("halt")
    Path(scratch.find_path("halt")).write_text(kept)
    assert reason(tmp_path / "store") is None


def test_a_run_that_has_lost_its_lease_starts_no_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    path = tmp_path / "store"
    store = Store(str(path), lambda: 100.0)
    fence = store.take_lease("default", {}, 60)["fence"]
    variables = {"livepatch_store_path": str(path)}
    for goes_back in (False, True):
        assert halt.get_halt_reason(ACTION, variables, fence, goes_back) is None
    store.take_lease("default", {}, 60, takeover=fence)
    for goes_back in (False, True):
        assert halt.get_halt_reason(ACTION, variables, fence, goes_back) == _LOST
    assert halt.get_halt_reason(ACTION, variables, fence + 1) is None


def test_a_halt_keeps_no_host_from_going_back(tmp_path: Path) -> None:
    path = tmp_path / "store"
    store = Store(str(path), lambda: 100.0)
    fence = store.take_lease("default", {}, 60)["fence"]
    store.halt("default", "the array misbehaves", "eve")
    variables = {"livepatch_store_path": str(path)}
    assert halt.get_halt_reason(ACTION, variables, fence, goes_back=True) is None
    assert halt.get_halt_reason(ACTION, variables, fence) is not None
