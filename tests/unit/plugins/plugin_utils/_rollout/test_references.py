# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What operators name is one known thing, or refused with the nearest."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._store.dispatch import Store
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import references
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.references import KnownCohort
from tests.support.store import empty_plan

K3, K2 = "kernel-livepatch-6_4_0-1-default-3-1.2", "kernel-livepatch-6_4_0-1-default-2-1.2"
OTHER = "kernel-livepatch-6_4_0-9-default-3-1.2"
KPATCH = "kpatch-patch-5_14_0-70-1-4.el9"
PLANS = [{"hash": digits * 32, "scope": "web", "saved": 1.8e9} for digits in ("ab", "cd")]
PLANS.append({"hash": "ab" * 31 + "00", "scope": "db", "saved": 1.8e9})
COHORTS = [
    KnownCohort("aaaa00000001", "ffff00000001", K3, "6.4.0-1-default"),
    KnownCohort("aaaa00000002", "ffff00000001", K3, "6.4.0-1-default"),
    KnownCohort("bbbb00000003", "ffff00000003", OTHER, "6.4.0-9-default"),
]


def find_plans(prefix: str) -> list[dict[str, t.Any]]:
    return [plan for plan in PLANS if str(plan["hash"]).startswith(prefix)]


@pytest.mark.parametrize(("text", "plan"), [("cd" * 32, 1), ("cd" * 6, 1), ("cdcdcdcd", 1), ("ab" * 31 + "00", 2)])
def test_a_plan_is_named_by_its_first_digits(text: str, plan: int) -> None:
    assert references.resolve_plan("s", text, find_plans) == PLANS[plan]["hash"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cdcdcdc", "to its first 8 or more digits"),
        ("HASH", "set it to what plan or report shows"),
        ("cd" * 33, "set it to what plan or report shows"),
        ("abababab", f"begins several hashes: {'ab' * 32} (scope web, 2027-01-15 08:00 UTC), {'ab' * 31}00 (scope db"),
        ("f" * 12, "there is no plan ffffffffffff in this store, the last ones are abababababab (scope web"),
    ],
)
def test_a_hash_of_no_plan_or_of_several_is_refused(text: str, said: str) -> None:
    with pytest.raises(PlanError) as caught:
        references.resolve_plan("livepatch_plan_hash", text, find_plans)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "kmp"),
    [
        (K3, K3),
        (f"{K3}.x86_64", K3),
        (f"{K3}.x86_64.rpm", K3),
        (f"{K3[:-6]}-0:3-1.2.aarch64", K3),
        (f" {K2} ", K2),
        ("2-1.2", K2),
        ("1-4.el9.x86_64", KPATCH),
        ("0:1-4.el9", KPATCH),
    ],
)
def test_a_kmp_is_named_as_rpm_or_a_table_shows_it(text: str, kmp: str) -> None:
    assert references.resolve_kmp("s", text, [K3, K2, OTHER, KPATCH, K3]) == kmp


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("3-1.2", f"which several KMPs have: {K3}, {OTHER}"),
        ("4-1.2", "nothing here has that KMP. Known are "),
        (K3.replace("-3-", "-4-"), f"The nearest: {K3}"),
        ("kernel-livepatch-6_4_0-1-default", "The nearest: "),
        ("1.2", "nothing here has that KMP"),
    ],
)
def test_a_kmp_that_is_not_known_or_not_one_is_refused(text: str, said: str) -> None:
    with pytest.raises(PlanError) as caught:
        references.resolve_kmp("livepatch_quarantine_kmp", text, [K3, K2, OTHER, KPATCH])
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("aaaa00000001", {1}),
        ("ffff00000001", {1, 2}),
        ("aaaa", {1, 2}),
        ("ffff00000003", {3}),
        ("bbbb", {3}),
        ("bbbb0000", {3}),
    ],
)
def test_a_cohort_is_named_by_its_id_or_the_beginning_of_it(text: str, ids: set[int]) -> None:
    assert references.resolve_cohort("s", text, COHORTS) == {COHORTS[number - 1] for number in ids}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("3-1", f"which is no cohort. Known are aaaa00000001 ({K3} on 6.4.0-1-default), "),
        ("ffff", "begins the IDs of several cohorts"),
        ("aaa", "which is no cohort"),
        ("cccc", "which is no cohort"),
    ],
)
def test_what_is_no_cohort_or_several_is_refused(text: str, said: str) -> None:
    with pytest.raises(PlanError) as caught:
        references.resolve_cohort("livepatch_quarantine_cohort", text, COHORTS)
    assert said in str(caught.value)


def test_a_host_is_one_that_is_known() -> None:
    assert references.resolve_host("s", "web1", ["web1", "db1"]) == "web1"
    with pytest.raises(PlanError, match=r"no host has that name. The nearest: web1"):
        references.resolve_host("s", "wbe1", ["web1", "db1"])


def test_the_store_knows_what_plans_have(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "rollouts.sqlite3"), lambda: 1000.0)
    cohort = {"id": "a1", "target": "f1", "kmp": K3, "release": "6.4"}
    known = {**empty_plan("ab" * 32), "cohorts": [{**cohort, "hosts": 1}]}
    known.update(waves=[{"kind": "wave", "hosts": ["web1"]}], hosts={"web1": {"cohort": "a1"}})
    store.save_plan("web", known)
    store.save_plan("db", {**known, "hash": "ac" * 32})
    store.save_plan("db", {**empty_plan("b0" * 32), "cohorts": [{"id": "b1", "hosts": 1}]})
    assert [row["hash"][:2] for row in store.find_plans("a")] == ["ab", "ac"]
    assert [row["scope"] for row in store.find_plans("abab")] == ["web"]
    assert (store.find_plans("abac"), len(store.find_plans(""))) == ([], 3)
    assert store.list_cohorts() == [cohort], "each once, and none that nothing can be compared with"
    assert [store.knows_host(name) for name in ("web1", "web2")] == [True, False]
