# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lease of a scope: who may run its rollout. PRIVATE to the collection: it may change at any time."""

import json
import uuid
from typing import Any, Dict, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption, LivepatchError
from ansible_collections.fleet.livepatch.plugins.module_utils._store import rows
from ansible_collections.fleet.livepatch.plugins.module_utils._store.sqlite import Database, Transaction


class Leased(LivepatchError):
    """Another run has the lease: ``result["holder"]`` is who."""


class LeaseLost(LivepatchError):
    """Another run has taken the lease over."""


class LeaseCommands:
    """What runs and slices do with the lease."""

    _database: Database

    def take_lease(
        self, scope: str, owner: Dict[str, Any], ttl: float, takeover: Optional[int] = None, reason: str = ""
    ) -> Dict[str, Any]:
        """Takes the lease of a scope, if it is free, has expired, or is the one to take over.

        :param ttl: seconds without a heartbeat after which another run may take it.
        :param takeover: the fencing number of a holder that is known to have ended, or loses it for this ``reason``.
        :returns: its number, and the open rollout.
        :raises Leased: another run has it.
        """
        with self._database.writing() as transaction:
            previous = require_free(transaction, scope, takeover)
            fence = _next_fence(transaction)
            _hold(transaction, scope, fence, owner, transaction.now, ttl)
            row = rows.find_open(transaction, scope)
            if row is None:
                return {"fence": fence, "rollout": None}
            event = {"what": "taken", "owner": owner, "fence": fence, "from": previous, "reason": reason}
            rows.add_event(transaction, row["id"], "event", None, event)
            return {"fence": fence, "rollout": rows.load_rollout(transaction, row)}

    def renew_lease(self, scope: str, fence: int, rollout: Optional[str] = None) -> Dict[str, Any]:
        """Gives a heartbeat; returns the scope's halt."""
        with self._database.writing() as transaction:
            require_lease(transaction, scope, fence, rollout)
            return {"halt": rows.find_halt(transaction, scope)}

    def check_start(self, scope: str, fence: Optional[int]) -> Dict[str, Any]:
        """Whether a host may start: the scope's ``halt``, and whether the run has ``lost`` the lease.

        :param fence: the run's number, None for what is no rollout.
        """
        with self._database.reading() as transaction:
            lease = None if fence is None else _find_lease(transaction, scope)
            lost = fence is not None and (lease is None or lease["owner"] is None or lease["fence"] != fence)
            return {"halt": rows.find_halt(transaction, scope), "lost": lost}

    def join_wave(self, scope: str, owner: Dict[str, Any], ttl: float) -> Dict[str, Any]:
        """Takes part in the wave that the open rollout has left to slices: they hold one lease together.

        :param ttl: seconds without a heartbeat of any of them after which another run may take it.
        :returns: its number, as which ``member`` this slice has joined, the open rollout, and its ``controls``; where
            no wave is left to slices ``member`` is None, and ``why`` says so.
        :raises Leased: another run has it.
        """
        with self._database.writing() as transaction:
            row = rows.find_open(transaction, scope)
            why = rows.explain_not_joinable(row and rows.summarize_rollout(row))
            if why is not None:
                return {"fence": None, "member": None, "rollout": None, "why": why}
            lease = _find_lease(transaction, scope)
            members = _parse_members(lease)
            if members and lease["renewed"] + lease["ttl"] >= transaction.now:
                fence, since, ttl = lease["fence"], lease["since"], max(ttl, lease["ttl"])
            else:
                require_free(transaction, scope, None)
                members, fence, since = {}, _next_fence(transaction), transaction.now
            member = uuid.uuid4().hex
            members[member] = owner
            _hold(transaction, scope, fence, _as_owner(members), since, ttl)
            rows.add_event(transaction, row["id"], "event", None, {"what": "joined", "owner": owner, "fence": fence})
            return {
                "fence": fence,
                "member": member,
                "rollout": rows.load_rollout(transaction, row),
                "controls": rows.find_controls(transaction, row["id"], row["plan_hash"]),
                "why": "",
            }

    def leave_wave(self, scope: str, fence: int, member: str) -> None:
        """Ends a slice's part in a wave: the last one gives the lease back."""
        with self._database.writing() as transaction:
            require_lease(transaction, scope, fence)
            members = _parse_members(_find_lease(transaction, scope))
            others = {name: owner for name, owner in members.items() if name != member}
            left = json.dumps(_as_owner(others), sort_keys=True) if others else None
            transaction.connection.execute("UPDATE leases SET owner = ? WHERE scope = ?", (left, scope))

    def release_lease(self, scope: str, fence: int) -> None:
        with self._database.writing() as transaction:
            require_lease(transaction, scope, fence)
            drop_lease(transaction, scope)


