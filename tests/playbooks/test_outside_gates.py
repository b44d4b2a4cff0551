# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gates against a real Prometheus and a real Alertmanager: what each condition makes of a gate."""

from __future__ import annotations

import time
import typing as t
from collections.abc import Iterator

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._http import fetch
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates import runner
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates.context import GateContext
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates.verdict import GateResult
from tests.support import monitoring, web

CONTEXT = GateContext("r", "p", 0, ("web1", "web2"), ("web3", "web4"), time.time())
QUICK = {"interval": 0.1, "error_limit": 1, "inconclusive_limit": 1, "timeout": 1}


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[monitoring.Prometheus]:
    with monitoring.prometheus(tmp_path_factory.mktemp("prometheus")) as running:
        yield running


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with monitoring.alertmanager(tmp_path_factory.mktemp("alertmanager")) as url:
        yield url


def judge(gate: dict[str, t.Any]) -> GateResult:
    told = runner.run_gates(
        runner.parse_gates([{"name": "g", **QUICK, **gate}], {}), CONTEXT, fetch, lambda: None
    ).gates[0]
    print(f"{gate.get('query') or gate['url'][-30:]}: {told.verdict} ({told.text})")
    return told


def below(url: str, query: str = 'errors{instance=~"$hosts"}') -> dict[str, t.Any]:
    return {"type": "prometheus", "url": url, "query": query, "pass_if": "< 0.05"}


def test_prometheus(prometheus: monitoring.Prometheus) -> None:
    prometheus.metrics = "\n".join(
        [
            *(f'errors{{instance="web{number}:9100"}} 0.0{number}' for number in (1, 2, 3, 4)),
            'broken{instance="web1:9100"} NaN',
            'bad{instance="web1:9100"} 0.5',
            "",
        ]
    )
    prometheus.wait_for("count(errors)", "4")
    told = judge(below(prometheus.url))
    assert told.verdict == "pass"
    assert told.measurements[0].request == 'errors{instance=~"(web1|web2)(:[0-9]+)?"}'
    assert sorted(told.measurements[0].value) == [0.01, 0.02]
    assert judge(below(prometheus.url, 'bad{instance=~"$hosts"}')).verdict == "fail"
    assert judge(below(prometheus.url, "nothing_like_it")).verdict == "inconclusive"
    assert judge(below(prometheus.url, "broken")).verdict == "inconclusive"
    wrong = judge(below(prometheus.url, "errors{"))
    assert (wrong.verdict, "parse error" in wrong.text) == ("error", True)
    ratio = {"type": "prometheus", "url": prometheus.url, "query": 'sum(errors{instance=~"$hosts"})'}
    assert judge({**ratio, "max_ratio": 1.2}).verdict == "pass", "0.03 beside 0.07"
    assert judge({**ratio, "max_ratio": 0.4}).verdict == "fail"


def test_one_that_is_down_slow_or_broken() -> None:
    def slow(_asked: web.Asked) -> tuple[int, str]:
        time.sleep(3)
        return 200, "{}"

    assert judge(below(f"http://127.0.0.1:{monitoring.free_port()}")).verdict == "error"
    with web.served(slow) as url:
        assert judge(below(url)).verdict == "error"
    with web.served(lambda _asked: (500, "Internal Server Error")) as url:
        assert judge(below(url)).verdict == "error"


def test_alertmanager(alertmanager: str) -> None:
    gate = {"type": "alertmanager", "url": alertmanager}
    assert judge(gate).verdict == "pass"
    monitoring.fire(alertmanager, "HighLoad", severity="critical", instance="web1:9100")
    assert judge(gate).verdict == "fail"
    assert judge({**gate, "matchers": ['severity="critical"']}).verdict == "fail"
    assert judge({**gate, "matchers": ['severity="warning"']}).verdict == "pass"
    assert judge({**gate, "label": "instance"}).verdict == "fail"
    assert judge({**gate, "label": "host"}).verdict == "pass"
    assert judge({**gate, "allow": ["HighLoad"]}).verdict == "pass"
    assert judge({**gate, "only_new": True}).verdict == "fail"
    assert judge({**gate, "matchers": ['severity=~"("']}).verdict == "error", "it says itself that this is no matcher"


def test_a_web_hook() -> None:
    with web.served(lambda asked: (200, "") if asked.path == "/yes" else (403, "the change is not approved")) as url:
        assert judge({"type": "http", "url": f"{url}/yes"}).verdict == "pass"
        no = judge({"type": "http", "url": f"{url}/no"})
    assert (no.verdict, no.text) == ("fail", "HTTP 403: the change is not approved")
