# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Prometheus's own tool says of the metrics, and of the examples in the docs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import metrics
from tests.support import monitoring
from tests.unit.plugins.plugin_utils._report import reported
from tests.unit.plugins.plugin_utils._report.test_status import surveyed

_DOCS = Path(__file__).parents[2] / "docs/monitoring"


def _promtool(*arguments: str, input_: str | None = None) -> str:
    tool = monitoring.programs() / "promtool"
    run = subprocess.run([tool, *arguments], input=input_, capture_output=True, text=True, check=False, cwd=_DOCS)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


def _of_host() -> str:
    result = surveyed(covered_until="2027-03-31", transition={"running": True})
    return metrics.format_host(result, 1_800_000_000.5)


@pytest.mark.parametrize("text", [_of_host(), metrics.format_rollout(reported.rollout())], ids=["host", "rollout"])
def test_metrics_are_clean(text: str) -> None:
    assert _promtool("check", "metrics", input_=text) == ""


def test_alerts_fire_when_they_should() -> None:
    _promtool("check", "rules", "livepatch.rules.yml")
    _promtool("test", "rules", "livepatch.test.yml")


def test_the_dashboard_asks_for_metrics_that_are_there() -> None:
    known = {
        line.split()[2]
        for line in (_of_host() + metrics.format_rollout(reported.rollout())).splitlines()
        if " HELP " in line
    }
    panels = json.loads((_DOCS / "livepatch.dashboard.json").read_text())["panels"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    assert len(asked) == 8
    for expression in asked:
        names = {
            word for word in expression.replace("(", " ").replace(")", " ").split() if word.startswith("livepatch_")
        }
        assert names and names <= known, expression
