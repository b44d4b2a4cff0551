# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables of the store, and how those of earlier versions become these. PRIVATE to the collection: it may change at
any time.
"""

from typing import Any

from ansible_collections.fleet.livepatch.plugins.module_utils._store import plan_rows

# The version of the tables below
SCHEMA = 7
# The earliest one that is migrated
OLDEST = 3
# What version 4 brought. A plan is kept once: what all steps need of it as a document, and a row for each host.
_PLANS = """
CREATE TABLE plans (hash TEXT PRIMARY KEY, scope TEXT NOT NULL, saved REAL NOT NULL, saved_by TEXT NOT NULL,
    outline TEXT NOT NULL, left_out TEXT NOT NULL);
CREATE TABLE planned_hosts (plan_hash TEXT NOT NULL, host TEXT NOT NULL, wave INTEGER NOT NULL,
    position INTEGER NOT NULL, cohort TEXT NOT NULL, payload TEXT NOT NULL, PRIMARY KEY (plan_hash, host));
CREATE INDEX hosts_of_wave ON planned_hosts (plan_hash, wave, position);
CREATE INDEX hosts_of_cohort ON planned_hosts (plan_hash, cohort);
CREATE INDEX outcomes_counted ON outcomes (rollout, wave, cohort, outcome);
"""
# As version 6 has them: what a run was begun with, hosts' settings among it, and which batch each host is in. Stores of
# version 5 were made with these tables, and before that without the settings.
_RUNS = """
CREATE TABLE runs (id TEXT PRIMARY KEY, scope TEXT NOT NULL, fence INTEGER, rollout TEXT, plan_hash TEXT NOT NULL,
    payload TEXT NOT NULL);
CREATE TABLE run_batches (run TEXT NOT NULL, number INTEGER NOT NULL, payload TEXT NOT NULL,
    PRIMARY KEY (run, number));
CREATE TABLE run_settings (run TEXT NOT NULL, number INTEGER NOT NULL, payload TEXT NOT NULL,
    PRIMARY KEY (run, number));
CREATE TABLE run_hosts (run TEXT NOT NULL, host TEXT NOT NULL, batch INTEGER, settings INTEGER NOT NULL,
    PRIMARY KEY (run, host));
"""
# What version 6 brought: how many outcomes there are of each kind, so that a batch's gate need not count all of them.
_COUNTS = """
CREATE TABLE outcome_counts (rollout TEXT NOT NULL, wave INTEGER, cohort TEXT, outcome TEXT NOT NULL,
    hosts INTEGER NOT NULL);
CREATE INDEX counts_of_rollout ON outcome_counts (rollout, wave, cohort, outcome);
"""
# What version 7 brought: the settings that a plan and an open rollout keep, by the plan's hash and the rollout's ID. An
# earlier rollout has none but those that are in its plan.
_CONTROLS = """
CREATE TABLE controls (subject TEXT PRIMARY KEY, version INTEGER NOT NULL, payload TEXT NOT NULL);
"""
_COUNT_ALL = """
INSERT INTO outcome_counts SELECT rollout, wave, cohort, outcome, COUNT(*) FROM outcomes GROUP BY 1, 2, 3, 4;
"""
# What version 3 had a plan in. Those that no run needs stay in it until one does: to split all of them takes long.
_WHOLE_PLANS = """
CREATE TABLE whole_plans (hash TEXT PRIMARY KEY, scope TEXT NOT NULL, saved REAL NOT NULL, document TEXT NOT NULL,
    saved_by TEXT NOT NULL);
"""
# What version 5 brought: what a step reads, and what retention removes, is found by an index.
_INDEXES = """
CREATE INDEX rollouts_of_scope ON rollouts (scope, started);
CREATE INDEX rollouts_of_plan ON rollouts (plan_hash);
CREATE INDEX plans_of_scope ON plans (scope, saved);
CREATE INDEX whole_plans_of_scope ON whole_plans (scope, saved);
CREATE INDEX approvals_of_plan ON approvals (plan_hash);
"""
_OTHERS = """
CREATE TABLE leases (scope TEXT PRIMARY KEY, fence INTEGER NOT NULL, owner TEXT, since REAL, renewed REAL, ttl REAL);
CREATE TABLE rollouts (id TEXT PRIMARY KEY, scope TEXT NOT NULL, plan_hash TEXT NOT NULL, status TEXT NOT NULL,
    detail TEXT NOT NULL, started REAL NOT NULL, ended REAL, started_by TEXT NOT NULL);
