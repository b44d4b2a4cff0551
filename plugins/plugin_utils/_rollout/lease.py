# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who holds the lease of a rollout, and when another run takes it over. PRIVATE to the collection.

A run renews its lease (``heartbeat``). A run whose process has surely ended loses it at once; of a process on another
machine, or in another container, that cannot be known here: its lease has to expire.
"""

from __future__ import annotations

import os
import socket
import time
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import processes
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreError

# Seconds between two looks at a lease that is waited for
_INTERVAL = 2.0


class LeaseTerms(t.NamedTuple):
    """How a run takes the lease.

    :ivar seconds: after which it expires unless it is renewed.
    :ivar takeover_reason: why a run that may be alive loses it; ``''``: it does not.
    :ivar show_line: shows what is waited for.
    """

    seconds: int
    takeover_reason: str = ""
    show_line: t.Callable[[str], t.Any] = lambda _line: None


def identify_owner(user: str, process: processes.Process | None = None) -> dict[str, t.Any]:
    """
    :param user: on whose behalf the playbook runs.
    :param process: that runs it, None for that of this step.
    :raises PlanError: it has ended.
    """
    job = os.environ.get("JOB_ID") if os.environ.get("AWX_PRIVATE_DATA_DIR") else None
    machine = socket.gethostname() + (f" (AWX job {job})" if job else "")
    return {"user": user, "machine": machine, **(process or processes.identify_playbook())._asdict()}


def is_alive(owner: t.Mapping[str, t.Any]) -> bool | None:
    """Whether this owner runs; None where that cannot be known here, or it is stopped. Of slices that hold a lease
    together, whether one of them does.
    """
    if "members" in owner:
        states = [is_alive(member) for member in owner["members"].values()]
        return True if True in states else (None if None in states else False)
    here = processes.identify(int(owner.get("pid") or 0))
    unknown = here.started is None and here.boot is None
    if unknown or owner.get("boot") != here.boot or owner.get("namespace") != here.namespace:
        return None
    if owner.get("started") != here.started:
        return False
    return None if processes.read_state(here) == processes.STOPPED else True


def with_takeover(request: t.Callable[..., t.Any], terms: LeaseTerms) -> t.Any:
    """Does what needs a free lease, and takes the lease over from a holder that has ended: at once where that is known
    here, or a reason is given, and else when it has not renewed the lease in its time, for which this waits.

    :param request: takes the fencing number of such a holder as ``takeover``, and the ``reason``.
    :raises StoreError: a run that is alive has the lease.
    """
    # As it was seen first
    renewed: float | None = None
    while True:
        result, refused = _attempt(lambda: request(reason=terms.takeover_reason))
        if refused is None:
            return result
        holder = refused.holder
        if holder is None:
            raise refused
        alive = is_alive(holder["owner"])
        if terms.takeover_reason or alive is False:
            return request(takeover=holder["fence"], reason=terms.takeover_reason)
        if alive or (renewed is not None and holder["renewed"] != renewed):
            raise refused
        if renewed is None:
            terms.show_line(_describe_wait(holder))
        renewed = holder["renewed"]
        time.sleep(min(_INTERVAL, max(0.1, holder["left"])))


def _attempt(request: t.Callable[..., t.Any]) -> tuple[t.Any, StoreError | None]:
    try:
        return request(), None
    except StoreError as exc:
        return None, exc


def _describe_wait(holder: t.Mapping[str, t.Any]) -> str:
    owner = {"user": "?", "machine": "?", **holder["owner"]}
    return (
        f"Another run has this rollout, started by {owner['user']} on {owner['machine']}. It goes on here if that run "
        f"does not renew its lease: waiting for up to {holder['left']:.0f} s. To take it over at once, set "
        "livepatch_takeover_reason"
    )
