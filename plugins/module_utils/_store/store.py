# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is recorded of rollouts: plans, the lease, outcomes, gates, approvals, quarantine, halts. PRIVATE to the
collection.

All of it by *scope*, a name for what is rolled out together: a scope has one lease and one open rollout at most.
Times are seconds since the epoch.
"""

import json
import uuid
from typing import Any, Callable, Dict, List, Optional, Sequence

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption, LivepatchError
from ansible_collections.fleet.livepatch.plugins.module_utils._store.database import Database, row

# A rollout with one of these is open: the next run takes it up.
OPEN = ("running", "soaking", "waiting", "halted")
ENDED = ("done", "failed", "abandoned")
# A host on which apply begins; what became of it is not recorded yet.
BEGUN = "begun"
# How many of a rollout's events are shown
_EVENTS = 200


class Leased(LivepatchError):
    """Another run has the lease: ``result["holder"]`` tells who."""


class LeaseLost(LivepatchError):
    """The lease is another run's by now."""


class NoSuchPlan(LivepatchError):
    """No plan with that hash was saved."""


class Store:
    """:param now: the clock."""

    def __init__(self, path: str, now: Callable[[], float]) -> None:
        self._database = Database(path)
        self._now = now

    #
    # The lease
    #

    def take(self, scope: str, owner: Dict[str, Any], ttl: float, takeover: Optional[int] = None) -> Dict[str, Any]:
        """Takes the lease of a scope, if it is free, has run out, or is the one that is to be taken over.

        :param ttl: seconds without a sign of life after which somebody else may take it.
        :param takeover: the fencing number of a holder that is known to have ended.
        :raises Leased: somebody else has it.
        """
        now = self._now()
        with self._database.writing() as connection:
            self._insist_on_nobody(connection, scope, takeover)
            highest = connection.execute("SELECT MAX(fence) FROM leases").fetchone()[0] or 0
            # By the clock, so that a store that was lost and is made anew does not go back: hosts refuse lower numbers.
            fence = max(highest + 1, int(now))
            connection.execute(
                "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?)",
                (scope, fence, json.dumps(owner, sort_keys=True), now, now, ttl),
            )
            open_ = _open(connection, scope)
            if open_ is not None:
                _add(connection, open_["id"], "event", None, now, {"what": "taken", "owner": owner, "fence": fence})
            return {"fence": fence, "rollout": None if open_ is None else _whole(connection, open_)}

    def _insist_on_nobody(self, connection: Any, scope: str, takeover: Optional[int]) -> None:
        """That nobody has the lease, but for whoever is taken over from."""
        held = connection.execute("SELECT * FROM leases WHERE scope = ? AND owner IS NOT NULL", (scope,)).fetchone()
        if held is None or takeover == held["fence"]:
            return
        left = held["renewed"] + held["ttl"] - self._now()
        if left < 0:
            return
        owner = json.loads(held["owner"])
        raise Leased(
            "another rollout of the scope {} runs, by {user} on {machine}, since {:.0f} s".format(
                scope, self._now() - held["since"], **dict({"user": "?", "machine": "?"}, **owner)
            ),
            f"Wait for it, or halt it (playbook halt). Without a sign of life it can be taken over in {left:.0f} s",
            {"holder": {"fence": held["fence"], "owner": owner, "since": held["since"]}},
        )

    def renew(self, scope: str, fence: int, rollout: str) -> Dict[str, Any]:
        """A sign of life; tells whether the scope is halted."""
        with self._database.writing() as connection:
            self._insist(connection, scope, fence)
            return {"halt": _halt(connection, scope)}

    def release(self, scope: str, fence: int) -> None:
        with self._database.writing() as connection:
            self._insist(connection, scope, fence)
            # The number stays: the next one is higher.
            connection.execute("UPDATE leases SET owner = NULL WHERE scope = ?", (scope,))

    def _insist(self, connection: Any, scope: str, fence: int) -> None:
        """That the lease is still this one, and gives a sign of life."""
        held = connection.execute("SELECT * FROM leases WHERE scope = ?", (scope,)).fetchone()
        if held is None or held["owner"] is None or held["fence"] != fence:
            raise LeaseLost(
                f"the lease of the scope {scope} is not this run's any more (number {fence})",
                "Another run has taken the rollout over: leave it to that one",
                {"lost": True},
            )
        connection.execute("UPDATE leases SET renewed = ? WHERE scope = ?", (self._now(), scope))

    #
    # Plans and rollouts
    #

    def save_plan(self, scope: str, document: Dict[str, Any]) -> None:
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO plans VALUES (?, ?, ?, ?)",
                (document["hash"], scope, self._now(), json.dumps(document, sort_keys=True)),
            )

    def load_plan(self, hash: str) -> Dict[str, Any]:
        """:raises NoSuchPlan: it was never saved."""
        with self._database.reading() as connection:
            found = connection.execute("SELECT document FROM plans WHERE hash = ?", (hash,)).fetchone()
        if found is None:
            raise NoSuchPlan(f"there is no plan {hash}")
        return dict(json.loads(found["document"]))

    def start(self, scope: str, fence: int, plan_hash: str, settings: Dict[str, Any]) -> str:
        """A new rollout of a plan; its ID."""
        identity = uuid.uuid4().hex
        with self._database.writing() as connection:
            self._insist(connection, scope, fence)
            if _open(connection, scope) is not None:
                raise BadOption(f"a rollout of the scope {scope} is open already", "Run it to its end")
            connection.execute(
                "INSERT INTO rollouts VALUES (?, ?, ?, ?, 'running', '{}', ?, NULL)",
                (identity, scope, plan_hash, json.dumps(settings, sort_keys=True), self._now()),
            )
        return identity

    def status(self, scope: str, fence: int, rollout: str, status: str, detail: Dict[str, Any]) -> None:
        if status not in OPEN + ENDED:
            raise BadOption(f"a rollout has no status {status}", "It is one of " + ", ".join(OPEN + ENDED))
        now = self._now()
        with self._database.writing() as connection:
            self._insist(connection, scope, fence)
            connection.execute(
                "UPDATE rollouts SET status = ?, detail = ?, ended = ? WHERE id = ?",
                (status, json.dumps(detail, sort_keys=True), now if status in ENDED else None, rollout),
            )
            _add(connection, rollout, "event", None, now, dict(detail, what=status))

    def abandon(self, scope: str, reason: str, by: str, takeover: Optional[int] = None) -> Optional[str]:
        """Gives the open rollout up, without going on with it; its ID, None where there is none.

        :param takeover: as for ``take``.
        :raises Leased: somebody runs it.
        """
        now = self._now()
        with self._database.writing() as connection:
            open_ = _open(connection, scope)
            if open_ is None:
                return None
            self._insist_on_nobody(connection, scope, takeover)
            detail = {"text": f"given up by {by}: {reason}"}
            connection.execute(
                "UPDATE rollouts SET status = 'abandoned', detail = ?, ended = ? WHERE id = ?",
                (json.dumps(detail), now, open_["id"]),
            )
            _add(connection, open_["id"], "event", None, now, dict(detail, what="abandoned"))
            return str(open_["id"])

    #
    # Hosts and gates
    #

    def begin(self, scope: str, fence: int, rollout: str, wave: int, hosts: Sequence[str]) -> Dict[str, Any]:
        """Records that apply begins on these hosts, unless the scope is halted."""
        now = self._now()
        with self._database.writing() as connection:
            self._insist(connection, scope, fence)
            halt = _halt(connection, scope)
            if halt is not None:
                return {"go": False, "halt": halt}
            connection.executemany(
                "INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?, NULL, ?, ?, '{}')",
                [(rollout, host, wave, BEGUN, now) for host in hosts],
            )
            _add(connection, rollout, "event", wave, now, {"what": "begin", "hosts": len(hosts)})
            return {"go": True, "halt": None}

    def results(
        self, scope: str, fence: int, rollout: str, outcomes: Sequence[Dict[str, Any]], wave: Optional[int] = None
    ) -> Dict[str, Any]:
        """Records what became of hosts.

        :param outcomes: of each ``host``, ``outcome``, ``cohort``, and what else is to be kept.
        :param wave: None keeps what is recorded.
        :returns: how many hosts have come to each outcome, of the rollout and of each cohort.
        """
        now = self._now()
        with self._database.writing() as connection:
            self._insist(connection, scope, fence)
            for told in outcomes:
                connection.execute(
                    "INSERT OR REPLACE INTO outcomes VALUES (?1, ?2, COALESCE(?3, "
                    "(SELECT wave FROM outcomes WHERE rollout = ?1 AND host = ?2)), ?4, ?5, ?6, ?7)",
                    (rollout, told["host"], wave, told.get("cohort"), told["outcome"], now, json.dumps(told)),
                )
            return _totals(connection, rollout)

    def gate(self, scope: str, fence: int, rollout: str, wave: int, record: Dict[str, Any]) -> None:
        """Adds what a gate has measured and judged."""
        with self._database.writing() as connection:
            self._insist(connection, scope, fence)
            _add(connection, rollout, "gate", wave, self._now(), record)

    def show(self, scope: str) -> Dict[str, Any]:
        """The open rollout, or else the last one, and what else is known of the scope."""
        with self._database.reading() as connection:
            found = connection.execute(
                "SELECT * FROM rollouts WHERE scope = ? ORDER BY ended IS NOT NULL, started DESC LIMIT 1", (scope,)
            ).fetchone()
            held = connection.execute("SELECT * FROM leases WHERE scope = ? AND owner IS NOT NULL", (scope,)).fetchone()
            return {
                "rollout": None if found is None else _whole(connection, found),
                "lease": None if held is None else dict(row(held), owner=json.loads(held["owner"])),
                "halt": _halt(connection, scope),
                "quarantine": _quarantine(connection, False),
            }

    #
    # What people say
    #

    def halt(self, scope: Optional[str], reason: str, by: str) -> Dict[str, Any]:
        """Halts a scope, or with None all of them. Halted twice, the first reason stays."""
        with self._database.writing() as connection:
            cursor = connection.execute(
                "INSERT OR IGNORE INTO halts VALUES (?, ?, ?, ?)", (scope or "*", reason, by, self._now())
            )
            return {"changed": cursor.rowcount > 0}

    def unhalt(self, scope: Optional[str], by: str) -> Dict[str, Any]:
        with self._database.writing() as connection:
            cursor = connection.execute("DELETE FROM halts WHERE scope = ?", (scope or "*",))
            return {"changed": cursor.rowcount > 0}

    def halted(self, scope: str) -> Optional[Dict[str, Any]]:
        """Why nothing may start in a scope, None where it may."""
        with self._database.reading() as connection:
            return _halt(connection, scope)

    def approve(
        self, hash: str, wave: Optional[int], who: str, expires: Optional[float] = None, granted: bool = True
    ) -> None:
        """Records an approval of one wave of a plan, or of all its waves, or that it is refused."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO approvals (hash, wave, who, at, expires, granted) VALUES (?, ?, ?, ?, ?, ?)",
                (hash, wave, who, self._now(), expires, int(granted)),
            )

    def approvals(self, hash: str) -> List[Dict[str, Any]]:
        with self._database.reading() as connection:
            found = connection.execute("SELECT * FROM approvals WHERE hash = ? ORDER BY id", (hash,)).fetchall()
        return [dict(row(one), granted=bool(one["granted"])) for one in found]

    def quarantine_add(self, entries: Sequence[Dict[str, Any]]) -> int:
        """Bars a ``kmp`` in a ``cohort`` (None: everywhere), or a ``host``; how many of the entries are new."""
        added = 0
        with self._database.writing() as connection:
            for entry in entries:
                what = (entry.get("kmp"), entry.get("cohort"), entry.get("host"))
                known = connection.execute(
                    "SELECT 1 FROM quarantine WHERE cleared IS NULL AND kmp IS ? AND cohort IS ? AND host IS ?", what
                ).fetchone()
                if known is None:
                    connection.execute(
                        "INSERT INTO quarantine (kmp, cohort, host, reason, by, since) VALUES (?, ?, ?, ?, ?, ?)",
                        (*what, entry["reason"], entry.get("by"), self._now()),
                    )
                    added += 1
        return added

    def quarantine_clear(self, match: Dict[str, Any], by: str, reason: str) -> List[Dict[str, Any]]:
        """Clears what matches all that is given of ``id``, ``kmp``, ``cohort``, ``host``; the entries that were
        cleared."""
        given = {key: match[key] for key in ("id", "kmp", "cohort", "host") if match.get(key) is not None}
        if not given:
            raise BadOption(
                "nothing says what to clear", "Give an id, kmp, cohort or host; playbook quarantine lists them"
            )
        where = " AND ".join(f"{key} = ?" for key in given)
        with self._database.writing() as connection:
            found = connection.execute(
                f"SELECT * FROM quarantine WHERE cleared IS NULL AND {where} ORDER BY id", tuple(given.values())
            ).fetchall()
            connection.executemany(
                "UPDATE quarantine SET cleared = ?, cleared_by = ?, cleared_reason = ? WHERE id = ?",
                [(self._now(), by, reason, one["id"]) for one in found],
            )
        return [row(one) for one in found]

    def quarantine_list(self, cleared: bool = False) -> List[Dict[str, Any]]:
        with self._database.reading() as connection:
            return _quarantine(connection, cleared)


def _open(connection: Any, scope: str) -> Any:
    return connection.execute("SELECT * FROM rollouts WHERE scope = ? AND ended IS NULL", (scope,)).fetchone()


def _halt(connection: Any, scope: str) -> Optional[Dict[str, Any]]:
    found = connection.execute(
        "SELECT * FROM halts WHERE scope IN (?, '*') ORDER BY scope LIMIT 1", (scope,)
    ).fetchone()
    return None if found is None else row(found)


def _add(connection: Any, rollout: str, kind: str, wave: Optional[int], at: float, told: Dict[str, Any]) -> None:
    connection.execute(
        "INSERT INTO records (rollout, kind, wave, at, told) VALUES (?, ?, ?, ?, ?)",
        (rollout, kind, wave, at, json.dumps(told)),
    )


def _totals(connection: Any, rollout: str) -> Dict[str, Any]:
    told: Dict[str, Any] = {"rollout": {}, "cohorts": {}}
    for cohort, outcome, count in connection.execute(
        "SELECT cohort, outcome, COUNT(*) FROM outcomes WHERE rollout = ? GROUP BY cohort, outcome", (rollout,)
    ):
        told["rollout"][outcome] = told["rollout"].get(outcome, 0) + count
        if cohort is not None:
            told["cohorts"].setdefault(cohort, {})[outcome] = count
    return told


def _quarantine(connection: Any, cleared: bool) -> List[Dict[str, Any]]:
    where = "" if cleared else "WHERE cleared IS NULL"
    return [row(one) for one in connection.execute(f"SELECT * FROM quarantine {where} ORDER BY id")]


def _whole(connection: Any, rollout: Any) -> Dict[str, Any]:
    """A rollout with what became of its hosts, and its records."""
    outcomes = {
        one["host"]: dict(json.loads(one["told"]), outcome=one["outcome"], wave=one["wave"], at=one["at"])
        for one in connection.execute("SELECT * FROM outcomes WHERE rollout = ?", (rollout["id"],))
    }
    told: Dict[str, List[Dict[str, Any]]] = {"gate": [], "event": []}
    # Of the events the last ones; of the gates all, since they say what has passed.
    for kind, most in (("gate", -1), ("event", _EVENTS)):
        found = connection.execute(
            "SELECT * FROM records WHERE rollout = ? AND kind = ? ORDER BY number DESC LIMIT ?",
            (rollout["id"], kind, most),
        ).fetchall()
        told[kind] = [dict(json.loads(one["told"]), at=one["at"], wave=one["wave"]) for one in reversed(found)]
    return dict(
        row(rollout),
        settings=json.loads(rollout["settings"]),
        detail=json.loads(rollout["detail"]),
        outcomes=outcomes,
        gates=told["gate"],
        events=told["event"],
    )
