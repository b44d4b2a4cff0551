# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""On which hosts a rollout sets or removes the lock on KMPs."""

from __future__ import annotations

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import kmp_locks
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.host_settings import HostSettings
from tests.support import answers


@pytest.mark.parametrize(
    ("lock", "wanted", "different"),
    [
        ("none", True, True),
        ("own", True, False),
        # It has the same effect, and is not ours to remove
        ("foreign", True, False),
        ("foreign", False, False),
        ("own", False, True),
        ("none", False, False),
        (None, True, False),
        (None, False, False),
    ],
)
def test_where_the_lock_differs(lock: str | None, wanted: bool, different: bool) -> None:
    of_hosts = {"a1": answers.answer(kmp={"lock": lock}), "a2": None}
    settings = dict.fromkeys(of_hosts, HostSettings(lock=wanted))
    assert kmp_locks.list_different(of_hosts, settings) == ({"a1": wanted} if different else {})
