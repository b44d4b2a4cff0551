-- Copyright (c) 2026 fleet.livepatch contributors
-- GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- A store of schema 6, as the code of commit f40e1af made it of one of schema 5, with a run
BEGIN TRANSACTION;
CREATE TABLE approvals (id INTEGER PRIMARY KEY, plan_hash TEXT NOT NULL, wave INTEGER, approver TEXT NOT NULL,
    created_at REAL NOT NULL, expires REAL, granted INTEGER NOT NULL, reason TEXT NOT NULL);
INSERT INTO "approvals" VALUES(1,'h',1,'bob',1016.0,NULL,1,'');
CREATE TABLE halts (scope TEXT PRIMARY KEY, reason TEXT NOT NULL, by TEXT, since REAL NOT NULL);
INSERT INTO "halts" VALUES('s','stop','eve',1018.0);
CREATE TABLE leases (scope TEXT PRIMARY KEY, fence INTEGER NOT NULL, owner TEXT, since REAL, renewed REAL, ttl REAL);
INSERT INTO "leases" VALUES('s',1010,'{"machine": "m", "pid": 1, "user": "eve"}',1010.0,1020.0,50.0);
CREATE TABLE outcome_counts (rollout TEXT NOT NULL, wave INTEGER, cohort TEXT, outcome TEXT NOT NULL,
    hosts INTEGER NOT NULL);
INSERT INTO "outcome_counts" VALUES('00000000000000000000000000000001',0,NULL,'begun',1);
INSERT INTO "outcome_counts" VALUES('00000000000000000000000000000001',0,'a','done',1);
INSERT INTO "outcome_counts" VALUES('00000000000000000000000000000002',0,NULL,'begun',1);
INSERT INTO "outcome_counts" VALUES('00000000000000000000000000000002',0,'a','done',1);
CREATE TABLE outcomes (rollout TEXT NOT NULL, host TEXT NOT NULL, wave INTEGER, cohort TEXT, outcome TEXT NOT NULL,
    created_at REAL NOT NULL, payload TEXT NOT NULL, PRIMARY KEY (rollout, host));
INSERT INTO "outcomes" VALUES('00000000000000000000000000000001','b1',0,NULL,'begun',1004.0,'{}');
INSERT INTO "outcomes" VALUES('00000000000000000000000000000001','a1',0,'a','done',1005.0,'{"host": "a1", "outcome": "done", "cohort": "a", "level": 3}');
INSERT INTO "outcomes" VALUES('00000000000000000000000000000002','b1',0,NULL,'begun',1012.0,'{}');
INSERT INTO "outcomes" VALUES('00000000000000000000000000000002','a1',0,'a','done',1013.0,'{"host": "a1", "outcome": "done", "cohort": "a", "level": 3}');
CREATE TABLE planned_hosts (plan_hash TEXT NOT NULL, host TEXT NOT NULL, wave INTEGER NOT NULL,
    position INTEGER NOT NULL, cohort TEXT NOT NULL, payload TEXT NOT NULL, PRIMARY KEY (plan_hash, host))
    WITHOUT ROWID;
INSERT INTO "planned_hosts" VALUES('h','a1',0,0,'a','{"cohort": "a", "kmp": "k"}');
INSERT INTO "planned_hosts" VALUES('h','a2',1,1,'a','{"cohort": "a", "kmp": "k"}');
INSERT INTO "planned_hosts" VALUES('h','a3',1,2,'a','{"cohort": "a", "kmp": "k"}');
INSERT INTO "planned_hosts" VALUES('h','b1',0,1,'b','{"cohort": "b", "kmp": "k"}');
INSERT INTO "planned_hosts" VALUES('h','b2',1,0,'b','{"cohort": "b", "kmp": "k"}');
INSERT INTO "planned_hosts" VALUES('i','a1',0,0,'a','{"cohort": "a", "kmp": "k"}');
INSERT INTO "planned_hosts" VALUES('i','a2',1,1,'a','{"cohort": "a", "kmp": "k"}');
INSERT INTO "planned_hosts" VALUES('i','a3',1,2,'a','{"cohort": "a", "kmp": "k"}');
INSERT INTO "planned_hosts" VALUES('i','b1',0,1,'b','{"cohort": "b", "kmp": "k"}');
INSERT INTO "planned_hosts" VALUES('i','b2',1,0,'b','{"cohort": "b", "kmp": "k"}');
INSERT INTO "planned_hosts" VALUES('old','a1',0,0,'a','{"cohort": "a", "kmp": "k"}');
INSERT INTO "planned_hosts" VALUES('old','a2',1,1,'a','{"cohort": "a", "kmp": "k"}');
INSERT INTO "planned_hosts" VALUES('old','a3',1,2,'a','{"cohort": "a", "kmp": "k"}');
INSERT INTO "planned_hosts" VALUES('old','b1',0,1,'b','{"cohort": "b", "kmp": "k"}');
INSERT INTO "planned_hosts" VALUES('old','b2',1,0,'b','{"cohort": "b", "kmp": "k"}');
CREATE TABLE plans (hash TEXT PRIMARY KEY, scope TEXT NOT NULL, saved REAL NOT NULL, saved_by TEXT NOT NULL,
    outline TEXT NOT NULL, left_out TEXT NOT NULL);
