# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ansible's fact cache keeps of a host, for inventories that group by it. PRIVATE to the collection. Pure.

No rollout reads it: what was true the last time need not be true any more.
"""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import hosts, plan

_KEPT = ("state", "release", "build_id", "level", "kmp", "up_to_date")


def build_facts(name: str, answer: t.Mapping[str, t.Any], now: float) -> dict[str, t.Any]:
    """The facts of a host.

    :param answer: what livepatch_survey tells of it.
    """
    host = hosts.parse_host(name, {}, answer)
    # Of whom nothing is known, nobody knows whom it is like.
    cohort = plan.compute_cohort_id(host) if host.build_id else None
    kept = {key: getattr(host, key) for key in _KEPT}
    return {"livepatch_recorded": {"at": int(now), **kept, "cohort": cohort}}
