# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the fact cache keeps of a host."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import fact_cache


def _recorded(result: t.Any, name: t.Any, at: t.Any) -> dict[str, t.Any]:
    try:
        return fact_cache.build_fact(str(name), result, float(at))
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        raise AnsibleFilterError(
            f"fleet.livepatch.recorded needs a result of livepatch_info, a host's name and a time in seconds: {exc!r}"
        ) from exc


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., dict[str, t.Any]]]:
        return {"recorded": _recorded}
