# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts have downloaded the KMP planned for them. PRIVATE to the collection. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.answer import Answer
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host


@dataclasses.dataclass(frozen=True)
class Download:
    host: str
    # failed (or not run), downloaded, present (before already), skipped (nothing is planned), unchanged (up to date)
    outcome: str
    reason: str
    kmp: str | None = None


def determine_download(
    host: Host,
    left_out: str | None,
    answer: Answer | None,
    variables: t.Mapping[str, t.Any],
    check_mode: bool,
) -> Download:
    """What the download has come to on one host.

    :param left_out: why the plan has the host in no wave, None where it has it in one.
    :param answer: to the host's task with ``download_only``, None where it did not run.
    """
    if left_out is not None:
        if host.patchable:
            return Download(host.name, "skipped", left_out)
        kind = "unchanged" if host.up_to_date else "skipped" if host.settled else "failed"
        return Download(host.name, kind, host.reason)
    error = answer.describe_error(variables) if answer else "its download was not run"
    if answer is None or error is not None:
        return Download(host.name, "failed", error or "", host.kmp)
    if not answer.changed:
        return Download(host.name, "present", "downloaded before", host.kmp)
    return Download(host.name, "downloaded", "would be downloaded" if check_mode else "", host.kmp)
