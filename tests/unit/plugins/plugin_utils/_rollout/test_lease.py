# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who runs a rollout, and whether he has surely ended."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import lease


def test_a_process_that_runs_has_not_ended() -> None:
    assert lease.is_dead(lease.identify_owner("eve", os.getpid())) is False


@pytest.mark.parametrize("waited_for", [True, False])
def test_a_process_that_has_ended_has(waited_for: bool) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        who = lease.identify_owner("eve", process.pid)
        assert lease.is_dead(who) is False
        process.kill()
        if waited_for:
            process.wait()
        else:
            # A zombie: it stays until it is waited for
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert lease.is_dead(who) is True


@pytest.mark.parametrize("key", ["boot", "namespace"])
def test_of_one_elsewhere_nobody_knows(key: str) -> None:
    who = {**lease.identify_owner("eve", os.getpid()), "started": "1"}
    assert lease.is_dead(who) is True, "another process has its ID by now"
    assert lease.is_dead({**who, key: "another"}) is False


def test_slices_have_ended_when_all_of_them_have() -> None:
    here = lease.identify_owner("eve", os.getpid())
    ended = {**here, "started": "1"}
    assert lease.is_dead({"members": {"1": ended, "2": here}}) is False
    assert lease.is_dead({"members": {"1": ended, "2": ended}}) is True
