# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Removes old rollouts and plans from the store. PRIVATE to the collection."""

from __future__ import annotations

import collections

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import Command, StoreClient

_DAY = 86400.0
# Rows in a transaction: others wait for no more than these, or for one rollout where it has more
_ROWS = 10_000
# Transactions in a run, so that the first one after years takes no longer than others
_TURNS = 20


def build_question(store: StoreClient, days: int) -> list[Command]:
    """What asks, with the rest that a run sends, whether there is anything for ``remove_old``; nothing where all is
    kept.
    """
    return [store.build("has_old", scope=store.scope, age=days * _DAY)] if days > 0 else []


def remove_old(store: StoreClient, days: int) -> str | None:
    """Removes what is older than so many days; 0 keeps all.

    :returns: what was removed, in one line; None where nothing was.
    :raises StoreError: the store cannot be used.
    """
    if days <= 0:
        return None
    total: collections.Counter[str] = collections.Counter()
    for _turn in range(_TURNS):
        removed = store.send("remove_old", scope=store.scope, age=days * _DAY, limit=_ROWS)
        total.update(removed)
        if removed["rows"] < _ROWS:
            break
    if not total["rows"]:
        return None
    more = ", and more is left for the next run" if removed["rows"] >= _ROWS else ""
    return f"Removed from the store, older than {days} days: rollouts {total['rollouts']}, plans {total['plans']}{more}"
