# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The changes of the hosts of a batch, from the step that works them out to the tasks that make them. PRIVATE to the
collection.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible import constants

from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.answer import Answer
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import scratch
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.host_settings import HostSettings
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.run import Run

_KEY = "changes"


@dataclasses.dataclass(frozen=True)
class Change:
    """What is done to one host."""

    # Those of livepatch, which is started detached
    options: t.Mapping[str, t.Any]
    # Those of livepatch_info, which collects it
    info: t.Mapping[str, t.Any]
    # Seconds that a host is waited for that cannot be reached
    unreachable_timeout: int
    # After how many seconds a host that has not ended is left to a later step; None: it is waited for
    patience: int | None = None

    @property
    def goes_back(self) -> bool:
        return self.options.get("state") == "previous"


def keep(changes: t.Mapping[str, Change]) -> None:
    """Keep these, by host, in the place of those of an earlier batch.

    :raises PlanError: they cannot be kept, and no host would be changed.
    """
    scratch.remember(_KEY, {name: dataclasses.asdict(change) for name, change in changes.items()})
    if scratch.recall(_KEY) is None:
        raise PlanError(
            f"the changes of the hosts cannot be written below {constants.DEFAULT_LOCAL_TMP} on the control node: "
            "look at its permissions and its free space"
        )


def keep_rollback(run: Run, settings_by_host: t.Mapping[str, HostSettings]) -> None:
    """Keep that these hosts go back to the level that their journals name."""
    marks = {name: value for name, value in run.get_marks().items() if name != "rollout"}
    keep(
        {
            name: Change(settings.build_rollback(**marks), settings.build_info(None), settings.unreachable_timeout)
            for name, settings in settings_by_host.items()
        }
    )


def find(host: str) -> Change | None:
    """What is done to a host, None for nothing."""
    kept = (scratch.recall(_KEY) or {}).get(host)
    return None if kept is None else Change(**kept)


@dataclasses.dataclass(frozen=True)
class Running:
    """A change that was started on a host."""

    host: str
    # The ID of the run, when it was started, in seconds since the epoch, and for how many seconds it may take
    run: str
    began: float
    max_seconds: int
    # As of the change
    info: t.Mapping[str, t.Any]
    unreachable_timeout: int
    patience: int | None = None
    goes_back: bool = False
    # The host was not reached when it was to start
    lost: bool = False


def find_running(host: str, change: Change, started: Answer | None) -> Running | None:
    """What is collected of a host, None where nothing was started.

    :param started: what the task has returned that was to start it.
    """
    if started is None or started.run is None or (started.failed and not started.unreachable):
        return None
    return Running(
        host,
        started.run,
        started.began,
        started.max_seconds,
        change.info,
        change.unreachable_timeout,
        change.patience,
        change.goes_back,
        started.unreachable,
    )
