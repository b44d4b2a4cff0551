# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hosts are told to do, from the step that has worked it out to the tasks that do it."""

from __future__ import annotations

import dataclasses
import typing as t
from pathlib import Path

import pytest
from ansible import constants

from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.answer import Answer
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import changes, scratch
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.changes import Change, Running
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.host_settings import HostSettings
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.run import Run

PATCH = Change({"state": "latest", "policy": {"kmp_version": "3-1"}}, {"refresh": "never"}, 300, patience=10)
BACK = Change({"state": "previous"}, {"refresh": "never"}, 400)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    return tmp_path


def test_what_is_kept_for_a_host_is_found_by_it() -> None:
    assert changes.find("web1") is None, "nothing is kept yet"
    changes.keep({"web1": PATCH, "db1": BACK})
    assert (changes.find("web1"), changes.find("db1"), changes.find("web2")) == (PATCH, BACK, None)
    assert [change.goes_back for change in (PATCH, BACK)] == [False, True]


def test_an_earlier_batch_is_told_nothing_any_more() -> None:
    changes.keep({"web1": PATCH, "web2": PATCH})
    changes.keep({"web2": BACK})
    assert (changes.find("web1"), changes.find("web2")) == (None, BACK)
    changes.keep({})
    assert changes.find("web2") is None


def test_what_other_steps_leave_is_beside_it() -> None:
    changes.keep({"web1": PATCH})
    scratch.remember("step of run", {"hosts": ["web1"]})
    assert changes.find("web1") == PATCH


def test_a_rollback_has_the_marks_of_its_run_and_its_host_s_settings() -> None:
    run = Run("rollout", "h", run="run", id="r", fence=7)
    slow = HostSettings(timeout=600, unreachable_timeout=400, policy={"kmp_version": "9-9", "min_age": 5})
    changes.keep({"web9": PATCH})
    changes.keep_rollback(run, {"web1": HostSettings(), "db1": slow})
    told = {name: changes.find(name) for name in ("web1", "db1", "web9")}
    assert told["web9"] is None
    # Whose rollout it is stays with the change that is taken back.
    assert told["db1"] == Change(slow.build_rollback(plan="h", fence=7), slow.build_info(None), 400)
    web1 = told["web1"]
    assert web1 is not None
    assert (web1.goes_back, web1.patience, web1.unreachable_timeout, web1.options["timeout"]) == (
        True,
        None,
        300,
        60,
    )


def test_what_cannot_be_written_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes.keep({"web1": PATCH})
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(folder / "gone"))
    for keep in (
        lambda: changes.keep({"web1": BACK}),
        lambda: changes.keep({}),
        lambda: changes.keep_rollback(Run("rollback", "h"), {"web1": HostSettings()}),
    ):
        with pytest.raises(PlanError, match=r"cannot be written below .*gone on the control node: look at its"):
            keep()


def test_where_the_disk_is_full_no_host_is_told_what_another_batch_was(monkeypatch: pytest.MonkeyPatch) -> None:
    changes.keep({"web1": PATCH})

    def fail(*_arguments: t.Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(scratch.os, "replace", fail)
    with pytest.raises(PlanError, match="its free space"):
        changes.keep({"web1": BACK})
    assert changes.find("web1") is None


#
# What was started
#

STARTED = Answer(changed=True, run="r", began=99.5, max_seconds=240)


@pytest.mark.parametrize(
    ("started", "expected"),
    [
        # Nothing was started: the task did not run, was refused by a halt, or has failed on the host
        (None, None),
        (Answer(), None),
        (Answer(failed=True, halted=True, msg="not started: halted"), None),
        (dataclasses.replace(STARTED, failed=True, msg="the options are wrong"), None),
        (Answer(unreachable=True, msg="Connection refused"), None),
        (STARTED, Running("web1", "r", 99.5, 240, PATCH.info, 300, patience=10)),
        # It may have started there, whatever else the answer says
        (
            dataclasses.replace(STARTED, unreachable=True),
            Running("web1", "r", 99.5, 240, PATCH.info, 300, patience=10, lost=True),
        ),
        (
            dataclasses.replace(STARTED, unreachable=True, failed=True),
            Running("web1", "r", 99.5, 240, PATCH.info, 300, patience=10, lost=True),
        ),
    ],
)
def test_what_is_collected_of_a_host(started: Answer | None, expected: Running | None) -> None:
    assert changes.find_running("web1", PATCH, started) == expected


def test_a_way_back_is_collected_as_that() -> None:
    assert changes.find_running("db1", BACK, STARTED) == Running("db1", "r", 99.5, 240, BACK.info, 400, goes_back=True)


def test_what_is_collected_may_be_told_to_another_host() -> None:
    running = changes.find_running("web1", PATCH, dataclasses.replace(STARTED, unreachable=True))
    assert running is not None
    assert Running(**dataclasses.asdict(running)) == running
