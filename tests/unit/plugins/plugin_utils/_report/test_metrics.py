# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Metrics of a host and of a rollout. Whether Prometheus takes them is tested with its own tool, tests/playbooks."""

from __future__ import annotations

import re

from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import metrics
from tests.unit.plugins.plugin_utils._report import reported
from tests.unit.plugins.plugin_utils._report.test_status import surveyed


def _samples(text: str) -> dict[str, str]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: value for name, _blank, value in (line.rpartition(" ") for line in lines)}


def _host(**told: object) -> dict[str, str]:
    return _samples(metrics.format_host(surveyed(**told), 1_800_000_000.5))


def test_a_host() -> None:
    told = _host(cves_open=["CVE-2099-0003"], covered_until="2027-03-31")
    assert told['livepatch_state{state="patched"}'] == "1"
    assert sum(int(value) for name, value in told.items() if name.startswith("livepatch_state{")) == 1
    assert told["livepatch_open_cves"] == "1"
    assert told["livepatch_persistent"] == "1"
    assert told["livepatch_verified_timestamp_seconds"] == "1800000000.5"
    assert told["livepatch_covered_until_timestamp_seconds"] == "1806537600.0", "the end of the day"


def test_what_could_not_be_measured_is_left_out() -> None:
    told = _host(cves_open=None, persistent=None)
    assert not {"livepatch_open_cves", "livepatch_persistent", "livepatch_covered_until_timestamp_seconds"} & set(told)


def test_a_label_holds_anything() -> None:
    result = surveyed(installed={"name": 'a"b\\c\nd\x1b', "evr": "1-1"})
    assert 'kmp="a\\"b\\\\c d?-1-1"' in metrics.format_host(result, 0.0)


def test_a_rollout() -> None:
    told = _samples(metrics.format_rollout(reported.rollout()))
    assert told['livepatch_rollout_status{scope="default",status="failed"}'] == "1"
    hosts = {name: value for name, value in told.items() if name.startswith("livepatch_rollout_hosts{")}
    assert len(hosts) == 9
    assert hosts['livepatch_rollout_hosts{scope="default",outcome="done"}'] == "4"
    waves = [told[f'livepatch_rollout_{name}{{scope="default"}}'] for name in ("waves", "passed_waves")]
    assert waves == ["3", "1"]
    assert re.fullmatch(r"[\d.]+", told['livepatch_rollout_started_timestamp_seconds{scope="default"}'])
