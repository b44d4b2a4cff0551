-- Copyright (c) 2026 fleet.livepatch contributors
-- GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- A store of schema 1, as the code of commit a8aa07e made it
BEGIN TRANSACTION;
CREATE TABLE approvals (id INTEGER PRIMARY KEY, hash TEXT NOT NULL, wave INTEGER, who TEXT NOT NULL, at REAL NOT NULL,
    expires REAL, granted INTEGER NOT NULL);
INSERT INTO "approvals" VALUES(1,'h',1,'bob',1027.0,NULL,1);
CREATE TABLE halts (scope TEXT PRIMARY KEY, reason TEXT NOT NULL, by TEXT, since REAL NOT NULL);
INSERT INTO "halts" VALUES('s','stop','eve',1029.0);
CREATE TABLE leases (scope TEXT PRIMARY KEY, fence INTEGER NOT NULL, owner TEXT, since REAL, renewed REAL, ttl REAL);
INSERT INTO "leases" VALUES('s',1016,'{"machine": "m", "pid": 1, "user": "eve"}',1016.0,1024.0,50.0);
CREATE TABLE outcomes (rollout TEXT NOT NULL, host TEXT NOT NULL, wave INTEGER, cohort TEXT, outcome TEXT NOT NULL,
    at REAL NOT NULL, told TEXT NOT NULL, PRIMARY KEY (rollout, host));
INSERT INTO "outcomes" VALUES('00000000000000000000000000000001','b1',0,NULL,'begun',1006.0,'{}');
INSERT INTO "outcomes" VALUES('00000000000000000000000000000001','a1',0,'a','done',1008.0,'{"host": "a1", "outcome": "done", "cohort": "a", "level": 3}');
INSERT INTO "outcomes" VALUES('00000000000000000000000000000002','b1',0,NULL,'begun',1020.0,'{}');
INSERT INTO "outcomes" VALUES('00000000000000000000000000000002','a1',0,'a','done',1022.0,'{"host": "a1", "outcome": "done", "cohort": "a", "level": 3}');
CREATE TABLE plans (hash TEXT PRIMARY KEY, scope TEXT NOT NULL, saved REAL NOT NULL, document TEXT NOT NULL);
INSERT INTO "plans" VALUES('old','s',1001.0,'{"cohorts": [{"hosts": 3, "id": "a"}, {"hosts": 2, "id": "b"}], "hash": "old", "hosts": {"a1": {"cohort": "a", "kmp": "k"}, "a2": {"cohort": "a", "kmp": "k"}, "a3": {"cohort": "a", "kmp": "k"}, "b1": {"cohort": "b", "kmp": "k"}, "b2": {"cohort": "b", "kmp": "k"}}, "left_out": {"c1": "patched"}, "schema": 1, "settings": {"max_in_flight": 2}, "waves": [{"hosts": ["a1", "b1"], "kind": "canaries"}, {"hosts": ["b2", "a2", "a3"], "kind": "wave"}]}');
INSERT INTO "plans" VALUES('h','s',1015.0,'{"cohorts": [{"hosts": 3, "id": "a"}, {"hosts": 2, "id": "b"}], "hash": "h", "hosts": {"a1": {"cohort": "a", "kmp": "k"}, "a2": {"cohort": "a", "kmp": "k"}, "a3": {"cohort": "a", "kmp": "k"}, "b1": {"cohort": "b", "kmp": "k"}, "b2": {"cohort": "b", "kmp": "k"}}, "left_out": {"c1": "patched"}, "schema": 1, "settings": {"max_in_flight": 2}, "waves": [{"hosts": ["a1", "b1"], "kind": "canaries"}, {"hosts": ["b2", "a2", "a3"], "kind": "wave"}]}');
INSERT INTO "plans" VALUES('i','s',1026.0,'{"cohorts": [{"hosts": 3, "id": "a"}, {"hosts": 2, "id": "b"}], "hash": "i", "hosts": {"a1": {"cohort": "a", "kmp": "k"}, "a2": {"cohort": "a", "kmp": "k"}, "a3": {"cohort": "a", "kmp": "k"}, "b1": {"cohort": "b", "kmp": "k"}, "b2": {"cohort": "b", "kmp": "k"}}, "left_out": {"c1": "patched"}, "schema": 1, "settings": {"max_in_flight": 2}, "waves": [{"hosts": ["a1", "b1"], "kind": "canaries"}, {"hosts": ["b2", "a2", "a3"], "kind": "wave"}]}');
CREATE TABLE quarantine (id INTEGER PRIMARY KEY, kmp TEXT, cohort TEXT, host TEXT, reason TEXT NOT NULL, by TEXT,
    since REAL NOT NULL, cleared REAL, cleared_by TEXT, cleared_reason TEXT);
INSERT INTO "quarantine" VALUES(1,'k','t',NULL,'oops','eve',1028.0,NULL,NULL,NULL);
CREATE TABLE records (number INTEGER PRIMARY KEY, rollout TEXT NOT NULL, kind TEXT NOT NULL, wave INTEGER, at REAL NOT
NULL, told TEXT NOT NULL);
INSERT INTO "records" VALUES(1,'00000000000000000000000000000001','event',0,1006.0,'{"what": "begin", "hosts": 2}');
INSERT INTO "records" VALUES(2,'00000000000000000000000000000001','gate',0,1011.0,'{"of": "hosts", "verdict": "pass", "text": "fine"}');
INSERT INTO "records" VALUES(3,'00000000000000000000000000000001','event',NULL,1012.0,'{"what": "done"}');
INSERT INTO "records" VALUES(4,'00000000000000000000000000000002','event',0,1020.0,'{"what": "begin", "hosts": 2}');
INSERT INTO "records" VALUES(5,'00000000000000000000000000000002','gate',0,1025.0,'{"of": "hosts", "verdict": "pass", "text": "fine"}');
INSERT INTO "records" VALUES(6,'00000000000000000000000000000002','event',NULL,1030.0,'{"what": "halt", "reason": "stop", "by": "eve"}');
CREATE TABLE rollouts (id TEXT PRIMARY KEY, scope TEXT NOT NULL, plan_hash TEXT NOT NULL, settings TEXT NOT NULL,
    status TEXT NOT NULL, detail TEXT NOT NULL, started REAL NOT NULL, ended REAL);
INSERT INTO "rollouts" VALUES('00000000000000000000000000000001','s','old','{}','done','{}',1005.0,1012.0);
INSERT INTO "rollouts" VALUES('00000000000000000000000000000002','s','h','{}','running','{}',1019.0,NULL);
CREATE UNIQUE INDEX one_open_rollout ON rollouts (scope) WHERE ended IS NULL;
CREATE INDEX records_of_rollout ON records (rollout, kind);
COMMIT;
PRAGMA user_version = 1;
