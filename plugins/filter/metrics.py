# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is true of a host, for Prometheus."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.answer import read_result
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import metrics


def _format_metrics(result: t.Any, at: t.Any) -> str:
    try:
        answer = read_result(result)
        if answer.facts is None:
            raise ValueError(answer.msg or answer.problem or "it has no facts")
        return metrics.format_host(answer.blocks, float(at))
    except (KeyError, TypeError, ValueError) as exc:
        raise AnsibleFilterError(
            f"fleet.livepatch.metrics needs a result of livepatch_info and a time in seconds: {exc!r}"
        ) from exc


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., str]]:
        return {"metrics": _format_metrics}