CREATE UNIQUE INDEX one_open_rollout ON rollouts (scope) WHERE ended IS NULL;
CREATE TABLE outcomes (rollout TEXT NOT NULL, host TEXT NOT NULL, wave INTEGER, cohort TEXT, outcome TEXT NOT NULL,
    created_at REAL NOT NULL, payload TEXT NOT NULL, PRIMARY KEY (rollout, host));
CREATE TABLE rollout_events (number INTEGER PRIMARY KEY, rollout TEXT NOT NULL, kind TEXT NOT NULL, wave INTEGER,
    created_at REAL NOT NULL, payload TEXT NOT NULL);
CREATE INDEX events_of_rollout ON rollout_events (rollout, kind);
CREATE TABLE quarantine (id INTEGER PRIMARY KEY, kmp TEXT, cohort TEXT, host TEXT, reason TEXT NOT NULL, by TEXT,
    since REAL NOT NULL, cleared REAL, cleared_by TEXT, cleared_reason TEXT);
CREATE TABLE approvals (id INTEGER PRIMARY KEY, plan_hash TEXT NOT NULL, wave INTEGER, approver TEXT NOT NULL,
    created_at REAL NOT NULL, expires REAL, granted INTEGER NOT NULL, reason TEXT NOT NULL);
CREATE TABLE halts (scope TEXT PRIMARY KEY, reason TEXT NOT NULL, by TEXT, since REAL NOT NULL);
"""


def read_version(connection: Any) -> int:
    """That of the tables in a file, 0 where it has none."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def create_tables(connection: Any) -> None:
    """In the transaction that is open."""
    _execute(connection, _OTHERS + _PLANS + _RUNS + _WHOLE_PLANS + _INDEXES + _COUNTS + _CONTROLS)


def migrate(connection: Any) -> None:
    """Makes the tables of an earlier version those of this one, in the transaction that is open; nothing where another
    process has done so meanwhile.
    """
    version = read_version(connection)
    if version == 3:
        connection.execute("ALTER TABLE plans RENAME TO whole_plans")
        _execute(connection, _PLANS + _RUNS + _INDEXES + _COUNTS + _COUNT_ALL + _CONTROLS)
        _split_plans(connection)
    elif version in (4, 5, 6):
        # A run ends with the version of the collection that has begun it. The rollout does not: the next run goes on.
        for table in ("runs", "run_batches", "run_hosts", "run_settings"):
            connection.execute(f"DROP TABLE IF EXISTS {table}")
        added = _WHOLE_PLANS + _INDEXES if version == 4 else ""
        counts = _COUNTS + _COUNT_ALL if version < 6 else ""
        _execute(connection, _RUNS + added + counts + _CONTROLS)


def _split_plans(connection: Any) -> None:
    """Splits the plans that a run may need: those of the open rollouts, and of each scope those of its last rollout and
    its last plan.

    A plan that cannot be read is left as it is, as if it had never been saved: it must keep nothing else from being
    used.
    """
    for (scope,) in connection.execute("SELECT DISTINCT scope FROM whole_plans").fetchall():
        newest_first = connection.execute(
            "SELECT hash FROM whole_plans WHERE scope = ? ORDER BY saved DESC, rowid DESC", (scope,)
        ).fetchall()
        for (plan_hash,) in newest_first:
            if plan_rows.split_plan(connection, plan_hash):
                break
    followed = connection.execute(
        "SELECT plan_hash FROM rollouts AS this WHERE ended IS NULL OR NOT EXISTS "
        "(SELECT 1 FROM rollouts WHERE scope = this.scope AND started > this.started)"
    ).fetchall()
    for (plan_hash,) in followed:
        plan_rows.split_plan(connection, plan_hash)


def _execute(connection: Any, statements: str) -> None:
    # Not executescript, which would commit.
    for statement in statements.split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {SCHEMA}")
