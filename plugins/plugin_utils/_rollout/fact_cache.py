# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ansible's fact cache keeps of a host, for inventories that group by it. PRIVATE to the collection. Pure.

No rollout reads it: it may be out of date.
"""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.answer import read_result
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import hosts, planning

_FIELDS = ("state", "release", "build_id", "level", "kmp", "up_to_date")


def build_fact(name: str, result: t.Mapping[str, t.Any], now: float) -> dict[str, t.Any]:
    """The value of the host's fact ``livepatch_recorded``.

    :param result: of livepatch_info with ``on_unreachable: report``.
    """
    host = hosts.parse_host(name, {}, read_result(result))
    # Without a build ID it is not known which hosts it is like.
    cohort = planning.compute_cohort_id(host) if host.build_id else None
    fields = {field: getattr(host, field) for field in _FIELDS}
    return {"at": int(now), **fields, "cohort": cohort}
