# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One root, one set of throw-away keys, and a table of what happened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vendors import root as roots
from tests.vendors.host import serve
from tests.vendors.packages import Builder, Keyring
from tests.vendors.root import Root

_ROWS = pytest.StashKey[list[tuple[str, ...]]]()
VENDOR_ID = "SUSE Package Signing Key <build@suse.de>"


@pytest.fixture(scope="session")
def root() -> Root:
    return roots.make()


@pytest.fixture(scope="session")
def keys() -> Iterator[Keyring]:
    keyring = Keyring()
    try:
        keyring.make("vendor", VENDOR_ID)
        keyring.make("twin", VENDOR_ID)
        keyring.make("stranger", "Third party <packages@example.com>")
        yield keyring
    finally:
        keyring.close()


@pytest.fixture(scope="session")
def builder(keys: Keyring, tmp_path_factory: pytest.TempPathFactory) -> Builder:
    return Builder(keys, tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    folder = tmp_path_factory.mktemp("served")
    with serve(folder) as url:
        yield folder, url


@pytest.fixture
def table(request: pytest.FixtureRequest) -> list[tuple[str, ...]]:
    """The rows that are printed at the end: case, tool, what happened, what was expected."""
    return request.config.stash.setdefault(_ROWS, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    rows = config.stash.get(_ROWS, [])
    if not rows:
        return
    rows = [("case", "tool", "what happened", "expected"), *rows]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)]
        terminalreporter.write_line(" | ".join((*cells, row[3])))
