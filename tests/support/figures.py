# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tests measured, shown at the end of the run. A conftest.py imports all of it."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator

import pytest

__all__ = ["figures", "pytest_runtest_makereport", "pytest_terminal_summary"]

_LINES = pytest.StashKey[list[str]]()
_OUTCOME = pytest.StashKey[str]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.when == "call":
        item.stash[_OUTCOME] = report.outcome
    return report


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Iterator[dict[str, object]]:
    """What a scenario measured, by name; it is shown at the end of the run."""
    measured: dict[str, object] = {}
    started = time.monotonic()
    yield measured
    # There is none where another fixture failed, so that the scenario never began.
    outcome = request.node.stash.get(_OUTCOME, "failed")
    mark = "" if outcome == "passed" else f" {outcome.upper()}"
    measured["seconds"] = round(time.monotonic() - started)
    told = ", ".join(f"{name} {value}" for name, value in measured.items())
    lines = request.config.stash.setdefault(_LINES, [])
    lines.append(f"{request.path.stem}/{request.node.name.removeprefix('test_')}: {told}{mark}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(_LINES, []):
        terminalreporter.write_line(line)
