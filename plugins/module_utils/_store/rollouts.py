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
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption, LivepatchError
from ansible_collections.fleet.livepatch.plugins.module_utils._store.sqlite import Database, row

# A rollout with one of these is open: the next run takes it up.
OPEN = ("running", "soaking", "waiting", "halted")
ENDED = ("done", "failed", "abandoned")
# What a rollout waits for that leaves a wave to slices, jobs that each have a part of the hosts (``detail["for"]``)
SLICES = "slices"
# Who halts a scope when one of them finds that too much went wrong
SLICE = "a slice"
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

    @property
    def changed(self) -> bool:
        """Whether a call has changed anything; a lease's sign of life counts."""
        return self._database.changed

    #
    # The lease
    #

    def take(self, scope: str, owner: Dict[str, Any], ttl: float, takeover: Optional[int] = None) -> Dict[str, Any]:
        """Takes the lease of a scope, if it is free, has run out, or is the one that is to be taken over.

        :param ttl: seconds without a sign of life after which somebody else may take it.
        :param takeover: the fencing number of a holder that is known to have ended.
        :returns: its number, the open rollout, and what speaks against going on with that.
        :raises Leased: somebody else has it.
        """
        with self._database.writing() as connection:
            # Not before: the wait for others that write is not to count against the lease.
            now = self._now()
            before = self._insist_on_nobody(connection, scope, takeover)
            fence = self._next_fence(connection, now)
            self._hold(connection, scope, fence, owner, now, ttl)
            open_ = _open(connection, scope)
            if open_ is not None:
                told = {"what": "taken", "owner": owner, "fence": fence, "from": before}
                _add(connection, open_["id"], "event", None, now, told)
            return {
                "fence": fence,
                "rollout": None if open_ is None else _whole(connection, open_),
                "halt": _halt(connection, scope),
                "quarantine": _quarantine(connection, False),
                "approvals": [] if open_ is None else _approvals(connection, open_["plan_hash"]),
            }

    def _insist_on_nobody(self, connection: Any, scope: str, takeover: Optional[int]) -> Optional[Dict[str, Any]]:
        """That nobody has the lease, but for whoever is taken over from: that one, None where it is free."""
        held = connection.execute("SELECT * FROM leases WHERE scope = ? AND owner IS NOT NULL", (scope,)).fetchone()
        if held is None:
            return None
        owner, until = json.loads(held["owner"]), held["renewed"] + held["ttl"]
        holder = {"fence": held["fence"], "owner": owner, "since": held["since"], "until": until}
        left = until - self._now()
        if takeover == held["fence"] or left < 0:
            return holder
        raise Leased(
            "another rollout of the scope {} runs, by {user} on {machine}, since {:.0f} s".format(
                scope, self._now() - held["since"], **dict({"user": "?", "machine": "?"}, **owner)
            ),
            f"Wait for it, or halt it (playbook halt). Without a sign of life it can be taken over in {left:.0f} s",
            {"holder": holder},
        )

    def renew(self, scope: str, fence: int, rollout: Optional[str] = None) -> Dict[str, Any]:
        """A sign of life; tells whether the scope is halted."""
        with self._database.writing() as connection:
            self._insist(connection, scope, fence, rollout)
            return {"halt": _halt(connection, scope)}

    def join(self, scope: str, owner: Dict[str, Any], ttl: float) -> Dict[str, Any]:
        """Takes part in the wave that the open rollout has left to slices: they hold one lease together.

        :param ttl: seconds without a sign of life of any of them after which somebody else may take it.
        :returns: its number, as which ``member`` this one has joined, and the open rollout; ``member`` is None where no
            wave is left to slices, and ``why``.
        :raises Leased: somebody else has it.
        """
        with self._database.writing() as connection:
            now = self._now()
            open_ = _open(connection, scope)
            why = not_to_join(open_ and _told(open_))
            if why is not None:
                return {"fence": None, "member": None, "rollout": None, "why": why}
            held = connection.execute("SELECT * FROM leases WHERE scope = ?", (scope,)).fetchone()
            members = _members(held)
            if members and held["renewed"] + held["ttl"] >= now:
                fence, since, ttl = held["fence"], held["since"], max(ttl, held["ttl"])
            else:
                self._insist_on_nobody(connection, scope, None)
                members, fence, since = {}, self._next_fence(connection, now), now
            member = uuid.uuid4().hex
            members[member] = owner
            self._hold(connection, scope, fence, _together(members), since, ttl)
            _add(connection, open_["id"], "event", None, now, {"what": "joined", "owner": owner, "fence": fence})
            return {"fence": fence, "member": member, "rollout": _whole(connection, open_), "why": ""}

    def leave(self, scope: str, fence: int, member: str) -> None:
        """Ends the part that a slice takes in a wave: the last one gives the lease back."""
        with self._database.writing() as connection:
            self._insist(connection, scope, fence)
            held = connection.execute("SELECT owner FROM leases WHERE scope = ?", (scope,)).fetchone()
            members = {name: owner for name, owner in _members(held).items() if name != member}
            left = json.dumps(_together(members), sort_keys=True) if members else None
            connection.execute("UPDATE leases SET owner = ? WHERE scope = ?", (left, scope))

    def _next_fence(self, connection: Any, now: float) -> int:
        highest = connection.execute("SELECT MAX(fence) FROM leases").fetchone()[0] or 0
        # By the clock, so that a store that was lost and is made anew does not go back: hosts refuse lower numbers.
        return max(highest + 1, int(now))

    def _hold(self, connection: Any, scope: str, fence: int, owner: Dict[str, Any], since: float, ttl: float) -> None:
        connection.execute(
            "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?)",
            (scope, fence, json.dumps(owner, sort_keys=True), since, self._now(), ttl),
        )

    def release(self, scope: str, fence: int) -> None:
        with self._database.writing() as connection:
            self._insist(connection, scope, fence)
            # The number stays: the next one is higher.
            connection.execute("UPDATE leases SET owner = NULL WHERE scope = ?", (scope,))

    def _insist(self, connection: Any, scope: str, fence: int, rollout: Optional[str] = None) -> None:
        """That the lease is still this one, and the rollout one of the scope; gives a sign of life."""
        held = connection.execute("SELECT * FROM leases WHERE scope = ?", (scope,)).fetchone()
        if held is None or held["owner"] is None or held["fence"] != fence:
            raise LeaseLost(
                f"the lease of the scope {scope} is not this run's any more (number {fence})",
                "Another run has taken the rollout over: leave it to that one",
                {"lost": True},
            )
        known = connection.execute("SELECT 1 FROM rollouts WHERE id = ? AND scope = ?", (rollout, scope)).fetchone()
        if rollout is not None and known is None:
            raise BadOption(f"the scope {scope} has no rollout {rollout}")
        connection.execute("UPDATE leases SET renewed = ? WHERE scope = ?", (self._now(), scope))

    #
    # Plans and rollouts
    #

    def save_plan(self, scope: str, document: Dict[str, Any]) -> None:
        """Keeps a plan, for good: one with the same hash is the same."""
        _insist_on_having(document, "a plan", "hash")
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
            raise NoSuchPlan(f"there is no plan {hash}", "Make one (playbook plan), and give the hash that it prints")
        return dict(json.loads(found["document"]))

    def last_plan(self, scope: str) -> Optional[Dict[str, Any]]:
        """The plan that was saved last, ``document``, and when, ``saved``; None where the scope has none."""
        with self._database.reading() as connection:
            found = connection.execute(
                "SELECT saved, document FROM plans WHERE scope = ? ORDER BY saved DESC, rowid DESC LIMIT 1", (scope,)
            ).fetchone()
        return found and {"saved": found["saved"], "document": json.loads(found["document"])}

    def start(self, scope: str, fence: int, plan_hash: str, settings: Dict[str, Any]) -> str:
        """A new rollout of a plan; its ID."""
        identity = uuid.uuid4().hex
        with self._database.writing() as connection:
            self._insist(connection, scope, fence)
            _insist_on_no_other(connection, scope, identity)
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
            self._insist(connection, scope, fence, rollout)
            if status in OPEN:
                _insist_on_no_other(connection, scope, rollout)
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
        """StoreClient that apply begins on these hosts, unless the scope is halted: ``go`` tells, ``why`` not."""
        now = self._now()
        with self._database.writing() as connection:
            self._insist(connection, scope, fence, rollout)
            halt = _halt(connection, scope)
            if halt is not None:
                return {"go": False, "halt": halt, "why": "halted by {by}: {reason}".format(**halt)}
            connection.executemany(
                "INSERT OR REPLACE INTO outcomes VALUES (?1, ?2, ?3, "
                "(SELECT cohort FROM outcomes WHERE rollout = ?1 AND host = ?2), ?4, ?5, '{}')",
                [(rollout, host, wave, BEGUN, now) for host in hosts],
            )
            _add(connection, rollout, "event", wave, now, {"what": "begin", "hosts": len(hosts)})
            return {"go": True, "halt": None, "why": ""}

    def tried(self, scope: str, fence: int, rollout: str, hosts: Sequence[str]) -> List[str]:
        """On which of these hosts what was planned for them was tried, whatever came of it."""
        with self._database.writing() as connection:
            self._insist(connection, scope, fence, rollout)
            found = connection.execute(
                "SELECT host FROM outcomes WHERE rollout = ? AND outcome NOT IN ('begun', 'pending', 'skipped')",
                (rollout,),
            )
            ended = {one["host"] for one in found}
        return [name for name in hosts if name in ended]

    def results(
        self, scope: str, fence: int, rollout: str, outcomes: Sequence[Dict[str, Any]], wave: Optional[int] = None
    ) -> Dict[str, Any]:
        """StoreClient what became of hosts.

        :param outcomes: of each ``host``, ``outcome``, ``cohort``, and what else is to be kept.
        :param wave: None keeps what is recorded, as no ``cohort`` does.
        :returns: how many hosts have come to each outcome, of the rollout, of each wave and of each cohort.
        """
        now = self._now()
        with self._database.writing() as connection:
            self._insist(connection, scope, fence, rollout)
            for told in outcomes:
                _insist_on_having(told, "an outcome", "host", "outcome")
                connection.execute(
                    "INSERT OR REPLACE INTO outcomes VALUES (?1, ?2, "
                    "COALESCE(?3, (SELECT wave FROM outcomes WHERE rollout = ?1 AND host = ?2)), "
                    "COALESCE(?4, (SELECT cohort FROM outcomes WHERE rollout = ?1 AND host = ?2)), ?5, ?6, ?7)",
                    (rollout, told["host"], wave, told.get("cohort"), told["outcome"], now, json.dumps(told)),
                )
            return _totals(connection, rollout)

    def gate(self, scope: str, fence: int, rollout: str, wave: int, record: Dict[str, Any]) -> None:
        """Adds what a gate has measured and judged."""
        with self._database.writing() as connection:
            self._insist(connection, scope, fence, rollout)
            _add(connection, rollout, "gate", wave, self._now(), record)

    def event(self, scope: str, fence: int, rollout: str, kind: str, data: Dict[str, Any]) -> None:
        """Adds something that happened."""
        with self._database.writing() as connection:
            self._insist(connection, scope, fence, rollout)
            _add(connection, rollout, "event", None, self._now(), dict(data, what=kind))

    def show(self, scope: str) -> Dict[str, Any]:
        """The open rollout, or else the last one, and what else is known of the scope."""
        with self._database.reading() as connection:
            found = connection.execute(
                "SELECT * FROM rollouts WHERE scope = ? ORDER BY ended IS NOT NULL, started DESC, rowid DESC LIMIT 1",
                (scope,),
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

    def halt(self, scope: Optional[str], reason: str, by: str, under_way: Optional[str] = None) -> Dict[str, Any]:
        """Halts a scope, or with None all of them. Halted twice, the first reason stays.

        :param under_way: only where a rollout of this scope is under way; ``halted`` of what is returned tells.
        """
        with self._database.writing() as connection:
            if under_way is not None and not _is_under_way(connection, under_way):
                return {"changed": False, "halted": False}
            cursor = connection.execute(
                "INSERT OR IGNORE INTO halts VALUES (?, ?, ?, ?)", (_halted(scope), reason, by, self._now())
            )
            if cursor.rowcount > 0:
                self._tell(connection, scope, {"what": "halt", "reason": reason, "by": by})
            return {"changed": cursor.rowcount > 0, "halted": True}

    def unhalt(self, scope: Optional[str], by: str) -> Dict[str, Any]:
        """Takes a halt back: that of a scope, or with None that of all of them, which is one of its own."""
        with self._database.writing() as connection:
            cursor = connection.execute("DELETE FROM halts WHERE scope = ?", (_halted(scope),))
            if cursor.rowcount > 0:
                self._tell(connection, scope, {"what": "unhalt", "by": by})
            return {"changed": cursor.rowcount > 0}

    def _tell(self, connection: Any, scope: Optional[str], told: Dict[str, Any]) -> None:
        """Adds an event to the open rollout of a scope, or to all that are open."""
        found = connection.execute(
            "SELECT id FROM rollouts WHERE ended IS NULL AND scope = COALESCE(?, scope)", (scope,)
        ).fetchall()
        for one in found:
            _add(connection, one["id"], "event", None, self._now(), told)

    def halted(self, scope: str) -> Optional[Dict[str, Any]]:
        """Why nothing may start in a scope, None where it may."""
        with self._database.reading() as connection:
            return _halt(connection, scope)

    def approve(
        self, hash: str, wave: Optional[int], who: str, expires: Optional[float] = None, granted: bool = True
    ) -> None:
        """StoreClient an approval of one wave of a plan, or of all its waves, or that it is refused."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO approvals (hash, wave, who, at, expires, granted) VALUES (?, ?, ?, ?, ?, ?)",
                (hash, wave, who, self._now(), expires, int(granted)),
            )

    def approvals(self, hash: str) -> List[Dict[str, Any]]:
        with self._database.reading() as connection:
            return _approvals(connection, hash)

    def quarantine_add(self, entries: Sequence[Dict[str, Any]]) -> int:
        """Bars a ``kmp`` in a ``cohort`` (None: everywhere), or a ``host``; how many of the entries are new."""
        added = 0
        with self._database.writing() as connection:
            for entry in entries:
                _insist_on_having(entry, "an entry of the quarantine", "reason")
                what = (entry.get("kmp"), entry.get("cohort"), entry.get("host"))
                if what == (None, None, None):
                    raise BadOption("an entry of the quarantine names nothing", "Give it a kmp, a cohort or a host")
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
        now = self._now()
        with self._database.writing() as connection:
            found = connection.execute(
                f"SELECT * FROM quarantine WHERE cleared IS NULL AND {where} ORDER BY id", tuple(given.values())
            ).fetchall()
            connection.executemany(
                "UPDATE quarantine SET cleared = ?, cleared_by = ?, cleared_reason = ? WHERE id = ?",
                [(now, by, reason, one["id"]) for one in found],
            )
        return [dict(row(one), cleared=now, cleared_by=by, cleared_reason=reason) for one in found]

    def quarantine_list(self, cleared: bool = False) -> List[Dict[str, Any]]:
        with self._database.reading() as connection:
            return _quarantine(connection, cleared)


def _open(connection: Any, scope: str) -> Any:
    return connection.execute("SELECT * FROM rollouts WHERE scope = ? AND ended IS NULL", (scope,)).fetchone()


def _is_under_way(connection: Any, scope: str) -> bool:
    """Whether a rollout that is open runs, or has hosts that are still to be judged.

    One that only waits for its first window or approval is not: to halt that would stop what nobody has seen go wrong.
    """
    open_ = _open(connection, scope)
    if open_ is None:
        return False
    begun = connection.execute(
        "SELECT 1 FROM outcomes WHERE rollout = ? AND wave IS NOT NULL LIMIT 1", (open_["id"],)
    ).fetchone()
    return open_["status"] == "running" or begun is not None


def _insist_on_no_other(connection: Any, scope: str, rollout: str) -> None:
    open_ = _open(connection, scope)
    if open_ is not None and open_["id"] != rollout:
        raise BadOption(
            f"a rollout of the scope {scope} is open already ({open_['id']})", "Run it to its end, or give it up"
        )


def _insist_on_having(given: Any, what: str, *names: str) -> None:
    lacking = [name for name in names if not isinstance(given, dict) or given.get(name) is None]
    if lacking:
        raise BadOption("{} has no {}: {}".format(what, " and no ".join(lacking), given))


def _halted(scope: Optional[str]) -> str:
    """As what the halt of a scope, or of all of them, is kept."""
    return "*" if scope is None else scope


def _halt(connection: Any, scope: str) -> Optional[Dict[str, Any]]:
    found = connection.execute(
        "SELECT * FROM halts WHERE scope IN (?, '*') ORDER BY scope LIMIT 1", (scope,)
    ).fetchone()
    if found is not None:
        return row(found)
    open_ = _open(connection, scope)
    if open_ is None or not left_to_slices(_told(open_), "halted"):
        return None
    # What went wrong in one slice stops the others; the next run of the rollout judges the wave, and ends that.
    detail = _told(open_)["detail"]
    return {"scope": scope, "reason": detail["text"], "by": SLICE, "since": detail["at"]}


def left_to_slices(rollout: Mapping[str, Any], status: str) -> bool:
    """Whether a rollout has come to a wave that slices do, and that is its status."""
    return bool(rollout["status"] == status and rollout["detail"].get("for") == SLICES)


def not_to_join(rollout: Optional[Mapping[str, Any]]) -> Optional[str]:
    """Why slices have nothing to do in the open rollout, None where they have."""
    if rollout is None:
        return "no rollout is open"
    return None if left_to_slices(rollout, "waiting") else "the open rollout is {status}".format(**rollout)


def _told(rollout: Any) -> Dict[str, Any]:
    """A rollout's row, with what it waits for or why it has stopped."""
    return dict(row(rollout), detail=json.loads(rollout["detail"]))


def _members(lease: Any) -> Dict[str, Any]:
    """Of a lease that slices hold together, its owners; empty where none is held, or by one run."""
    owner = json.loads(lease["owner"]) if lease is not None and lease["owner"] else {}
    return dict(owner.get("members") or {})


def _together(members: Dict[str, Any]) -> Dict[str, Any]:
    """Members of a lease as its owner, which the first of them is named for."""
    first = next(iter(members.values()))
    return {"user": first.get("user", "?"), "machine": first.get("machine", "?"), "members": members}


def _add(connection: Any, rollout: str, kind: str, wave: Optional[int], at: float, told: Dict[str, Any]) -> None:
    connection.execute(
        "INSERT INTO records (rollout, kind, wave, at, told) VALUES (?, ?, ?, ?, ?)",
        (rollout, kind, wave, at, json.dumps(told)),
    )


def _totals(connection: Any, rollout: str) -> Dict[str, Any]:
    told: Dict[str, Any] = {"rollout": {}, "waves": {}, "cohorts": {}}
    for wave, cohort, outcome, count in connection.execute(
        "SELECT wave, cohort, outcome, COUNT(*) FROM outcomes WHERE rollout = ? GROUP BY wave, cohort, outcome",
        (rollout,),
    ):
        counted = [told["rollout"]]
        if wave is not None:
            # JSON has no other keys than text.
            counted.append(told["waves"].setdefault(str(wave), {}))
        if cohort is not None:
            counted.append(told["cohorts"].setdefault(cohort, {}))
        for counts in counted:
            counts[outcome] = counts.get(outcome, 0) + count
    return told


def _approvals(connection: Any, hash: str) -> List[Dict[str, Any]]:
    found = connection.execute("SELECT * FROM approvals WHERE hash = ? ORDER BY id", (hash,))
    return [dict(row(one), granted=bool(one["granted"])) for one in found]


def _quarantine(connection: Any, cleared: bool) -> List[Dict[str, Any]]:
    where = "" if cleared else "WHERE cleared IS NULL"
    return [row(one) for one in connection.execute(f"SELECT * FROM quarantine {where} ORDER BY id")]


def _whole(connection: Any, rollout: Any) -> Dict[str, Any]:
    """A rollout with what became of its hosts, and its records."""
    outcomes = {
        one["host"]: dict(
            json.loads(one["told"]), outcome=one["outcome"], wave=one["wave"], cohort=one["cohort"], at=one["at"]
        )
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
        _told(rollout),
        settings=json.loads(rollout["settings"]),
        outcomes=outcomes,
        gates=told["gate"],
        events=told["event"],
    )
