# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a step leaves for the next ones."""

from pathlib import Path

import pytest
from ansible import constants

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import scratch


def test_the_last_of_its_kind_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    assert scratch.recall("wave 0 of a") is None
    scratch.remember("wave 0 of a", {"hosts": 1})
    scratch.remember("step of a", ["web1"])
    assert scratch.recall("wave 0 of a") == {"hosts": 1}
    assert scratch.recall("wave 0 of b") is None, "another run's"
    scratch.remember("wave 1 of a", {"hosts": 2})
    assert (scratch.recall("wave 0 of a"), scratch.recall("wave 1 of a")) == (None, {"hosts": 2})
    assert scratch.recall("step of a") == ["web1"]
    assert len(list(tmp_path.iterdir())) == 2


def test_where_nothing_can_be_kept_nothing_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    scratch.remember("wave 0 of a", {"hosts": 1})

    def fail(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(scratch.os, "replace", fail)
    scratch.remember("wave 0 of a", {"hosts": 2})
    assert scratch.recall("wave 0 of a") is None, "and not what was true before"
