# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock that keeps other programs from installing KMPs (``livepatch_lock``). PRIVATE to the collection. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils._packages import kmp_lock
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.answer import Answer
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.host_settings import HostSettings


def list_different(answers: t.Mapping[str, Answer | None], settings: t.Mapping[str, HostSettings]) -> dict[str, bool]:
    """The hosts whose lock is not as it is wanted, each with what is.

    :param answers: by host, to livepatch_info.
    """
    different = {}
    for name, answer in answers.items():
        wanted = settings[name].lock
        if answer is not None and answer.facts is not None and is_different(answer.facts.kmp.lock, wanted):
            different[name] = wanted
    return different


def is_different(lock: str | None, wanted: bool) -> bool:
    """:param lock: whose lock is there; None where that is unknown."""
    return lock == (kmp_lock.NONE if wanted else kmp_lock.OWN)