def drop_lease(transaction: Transaction, scope: str) -> None:
    # The number stays: the next one is higher.
    transaction.connection.execute("UPDATE leases SET owner = NULL WHERE scope = ?", (scope,))


def require_free(transaction: Transaction, scope: str, takeover: Optional[int]) -> Optional[Dict[str, Any]]:
    """Requires that no run has the lease, but one that has expired or is to be taken over.

    :returns: that holder, None where the lease is free.
    :raises Leased: another run has it.
    """
    lease = _find_lease(transaction, scope)
    if lease is None or lease["owner"] is None:
        return None
    now, until = transaction.now, lease["renewed"] + lease["ttl"]
    owner = json.loads(lease["owner"])
    holder = {
        "fence": lease["fence"],
        "owner": owner,
        "since": lease["since"],
        "renewed": lease["renewed"],
        "left": until - now,
    }
    if takeover == lease["fence"] or until < now:
        return holder
    raise Leased(
        "another rollout of the scope {} is running, started by {user} on {machine} {:.0f} s ago".format(
            scope, now - lease["since"], **dict({"user": "?", "machine": "?"}, **owner)
        ),
        f"Wait for it, or halt it (playbook halt). If it does not renew its lease, that expires in {until - now:.0f} s",
        {"holder": holder},
    )


def require_lease(transaction: Transaction, scope: str, fence: int, rollout: Optional[str] = None) -> None:
    """Requires that this run still has the lease, and that the rollout is one of the scope; gives a heartbeat.

    :raises LeaseLost: another run has taken it over.
    """
    lease = _find_lease(transaction, scope)
    if lease is None or lease["owner"] is None or lease["fence"] != fence:
        raise LeaseLost(
            f"this run has lost the lease of the scope {scope} (number {fence}): another run has the rollout now",
            "Leave the rollout to that run",
            {"lost": True},
        )
    known = transaction.connection.execute(
        "SELECT 1 FROM rollouts WHERE id = ? AND scope = ?", (rollout, scope)
    ).fetchone()
    if rollout is not None and known is None:
        raise BadOption(f"the scope {scope} has no rollout {rollout}")
    transaction.connection.execute("UPDATE leases SET renewed = ? WHERE scope = ?", (transaction.now, scope))


def _find_lease(transaction: Transaction, scope: str) -> Any:
    return transaction.connection.execute("SELECT * FROM leases WHERE scope = ?", (scope,)).fetchone()


def _next_fence(transaction: Transaction) -> int:
    highest = transaction.connection.execute("SELECT MAX(fence) FROM leases").fetchone()[0] or 0
    # By the clock, so that a store that was lost and is made anew does not go back: hosts refuse lower numbers.
    return max(highest + 1, int(transaction.now))


def _hold(transaction: Transaction, scope: str, fence: int, owner: Dict[str, Any], since: float, ttl: float) -> None:
    transaction.connection.execute(
        "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?)",
        (scope, fence, json.dumps(owner, sort_keys=True), since, transaction.now, ttl),
    )


def _parse_members(lease: Any) -> Dict[str, Any]:
    """The owners of a lease that slices hold together, by member; empty where it is free or one run's."""
    owner = json.loads(lease["owner"]) if lease is not None and lease["owner"] else {}
    return dict(owner.get("members") or {})


def _as_owner(members: Dict[str, Any]) -> Dict[str, Any]:
    """Members of a lease as its owner, which has the first one's name."""
    first = next(iter(members.values()))
    return {"user": first.get("user", "?"), "machine": first.get("machine", "?"), "members": members}