INSERT INTO "plans" VALUES('old','s',1001.0,'eve','{"schema": 1, "settings": {"max_in_flight": 2}, "cohorts": [{"id": "a", "hosts": 3}, {"id": "b", "hosts": 2}], "waves": [{"kind": "canaries", "hosts": 2}, {"kind": "wave", "hosts": 3}], "hash": "old"}','{"c1": "patched"}');
INSERT INTO "plans" VALUES('h','s',1009.0,'eve','{"schema": 1, "settings": {"max_in_flight": 2}, "cohorts": [{"id": "a", "hosts": 3}, {"id": "b", "hosts": 2}], "waves": [{"kind": "canaries", "hosts": 2}, {"kind": "wave", "hosts": 3}], "hash": "h"}','{"c1": "patched"}');
INSERT INTO "plans" VALUES('i','s',1015.0,'eve','{"schema": 1, "settings": {"max_in_flight": 2}, "cohorts": [{"id": "a", "hosts": 3}, {"id": "b", "hosts": 2}], "waves": [{"kind": "canaries", "hosts": 2}, {"kind": "wave", "hosts": 3}], "hash": "i"}','{"c1": "patched"}');
CREATE TABLE quarantine (id INTEGER PRIMARY KEY, kmp TEXT, cohort TEXT, host TEXT, reason TEXT NOT NULL, by TEXT,
    since REAL NOT NULL, cleared REAL, cleared_by TEXT, cleared_reason TEXT);
INSERT INTO "quarantine" VALUES(1,'k','t',NULL,'oops','eve',1017.0,NULL,NULL,NULL);
CREATE TABLE rollout_events (number INTEGER PRIMARY KEY, rollout TEXT NOT NULL, kind TEXT NOT NULL, wave INTEGER,
    created_at REAL NOT NULL, payload TEXT NOT NULL);
INSERT INTO "rollout_events" VALUES(1,'00000000000000000000000000000001','event',0,1004.0,'{"what": "begin", "hosts": 2}');
INSERT INTO "rollout_events" VALUES(2,'00000000000000000000000000000001','gate',0,1006.0,'{"of": "hosts", "verdict": "pass", "text": "fine"}');
INSERT INTO "rollout_events" VALUES(3,'00000000000000000000000000000001','event',NULL,1007.0,'{"what": "done"}');
INSERT INTO "rollout_events" VALUES(4,'00000000000000000000000000000002','event',0,1012.0,'{"what": "begin", "hosts": 2}');
INSERT INTO "rollout_events" VALUES(5,'00000000000000000000000000000002','gate',0,1014.0,'{"of": "hosts", "verdict": "pass", "text": "fine"}');
INSERT INTO "rollout_events" VALUES(6,'00000000000000000000000000000002','event',NULL,1018.0,'{"what": "halt", "reason": "stop", "by": "eve"}');
CREATE TABLE rollouts (id TEXT PRIMARY KEY, scope TEXT NOT NULL, plan_hash TEXT NOT NULL, status TEXT NOT NULL,
    detail TEXT NOT NULL, started REAL NOT NULL, ended REAL, started_by TEXT NOT NULL);
INSERT INTO "rollouts" VALUES('00000000000000000000000000000001','s','old','done','{}',1003.0,1007.0,'eve');
INSERT INTO "rollouts" VALUES('00000000000000000000000000000002','s','h','running','{}',1011.0,NULL,'eve');
CREATE TABLE run_batches (run TEXT NOT NULL, number INTEGER NOT NULL, payload TEXT NOT NULL,
    PRIMARY KEY (run, number));
INSERT INTO "run_batches" VALUES('run',0,'{"wave": 0, "hosts": ["a1", "b1"]}');
INSERT INTO "run_batches" VALUES('run',1,'{"wave": 1, "hosts": ["b2", "a2", "a3"]}');
CREATE TABLE run_hosts (run TEXT NOT NULL, host TEXT NOT NULL, batch INTEGER, settings INTEGER NOT NULL,
    PRIMARY KEY (run, host));
INSERT INTO "run_hosts" VALUES('run','a1',0,0);
INSERT INTO "run_hosts" VALUES('run','b1',0,0);
INSERT INTO "run_hosts" VALUES('run','b2',1,0);
INSERT INTO "run_hosts" VALUES('run','a2',1,0);
INSERT INTO "run_hosts" VALUES('run','a3',1,0);
CREATE TABLE run_settings (run TEXT NOT NULL, number INTEGER NOT NULL, payload TEXT NOT NULL,
    PRIMARY KEY (run, number));
INSERT INTO "run_settings" VALUES('run',0,'{"timeout": 5}');
CREATE TABLE runs (id TEXT PRIMARY KEY, scope TEXT NOT NULL, fence INTEGER, rollout TEXT, plan_hash TEXT NOT NULL,
    payload TEXT NOT NULL);
INSERT INTO "runs" VALUES('run','s',1010,'00000000000000000000000000000002','h','{}');
CREATE TABLE whole_plans (hash TEXT PRIMARY KEY, scope TEXT NOT NULL, saved REAL NOT NULL, document TEXT NOT NULL,
    saved_by TEXT NOT NULL);
CREATE UNIQUE INDEX one_open_rollout ON rollouts (scope) WHERE ended IS NULL;
CREATE INDEX events_of_rollout ON rollout_events (rollout, kind);
CREATE INDEX hosts_of_wave ON planned_hosts (plan_hash, wave, position);
CREATE INDEX hosts_of_cohort ON planned_hosts (plan_hash, cohort);
CREATE INDEX outcomes_counted ON outcomes (rollout, wave, cohort, outcome);
CREATE INDEX rollouts_of_scope ON rollouts (scope, started);
CREATE INDEX rollouts_of_plan ON rollouts (plan_hash);
CREATE INDEX plans_of_scope ON plans (scope, saved);
CREATE INDEX whole_plans_of_scope ON whole_plans (scope, saved);
CREATE INDEX approvals_of_plan ON approvals (plan_hash);
CREATE INDEX counts_of_rollout ON outcome_counts (rollout, wave, cohort, outcome);
COMMIT;
PRAGMA user_version = 6;
