# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans as small as they can be, for tests of what follows them."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import controls, session
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.batches import Batch
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.plan import SCHEMA, Plan, compute_hash
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.run import Run

KMP = "kernel-livepatch-6_4-3-1.2"
NO_BUDGETS = dict.fromkeys(("batch", "wave", "cohort", "rollout", "lost", "unreachable"))
RUN = Run("rollout", "h", run="run", id="r", fence=1)


def make_document(
    *waves: t.Sequence[str],
    kmps: t.Mapping[str, str] | None = None,
    scope: str = "rollout",
    max_in_flight: int = 100,
    **budgets: str | None,
) -> dict[str, t.Any]:
    """Of canaries and waves, each of hosts whose cohort is the first letter of their name.

    :param kmps: by cohort, what is not KMP.
    """
    names = [name for wave in waves for name in wave]
    kmp = {cohort: (kmps or {}).get(cohort, KMP) for cohort in sorted({name[0] for name in names})}
    document: dict[str, t.Any] = {
        "schema": SCHEMA,
        "settings": {
            "max_in_flight": max_in_flight,
            "halt_scope": scope,
            "budgets": {**NO_BUDGETS, "wave": "0", "lost": "0", **budgets},
            "domain_keys": [],
        },
        "cohorts": [
            {
                "id": cohort,
                "target": f"t-{cohort}",
                "release": "6.4.0",
                "build_id": "aa",
                "arch": "x86_64",
                "flavor": "default",
                "level": None,
                "kmp": kmp[cohort],
                "key": None,
                "hosts": sum(name[0] == cohort for name in names),
                "canaries": [name for name in waves[0] if name[0] == cohort] if waves else [],
            }
            for cohort in kmp
        ],
        "waves": [{"kind": "wave" if number else "canaries", "hosts": list(wave)} for number, wave in enumerate(waves)],
        "hosts": {
            name: {
                "cohort": name[0],
                "build_id": "aa",
                "boot_id": "1",
                "kmp": kmp[name[0]],
                "level": None,
                "why": None,
            }
            for name in names
        },
        "left_out": {},
    }
    return {**document, "hash": compute_hash(document)}


def make_plan(*waves: t.Sequence[str], **settings: t.Any) -> Plan:
    """As `make_document`, typed."""
    return Plan.from_document(make_document(*waves, **settings))


def make_controls(names: t.Iterable[str], **given: t.Any) -> controls.Controls:
    """What a new rollout of these hosts goes by.

    :param given: settings of the run, without their prefix.
    """
    run = {f"livepatch_{option}": value for option, value in given.items()}
    return controls.decide(None, controls.Given(run, {name: {} for name in names}))


def make_step(plan: Plan, batch: Batch) -> session.Step:
    planned = {name: plan.hosts[name] for name in batch.hosts}
    return session.Step(RUN, session.State(0.0, 0.0), plan.outline, batch, planned)
